package target

import (
	"context"
	"encoding/json"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/applier"
)

// Phase is how far a migration has come.
type Phase string

// The phases, in order; a failed run keeps the phase that it failed in, with its error.
const (
	Preparing   Phase = "preparing"
	Copying     Phase = "copying"
	Indexing    Phase = "indexing"
	CatchingUp  Phase = "catching_up"
	Streaming   Phase = "streaming"
	CuttingOver Phase = "cutting_over"
	Done        Phase = "done"
	Failed      Phase = "failed"
)

// Command is the command that a migration was started with, and is resumed by.
type Command string

// The commands that keep state on the target.
const (
	Migrate  Command = "migrate"
	Stream   Command = "stream"
	Snapshot Command = "snapshot"
)

// Migration is what the target knows of one migration.
type Migration struct {
	Name              string
	Command           Command
	Database          string // of the source
	SystemID          string // of the source's cluster
	Timeline          int    // of the source's log when it was last streamed; zero before
	Phase             Phase
	Slot              string
	Publications      []string
	OwnsSlot          bool
	OwnedPublications []string
	ConsistentPoint   pglogrepl.LSN // zero until the slot exists
	Rung              string
	Epoch             int64
	Error             string
	StartedAt         time.Time
	RunAt             time.Time
	// RunCommand is the command that runs the migration, or ran it last, and RunBy for whom.
	RunCommand, RunBy string
	// Handover names who asks the instance at work to let go; empty when nobody does.
	Handover string
	// FinalLSN is the source's position behind which nothing was to be written; zero
	// before a cutover took it.
	FinalLSN pglogrepl.LSN
	// FencedAt is when a cutover closed the source, DecidedAt when it passed the point
	// of no return; nil before.
	FencedAt, DecidedAt *time.Time
	// Databases are those of the command that began it, when there are several.
	Databases []string
	// MadeDatabase says that walferry made the database on the target.
	MadeDatabase bool
}

// Execer runs statements; *pgx.Conn and pgx.Tx are ones.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Load reads the migration called name; nil when there is none.
func Load(ctx context.Context, conn *pgx.Conn, name string) (*Migration, error) {
	m := Migration{Name: name}
	var point, final *string
	err := conn.QueryRow(ctx, `
		SELECT command, database, system_id, phase, slot, publications, owns_slot, owned_publications,
		       consistent_point::text, rung, epoch, error, started_at, run_at, run_command, run_by, handover,
		       final_lsn::text, fenced_at, decided_at, databases, made_database, timeline
		FROM walferry.migration WHERE name = $1`, name).
		Scan(&m.Command, &m.Database, &m.SystemID, &m.Phase, &m.Slot, &m.Publications, &m.OwnsSlot, &m.OwnedPublications,
			&point, &m.Rung, &m.Epoch, &m.Error, &m.StartedAt, &m.RunAt, &m.RunCommand, &m.RunBy, &m.Handover,
			&final, &m.FencedAt, &m.DecidedAt, &m.Databases, &m.MadeDatabase, &m.Timeline)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil && point != nil {
		m.ConsistentPoint, err = pglogrepl.ParseLSN(*point)
	}
	if err == nil && final != nil {
		m.FinalLSN, err = pglogrepl.ParseLSN(*final)
	}
	return &m, errors.Wrapf(err, "read migration %q from the target", name)
}

// Create records a new migration.
func Create(ctx context.Context, conn Execer, m *Migration) error {
	_, err := conn.Exec(ctx, `
		INSERT INTO walferry.migration (name, command, database, system_id, phase, slot, publications, databases, made_database)
		VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8::text[], '{}'), $9)`,
		m.Name, m.Command, m.Database, m.SystemID, m.Phase, m.Slot, m.Publications, m.Databases, m.MadeDatabase)
	return errors.Wrapf(err, "record migration %q on the target", m.Name)
}

