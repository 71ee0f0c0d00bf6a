package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/validate/rows"
)

// VerifyOptions say what is compared.
type VerifyOptions struct {
	Connection

	Filter catalog.Filter
	// Jobs is the number of connections on each side. Default: the number of CPUs, at most 4.
	Jobs int
	// Samples bounds the rows that are shown of a table. Default: 10.
	Samples int
	// SnapshotFor is for how long a pair of snapshots is used: tables that were not begun
	// until then are compared in new ones. Default: 30 minutes.
	SnapshotFor time.Duration
	// Restart begins anew where an earlier verification was not finished.
	Restart bool
	// RowsOnly leaves sequences and the schema's objects out.
	RowsOnly bool
	// RetryFor and SpillDir are those of [StreamOptions], for what has to be applied first.
	RetryFor time.Duration
	SpillDir string
}

func (o *VerifyOptions) setDefaults() {
	o.Connection.setDefaults()
	if o.SnapshotFor <= 0 {
		o.SnapshotFor = 30 * time.Minute
	}
}

// verifier is one run of [Verify]. Its engine's connections are outside of the snapshots.
type verifier struct {
	*engine

	o      VerifyOptions
	result *status.Verification
	// remarks are what the ledger says of tables.
	remarks map[catalog.Name]string
	// rewritten counts in how many snapshots a table could not be read.
	rewritten map[catalog.Name]int
}

// Verify compares source and target, all databases that were begun together. While changes
// are still applied, both sides are compared at one position of the source; the run that
// applies them goes on meanwhile.
func Verify(ctx context.Context, o VerifyOptions) (*status.Verification, error) {
	o.setDefaults()
	names, err := databasesOf(ctx, o.Connection)
	if err != nil || len(names) < 2 {
		return verifyDatabase(ctx, o) // where there is no migration, it says so or does without
	}
	sum := newVerification(o.Name)
	for _, c := range o.each(names) {
		one := o
		one.Connection = c
		r, err := verifyDatabase(ctx, one)
		name := c.Source.Database()
		if err != nil {
			return nil, errors.Wrapf(err, "database %q", name)
		}
		sum.LSN, sum.Equal, sum.Aligned = r.LSN, sum.Equal && r.Equal, sum.Aligned && r.Aligned
		for _, t := range r.Tables {
			t.Database = name
			sum.Tables = append(sum.Tables, t)
		}
		for _, s := range r.Sequences {
			s.Database = name
			sum.Sequences = append(sum.Sequences, s)
		}
		for _, o := range r.Objects {
			o.Database = name
			sum.Objects = append(sum.Objects, o)
		}
		for _, text := range r.Skipped {
			sum.Skipped = append(sum.Skipped, "database "+name+", "+text)
		}
	}
	return sum, nil
}

func newVerification(name string) *status.Verification {
	return &status.Verification{
		SchemaVersion: status.SchemaVersion, Name: name, Equal: true, Aligned: true, Tables: []status.VerifiedTable{},
		Sequences: []status.VerifiedSequence{}, Objects: []status.VerifiedObject{}, Skipped: []string{},
	}
}

// verifyDatabase compares one database.
func verifyDatabase(ctx context.Context, o VerifyOptions) (*status.Verification, error) {
	o.setDefaults()
	v := &verifier{
		engine: &engine{o: MigrateOptions{Connection: o.Connection}}, o: o, result: newVerification(o.Name),
		remarks: map[catalog.Name]string{}, rewritten: map[catalog.Name]int{},
	}
	defer v.close(ctx)
	stoppable, cancel := v.untilStopped(ctx)
	defer cancel()
	err := v.verify(stoppable)
	if err != nil && ctx.Err() == nil && v.stopped() {
		err = ErrStopped
	}
	if err != nil {
		return nil, err
	}
	return v.result, nil
}

