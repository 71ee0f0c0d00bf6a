package target_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/target"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// connect opens a pinned connection, as the engine does.
func connect(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	info, err := conninfo.Parse("target", uri)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := info.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// migration installs the schema and records a migration.
func migration(t *testing.T, conn *pgx.Conn, name string) *target.Migration {
	t.Helper()
	if err := target.Install(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	m := &target.Migration{Name: name, Command: target.Migrate, Database: "app", SystemID: "1", Phase: target.Preparing, Publications: []string{}}
	if err := target.Create(t.Context(), conn, m); err != nil {
		t.Fatal(err)
	}
	return m
}