// Save writes what changed of the migration, all but its epoch.
func Save(ctx context.Context, conn Execer, m *Migration) error {
	owned := m.OwnedPublications
	if owned == nil {
		owned = []string{}
	}
	_, err := conn.Exec(ctx, `
		UPDATE walferry.migration SET phase = $2, slot = $3, publications = $4, owns_slot = $5,
		       owned_publications = $6, consistent_point = $7::text::pg_lsn, rung = $8, error = $9, timeline = $10
		WHERE name = $1`,
		m.Name, m.Phase, m.Slot, m.Publications, m.OwnsSlot, owned, lsnText(m.ConsistentPoint), m.Rung, m.Error, m.Timeline)
	return errors.Wrapf(err, "record migration %q on the target", m.Name)
}

// Delete forgets the migration and all that belongs to it.
func Delete(ctx context.Context, conn Execer, name string) error {
	_, err := conn.Exec(ctx, `DELETE FROM walferry.migration WHERE name = $1`, name)
	return errors.Wrapf(err, "delete migration %q from the target", name)
}

// BeginEpoch fences every earlier instance of the migration and returns the
// new epoch: a transaction of theirs that is under way is waited for, a later
// one finds its checkpoint row gone. What is loaded afterwards is therefore all
// that they have done. Command and by are what the instance runs, and for whom.
func BeginEpoch(ctx context.Context, conn *pgx.Conn, name, command, by string) (int64, error) {
	var epoch int64
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			UPDATE walferry.migration SET epoch = epoch + 1, run_at = pg_catalog.now(), error = '',
			       run_command = $2, run_by = $3, handover = ''
			WHERE name = $1 RETURNING epoch`, name, command, by).Scan(&epoch)
		if err != nil {
			return err
		}
		return fenceCheckpoints(ctx, tx, name, epoch)
	})
	return epoch, errors.Wrapf(err, "take over migration %q on the target", name)
}

// NextEpoch does so within one instance, where connections were given up with a COMMIT
// under way that may yet happen.
func NextEpoch(ctx context.Context, conn *pgx.Conn, m *Migration) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE walferry.migration SET epoch = epoch + 1 WHERE name = $1 AND epoch = $2`, m.Name, m.Epoch)
		if err == nil && tag.RowsAffected() != 1 {
			err = errors.Mark(errors.Newf("migration %q was taken over by another instance of walferry", m.Name), applier.ErrFenced)
		}
		if err != nil {
			return err
		}
		return fenceCheckpoints(ctx, tx, m.Name, m.Epoch+1)
	})
	if err != nil {
		return errors.Wrap(err, "wait for what is under way on the target")
	}
	m.Epoch++
	return nil
}

func fenceCheckpoints(ctx context.Context, tx pgx.Tx, name string, epoch int64) error {
	_, err := tx.Exec(ctx, `UPDATE walferry.checkpoint SET epoch = $2 WHERE migration = $1`, name, epoch)
	return err
}

// Restart forgets, in one transaction, the tables and the checkpoint of a
// migration whose replication objects were dropped, and saves the rest.
func Restart(ctx context.Context, conn *pgx.Conn, m *Migration) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`DELETE FROM walferry.checkpoint WHERE migration = $1`,
			`DELETE FROM walferry."table" WHERE migration = $1`,
		} {
			if _, err := tx.Exec(ctx, sql, m.Name); err != nil {
				return err
			}
		}
		return Save(ctx, tx, m)
	})
	return errors.Wrapf(err, "reset migration %q on the target", m.Name)
}

// SaveChoices records what the migration was asked to move, as JSON.
func SaveChoices(ctx context.Context, conn Execer, name string, choices any) error {
	text, err := json.Marshal(choices)
	if err == nil {
		_, err = conn.Exec(ctx, `UPDATE walferry.migration SET choices = $2 WHERE name = $1`, name, string(text))
	}
	return errors.Wrapf(err, "record the choices of migration %q on the target", name)
}

// LoadChoices reads them into choices, a pointer.
func LoadChoices(ctx context.Context, conn *pgx.Conn, name string, choices any) error {
	err := conn.QueryRow(ctx, `SELECT choices FROM walferry.migration WHERE name = $1`, name).Scan(choices)
	return errors.Wrapf(err, "read the choices of migration %q from the target", name)
}