func (v *verifier) verify(ctx context.Context) error {
	if err := v.open(ctx); err != nil {
		return err
	}
	if err := v.load(ctx); err != nil {
		return err
	}
	if v.m != nil {
		if err := target.LockVerification(ctx, v.dst, v.m.Name, lockWait); err != nil {
			return err
		}
		if err := v.resume(ctx); err != nil {
			return err
		}
	}
	if err := v.compareTables(ctx); err != nil {
		return err
	}
	if !v.o.RowsOnly {
		if err := v.compareSequences(ctx); err != nil {
			return err
		}
		if err := v.compareObjects(ctx); err != nil {
			return err
		}
	}
	return v.conclude(ctx)
}

// load reads the migration, which need not exist: a snapshot leaves none behind.
func (v *verifier) load(ctx context.Context) error {
	installed, err := target.Installed(ctx, v.dst)
	if err != nil || !installed {
		return err
	}
	if v.m, err = loadExisting(ctx, v.dst, v.o.Name); err != nil {
		return err
	}
	return v.checkSource(v.m)
}

// choice names what is compared, to tell whether an unfinished verification is of the same.
func (v *verifier) choice() (string, error) {
	text, err := json.Marshal(v.o.Filter)
	return string(text), errors.Wrap(err, "name the chosen tables")
}

// resume takes over the verdicts of a verification of the same choice that was not finished.
func (v *verifier) resume(ctx context.Context) error {
	choice, err := v.choice()
	if err != nil {
		return err
	}
	last, err := target.LastVerification(ctx, v.dst, v.m.Name)
	if err != nil {
		return err
	}
	if last == nil || !last.FinishedAt.IsZero() || last.Choice != choice || v.o.Restart {
		return target.StartVerification(ctx, v.dst, v.m.Name, choice)
	}
	verdicts, err := target.Verdicts(ctx, v.dst, v.m.Name)
	if err != nil {
		return err
	}
	for _, verdict := range verdicts {
		var t status.VerifiedTable
		if err := json.Unmarshal(verdict.JSON, &t); err != nil {
			return errors.Wrapf(err, "read the verdict about table %s.%s", verdict.Namespace, verdict.Name)
		}
		v.result.Tables = append(v.result.Tables, t)
		v.result.LSN = t.LSN
		v.result.Aligned = v.result.Aligned && t.Aligned
	}
	v.o.Logger.InfoContext(ctx, "going on with a verification that was not finished", "begun", last.StartedAt.UTC(), "tables_done", len(verdicts))
	return nil
}

// mostRewritten is in how many snapshots a table may turn out to be rewritten.
const mostRewritten = 10

// compareTables compares all tables that have no verdict yet, in as many pairs of
// snapshots as that takes.
func (v *verifier) compareTables(ctx context.Context) error {
	for {
		tables, err := v.tables(ctx)
		if err != nil {
			return err
		}
		if len(tables) == 0 && v.result.LSN != "" {
			return nil
		}
		pair, err := v.snapshots(ctx)
		if err != nil {
			return err
		}
		rewritten, rest, err := v.compare(ctx, pair, tables)
		if err != nil {
			return err
		}
		if len(rewritten)+len(rest) == 0 {
			return nil
		}
		for _, t := range rewritten {
			name := catalog.Name{Schema: t.Namespace, Name: t.Name}
			if v.rewritten[name]++; v.rewritten[name] == mostRewritten {
				problem := &rows.Verdict{Table: t, Problem: "it was truncated or altered again and again while it was compared"}
				if err := v.add(ctx, problem, pair); err != nil {
					return err
				}
			}
		}
	}
}

