package validate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/term"
)

var sizeChecks = []check{
	{
		id: "source.size", severity: Info, needs: source, run: size,
		cause:  "How much moves, table by table (`--json` lists all). An error when it is more than `--max-total-size` allows.",
		remedy: "Choose fewer tables, or allow more.",
	},
	{
		id: "source.copy_time", severity: Info, needs: source, run: copyTime,
		cause:  "With `--measure`, how long the copy will take at least: the largest table is read for that time, and nothing is written.",
		remedy: "Nothing.",
	},
	{
		id: "source.wal_rate", severity: Info, needs: source, replication: true, run: walRate,
		cause: "How much WAL the source writes, which the slot retains until it is applied: on average since its statistics were reset (from PostgreSQL 14 on), or measured with `--measure`. " +
			"A warning when what is written during the copy exceeds `max_slot_wal_keep_size`.",
		remedy: "Have that much disk free on the source, for the time of the copy and of interruptions.",
	},
}

var connectionLimitChecks = []check{
	{
		id: "source.connections", severity: Error, needs: source, run: sourceConnections,
		cause:  "The source does not have as many connections left as `--jobs` needs, in all or for the role or database.",
		remedy: "Use fewer jobs, end connections that are not needed, or raise the limit.",
	},
	{
		id: "target.connections", severity: Error, needs: target, run: targetConnections,
		cause:  "The target does not have as many connections left as `--jobs` or `--apply-jobs` needs.",
		remedy: "Use fewer jobs, end connections that are not needed, or raise the limit.",
	},
	{
		id: "source.locks", severity: Error, needs: source, run: sourceLocks,
		cause: "pg_dump locks all tables at once, so does `CREATE PUBLICATION`, and the source has no room for so many locks. It would say `out of shared memory`, also to others. " +
			"A warning when half of the room is taken.",
		remedy: "Raise `max_locks_per_transaction` and restart the source.",
	},
}

// bySize lists the tables that move, largest first.
func (p *preflight) bySize() []*catalog.Table {
	tables := make([]*catalog.Table, 0, len(p.tables))
	for i := range p.tables {
		if p.tables[i].Kind == catalog.KindTable {
			tables = append(tables, &p.tables[i])
		}
	}
	slices.SortStableFunc(tables, func(a, b *catalog.Table) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return tables
}

func (p *preflight) totalBytes() (total int64) {
	for i := range p.tables {
		total += p.tables[i].Bytes
	}
	return total
}

func size(_ context.Context, p *preflight) ([]Finding, error) {
	tables := p.bySize()
	if len(tables) == 0 {
		return nil, nil
	}
	var largest []string
	for i, t := range tables {
		p.report.Tables = append(p.report.Tables, TableSize{Table: t.String(), Bytes: t.Bytes, EstimatedRows: t.EstimatedRows})
		if i < 5 {
			largest = append(largest, t.String()+" "+term.Bytes(t.Bytes))
		}
	}
	total := p.totalBytes()
	f := Finding{
		Object:  p.source.database,
		Message: fmt.Sprintf("%d tables are to be moved, %s", len(tables), term.Bytes(total)),
		Detail:  "The largest: " + join(largest) + ". Indexes are not counted.",
	}
	if len(tables) == 1 {
		f.Message = "1 table is to be moved, " + term.Bytes(total)
	}
	if p.MaxTotalBytes > 0 && total > p.MaxTotalBytes {
		f.Severity = Error
		f.Message = fmt.Sprintf("the chosen tables hold %d bytes, more than the %d that are allowed", total, p.MaxTotalBytes)
		f.Hint = "Choose fewer tables, or allow more with --max-total-size."
	}
	return []Finding{f}, nil
}

// measure is a timed read of the largest table.
type measure struct {
	elapsed     time.Duration
	rows, bytes int64
	whole       bool
	// perSecond is in the bytes in which the source counts its tables.
	perSecond float64
	table     *catalog.Table
}

// counter counts what COPY sends, a line for each row.
type counter struct{ rows, bytes int64 }

func (c *counter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			c.rows++
		}
	}
	c.bytes += int64(len(p))
	return len(p), nil
}

