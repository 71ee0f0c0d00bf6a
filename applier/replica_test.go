package applier_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/applier"
	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

// replica is a source database with a slot, and a target that follows it.
type replica struct {
	source, target string
	// options are those of the next run, but for Connect and Checkpoint.
	options applier.Options
	binary  bool
	// session sets up the target's connections, unless empty as an engine would.
	session string
	// setFrom is the number of changes from which a table is written as a set; 0 for the default.
	setFrom int
	// split are the keys by which tables are split; a table is taken out when that must end.
	split map[string][]string
}

// newReplica creates both databases with the same statements.
func newReplica(t *testing.T, schema ...string) *replica {
	t.Helper()
	sourceMajor, _ := pgtest.Majors()
	return newTarget(t, pgtest.Server(t, sourceMajor).Database(t, schema...), schema...)
}

// newTarget creates another target for a source.
func newTarget(tb testing.TB, source string, schema ...string) *replica {
	tb.Helper()
	_, targetMajor := pgtest.Majors()
	r := &replica{source: source, target: pgtest.Server(tb, targetMajor).Database(tb)}
	r.reset(tb, schema...)
	return r
}

// reset makes the target one that has seen nothing.
func (r *replica) reset(tb testing.TB, schema ...string) {
	tb.Helper()
	pgtest.Exec(tb, r.target, `DO $$ DECLARE s name; BEGIN
			FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$' LOOP
				EXECUTE format('DROP SCHEMA %I CASCADE', s);
			END LOOP;
		END $$`, `CREATE SCHEMA public`)
	pgtest.Exec(tb, r.target, schema...)
	pgtest.Exec(tb, r.target, `CREATE SCHEMA progress`,
		`CREATE TABLE progress.checkpoint (lane int PRIMARY KEY DEFAULT 0, lsn pg_lsn, commit_lsn pg_lsn, transactions bigint, changes bigint, missed bigint)`,
		`INSERT INTO progress.checkpoint VALUES (0, '0/0', '0/0', 0, 0, 0)`)
}

// publish creates the publication and the slot; what happened before is not streamed.
func (r *replica) publish(t *testing.T, publication string) {
	t.Helper()
	pgtest.Exec(t, r.source, "CREATE PUBLICATION p "+publication)
	pgtest.Query(t, r.source, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", r.slot(t))
}

// slot is a name that is unique on the server.
func (r *replica) slot(t *testing.T) string {
	t.Helper()
	return pgtest.Query(t, r.source, "SELECT current_database()")[0][0]
}

// connect opens a target connection as an engine would.
func (r *replica) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, r.target)
	if err != nil {
		return nil, err
	}
	session := r.session
	if session == "" {
		session = "SET search_path = ''; SET session_replication_role = replica; SET timezone = 'UTC'"
	}
	_, err = conn.Exec(ctx, session+"; SET application_name = 'lane'")
	return conn, err
}

