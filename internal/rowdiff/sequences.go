package rowdiff

import (
	"context"
	_ "embed" // the query
	"fmt"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed sequences.sql
var sequencesSQL string

// undefinedTable is the SQLSTATE of a relation that does not exist.
const undefinedTable = "42P01"

// state is where a sequence stands.
type state struct {
	last   int64
	called bool
}

func (s state) String() string { return fmt.Sprintf("last_value %d, is_called %t", s.last, s.called) }

// compareSequences adds every sequence of the source to r.
func (p pair) compareSequences(ctx context.Context, r *Result) error {
	rows, err := p.source.Query(ctx, sequencesSQL)
	if err != nil {
		return errors.Wrap(err, "list the source's sequences")
	}
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (pgx.Identifier, error) {
		name := make(pgx.Identifier, 2)
		err := row.Scan(&name[0], &name[1])
		return name, err
	})
	if err != nil {
		return errors.Wrap(err, "list the source's sequences")
	}
	for _, name := range names {
		r.Sequences++
		source, err := readState(ctx, p.source, name)
		if err != nil {
			return errors.Wrapf(err, "read the source's sequence %s", name.Sanitize())
		}
		target, err := readState(ctx, p.target, name)
		if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == undefinedTable {
			r.Differences = append(r.Differences, fmt.Sprintf("%s.%s: the target has no such sequence", name[0], name[1]))
			continue
		}
		if err != nil {
			return errors.Wrapf(err, "read the target's sequence %s", name.Sanitize())
		}
		if source != target {
			r.Differences = append(r.Differences,
				fmt.Sprintf("%s.%s: %s on the source, %s on the target", name[0], name[1], source, target))
		}
	}
	return nil
}

func readState(ctx context.Context, conn *pgx.Conn, name pgx.Identifier) (state, error) {
	var s state
	err := conn.QueryRow(ctx, "SELECT last_value, is_called FROM "+name.Sanitize()).Scan(&s.last, &s.called)
	return s, err
}
