package workload_test

import (
	"context"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// TestGenerator_DoesEverything runs until each kind of statement has been done.
func TestGenerator_DoesEverything(t *testing.T) {
	t.Parallel()
	for _, major := range []int{13, 18} {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			uri := pgtest.Server(t, major).Database(t)
			if err := workload.LoadUgly(t.Context(), uri, 1); err != nil {
				t.Fatal(err)
			}
			// The publication makes statements fail that an application may not run.
			pgtest.Exec(t, uri, `DO $$ BEGIN EXECUTE (SELECT 'CREATE PUBLICATION p FOR TABLE '
				|| string_agg(c.oid::regclass::text, ', ') FROM pg_class c
				WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relnamespace::regnamespace::text !~ '^(pg_|information)'
				AND NOT c.relname IN ('nothing', 'log_lines')); END $$`)
			g := workload.New(uri, workload.Options{Seed: uint64(major), LargeEvery: 20, LargeRows: 300, Truncate: true, Prepare: true})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				_, err := g.Run(ctx)
				ended <- err
			}()
			pgtest.Eventually(t, "everything was done", func() bool {
				select {
				case err := <-ended:
					t.Fatalf("the workload ended: %+v\n%s", err, errors.FlattenDetails(err))
				default:
				}
				return zeros(g.Stats()) == ""
			})
			stop()
			if err := <-ended; err != nil {
				t.Fatalf("%v\n%s", err, errors.FlattenDetails(err))
			}
			t.Logf("%+v", g.Stats())
		})
	}
}

// zeros names a counter that is still zero. Deadlocks and lost connections are
// not brought about.
func zeros(s workload.Stats) string {
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).Int() == 0 && name != "Serializations" && name != "Reconns" {
			return name
		}
	}
	return ""
}

func TestGenerator_SurvivesARestart(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, 15, nil)
	uri := server.Database(t, "CREATE TABLE a (id serial PRIMARY KEY, t text)")
	g := workload.New(uri, workload.Options{Sessions: 2, Pause: time.Millisecond, Prepare: true})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := g.Run(ctx)
		ended <- err
	}()
	pgtest.Eventually(t, "rows are written", func() bool { return g.Stats().Committed > 10 })
	if err := server.Restart(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	before := g.Stats().Committed
	pgtest.Eventually(t, "rows are written again", func() bool {
		return g.Stats().Reconns > 0 && g.Stats().Committed > before+10
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestGenerator_ReportsWhatAnApplicationWouldSee(t *testing.T) {
	t.Parallel()
	uri := pgtest.Server(t, 15).Database(t, `CREATE TABLE a (id int PRIMARY KEY, t text);
		INSERT INTO a SELECT generate_series(1, 100);
		CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''refused''; END';
		CREATE TRIGGER f BEFORE DELETE ON a FOR EACH ROW EXECUTE FUNCTION f();`)
	if _, err := workload.New(uri, workload.Options{}).Run(t.Context()); err == nil {
		t.Fatal("a statement failed, and nobody was told")
	}
	empty := pgtest.Server(t, 15).Database(t)
	if _, err := workload.New(empty, workload.Options{}).Run(t.Context()); err == nil {
		t.Fatal("an empty database was written to")
	}
}
