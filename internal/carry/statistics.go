package carry

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/walferry/walferry/internal/catalog"
)

// Analyze gathers the planner's statistics of the target's relations, jobs at a
// time: also those of expressions, of extended statistics objects and, for
// partitioned tables, of all partitions together. connect opens target connections.
// A relation that the role may not analyze is named in a warning.
func Analyze(ctx context.Context, connect func(context.Context) (*pgx.Conn, error), jobs int, relations []catalog.Name) ([]string, error) {
	var warnings [][]string
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan catalog.Name)
	g.Go(func() error {
		defer close(next)
		for _, r := range relations {
			select {
			case next <- r:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range min(max(jobs, 1), len(relations)) {
		i := len(warnings)
		warnings = append(warnings, nil)
		g.Go(func() (err error) {
			conn, err := connect(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.CombineErrors(err, conn.Close(context.WithoutCancel(ctx))) }()
			for r := range next {
				warned, err := analyze(ctx, conn, r)
				if err != nil {
					return errors.Wrapf(err, "analyze %s on the target", r)
				}
				warnings[i] = append(warnings[i], warned...)
			}
			return nil
		})
	}
	err := g.Wait()
	var all []string
	for _, w := range warnings {
		all = append(all, w...)
	}
	return all, err
}

// analyze analyzes one relation. The server only warns when the role may not.
func analyze(ctx context.Context, conn *pgx.Conn, r catalog.Name) ([]string, error) {
	var may bool
	err := conn.QueryRow(ctx, `
		SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE')
		    OR CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 170000
		            THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN') ELSE false END
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2`, r.Schema, r.Name).Scan(&may)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil // dropped since it was listed
	case err != nil:
		return nil, err
	case !may:
		return []string{r.String() + " was not analyzed: the target's role does not own it"}, nil
	}
	_, err = conn.Exec(ctx, "ANALYZE "+r.Quoted())
	return nil, err
}
