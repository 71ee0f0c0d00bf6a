package carry

import (
	"context"
	_ "embed"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/sqltext"
)

//go:embed large_objects.sql
var largeObjectsSQL string

const (
	// pieceBytes is how much of a large object is held at once.
	pieceBytes = 1 << 20
	// objectsPerBatch large objects are compared and written in one transaction.
	objectsPerBatch = 256
)

// LargeObjectOptions say how large objects are moved. Source, Target and
// Migration are needed.
type LargeObjectOptions struct {
	Source, Target *pgx.Conn
	Migration      string
	// Snapshot is an exported snapshot to read the source in. Default: each batch
	// of objects is read as it then is.
	Snapshot string
	// Overwrite takes over objects of the target that have the OID of one of the
	// source and were not made by this migration. Default: that is an error.
	Overwrite bool
	// NoOwner leaves the objects with the role that makes them.
	NoOwner bool
	// Progress is told the bytes that were read so far; nil means nobody asks.
	Progress func(bytes int64)
}

// LargeObjectResult says what became of them.
type LargeObjectResult struct {
	// Objects is how many the target has of the source, Written how many of them
	// had to be written, Removed how many are gone from the source since.
	Objects, Written, Removed int64
	// Bytes is how much was written.
	Bytes    int64
	Warnings []string
}

// largeObject is a large object without its contents.
type largeObject struct {
	OID            uint32
	Owner, Comment string
	// Grants are those of all but the owner, "SELECT* role"; an empty role is PUBLIC.
	Grants   []string
	Readable bool

	size int64
	head string // hash of the first piece
}

// LargeObjects makes the target's large objects those of the source: OIDs,
// contents, owners, grants and comments. Contents are compared by hash, piece by
// piece, and only pieces that differ travel, so the work of a second call is
// reading. Memory is bounded by a few pieces, whatever the size of an object.
//
// Each batch of objects is one transaction on the target. Objects that the
// source's role may not read are named in a warning.
func LargeObjects(ctx context.Context, o LargeObjectOptions) (LargeObjectResult, error) {
	m := largeObjectMover{LargeObjectOptions: o, warned: map[string]*warning{}}
	if m.Progress == nil {
		m.Progress = func(int64) {}
	}
	err := m.run(ctx)
	m.result.Warnings = m.warnings()
	return m.result, errors.Wrap(err, "move large objects")
}

// largeObjectMover is one run of [LargeObjects].
type largeObjectMover struct {
	LargeObjectOptions

	result LargeObjectResult
	read   int64
	warned map[string]*warning
	order  []string
}

const beginRead = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

func (m *largeObjectMover) run(ctx context.Context) error {
	if m.Snapshot != "" {
		return m.reading(ctx, "; SET TRANSACTION SNAPSHOT "+sqltext.Literal(m.Snapshot), func() error {
			return m.all(ctx, func(batch func() error) error { return batch() })
		})
	}
	return m.all(ctx, func(batch func() error) error { return m.reading(ctx, "", batch) })
}

