package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/cutover"
	"github.com/walferry/walferry/internal/source"
	"github.com/walferry/walferry/internal/target"
	"github.com/walferry/walferry/internal/term"
	"github.com/walferry/walferry/validate"
)

// checkCutover runs the checklist of a cutover, which changes nothing.
func (e *engine) checkCutover(ctx context.Context) error {
	defer e.close(ctx)
	if err := e.openExisting(ctx); err != nil {
		return err
	}
	if e.m.DecidedAt != nil || e.m.Phase == target.Done {
		return nil // there is nothing left to choose
	}
	report, err := e.checklist(ctx)
	if err != nil {
		return err
	}
	e.cut.o.Checked(report)
	if !report.OK() {
		return errors.Mark(&BlockedError{Report: report}, ErrBlocked)
	}
	return nil
}

// openExisting connects and reads a migration that must exist, without locking it.
func (e *engine) openExisting(ctx context.Context) (err error) {
	if e.dst, err = e.o.Target.Connect(ctx, conninfo.WithPurpose("control")); err != nil {
		return err
	}
	if e.m, err = loadExisting(ctx, e.dst, e.o.Name); err != nil {
		return err
	}
	e.command = e.m.Command
	e.src, err = e.o.Source.Connect(ctx, conninfo.WithPurpose("control"))
	return err
}

// checklist says what stands against cutting over now, and what is good to know.
func (e *engine) checklist(ctx context.Context) (validate.Report, error) {
	c := &checklist{engine: e}
	for _, check := range []func(context.Context) error{c.progress, c.slot, c.verified, c.fence, c.writers, c.hooksThere} {
		if err := check(ctx); err != nil {
			return validate.Report{}, err
		}
	}
	return c.report, nil
}

type checklist struct {
	*engine

	report validate.Report
}

func (c *checklist) add(severity validate.Severity, id, object, message, detail, hint string) {
	c.report.Findings = append(c.report.Findings, validate.Finding{
		ID: "cutover." + id, Severity: severity, Object: object, Message: message, Detail: detail, Hint: hint,
	})
}

// progress: all is copied, little is left to apply, nobody else cuts over.
func (c *checklist) progress(ctx context.Context) error {
	if c.m.Slot == "" {
		c.add(validate.Error, "method", "", "this migration has no stream", "it is one copy, which ends by itself", "run walferry migrate to finish it")
		return nil
	}
	if err := c.requireCopied(ctx); err != nil {
		c.add(validate.Error, "copied", "", err.Error(), "", "run walferry migrate until status says streaming")
	}
	h, err := target.Locked(ctx, c.dst, c.m.Name)
	if err != nil {
		return err
	}
	if h != nil {
		c.add(validate.Info, "running", "", fmt.Sprintf("walferry %s of %s is at work and will be asked to let go", c.m.RunCommand, c.m.RunBy), "", "")
	}
	if c.m.FencedAt != nil {
		c.add(validate.Warning, "fenced", c.m.Database, "the source is closed by a cutover that did not end", "",
			"this cutover finishes it; walferry cutover --abort opens the source")
	}
	return nil
}

// slot: the stream can go on, and how far it has to go.
func (c *checklist) slot(ctx context.Context) error {
	slot, err := source.ReadSlot(ctx, c.src, c.m.Slot)
	switch {
	case errors.Is(err, source.ErrSlotMissing):
		c.add(validate.Error, "slot", c.m.Slot, "the replication slot is gone from the source", "", "run walferry cleanup and migrate anew")
		return nil
	case err != nil:
		return err
	case slot.Lost():
		c.add(validate.Error, "slot", c.m.Slot, "the replication slot has lost WAL that it needs", "", "run walferry cleanup and migrate anew")
		return nil
	}
	checkpoint, err := target.LoadCheckpoint(ctx, c.dst, c.m.Name)
	if err != nil || checkpoint == nil {
		return err
	}
	now, err := c.sourceLSN(ctx, "pg_current_wal_flush_lsn")
	if err != nil {
		return err
	}
	lag := max(0, int64(now)-int64(checkpoint.LSN))
	c.add(validate.Info, "lag", "", "what is applied is "+term.Bytes(lag)+" behind the source",
		"the source is closed once that is at most "+term.Bytes(c.cut.o.MaxLag), "")
	return nil
}

