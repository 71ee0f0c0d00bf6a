package engine

import (
	"context"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/failpoint"
	"github.com/walferry/walferry/internal/sqltext"
	"github.com/walferry/walferry/internal/target"
)

// createPublications publishes the chosen tables, unless that has been done. What
// is to be made is recorded before it is made, so that it can always be dropped.
func (e *engine) createPublications(ctx context.Context) error {
	if len(e.m.Publications) > 0 {
		exist, err := publicationsExist(ctx, e.src, e.m.Publications)
		if err != nil || exist == len(e.m.Publications) || e.m.ConsistentPoint != 0 {
			return err
		}
	}
	tables, err := catalog.Definitions(ctx, e.src, e.o.Filter)
	if err != nil {
		return err
	}
	name := e.slotName()
	all := tables
	if !e.o.Filter.IsZero() {
		if all, err = catalog.Definitions(ctx, e.src, catalog.Filter{}); err != nil {
			return err
		}
	}
	full, insertOnly := publish(all, tables)
	statements := map[string]string{name: publicationSQL(name, full, "insert, update, delete, truncate")}
	names := []string{name}
	if len(insertOnly) > 0 {
		insert := sqltext.Suffixed(name, "_insert")
		statements[insert] = publicationSQL(insert, insertOnly, "insert, truncate")
		names = append(names, insert)
	}
	if len(e.m.OwnedPublications) == 0 {
		if exist, err := publicationsExist(ctx, e.src, names); err != nil {
			return err
		} else if exist > 0 {
			err := errors.Newf("publication %q exists on the source and is not this migration's", name)
			return errors.WithHint(err, "choose another --name, or use it as it is with --publication")
		}
	}
	e.m.Publications, e.m.OwnedPublications = names, names
	if err := target.Save(ctx, e.dst, e.m); err != nil {
		return err
	}
	failpoint.Hit("publication: before it is created")
	err = pgx.BeginFunc(ctx, e.src, func(tx pgx.Tx) error {
		for _, name := range names {
			if _, err := tx.Exec(ctx, statements[name]); err != nil {
				return errors.Wrapf(err, "create publication %q on the source", name)
			}
		}
		return nil
	})
	failpoint.Hit("publication: created")
	return errors.WithHint(err, "connect to the source as the owner of the tables, with CREATE on the database")
}

// publish divides tables by what can be published of them without breaking the
// source's UPDATE and DELETE. Partitions go with their root where all of a root
// is chosen, so that partitions made later are published too.
func publish(all, tables []catalog.Table) (full, insertOnly []string) {
	chosen := make(map[catalog.Name]bool, len(tables))
	for i := range tables {
		chosen[tables[i].Name] = true
	}
	incomplete := map[catalog.Name]bool{} // roots with a partition that is not chosen
	for i := range all {
		if t := &all[i]; t.IsPartition && !chosen[t.Name] {
			incomplete[t.Root] = true
		}
	}
	for i := range tables {
		t := &tables[i]
		root, leaf := t.Kind == catalog.KindPartitioned && !t.IsPartition, t.Kind == catalog.KindTable
		switch {
		case t.Persistence != catalog.Permanent,
			root && incomplete[t.Name],
			t.IsPartition && (!leaf || chosen[t.Root] && !incomplete[t.Root]):
			continue
		}
		name := t.Quoted()
		if leaf {
			name = "ONLY " + name
		}
		if t.Identified() {
			full = append(full, name)
		} else {
			insertOnly = append(insertOnly, name)
		}
	}
	return full, insertOnly
}

func publicationSQL(name string, tables []string, operations string) string {
	sql := "CREATE PUBLICATION " + sqltext.Ident(name)
	if len(tables) > 0 {
		sql += " FOR TABLE " + strings.Join(tables, ", ")
	}
	return sql + " WITH (publish = " + sqltext.Literal(operations) + ")"
}

// requirePublications fails when a publication is not there. From 18 on the server
// would only warn, and leave out what it published.
func (e *engine) requirePublications(ctx context.Context) error {
	exist, err := publicationsExist(ctx, e.src, e.m.Publications)
	if err != nil || exist == len(e.m.Publications) {
		return err
	}
	err = errors.Newf("of the publications %s, %d exist on the source", strings.Join(e.m.Publications, ", "), exist)
	return errors.WithHint(err, "if one was dropped while it was in use, its changes since are lost to the stream: "+
		"run walferry cleanup and migrate anew; else correct --publication")
}

func publicationsExist(ctx context.Context, src *pgx.Conn, names []string) (n int, err error) {
	err = src.QueryRow(ctx, `SELECT pg_catalog.count(*) FROM pg_catalog.pg_publication WHERE pubname = ANY($1)`, names).Scan(&n)
	return n, errors.Wrap(err, "read publications of the source")
}