// reading runs f in a transaction of the source.
func (m *largeObjectMover) reading(ctx context.Context, more string, f func() error) error {
	if _, err := m.Source.PgConn().Exec(ctx, beginRead+more).ReadAll(); err != nil {
		return errors.Wrap(err, "begin to read on the source")
	}
	if err := f(); err != nil {
		_, rollback := m.Source.Exec(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.CombineErrors(err, rollback)
	}
	_, err := m.Source.Exec(ctx, "COMMIT")
	return err
}

func (m *largeObjectMover) all(ctx context.Context, in func(func() error) error) error {
	for after, more := uint32(0), true; more; {
		err := in(func() error {
			batch, err := listLargeObjects(ctx, m.Source, after, objectsPerBatch, math.MaxUint32)
			if err != nil {
				return errors.Wrap(err, "list the source's")
			}
			last := uint32(math.MaxUint32)
			if more = len(batch) == objectsPerBatch; more {
				last = batch[len(batch)-1].OID
			}
			if err := m.batch(ctx, batch, after, last); err != nil {
				return err
			}
			after = last
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func listLargeObjects(ctx context.Context, conn *pgx.Conn, after uint32, most int, last uint32) ([]*largeObject, error) {
	rows, err := conn.Query(ctx, largeObjectsSQL, after, most, last)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*largeObject, error) {
		var l largeObject
		err := row.Scan(&l.OID, &l.Owner, &l.Comment, &l.Grants, &l.Readable)
		return &l, err
	})
}

// batch makes the target's objects after one OID, up to last, those of the source.
func (m *largeObjectMover) batch(ctx context.Context, batch []*largeObject, after, last uint32) error {
	batch = slices.DeleteFunc(batch, func(l *largeObject) bool {
		if !l.Readable {
			m.warn("large object", l.OID, "may not be read by the source's role and was not moved")
		}
		return !l.Readable
	})
	if err := measure(ctx, m.Source, batch); err != nil {
		return errors.Wrap(err, "read the source's")
	}
	return pgx.BeginFunc(ctx, m.Target, func(tx pgx.Tx) error {
		existing, err := listLargeObjects(ctx, tx.Conn(), after, math.MaxInt32, last)
		if err != nil {
			return errors.Wrap(err, "list the target's")
		}
		ours, err := m.ours(ctx, tx, after, last)
		if err != nil {
			return err
		}
		there := make(map[uint32]*largeObject, len(existing))
		for _, l := range existing {
			there[l.OID] = l
		}
		if err := m.remove(ctx, tx, batch, there, ours); err != nil {
			return err
		}
		var both []*largeObject
		for _, l := range batch {
			switch t := there[l.OID]; {
			case t == nil:
			case !ours[l.OID] && !m.Overwrite:
				err := errors.Newf("large object %d exists on the target and was not made by this migration", l.OID)
				return errors.WithHint(err, "remove it there with lo_unlink, or let it be overwritten with --if-not-empty truncate")
			case !t.Readable:
				return errors.Newf("large object %d on the target may not be read by its role", l.OID)
			default:
				both = append(both, t)
			}
		}
		if err := measure(ctx, tx.Conn(), both); err != nil {
			return errors.Wrap(err, "read the target's")
		}
		if err := m.write(ctx, tx, batch, there, ours); err != nil {
			return err
		}
		failpoint.Hit("large objects: before commit")
		return nil
	})
}

// ours reads which objects of a range this migration made.
func (m *largeObjectMover) ours(ctx context.Context, tx pgx.Tx, after, last uint32) (map[uint32]bool, error) {
	rows, err := tx.Query(ctx, `SELECT oid FROM walferry.large_object WHERE migration = $1 AND oid > $2 AND oid <= $3`, m.Migration, after, last)
	if err != nil {
		return nil, err
	}
	ours := map[uint32]bool{}
	var oid uint32
	_, err = pgx.ForEachRow(rows, []any{&oid}, func() error {
		ours[oid] = true
		return nil
	})
	return ours, errors.Wrap(err, "read which are the migration's")
}

// remove unlinks what was moved earlier and is gone from the source.
func (m *largeObjectMover) remove(ctx context.Context, tx pgx.Tx, batch []*largeObject, there map[uint32]*largeObject, ours map[uint32]bool) error {
	gone := &pgx.Batch{}
	for oid := range ours {
		if slices.ContainsFunc(batch, func(l *largeObject) bool { return l.OID == oid }) {
			continue
		}
		gone.Queue(`DELETE FROM walferry.large_object WHERE migration = $1 AND oid = $2`, m.Migration, oid)
		if there[oid] != nil {
			gone.Queue(`SELECT pg_catalog.lo_unlink($1)`, oid)
			m.result.Removed++
		}
	}
	return errors.Wrap(tx.SendBatch(ctx, gone).Close(), "remove what the source does not have anymore")
}

// measure fills in the objects' sizes and hashes.
func measure(ctx context.Context, conn *pgx.Conn, objects []*largeObject) error {
	if len(objects) == 0 {
		return nil
	}
	oids := make([]uint32, len(objects))
	byOID := make(map[uint32]*largeObject, len(objects))
	for i, l := range objects {
		oids[i], byOID[l.OID] = l.OID, l
	}
	// OFFSET keeps the object from being opened once for each use of its descriptor.
	rows, err := conn.Query(ctx, `
		SELECT o, pg_catalog.lo_lseek64(fd, 0, 2), pg_catalog.sha256(pg_catalog.lo_get(o, 0, $2))::text, pg_catalog.lo_close(fd)
		FROM (SELECT o, pg_catalog.lo_open(o, 262144) AS fd FROM pg_catalog.unnest($1::oid[]) o OFFSET 0) opened`, oids, pieceBytes)
	if err != nil {
		return err
	}
	var oid uint32
	var size int64
	var head string
	_, err = pgx.ForEachRow(rows, []any{&oid, &size, &head, nil}, func() error {
		byOID[oid].size, byOID[oid].head = size, head
		return nil
	})
	return err
}

// warning is one kind of loss, with the objects that it met.
type warning struct {
	oids  []uint32
	count int
}

// warn notes a loss; losses of one kind become one warning.
func (m *largeObjectMover) warn(what string, oid uint32, reason string) {
	key := what + "\x00" + reason
	w := m.warned[key]
	if w == nil {
		w = &warning{}
		m.warned[key] = w
		m.order = append(m.order, key)
	}
	w.count++
	if len(w.oids) < 5 {
		w.oids = append(w.oids, oid)
	}
}

func (m *largeObjectMover) warnings() []string {
	var texts []string
	for _, key := range m.order {
		what, reason, _ := strings.Cut(key, "\x00")
		w := m.warned[key]
		named := make([]string, len(w.oids))
		for i, oid := range w.oids {
			named[i] = strconv.FormatUint(uint64(oid), 10)
		}
		text := what + " " + strings.Join(named, ", ")
		if more := w.count - len(w.oids); more > 0 {
			text += " and " + strconv.Itoa(more) + " more"
		}
		texts = append(texts, text+": "+reason)
	}
	return texts
}