func (p *preflight) measureCopy(ctx context.Context) (*measure, error) {
	tables := p.bySize()
	if p.Measure <= 0 || len(tables) == 0 || tables[0].Bytes == 0 {
		return nil, nil //nolint:nilnil // nothing to measure
	}
	m := &measure{table: tables[0]}
	var read counter
	conn := p.source.conn.PgConn()
	began := time.Now()
	late, err := within(ctx, conn, p.Measure, func() error {
		_, err := conn.CopyTo(ctx, &read, "COPY "+m.table.Quoted()+" TO STDOUT")
		return err
	})
	m.elapsed, m.rows, m.bytes, m.whole = time.Since(began), read.rows, read.bytes, !late
	if err != nil && !late {
		return nil, err
	}
	seen := float64(m.table.Bytes)
	switch {
	case m.whole:
	case m.table.EstimatedRows > 0:
		seen *= min(1, float64(m.rows)/float64(m.table.EstimatedRows))
	default:
		seen = float64(m.bytes) // about the same as what it takes on disk
	}
	m.perSecond = seen / max(m.elapsed.Seconds(), 0.001)
	return m, nil
}

func copyTime(ctx context.Context, p *preflight) ([]Finding, error) {
	m, err := p.measureCopy(ctx)
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return notChecked(err)
	}
	if err != nil || m == nil || m.perSecond <= 0 {
		return nil, err
	}
	tables := p.bySize()
	streams := max(1, min(p.Jobs, len(tables)))
	// A table is read by one connection, so the largest one bounds the rest.
	seconds := max(float64(p.totalBytes())/m.perSecond/float64(streams), float64(tables[0].Bytes)/m.perSecond)
	p.copySeconds = seconds
	return []Finding{{
		Object: m.table.String(),
		Message: fmt.Sprintf("reading at %s a second, the copy of %s by %d connections takes %s or more",
			term.Bytes(int64(m.perSecond)), term.Bytes(p.totalBytes()), streams, roughly(seconds)),
		Detail: fmt.Sprintf("%d rows (%s of text) of the largest table were read in %s by one connection. Writing them to the target and building indexes comes on top.",
			m.rows, term.Bytes(m.bytes), m.elapsed.Round(time.Millisecond)),
	}}, nil
}

// roughly writes a duration as people say it.
func roughly(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return d.Round(time.Minute).String()
	}
	return d.Round(10 * time.Minute).String()
}

func walRate(ctx context.Context, p *preflight) ([]Finding, error) {
	perSecond, since, err := p.walPerSecond(ctx)
	if err != nil || since == "" {
		return nil, err
	}
	hour := int64(perSecond * 3600)
	f := Finding{
		Object:  p.source.database,
		Message: fmt.Sprintf("the source writes about %s of WAL an hour, which the slot retains until it is applied", term.Bytes(hour)),
		Detail:  "That is what all databases of the server wrote " + since + ".",
		Hint:    fmt.Sprintf("Have %s free on the source's disk for each hour of the copy and of interruptions.", term.Bytes(hour)),
	}
	if p.copySeconds > 0 {
		need := int64(perSecond * p.copySeconds)
		f.Detail += fmt.Sprintf(" While the copy runs, the slot retains %s or more.", term.Bytes(need))
		if kept, ok := p.source.integer("max_slot_wal_keep_size"); ok && kept >= 0 && need > kept<<20 {
			f.Severity = Warning
			f.Message += fmt.Sprintf("; during the copy that is more than max_slot_wal_keep_size = %d MB", kept)
			f.Hint = "On the source, run: ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf(); and have the space free."
		}
	}
	return []Finding{f}, nil
}

// walPerSecond measures when it may take its time, else it reads statistics.
func (p *preflight) walPerSecond(ctx context.Context) (perSecond float64, since string, err error) {
	if p.source.inRecovery {
		return 0, "", nil
	}
	if p.Measure <= 0 {
		if p.source.major() < 14 {
			return 0, "", nil
		}
		err = p.source.conn.QueryRow(ctx, `SELECT wal_bytes::float8 / greatest(extract(epoch FROM pg_catalog.clock_timestamp() - stats_reset), 1)::float8,
			-- What a server does in its first minutes says little.
			CASE WHEN stats_reset < pg_catalog.now() - interval '10 minutes' THEN 'on average since ' || pg_catalog.to_char(stats_reset, 'YYYY-MM-DD HH24:MI') ELSE '' END
			FROM pg_catalog.pg_stat_wal`).Scan(&perSecond, &since)
		return perSecond, since, err
	}
	position := func() (n int64, err error) {
		return p.source.number(ctx, "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::int8")
	}
	before, err := position()
	if err != nil {
		return 0, "", err
	}
	began, timer := time.Now(), time.NewTimer(p.Measure)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return 0, "", ctx.Err()
	case <-timer.C:
	}
	after, err := position()
	elapsed := time.Since(began)
	return float64(after-before) / elapsed.Seconds(), "within " + elapsed.Round(100*time.Millisecond).String(), err
}

