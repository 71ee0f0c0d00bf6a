package rowdiff

import (
	"context"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

const (
	// fetchRows is how many rows a cursor reads at a time.
	fetchRows = 500
	// shownBytes is how much of a row is shown.
	shownBytes = 400
)

// examples merges both sides in order and returns the first rows that only one
// of them has. Memory holds a few hundred rows, whatever the size of the table.
func (p pair) examples(ctx context.Context, t table, limit int) ([]string, error) {
	source, err := openSorted(ctx, p.source, t)
	if err != nil {
		return nil, errors.Wrap(err, "sort the source's rows")
	}
	target, err := openSorted(ctx, p.target, t)
	if err != nil {
		return nil, errors.CombineErrors(errors.Wrap(err, "sort the target's rows"), source.close(ctx))
	}
	lines, err := merge(ctx, source, target, limit)
	err = errors.CombineErrors(err, source.close(ctx))
	return lines, errors.CombineErrors(err, target.close(ctx))
}

func merge(ctx context.Context, source, target *sorted, limit int) ([]string, error) {
	var lines []string
	s, sOK, err := source.next(ctx)
	if err != nil {
		return nil, err
	}
	d, dOK, err := target.next(ctx)
	for err == nil && (sOK || dOK) {
		switch {
		case sOK && dOK && s == d:
			if s, sOK, err = source.next(ctx); err == nil {
				d, dOK, err = target.next(ctx)
			}
			continue
		case len(lines) == limit:
			return append(lines, "  …"), nil
		case !dOK || sOK && s < d:
			lines = append(lines, "  only on the source: "+shorten(s, nextTo(d, dOK)))
			s, sOK, err = source.next(ctx)
		default:
			lines = append(lines, "  only on the target: "+shorten(d, nextTo(s, sOK)))
			d, dOK, err = target.next(ctx)
		}
	}
	return lines, err
}

func nextTo(other string, ok bool) string {
	if !ok {
		return ""
	}
	return other
}

// shorten cuts a long row down to where it differs from the other side's.
func shorten(row, other string) string {
	if len(row) <= shownBytes {
		return row
	}
	same := 0
	for same < min(len(row), len(other)) && row[same] == other[same] {
		same++
	}
	start := min(max(0, same-shownBytes/2), len(row)-shownBytes)
	text := strings.ToValidUTF8(row[start:start+shownBytes], "")
	return text + "… (bytes " + strconv.Itoa(start) + " ff. of " + strconv.Itoa(len(row)) + ")"
}

// sorted reads a table's rows in byte order through a cursor.
type sorted struct {
	tx   pgx.Tx
	rows []string
	done bool
}

func openSorted(ctx context.Context, conn *pgx.Conn, t table) (*sorted, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `DECLARE walferry_rows NO SCROLL CURSOR FOR SELECT r FROM (`+rowsSQL(t)+
		`) AS rows ORDER BY r COLLATE "C"`)
	if err != nil {
		return nil, errors.CombineErrors(err, tx.Rollback(ctx))
	}
	return &sorted{tx: tx}, nil
}

// next returns the next row; ok is false after the last one.
func (s *sorted) next(ctx context.Context) (row string, ok bool, err error) {
	if len(s.rows) == 0 && !s.done {
		rows, err := s.tx.Query(ctx, "FETCH "+strconv.Itoa(fetchRows)+" FROM walferry_rows")
		if err != nil {
			return "", false, err
		}
		if s.rows, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return "", false, err
		}
		s.done = len(s.rows) < fetchRows
	}
	if len(s.rows) == 0 {
		return "", false, nil
	}
	row, s.rows = s.rows[0], s.rows[1:]
	return row, true, nil
}

func (s *sorted) close(ctx context.Context) error {
	return errors.Wrap(s.tx.Rollback(ctx), "close a cursor")
}
