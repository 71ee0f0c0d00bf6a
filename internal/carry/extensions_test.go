package carry_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/carry"
	"github.com/walferry/walferry/internal/pgtest"
)

// extensionSQL makes what an extension's script would: a configuration table whose
// rows from 100 on are the user's.
const extensionSQL = `CREATE EXTENSION hstore; CREATE SCHEMA "Ext"; CREATE TABLE "Ext".config (id int PRIMARY KEY, v text, g int GENERATED ALWAYS AS (id + 1) STORED);
	CREATE TABLE "Ext".more (id int); ALTER EXTENSION hstore ADD TABLE "Ext".config; ALTER EXTENSION hstore ADD TABLE "Ext".more;
	SET allow_system_table_mods = on;
	UPDATE pg_extension SET extconfig = ARRAY['"Ext".config'::regclass, '"Ext".more'::regclass]::oid[], extcondition = ARRAY['WHERE id >= 100', ''] WHERE extname = 'hstore';
	INSERT INTO "Ext".config VALUES (1, 'the extension''s')`

// TestExtensionRows copies the user's rows of an extension's tables, leaves the
// extension's own, and names tables that the target does not have like that.
func TestExtensionRows(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 13).Database(t, extensionSQL, `INSERT INTO "Ext".config VALUES (100, 'a'), (101, 'b'); INSERT INTO "Ext".more VALUES (7)`)
	dest := destination(t, 18, extensionSQL, `UPDATE "Ext".config SET v = 'of a newer version'`)
	o := carry.ExtensionOptions{Source: connectTo(source), Target: connectTo(dest)}
	for _, want := range []string{"1 of a newer version, 100 a, 101 b", "1 of a newer version, 101 c"} {
		if warnings, err := carry.ExtensionRows(t.Context(), o); err != nil || len(warnings) > 0 {
			t.Fatalf("%q, %v", warnings, err)
		}
		if got := pgtest.Query(t, dest, `SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM "Ext".config`)[0][0]; got != want {
			t.Errorf("the target holds %s, want %s", got, want)
		}
		pgtest.Exec(t, source, `DELETE FROM "Ext".config WHERE id = 100; UPDATE "Ext".config SET v = 'c' WHERE id = 101`)
	}
	if got := pgtest.Query(t, dest, `SELECT id FROM "Ext".more`)[0][0]; got != "7" {
		t.Errorf("more holds %s", got)
	}
	pgtest.Exec(t, dest, `ALTER TABLE "Ext".config DROP COLUMN v`)
	warnings, err := carry.ExtensionRows(t.Context(), o)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "rows of table Ext.config of extension hstore were not copied") {
		t.Errorf("%q, %v", warnings, err)
	}
}
