package cutover

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

//go:embed rights.sql
var rightsSQL string

// Problem is what stands against closing the source.
type Problem struct {
	Blocks                        bool
	Object, Message, Detail, Hint string
}

// Rights says what this role cannot do that closing the source needs.
func (s Sides) Rights(ctx context.Context) ([]Problem, error) {
	var database, ownedBy string
	var owner, super, createRole bool
	err := s.Source.QueryRow(ctx, rightsSQL).Scan(&database, &owner, &ownedBy, &super, &createRole)
	if err != nil {
		return nil, errors.Wrap(err, "read what this role may do on the source")
	}
	var problems []Problem
	if !owner {
		problems = append(problems, Problem{
			Blocks: true, Object: database, Message: "this role may not change the settings of the source's database",
			Detail: "the database is owned by " + ownedBy,
			Hint:   "connect to the source as its owner, or stop the writers yourself and use --fence none",
		})
	}
	roles, err := s.ownSettings(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		if super || r.Me || createRole && !r.Super {
			continue
		}
		problems = append(problems, Problem{
			Blocks: true, Object: r.Name, Message: "a role of the source has default_transaction_read_only set for itself, which this role may not change",
			Hint: "run ALTER ROLE … RESET default_transaction_read_only as an administrator, or use --fence none",
		})
	}
	sessions, err := s.sessions(ctx, time.Now().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	var left []string
	for _, f := range sessions {
		if f.Untouchable {
			left = append(left, f.Text)
		}
	}
	if len(left) > 0 {
		problems = append(problems, Problem{
			Object: database, Message: fmt.Sprintf("%d sessions on the source cannot be ended by this role, and may still write", len(left)),
			Detail: strings.Join(left, "; "),
			Hint:   "end them yourself, or GRANT pg_signal_backend to this role; what they write is found before the cutover is decided",
		})
	}
	return problems, nil
}

type roleSetting struct {
	Name      string
	Me, Super bool
}

// ownSettings lists the roles whose own setting overrides the database's.
func (s Sides) ownSettings(ctx context.Context) ([]roleSetting, error) {
	rows, err := s.Source.Query(ctx, `SELECT f.role, f.role = current_user, r.rolsuper FROM (`+fenceSQL+`) f
		JOIN pg_catalog.pg_roles r ON r.rolname = f.role`)
	if err != nil {
		return nil, errors.Wrap(err, "read the settings of the source's roles")
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[roleSetting])
	return found, errors.Wrap(err, "read the settings of the source's roles")
}
