package target

import (
	"context"
	_ "embed"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// version is the version of the tables in schema.sql. A newer walferry that
// changes them raises it and upgrades what it finds.
const version = 1

//go:embed schema.sql
var schemaSQL string

// Install creates the schema walferry and its tables unless they exist.
func Install(ctx context.Context, conn *pgx.Conn) error {
	installed, err := Installed(ctx, conn)
	if err != nil || installed {
		return err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// The session's search_path is empty; two first runs at once wait for each other here.
		if _, err := tx.Exec(ctx, `SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('walferry install'))`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, schemaSQL); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO walferry.version SELECT $1 WHERE NOT EXISTS (SELECT FROM walferry.version)`, version)
		return err
	})
	err = errors.Wrap(err, `create schema "walferry" on the target`)
	return errors.WithHint(err, "grant CREATE on the target database to the role that walferry connects as")
}

// Installed reports whether the target holds walferry's tables, in a version that this program understands.
func Installed(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var exists bool
	err := conn.QueryRow(ctx, `SELECT pg_catalog.to_regclass('walferry.version') IS NOT NULL`).Scan(&exists)
	if err != nil || !exists {
		return false, errors.Wrap(err, `look for schema "walferry" on the target`)
	}
	var found int
	if err := conn.QueryRow(ctx, `SELECT version FROM walferry.version`).Scan(&found); err != nil {
		return false, errors.Wrap(err, `read the version of schema "walferry" on the target`)
	}
	if found != version {
		err := errors.Newf(`schema "walferry" on the target has version %d, this program needs %d`, found, version)
		return false, errors.WithHint(err, "continue with the walferry release that started this migration")
	}
	return true, nil
}

// Drop removes the schema walferry when it holds no migration anymore.
func Drop(ctx context.Context, conn *pgx.Conn) (dropped bool, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var left int
		if err := tx.QueryRow(ctx, `SELECT pg_catalog.count(*) FROM walferry.migration`).Scan(&left); err != nil || left > 0 {
			return err
		}
		dropped = true
		_, err := tx.Exec(ctx, `DROP SCHEMA walferry CASCADE`)
		return err
	})
	return dropped && err == nil, errors.Wrap(err, `drop schema "walferry" on the target`)
}