// compare compares tables in a pair of snapshots.
func (v *verifier) compare(ctx context.Context, pair *snapshots, tables []*rows.Table) (rewritten, rest []*rows.Table, err error) {
	defer func() { err = errors.CombineErrors(err, pair.close(ctx)) }()
	v.result.LSN, v.result.Aligned = pair.lsn.String(), v.result.Aligned && pair.aligned
	begun := time.Now()
	v.report(func(p *status.Progress) {
		p.Phase, p.TablesDone, p.TablesTotal = "verifying", len(v.result.Tables), len(v.result.Tables)+len(tables)
		p.AppliedLSN = pair.lsn.String()
	})
	return rows.Run(ctx, rows.Options{
		Source: func(ctx context.Context) (*pgx.Conn, error) { return importSnapshot(ctx, v.o.Source, pair.source) },
		Target: func(ctx context.Context) (*pgx.Conn, error) { return importSnapshot(ctx, v.o.Target, pair.target) },
		// The exporters' own snapshots and the slot go at once.
		Imported: func(ctx context.Context) error { return pair.close(ctx) },
		Jobs:     v.o.Jobs, Samples: v.o.Samples, Logger: v.o.Logger,
		Full: func() bool { return time.Since(begun) > v.o.SnapshotFor },
		Done: func(ctx context.Context, verdict *rows.Verdict) error { return v.add(ctx, verdict, pair) },
		Progress: func(done, total int64) {
			v.report(func(p *status.Progress) { p.BytesCopied, p.BytesTotal = done*pageBytes, total*pageBytes })
		},
	}, tables)
}

// pageBytes is a page's usual size, for the progress.
const pageBytes = 8192

// importSnapshot opens a connection with a transaction that sees the exported snapshot.
func importSnapshot(ctx context.Context, info *conninfo.Info, name string) (*pgx.Conn, error) {
	conn, err := info.Connect(ctx, conninfo.WithPurpose("verify"))
	if err != nil {
		return nil, err
	}
	_, err = conn.PgConn().Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '"+
		strings.ReplaceAll(name, "'", "''")+"'").ReadAll()
	if err != nil {
		closeConn(ctx, conn)
		return nil, errors.Wrapf(err, "import a snapshot on the %s", info.Side())
	}
	return conn, nil
}

// add takes over a verdict, and keeps it on the target for a verify that goes on.
func (v *verifier) add(ctx context.Context, verdict *rows.Verdict, pair *snapshots) error {
	t := status.VerifiedTable{
		Table: verdict.Table.String(), Equal: verdict.Equal(), LSN: pair.lsn.String(), Aligned: pair.aligned, Problem: verdict.Problem,
		SourceRows: verdict.SourceRows, TargetRows: verdict.TargetRows,
		Missing: verdict.Missing, Extra: verdict.Extra, Changed: verdict.Changed,
		Remark:      v.remarks[catalog.Name{Schema: verdict.Table.Namespace, Name: verdict.Table.Name}],
		Differences: []status.RowDifference{},
	}
	for _, d := range verdict.Differences {
		t.Differences = append(t.Differences, status.RowDifference{Kind: string(d.Kind), Key: d.Key, Columns: d.Columns})
	}
	v.result.Tables = append(v.result.Tables, t)
	v.report(func(p *status.Progress) { p.TablesDone, p.RowsCopied = p.TablesDone+1, p.RowsCopied+t.SourceRows })
	if v.m == nil {
		return nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return errors.Wrap(err, "keep a verdict")
	}
	return target.AddVerdict(ctx, v.dst, v.m.Name, target.Verdict{
		Namespace: verdict.Table.Namespace, Name: verdict.Table.Name, LSN: pair.lsn, JSON: text,
	})
}

// conclude sums up.
func (v *verifier) conclude(ctx context.Context) error {
	r := v.result
	slices.SortFunc(r.Tables, func(a, b status.VerifiedTable) int { return strings.Compare(a.Table, b.Table) })
	slices.Sort(r.Skipped)
	r.Equal = !slices.ContainsFunc(r.Tables, func(t status.VerifiedTable) bool { return !t.Equal }) &&
		!slices.ContainsFunc(r.Sequences, func(s status.VerifiedSequence) bool { return !s.Held }) &&
		!slices.ContainsFunc(r.Objects, func(o status.VerifiedObject) bool { return !o.Held })
	if v.m == nil {
		return nil
	}
	lsn, err := pglogrepl.ParseLSN(r.LSN)
	if err != nil {
		return errors.Wrap(err, "read the position that was compared")
	}
	return target.FinishVerification(ctx, v.dst, v.m.Name, r.Equal, lsn)
}
