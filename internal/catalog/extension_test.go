package catalog_test

import (
	"strconv"
	"testing"

	"github.com/walferry/walferry/internal/catalog"
)

// No extension at hand has a configuration table, so one is made of a table.
const configuredExtension = `CREATE EXTENSION citext;
CREATE TABLE settings (id int PRIMARY KEY);
CREATE TABLE internals (id int PRIMARY KEY);
CREATE TABLE mine (id int PRIMARY KEY);
ALTER EXTENSION citext ADD TABLE settings;
ALTER EXTENSION citext ADD TABLE internals;
UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass], extcondition = ARRAY['WHERE id > 100'] WHERE extname = 'citext';
SELECT lo_create(0), lo_create(0);`

func TestExtensionTables(t *testing.T) {
	t.Parallel()
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			conn := open(t, major, configuredExtension)
			tables, err := catalog.ExtensionTables(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if len(tables) != 1 || tables[0].String() != "public.settings" || tables[0].Extension != "citext" ||
				tables[0].Condition != "WHERE id > 100" || len(tables[0].Columns) != 1 {
				t.Errorf("configuration tables: %+v", tables)
			}
			users, err := catalog.Tables(t.Context(), conn, catalog.Filter{})
			if err != nil || len(users) != 1 || users[0].String() != "public.mine" {
				t.Errorf("tables: %+v, %v", users, err)
			}
			if _, err := catalog.Tables(t.Context(), conn, catalog.Filter{Tables: []string{"settings"}}); err == nil {
				t.Error("a pattern names no extension's table")
			}
			again, err := catalog.TablesByOID(t.Context(), conn, []uint32{users[0].OID, 1})
			if err != nil || len(again) != 1 || again[0].Name != users[0].Name {
				t.Errorf("by OID: %+v, %v", again, err)
			}
			if n, err := catalog.LargeObjects(t.Context(), conn); err != nil || n != 2 {
				t.Errorf("large objects: %d, %v", n, err)
			}
		})
	}
}