// left waits until the sessions of a run that failed have ended: a COMMIT that was under
// way may come after the run has returned. An engine fences it by its epoch.
func (r *replica) left(tb testing.TB) {
	tb.Helper()
	pgtest.Eventually(tb, "the lanes' sessions have ended", func() bool {
		return pgtest.Query(tb, r.target, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lane'`)[0][0] == "0"
	})
}

// checkpoint implements [applier.Checkpointer] on the table of newReplica.
type checkpoint struct{}

func (checkpoint) Save(batch *pgx.Batch, c applier.Checkpoint) {
	var missed int64
	for _, m := range c.Missed {
		missed += m.Updates + m.Deletes
	}
	// It must not go back.
	batch.Queue(`WITH saved AS (INSERT INTO progress.checkpoint AS p VALUES ($6, $1::text::pg_lsn, $2::text::pg_lsn, $3, $4, $5)
		ON CONFLICT (lane) DO UPDATE SET lsn = $1::text::pg_lsn, commit_lsn = $2::text::pg_lsn,
		transactions = p.transactions + $3, changes = p.changes + $4, missed = p.missed + $5 WHERE p.lsn <= $1::text::pg_lsn RETURNING 1)
		SELECT 1 / count(*) FROM saved`,
		c.EndLSN.String(), c.CommitLSN.String(), c.Transactions, c.Changes, missed, c.Lane).
		Fn = func(results pgx.BatchResults) error {
		_, err := results.Exec()
		if err != nil && strings.Contains(err.Error(), "division by zero") {
			err = errors.Mark(err, applier.ErrFenced)
		}
		return err
	}
}

// applier returns one for the next run, from the checkpoint on.
func (r *replica) applier(tb testing.TB) *applier.Applier {
	tb.Helper()
	return r.applierWith(tb, checkpoint{})
}

func (r *replica) applierWith(tb testing.TB, c applier.Checkpointer) *applier.Applier {
	tb.Helper()
	options := r.options
	options.Connect, options.Checkpoint = r.connect, c
	for lane := range max(1, options.Lanes) {
		start, err := pglogrepl.ParseLSN(r.position(tb, lane))
		if err != nil {
			tb.Fatal(err)
		}
		options.LaneStarts = append(options.LaneStarts, start)
	}
	if options.Table == nil {
		options.Table = func(_ context.Context, rel *decoder.Relation) (applier.Route, error) {
			route := spread(rel)
			route.Split = r.split[rel.Name]
			return route, nil
		}
	}
	a := applier.New(options)
	if r.setFrom > 0 {
		a.WriteAsSetFrom(r.setFrom)
	}
	return a
}

// position is where the checkpoint of a lane stands.
func (r *replica) position(tb testing.TB, lane int) string {
	tb.Helper()
	rows := pgtest.Query(tb, r.target, "SELECT lsn FROM progress.checkpoint WHERE lane = $1", lane)
	if len(rows) == 0 {
		return "0/0"
	}
	return rows[0][0]
}

// spread puts tables into different lanes, but for a and b, which tests tie by
// foreign keys.
func spread(r *decoder.Relation) applier.Route {
	if r.Name == "a" || r.Name == "b" {
		return applier.Route{}
	}
	return applier.Route{Lane: int(r.OID)}
}

// follow applies all that the source has committed. A table that cannot stay split
// goes to one lane, as an engine would let it.
func (r *replica) follow(t *testing.T) (applier.Stats, error) {
	t.Helper()
	var before applier.Stats
	for {
		stats, err := r.followTo(t, 0)
		stats.Transactions += before.Transactions
		stats.MissedUpdates += before.MissedUpdates
		stats.MissedDeletes += before.MissedDeletes
		var unsplit *applier.UnsplitError
		if !errors.As(err, &unsplit) {
			return stats, err
		}
		before = stats
		r.left(t)
		furthest := lsn(t, r.target, "SELECT max(lsn) FROM progress.checkpoint")
		if furthest == 0 {
			delete(r.split, unsplit.Name)
			continue
		}
		if _, err := r.followTo(t, furthest); err != nil {
			return stats, errors.Wrap(err, "bring the lanes together")
		}
		if got := pgtest.Query(t, r.target, "SELECT count(DISTINCT lsn) FROM progress.checkpoint")[0][0]; got != "1" {
			t.Errorf("the lanes are at %s positions", got)
		}
		delete(r.split, unsplit.Name)
	}
}

// followTo applies what the source has committed up to end, or everything.
func (r *replica) followTo(t *testing.T, end decoder.LSN) (applier.Stats, error) {
	t.Helper()
	a := r.applier(t)
	group, ctx := errgroup.WithContext(t.Context())
	group.Go(func() error { return a.Run(ctx) })
	group.Go(func() error {
		defer a.Close()
		if end == 0 {
			return r.feed(ctx, t, a)
		}
		err := r.feed(ctx, t, &until{Applier: a, end: end})
		if errors.Is(err, errUntil) {
			err = nil
		}
		return err
	})
	err := group.Wait()
	return a.Stats(), err
}

// until is an applier that gets the transactions before end.
type until struct {
	*applier.Applier
	end decoder.LSN
}

var errUntil = errors.New("this is the end")

func (u *until) Begin(tx *decoder.Transaction) error {
	if tx.CommitLSN >= u.end {
		if err := u.Idle(u.end, false); err != nil {
			return err
		}
		return errUntil
	}
	return u.Applier.Begin(tx)
}

// feed hands what the slot holds to h, and leaves it in the slot.
func (r *replica) feed(ctx context.Context, t *testing.T, h decoder.Handler) error {
	t.Helper()
	conn, err := pgx.Connect(ctx, r.source)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // only read from
	options := []string{"proto_version", "1", "publication_names", "p"}
	if major, _ := pgtest.Majors(); r.binary && major >= 14 {
		options = append(options, "binary", "true")
	}
	rows, err := conn.Query(ctx, `SELECT lsn::text, data FROM pg_logical_slot_peek_binary_changes(
		current_database(), NULL, NULL, VARIADIC $1::text[])`, options)
	if err != nil {
		return err
	}
	assembler := decoder.NewAssembler(decoder.AssemblerOptions{}, h)
	var position string
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&position, &data}, func() error {
		lsn, err := pglogrepl.ParseLSN(position)
		if err != nil {
			return err
		}
		return assembler.Push(lsn, data)
	})
	return errors.CombineErrors(err, assembler.Close())
}

// mustFollow fails the test unless source and target are equal afterwards.
func (r *replica) mustFollow(t *testing.T) applier.Stats {
	t.Helper()
	stats, err := r.follow(t)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	pgtest.Compare(t, r.source, r.target)
	return stats
}
