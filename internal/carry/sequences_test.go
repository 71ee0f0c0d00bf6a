package carry_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/carry"
	"github.com/walferry/walferry/internal/pgtest"
)

const sequencesSQL = `
	CREATE SEQUENCE plain;
	CREATE SEQUENCE untouched START 100;
	CREATE SEQUENCE down INCREMENT -5 MINVALUE -1000000000 MAXVALUE 10 START 10;
	CREATE SEQUENCE small AS smallint;
	CREATE SEQUENCE round MAXVALUE 3 CYCLE;
	CREATE TABLE "odd ""Table" (id bigint GENERATED ALWAYS AS IDENTITY, other serial)`

const positionsSQL = `SELECT string_agg(p, ' ' ORDER BY p) FROM (
	SELECT 'plain=' || last_value || is_called::text p FROM plain UNION ALL SELECT 'untouched=' || last_value || is_called::text FROM untouched
	UNION ALL SELECT 'down=' || last_value || is_called::text FROM down UNION ALL SELECT 'small=' || last_value || is_called::text FROM small
	UNION ALL SELECT 'round=' || last_value || is_called::text FROM round
	UNION ALL SELECT 'id=' || last_value || is_called::text FROM "odd ""Table_id_seq") s`

// TestSequences pushes sequences ahead while the source goes on, never back, and
// sets the exact positions at the end, but for those that the target has used.
func TestSequences(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 13).Database(t, sequencesSQL, `CREATE SEQUENCE lonely`,
		`SELECT nextval('plain') FROM generate_series(1, 10); SELECT nextval('down'); SELECT nextval('down');
		SELECT setval('small', 30000); SELECT nextval('round') FROM generate_series(1, 5);
		INSERT INTO "odd ""Table" DEFAULT VALUES`)
	dest := destination(t, 18, sequencesSQL)
	o := carry.SequenceOptions{Source: connect(t, source), Target: connect(t, dest), Migration: "default", Margin: 1000}
	set := func(margin int64) carry.SequenceResult {
		t.Helper()
		o.Margin = margin
		r, err := carry.Sequences(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "public.lonely does not exist") {
			t.Errorf("warnings: %q", r.Warnings)
		}
		return r
	}
	positions := func(uri, want string) {
		t.Helper()
		if got := pgtest.Query(t, uri, positionsSQL)[0][0]; got != want {
			t.Errorf("positions\n%s, want\n%s", got, want)
		}
	}
	set(1000)
	// Ahead; a small sequence by a tenth of what it has left; one that starts anew as it is.
	const pushed = "down=-4995true id=1001true plain=1010true round=2true small=30276true untouched=1100true"
	positions(dest, pushed)
	pgtest.Exec(t, source, `SELECT nextval('plain') FROM generate_series(1, 400)`)
	set(1000)
	positions(dest, pushed) // still more than half of the margin ahead
	pgtest.Exec(t, source, `SELECT nextval('plain') FROM generate_series(1, 600)`)
	set(1000)
	positions(dest, strings.Replace(pushed, "plain=1010", "plain=2010", 1))

	// The end: exact, except that the target has handed out numbers of down and id.
	pgtest.Exec(t, dest, `SELECT nextval('down'); INSERT INTO "odd ""Table" DEFAULT VALUES`)
	set(0)
	const exact = "down=-5000true id=1002true plain=1010true round=2true small=30000true untouched=100false"
	positions(dest, exact)
	if r := set(0); r.Set != 0 {
		t.Errorf("a second call set %d sequences", r.Set)
	}
	positions(dest, exact)
}

// TestSequences_UsedBefore never sets back a sequence of a target that was in use.
func TestSequences_UsedBefore(t *testing.T) {
	t.Parallel()
	source := pgtest.Server(t, 15).Database(t, `CREATE SEQUENCE s; CREATE SEQUENCE r MAXVALUE 9 CYCLE; SELECT nextval('s'), nextval('r')`)
	dest := destination(t, 15, `CREATE SEQUENCE s; CREATE SEQUENCE r MAXVALUE 9 CYCLE; SELECT setval('s', 50), setval('r', 5)`)
	r, err := carry.Sequences(t.Context(), carry.SequenceOptions{Source: connect(t, source), Target: connect(t, dest), Migration: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "public.r was used on the target") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	if got := pgtest.Query(t, dest, `SELECT s.last_value, r.last_value FROM s, r`)[0]; got[0] != "50" || got[1] != "5" {
		t.Errorf("set back to %v", got)
	}
}
