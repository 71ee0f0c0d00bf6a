package carry

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

// write brings the batch's objects to the target, small ones several at a time.
func (m *largeObjectMover) write(ctx context.Context, tx pgx.Tx, batch []*largeObject, there map[uint32]*largeObject, ours map[uint32]bool) error {
	var small []*largeObject
	var pending int64
	flush := func() error {
		err := m.writeSmall(ctx, tx, small, there)
		small, pending = nil, 0
		return err
	}
	var record []uint32
	for _, l := range batch {
		m.result.Objects++
		if !ours[l.OID] {
			record = append(record, l.OID)
		}
		t := there[l.OID]
		switch {
		case l.size > pieceBytes:
			if err := m.writeLarge(ctx, tx, l, t); err != nil {
				return errors.Wrapf(err, "object %d", l.OID)
			}
		case t == nil || t.size != l.size || t.head != l.head:
			small = append(small, l)
			if pending += l.size; pending >= pieceBytes {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		m.read += min(l.size, pieceBytes)
		m.Progress(m.read)
	}
	if err := flush(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO walferry.large_object SELECT $1, pg_catalog.unnest($2::oid[])`, m.Migration, record)
	if err != nil {
		return errors.Wrap(err, "record them on the target")
	}
	for _, l := range batch {
		if err := m.describe(ctx, tx, l, there[l.OID]); err != nil {
			return errors.Wrapf(err, "object %d", l.OID)
		}
	}
	return nil
}

// writeSmall writes objects that are one piece each.
func (m *largeObjectMover) writeSmall(ctx context.Context, tx pgx.Tx, objects []*largeObject, there map[uint32]*largeObject) error {
	if len(objects) == 0 {
		return nil
	}
	oids := make([]uint32, len(objects))
	for i, l := range objects {
		oids[i] = l.OID
	}
	rows, err := m.Source.Query(ctx, `SELECT o, pg_catalog.lo_get(o) FROM pg_catalog.unnest($1::oid[]) o`, oids)
	if err != nil {
		return err
	}
	writes := &pgx.Batch{}
	var oid uint32
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&oid, &data}, func() error {
		if there[oid] == nil {
			writes.Queue(`SELECT pg_catalog.lo_from_bytea($1, $2)`, oid, slices.Clone(data))
		} else {
			m.truncate(writes, oid, 0)
			writes.Queue(`SELECT pg_catalog.lo_put($1, 0, $2)`, oid, slices.Clone(data))
		}
		m.result.Written++
		m.result.Bytes += int64(len(data))
		return nil
	})
	if err != nil {
		return errors.Wrap(err, "read the source's")
	}
	return errors.Wrap(tx.SendBatch(ctx, writes).Close(), "write the target's")
}

// writeLarge writes an object of several pieces; t is nil when the target lacks it.
func (m *largeObjectMover) writeLarge(ctx context.Context, tx pgx.Tx, l, t *largeObject) error {
	if t == nil {
		if _, err := tx.Exec(ctx, `SELECT pg_catalog.lo_create($1)`, l.OID); err != nil {
			return err
		}
		t = &largeObject{OID: l.OID}
	}
	const hash = `SELECT pg_catalog.sha256(pg_catalog.lo_get($1, $2, $3))::text`
	written := false
	for at := int64(0); at < l.size; at += pieceBytes {
		if at < t.size { // else there is nothing to compare with
			var from, to string
			if err := m.Source.QueryRow(ctx, hash, l.OID, at, pieceBytes).Scan(&from); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, hash, l.OID, at, pieceBytes).Scan(&to); err != nil {
				return err
			}
			if from == to {
				continue
			}
		}
		var piece []byte
		if err := m.Source.QueryRow(ctx, `SELECT pg_catalog.lo_get($1, $2, $3)`, l.OID, at, pieceBytes).Scan(&piece); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_catalog.lo_put($1, $2, $3)`, l.OID, at, piece); err != nil {
			return err
		}
		written = true
		m.result.Bytes += int64(len(piece))
		m.read += int64(len(piece))
		m.Progress(m.read)
	}
	if t.size > l.size {
		written = true
		cut := &pgx.Batch{}
		m.truncate(cut, l.OID, l.size)
		if err := tx.SendBatch(ctx, cut).Close(); err != nil {
			return err
		}
	}
	if written {
		m.result.Written++
	}
	return nil
}

// truncate queues the cut of an object at a size.
func (m *largeObjectMover) truncate(b *pgx.Batch, oid uint32, size int64) {
	b.Queue(`SELECT pg_catalog.lo_truncate64(fd, $2), pg_catalog.lo_close(fd)
		FROM (SELECT pg_catalog.lo_open($1, 393216) AS fd OFFSET 0) opened`, oid, size)
}

// describe gives an object the source's owner, grants and comment.
func (m *largeObjectMover) describe(ctx context.Context, tx pgx.Tx, l, t *largeObject) error {
	name := "LARGE OBJECT " + strconv.FormatUint(uint64(l.OID), 10)
	var statements []string
	grants := []string{}
	comment := ""
	if t != nil {
		grants, comment = t.Grants, t.Comment
	}
	for _, g := range grants {
		if !slices.Contains(l.Grants, g) {
			privilege, _, role := grant(g)
			statements = append(statements, "REVOKE "+privilege+" ON "+name+" FROM "+role)
		}
	}
	for _, g := range l.Grants {
		if !slices.Contains(grants, g) {
			privilege, option, role := grant(g)
			statements = append(statements, "GRANT "+privilege+" ON "+name+" TO "+role+option)
		}
	}
	if comment != l.Comment {
		statements = append(statements, "COMMENT ON "+name+" IS "+sqltext.Literal(l.Comment))
	}
	if !m.NoOwner && (t == nil || t.Owner != l.Owner) {
		// Last: the new owner may be one whose rights the role does not have.
		statements = append(statements, "ALTER "+name+" OWNER TO "+sqltext.Ident(l.Owner))
	}
	for _, sql := range statements {
		if err := m.try(ctx, tx, l.OID, sql); err != nil {
			return err
		}
	}
	return nil
}

// grant splits "SELECT* role" into the words of a GRANT.
func grant(g string) (privilege, option, role string) {
	privilege, role, _ = strings.Cut(g, " ")
	if p, grantable := strings.CutSuffix(privilege, "*"); grantable {
		privilege, option = p, " WITH GRANT OPTION"
	}
	if role == "" {
		return privilege, option, "PUBLIC"
	}
	return privilege, option, sqltext.Ident(role)
}

// try runs a statement whose failure is a loss, not an end.
func (m *largeObjectMover) try(ctx context.Context, tx pgx.Tx, oid uint32, sql string) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42501" && pgErr.Code != "42704" {
		return err
	}
	verb, _, _ := strings.Cut(sql, " ")
	m.warn(verb+" of large object", oid, pgErr.Message)
	return nil
}
