package applier_test

import (
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

func TestApplier_NamesTablesThatGoRowByRow(t *testing.T) {
	t.Parallel()
	schema := []string{
		`CREATE TABLE plain (id int PRIMARY KEY, v text)`,
		`CREATE TABLE keyless (id int, v text)`, `ALTER TABLE keyless REPLICA IDENTITY FULL`,
		`CREATE TABLE fuzzy (id numeric PRIMARY KEY, v text)`,
		`CREATE TABLE unindexed (id int PRIMARY KEY, v text)`,
		`CREATE TABLE triggered (id int PRIMARY KEY, v text)`,
		`CREATE TABLE numbered (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY)`,
		`CREATE TABLE inserts (id int)`,
	}
	tables := []string{"plain", "keyless", "fuzzy", "unindexed", "triggered", "numbered", "inserts"}
	r := newReplica(t, schema...)
	pgtest.Exec(t, r.target, `ALTER TABLE unindexed DROP CONSTRAINT unindexed_pkey`,
		`CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v = NEW.v || ''!''; RETURN NEW; END'`,
		`CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION mark()`,
		`ALTER TABLE triggered ENABLE ALWAYS TRIGGER mark`)
	r.publish(t, "FOR ALL TABLES")
	for _, table := range tables {
		pgtest.Exec(t, r.source, "INSERT INTO "+table+" (id) SELECT generate_series(1, 100)")
		if table != "inserts" {
			pgtest.Exec(t, r.source, "UPDATE "+table+" SET id = id + 1000 WHERE id > 50", "DELETE FROM "+table+" WHERE id < 20")
		}
	}
	pgtest.Exec(t, r.source, `UPDATE triggered SET v = 'x'`)
	stats, err := r.follow(t)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	reasons := map[string]string{}
	for _, table := range stats.RowByRow {
		reasons[table.Name] = table.Reason
	}
	for _, table := range tables {
		if wanted := table != "plain"; (reasons[table] != "") != wanted {
			t.Errorf("%s is applied row by row because %q", table, reasons[table])
		}
		if got := pgtest.Query(t, r.target, "SELECT count(*) FROM "+table)[0][0]; got != "81" && table != "inserts" {
			t.Errorf("%s holds %s rows", table, got)
		}
	}
	if got := pgtest.Query(t, r.target, "SELECT count(*) FROM triggered WHERE v = 'x!'")[0][0]; got != "81" {
		t.Errorf("the trigger fired for %s rows", got)
	}
}
