package engine

import (
	"context"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// Status reads the state of a migration from the target and the source, whether
// a run is at work or not, of all databases that were begun together. A source that
// cannot be reached is reported in blocked_by: the target's part is told all the same.
func Status(ctx context.Context, o Connection) (*status.Status, error) {
	o.setDefaults()
	names, err := databasesOf(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &status.Status{SchemaVersion: status.SchemaVersion, Name: o.Name, Databases: []status.Database{}}
	for _, c := range o.each(names) {
		d, err := databaseStatus(ctx, c)
		switch {
		case err == nil:
			s.Databases = append(s.Databases, *d)
		case len(names) < 2:
			return nil, err
		default: // not begun yet, or not to be reached
			s.Databases = append(s.Databases, status.Database{
				Database: c.Target.Database(), Phase: string(target.Preparing), Error: err.Error(),
				Tables: []status.Table{}, Warnings: []string{}, BlockedBy: []string{}, Next: []string{},
			})
		}
	}
	return s, nil
}

func databaseStatus(ctx context.Context, o Connection) (*status.Database, error) {
	dst, err := o.Target.Connect(ctx, conninfo.WithPurpose("status"))
	if err != nil {
		return nil, err
	}
	defer closeConn(ctx, dst)
	m, err := loadExisting(ctx, dst, o.Name)
	if err != nil {
		return nil, err
	}
	d := status.Database{
		Database: m.Database, Phase: string(m.Phase), Error: m.Error, Rung: m.Rung,
		Slot:   status.Slot{Name: m.Slot},
		Tables: []status.Table{}, Warnings: []string{}, BlockedBy: []string{}, Next: []string{},
	}
	if err := readTarget(ctx, dst, m, &d); err != nil {
		return nil, err
	}
	if m.Slot != "" && m.Phase != target.Done {
		if err := readSource(ctx, o.Source, dst, m, &d); err != nil {
			d.BlockedBy = append(d.BlockedBy, err.Error())
		}
	}
	next(o, m, &d)
	return &d, nil
}

// errNoMigration marks that the target does not know the migration.
var errNoMigration = errors.New("the target holds no such migration")

// loadExisting reads a migration that must exist.
func loadExisting(ctx context.Context, dst *pgx.Conn, name string) (*target.Migration, error) {
	installed, err := target.Installed(ctx, dst)
	if err != nil {
		return nil, err
	}
	var m *target.Migration
	if installed {
		if m, err = target.Load(ctx, dst, name); err != nil {
			return nil, err
		}
	}
	if m == nil {
		err := errors.Newf("the target holds no migration %q", name)
		err = errors.WithHint(err, "check --target and --name; walferry migrate starts one")
		return nil, errors.Mark(err, errNoMigration)
	}
	return m, nil
}

// readTarget fills in what the target knows.
func readTarget(ctx context.Context, dst *pgx.Conn, m *target.Migration, d *status.Database) error {
	h, err := target.Locked(ctx, dst, m.Name)
	if err != nil {
		return err
	}
	if h != nil {
		d.Running = &status.Running{Command: m.RunCommand, By: m.RunBy, PID: h.PID, User: h.User, Address: h.Address, Since: h.Since}
	} else if m.Error != "" {
		d.Phase = string(target.Failed)
	}
	c, err := target.LoadCheckpoint(ctx, dst, m.Name)
	if err != nil {
		return err
	}
	if c == nil {
		c = &target.Checkpoint{}
	}
	d.LSN = status.LSNs{Source: pglogrepl.LSN(0).String(), Received: pglogrepl.LSN(0).String(), Applied: c.LSN.String(), Durable: c.LSN.String()}
	tables, err := target.Tables(ctx, dst, m.Name)
	if err != nil {
		return err
	}
	for _, t := range tables {
		d.Tables = append(d.Tables, tableStatus(t))
	}
	warnings, err := target.Warnings(ctx, dst, m.Name)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		d.Warnings = append(d.Warnings, w.Kind+" "+w.Object+": "+w.Message)
	}
	verified, err := target.LastVerification(ctx, dst, m.Name)
	if err != nil {
		return err
	}
	if verified != nil && !verified.FinishedAt.IsZero() {
		d.Verified = &status.Verified{At: verified.FinishedAt, LSN: verified.LSN.String(), Equal: verified.Equal}
	}
	d.Cutover, err = cutoverStatus(ctx, dst, m)
	if m.FencedAt != nil && m.DecidedAt == nil && h == nil {
		d.BlockedBy = append(d.BlockedBy, "a cutover that did not end has closed the source to writers since "+m.FencedAt.UTC().Format(time.RFC3339))
	}
	return err
}

// readSource fills in what the source knows: its position, the slot's health.
func readSource(ctx context.Context, info *conninfo.Info, dst *pgx.Conn, m *target.Migration, d *status.Database) error {
	src, err := info.Connect(ctx, conninfo.WithPurpose("status"))
	if err != nil {
		return err
	}
	defer closeConn(ctx, src)
	var confirmed string
	err = src.QueryRow(ctx, `
		SELECT w.lsn::text, coalesce(r.write_lsn, '0/0')::text, coalesce(s.confirmed_flush_lsn, '0/0')::text
		FROM (SELECT pg_catalog.pg_current_wal_flush_lsn() AS lsn) w
		LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1
		LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid`, m.Slot).
		Scan(&d.LSN.Source, &d.LSN.Received, &confirmed)
	if err != nil {
		return errors.Wrap(err, "read the source's position")
	}
	samples, err := ladder(ctx, dst, m, d, confirmed)
	if err != nil {
		return err
	}
	slot, err := source.ReadSlot(ctx, src, m.Slot)
	switch {
	case errors.Is(err, source.ErrSlotMissing) && m.ConsistentPoint == 0:
		return nil // it has not been made yet
	case errors.Is(err, source.ErrSlotMissing):
		d.Slot.WALStatus = "missing"
		d.BlockedBy = append(d.BlockedBy, err.Error()+" on the source")
		return nil
	case err != nil:
		return err
	}
	d.Slot = status.Slot{
		Name: slot.Name, Active: slot.Active, WALStatus: slot.WALStatus,
		RetainedBytes: slot.RetainedBytes, SafeWALSize: slot.SafeWALBytes,
	}
	if m.ConsistentPoint != 0 {
		d.Forecast = status.NewForecast(samples, slot.SafeWALBytes)
	}
	if slot.Lost() {
		d.BlockedBy = append(d.BlockedBy, "replication slot "+slot.Name+" has lost WAL that it needs")
	}
	return nil
}

// ladder orders source, received, applied and durable, and measures how far each is behind.
// What is durable is what the slot was told; what was received of a run that has ended
// is what it applied.
func ladder(ctx context.Context, dst *pgx.Conn, m *target.Migration, d *status.Database, confirmed string) ([]status.Sample, error) {
	lsns := make([]pglogrepl.LSN, 4)
	for i, text := range []string{d.LSN.Source, d.LSN.Received, d.LSN.Applied, confirmed} {
		var err error
		if lsns[i], err = pglogrepl.ParseLSN(text); err != nil {
			return nil, errors.Wrap(err, "read a position")
		}
	}
	now, applied := lsns[0], lsns[2]
	received, durable := max(lsns[1], applied), min(lsns[3], applied)
	d.LSN.Received, d.LSN.Durable = received.String(), durable.String()
	samples, err := target.Samples(ctx, dst, m.Name, now, applied)
	if err != nil || applied == 0 {
		return samples, err
	}
	for _, rung := range []struct {
		lsn     pglogrepl.LSN
		bytes   *int64
		seconds *float64
	}{
		{received, &d.Lag.ReceivedBytes, &d.Lag.ReceivedSeconds},
		{applied, &d.Lag.Bytes, &d.Lag.Seconds},
		{durable, &d.Lag.DurableBytes, &d.Lag.DurableSeconds},
	} {
		*rung.bytes = max(0, int64(now)-int64(rung.lsn))
		*rung.seconds = status.Behind(samples, uint64(rung.lsn)).Seconds()
	}
	return samples, nil
}

// next says what to run, in the order of urgency.
func next(o Connection, m *target.Migration, d *status.Database) {
	name := ""
	if o.Name != "default" {
		name = " --name " + o.Name
	}
	add := func(command string) { d.Next = append(d.Next, "walferry "+command+name) }
	switch {
	case m.Phase == target.Done:
		add("cleanup")
	case m.DecidedAt != nil:
		add("cutover")
	case d.Slot.WALStatus == "missing", d.Slot.WALStatus == "lost":
		add("cleanup")
		add(string(m.Command))
	case m.FencedAt != nil && d.Running == nil:
		add("cutover")
		add("cutover --abort")
	case d.Running == nil:
		add(string(m.Command))
	case d.Phase == string(target.Streaming) && m.Command != target.Snapshot:
		if d.Verified == nil || !d.Verified.Equal {
			add("verify")
		}
		add("cutover --dry-run")
		add("cutover")
	}
}