// verified: the rows have been compared, or will be.
func (c *checklist) verified(ctx context.Context) error {
	will, err := c.verifies(ctx)
	if err != nil {
		return err
	}
	last, err := target.LastVerification(ctx, c.dst, c.m.Name)
	switch {
	case err != nil:
		return err
	case will:
		c.add(validate.Info, "verify", "", "every row is compared before the cutover is decided", "", "")
	case last == nil || last.FinishedAt.IsZero():
		c.add(validate.Warning, "verify", "", "the rows were not compared, and will not be", "",
			"run walferry verify before, or add --verify, while which the source is closed")
	case !last.Equal:
		c.add(validate.Warning, "verify", "", "the last walferry verify found differences", "at "+last.FinishedAt.UTC().Format(time.RFC3339),
			"run walferry verify, which shows them")
	default:
		c.add(validate.Info, "verify", "", "both sides were equal at "+last.LSN.String(), "verified at "+last.FinishedAt.UTC().Format(time.RFC3339), "")
	}
	return nil
}

// fence: this role may close the source.
func (c *checklist) fence(ctx context.Context) error {
	if c.cut.o.Fence == cutover.FenceNone {
		c.add(validate.Info, "fence", "", "nothing closes the source: its writers have to be stopped by you", "", "")
		return nil
	}
	problems, err := c.sides().Rights(ctx)
	if err != nil {
		return err
	}
	for _, p := range problems {
		severity := validate.Warning
		if p.Blocks {
			severity = validate.Error
		}
		c.add(severity, "fence", p.Object, p.Message, p.Detail, p.Hint)
	}
	return nil
}

// writers: what would be waited for.
func (c *checklist) writers(ctx context.Context) error {
	writers, err := c.sides().Writers(ctx)
	if err != nil {
		return err
	}
	if len(writers) > 0 {
		c.add(validate.Info, "writers", "", fmt.Sprintf("%d transactions are open on the source that have written", len(writers)), strings.Join(writers, "; "), "")
	}
	var subscriptions []string
	err = c.src.QueryRow(ctx, `SELECT coalesce(pg_catalog.array_agg(subname::text), '{}') FROM pg_catalog.pg_subscription
		WHERE subenabled AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`).Scan(&subscriptions)
	var pgErr interface{ SQLState() string }
	if errors.As(err, &pgErr) && pgErr.SQLState() == "42501" {
		return nil // this role may not see them
	}
	for _, name := range subscriptions {
		c.add(validate.Warning, "subscription", name, "the source subscribes to another server, and no fence stops that", "",
			"run ALTER SUBSCRIPTION … DISABLE on the source before the cutover")
	}
	return errors.Wrap(err, "read the subscriptions of the source")
}

func (c *checklist) hooksThere(context.Context) error {
	if err := c.hooks().Check(c.hookNames()); err != nil {
		c.add(validate.Error, "hooks", c.cut.o.Hooks, err.Error(), "", strings.Join(errors.GetAllHints(err), " "))
	}
	return nil
}

// requireCopied fails unless the rows of every table that is published are on the target.
func (e *engine) requireCopied(ctx context.Context) error {
	tables, err := target.Tables(ctx, e.dst, e.m.Name)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(tables))
	for _, t := range tables {
		known[t.Namespace+"."+t.Name] = true
		if t.State != target.TableSkipped && t.State != target.TableReady {
			return errors.WithHint(errors.Newf("table %s.%s is not on the target yet: its state is %s", t.Namespace, t.Name, t.State),
				"run walferry migrate until status says streaming")
		}
	}
	if e.m.ConsistentPoint == 0 && e.m.Command == target.Migrate {
		return errors.WithHint(errors.New("nothing is copied yet"), "run walferry migrate until status says streaming")
	}
	if e.m.Command != target.Migrate {
		return nil
	}
	if e.major == 0 {
		e.major = conninfo.Major(e.src.PgConn())
	}
	chosen, err := e.chosenTables(ctx)
	for _, t := range chosen {
		if !known[t.name.Schema+"."+t.name.Name] {
			return errors.WithHint(errors.Newf("table %s was published after the migration was run last", t.name), "run walferry migrate, which copies it")
		}
	}
	return err
}
