package rows

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Run compares the tables and hands out a verdict for each. It returns those that it
// has none for, and that need other snapshots: rewritten ones were truncated or altered
// after a snapshot was taken, of the rest nothing was read before the snapshots were held
// for long enough. No goroutine and no connection is left when Run returns.
func Run(ctx context.Context, options Options, tables []*Table) (rewritten, rest []*Table, err error) {
	o, err := options.withDefaults()
	if err != nil || len(tables) == 0 {
		return nil, nil, err
	}
	tables = slices.Clone(tables)
	slices.SortStableFunc(tables, func(a, b *Table) int { return cmp.Compare(b.Bytes, a.Bytes) })
	r := &run{Options: o}
	defer r.close(ctx)
	if err := r.compare(ctx, tables); err != nil {
		return nil, nil, err
	}
	for _, e := range r.entries {
		switch {
		case e.done:
		case e.rewritten:
			rewritten = append(rewritten, e.table)
		default:
			rest = append(rest, e.table)
		}
	}
	return rewritten, rest, nil
}

func (r *run) compare(ctx context.Context, tables []*Table) error {
	if err := r.open(ctx, tables); err != nil {
		return err
	}
	if err := r.Imported(ctx); err != nil {
		return err
	}
	for _, e := range r.entries {
		if e.left == 0 { // there is nothing to read
			if err := r.finish(ctx, e); err != nil {
				return err
			}
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	for s := range r.sides {
		for worker := range r.Jobs {
			g.Go(func() error { return r.work(gctx, s, worker) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return r.examine(ctx)
}

// run is one call of [Run].
type run struct {
	Options

	entries []*entry
	sides   [2]side

	mu sync.Mutex
	// admitted is how many of the entries may be begun, by either side.
	admitted int
	full     bool
	// differing are those that have to be examined.
	differing []*entry

	progress struct {
		sync.Mutex

		done, total int64
	}
	verdicts sync.Mutex
}

// entry is a comparison with its place and what became of it.
type entry struct {
	*comparison

	number  int
	buckets []int32
	done    bool
}

// side is one server.
type side struct {
	conns []*pgx.Conn
	mu    sync.Mutex
	// parts are those that nobody has begun to read, in the order of the entries.
	parts []sidePart
}

type sidePart struct {
	part

	of *entry
}

// open connects and plans what is to be read.
func (r *run) open(ctx context.Context, tables []*Table) error {
	g, gctx := errgroup.WithContext(ctx)
	for s, connect := range []func(context.Context) (*pgx.Conn, error){r.Source, r.Target} {
		r.sides[s].conns = make([]*pgx.Conn, r.Jobs)
		for i := range r.sides[s].conns {
			g.Go(func() (err error) {
				conn, err := connect(gctx)
				if err != nil {
					return err
				}
				r.sides[s].conns[i] = conn
				_, err = conn.Exec(gctx, settings)
				return errors.Wrap(err, "prepare a session")
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var relations [2][]relation
	var encodings [2]string
	var majors [2]int
	for s := range r.sides {
		conn := r.sides[s].conns[0]
		err := conn.QueryRow(ctx, `
			SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000`).
			Scan(&encodings[s], &majors[s])
		if err != nil {
			return errors.Wrapf(err, "read settings of the %s", sideNames[s])
		}
		if relations[s], err = describe(ctx, conn, tables); err != nil {
			return errors.Wrapf(err, "on the %s", sideNames[s])
		}
	}
	for i, t := range tables {
		e := &entry{
			comparison: newComparison(t, relations[onSource][i], relations[onTarget][i], encodings[onSource] != encodings[onTarget]),
			number:     i,
		}
		r.entries = append(r.entries, e)
		for s, rel := range []*relation{&e.source, &e.target} {
			if e.verdict.Problem != "" && (s == onTarget || rel.oid == 0) {
				continue // the source's rows are counted
			}
			if e.verdict.Problem != "" {
				e.form.columns = nil
			}
			for _, p := range parts(e.comparison, rel, majors[s]) {
				r.sides[s].parts = append(r.sides[s].parts, sidePart{p, e})
				r.progress.total += p.pages()
				e.left++
			}
		}
	}
	return nil
}

var sideNames = [2]string{"source", "target"}

// work reads parts of one side until none is left. All but the first worker of a side
// then give back their snapshot at once.
func (r *run) work(ctx context.Context, s, worker int) error {
	conn := r.sides[s].conns[worker]
	for {
		p := r.next(s)
		if p == nil {
			break
		}
		sums, err := p.read(ctx, conn)
		rewritten := err != nil && altered(err)
		if err != nil && !rewritten {
			return errors.Wrapf(err, "read table %s on the %s", p.of.table, sideNames[s])
		}
		r.read(&p.part)
		if p.of.add(s, sums, rewritten) {
			if err := r.judge(ctx, p.of); err != nil {
				return err
			}
		}
	}
	if worker > 0 {
		r.sides[s].conns[worker] = nil
		closeConn(ctx, conn)
	}
	return nil
}

// next takes a part to read. The first side to come to a table decides for both
// whether it is begun.
func (r *run) next(s int) *sidePart {
	side := &r.sides[s]
	side.mu.Lock()
	defer side.mu.Unlock()
	if len(side.parts) == 0 {
		return nil
	}
	p := &side.parts[0]
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.of.number >= r.admitted {
		if r.full = r.full || r.admitted > 0 && r.Full(); r.full {
			side.parts = nil
			return nil
		}
		r.admitted = p.of.number + 1
	}
	side.parts = side.parts[1:]
	return p
}

func (r *run) read(p *part) {
	r.progress.Lock()
	defer r.progress.Unlock()
	r.progress.done += p.pages()
	r.Progress(r.progress.done, r.progress.total)
}

// judge decides about a table of which all was read.
func (r *run) judge(ctx context.Context, e *entry) error {
	if e.rewritten {
		r.Logger.InfoContext(ctx, "a table was rewritten after the snapshot; it is compared in another one", "table", e.table.String())
		return nil
	}
	e.buckets = e.judge()
	if e.verdict.Problem == "" && len(e.buckets) > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.differing = append(r.differing, e)
		return nil
	}
	return r.finish(ctx, e)
}

// examine looks for the rows of the tables that differ, one after the other.
func (r *run) examine(ctx context.Context) error {
	for _, e := range r.differing {
		err := e.examine(ctx, r.sides[onSource].conns[0], r.sides[onTarget].conns[0], e.buckets, r.Samples)
		if err != nil && altered(err) {
			e.rewritten = true
			r.Logger.InfoContext(ctx, "a table was rewritten after the snapshot; it is compared in another one", "table", e.table.String())
			continue
		}
		if err != nil {
			return errors.Wrapf(err, "look for the rows of table %s that differ", e.table)
		}
		if err := r.finish(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) finish(ctx context.Context, e *entry) error {
	r.verdicts.Lock()
	defer r.verdicts.Unlock()
	e.done = true
	return r.Done(ctx, &e.verdict)
}

// closeTimeout bounds the farewell to a server when the run's context may be gone.
const closeTimeout = 5 * time.Second

func (r *run) close(ctx context.Context) {
	for s := range r.sides {
		for _, conn := range r.sides[s].conns {
			if conn != nil {
				closeConn(ctx, conn)
			}
		}
	}
}

// closeConn ends a session, and what still runs in it.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // nothing is lost
	select {
	case <-conn.PgConn().CleanupDone():
	case <-ctx.Done():
	}
}
