package wire_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/wire"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func connect(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	return pgtest.Connect(t, uri)
}

func TestProxy_CutsAtAMessage(t *testing.T) {
	major, _ := pgtest.Majors()
	uri := pgtest.Server(t, major).Database(t, "CREATE TABLE t (id int)")
	tests := map[string]struct {
		fate wire.Fate
		rows string
	}{
		"before": {wire.CutBefore, "0"},
		"inside": {wire.CutInside, "0"},
		"after":  {wire.CutAfter, "1"}, // the ambiguous commit
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pgtest.Exec(t, uri, "TRUNCATE t")
			p, uri := wire.Through(t, uri)
			p.Rule(func(m wire.Message) wire.Fate {
				if m.FromClient && m.Kind == 'Q' && strings.HasPrefix(string(m.Head), "COMMIT") {
					return test.fate
				}
				return wire.Pass
			})
			conn := connect(t, uri)
			if _, err := conn.Exec(t.Context(), "BEGIN; INSERT INTO t VALUES (1)"); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "COMMIT"); err == nil {
				t.Fatal("COMMIT was answered")
			}
			p.Rule(nil)
			// The server has noticed the end when nobody holds the table anymore.
			pgtest.Eventually(t, "the session is gone", func() bool {
				return pgtest.Query(t, uri, "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND pid <> pg_backend_pid()")[0][0] == "0"
			})
			if got := pgtest.Query(t, uri, "SELECT count(*) FROM t")[0][0]; got != test.rows {
				t.Errorf("%s rows, want %s", got, test.rows)
			}
		})
	}
}

func TestProxy_StallsSplitsRefuses(t *testing.T) {
	major, _ := pgtest.Majors()
	p, uri := wire.Through(t, pgtest.Server(t, major).Database(t))
	p.Split(3)
	conn := connect(t, uri)
	var text string
	if err := conn.QueryRow(t.Context(), "SELECT repeat('x', 5000)").Scan(&text); err != nil || len(text) != 5000 {
		t.Errorf("split: %d bytes, %v", len(text), err)
	}
	p.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil || ctx.Err() == nil {
		t.Errorf("stalled: %v", err)
	}
	p.Resume()
	conn = connect(t, uri)
	if n := p.Cut(); n == 0 {
		t.Error("cut nothing")
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the connection was not cut")
	}
	p.Refuse(true)
	if _, err := pgx.Connect(t.Context(), uri); err == nil {
		t.Error("the connection was not refused")
	}
	p.Refuse(false)
	connect(t, uri)
}