func sourceConnections(ctx context.Context, p *preflight) ([]Finding, error) {
	// One for the catalog, one for the stream, one that holds the snapshot, and one per table.
	return connections(ctx, p.source, "source", max(p.Jobs, 1)+2)
}

// sourceLocks compares the tables with what the server's table of locks is made for. It
// has some room beyond that.
func sourceLocks(_ context.Context, p *preflight) ([]Finding, error) {
	var sessions int64
	for _, setting := range []string{
		"max_connections", "max_prepared_transactions", "max_worker_processes", "max_wal_senders",
		"autovacuum_max_workers", "autovacuum_worker_slots", // the latter, from 18 on, is what counts: it is the larger one
	} {
		n, _ := p.source.integer(setting)
		sessions += n
	}
	each, known := p.source.integer("max_locks_per_transaction")
	needed, room := int64(len(p.all)), each*sessions
	if p.NoSchema {
		needed = int64(len(p.tables))
	}
	if !known || needed <= room/2 {
		return nil, nil
	}
	f := Finding{
		Object:  "max_locks_per_transaction",
		Message: fmt.Sprintf("%d tables are locked at once on the source, which has room for some %d locks in all", needed, room),
		Hint:    fmt.Sprintf("On the source, run: ALTER SYSTEM SET max_locks_per_transaction = %d; and restart the server.", 3*needed/max(sessions, 1)+64),
	}
	if needed <= room+room/4 {
		f.Severity = Warning
	}
	return []Finding{f}, nil
}

func targetConnections(ctx context.Context, p *preflight) ([]Finding, error) {
	return connections(ctx, p.target, "target", max(p.Jobs, p.ApplyJobs+1, 1)+1)
}

func connections(ctx context.Context, s *server, side string, needed int) ([]Finding, error) {
	var used, usedByRole, usedByDatabase, limitOfRole, limitOfDatabase int64
	// Everybody may see how many there are, and whose.
	err := s.conn.QueryRow(ctx, `SELECT (SELECT coalesce(pg_catalog.sum(numbackends), 0)::int8 FROM pg_catalog.pg_stat_database),
			(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid), r.rolconnlimit::int8,
			(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid), d.datconnlimit::int8
		FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()`).
		Scan(&used, &usedByRole, &limitOfRole, &usedByDatabase, &limitOfDatabase)
	if err != nil {
		return nil, err
	}
	limit, _ := s.integer("max_connections")
	if !s.superuser {
		for _, setting := range []string{"superuser_reserved_connections", "reserved_connections"} {
			reserved, _ := s.integer(setting)
			limit -= reserved
		}
	}
	var findings []Finding
	for _, l := range []struct {
		object, raise string
		used, limit   int64
	}{
		{"max_connections", "ALTER SYSTEM SET max_connections = …; and restart the server.", used, limit},
		{s.user, "ALTER ROLE " + s.quotedUser() + " CONNECTION LIMIT -1;", usedByRole, limitOfRole},
		{s.database, "ALTER DATABASE " + s.quotedDatabase() + " CONNECTION LIMIT -1;", usedByDatabase, limitOfDatabase},
	} {
		// Preflight's own connection is one of those that are used.
		if left := l.limit - l.used + 1; l.limit >= 0 && left < int64(needed) && (l.object == "max_connections" || !s.superuser) {
			findings = append(findings, Finding{
				Object:  l.object,
				Message: fmt.Sprintf("the %s has %d connections left, the migration needs %d", side, max(left, 0), needed),
				Detail:  fmt.Sprintf("%d of %d are in use.", l.used, l.limit),
				Hint:    fmt.Sprintf("Use fewer --jobs, end connections that are not needed, or run on the %s: %s", side, l.raise),
			})
		}
	}
	return findings, nil
}
