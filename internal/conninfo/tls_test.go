package conninfo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
)

func TestConnect_VerifiesTheServer(t *testing.T) {
	cleanEnvironment(t)
	major, _ := pgtest.Majors()
	server := pgtest.Start(t, major, nil)
	certificate := server.ServeTLS(t)
	for _, c := range []struct{ host, more, hint string }{
		{"localhost", "sslmode=verify-full sslrootcert=" + certificate, ""},
		{"localhost", "sslmode=verify-full ssl_min_protocol_version=TLSv1.3 sslrootcert=" + certificate, ""},
		{"127.0.0.1", "sslmode=verify-ca sslrootcert=" + certificate, ""},
		{"127.0.0.1", "sslmode=verify-full sslrootcert=" + certificate, "sslmode=verify-ca"},
		{"localhost", "sslmode=verify-full sslrootcert=system", "sslrootcert=FILE"},
		{"localhost", "sslmode=require", ""},
		{"localhost", "", ""},
	} {
		conn, err := parse(t, fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres %s", c.host, server.Port(), c.more)).Connect(t.Context())
		if c.hint != "" {
			if err == nil || !strings.Contains(errors.FlattenHints(err), c.hint) {
				t.Errorf("%s %s: %v, hint %q", c.host, c.more, err, errors.FlattenHints(err))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.host, c.more, err)
			continue
		}
		var encrypted bool
		const query = "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()"
		if err := conn.QueryRow(t.Context(), query).Scan(&encrypted); err != nil || !encrypted {
			t.Errorf("%s %s: encrypted %v, %v", c.host, c.more, encrypted, err)
		}
		_ = conn.Close(t.Context())
	}
}

func TestConnectReplication_StreamsOverTLS(t *testing.T) {
	cleanEnvironment(t)
	major, _ := pgtest.Majors()
	server := pgtest.Start(t, major, nil)
	certificate := server.ServeTLS(t)
	uri := server.URI("postgres")
	pgtest.Exec(t, uri, "CREATE TABLE t (id int PRIMARY KEY, data text)", "CREATE PUBLICATION p FOR TABLE t")
	i := parse(t, fmt.Sprintf("host=localhost port=%d user=postgres dbname=postgres sslmode=verify-full sslrootcert=%s", server.Port(), certificate))
	conn, err := source.Connect(t.Context(), i, nil)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := conn.CreateSlot(t.Context(), "encrypted", source.SlotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, uri, "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i")
	var (
		positions source.Positions
		inserts   int
	)
	ctx, cancel := context.WithCancel(t.Context())
	options := source.StreamOptions{Slot: "encrypted", Paced: true, Start: slot.ConsistentPoint, Positions: &positions, PluginOptions: []string{"proto_version '1'", "publication_names 'p'"}}
	push := func(_ source.LSN, payload []byte) error {
		if payload[0] == 'I' {
			inserts++
		}
		if payload[0] == 'C' {
			cancel()
		}
		return nil
	}
	// The read that is interrupted must not break the encryption: the slot is free at once.
	if err := conn.Stream(ctx, options, push, nil); !errors.Is(err, context.Canceled) || inserts != 5000 {
		t.Errorf("%d inserts, %v", inserts, err)
	}
	if row := pgtest.Query(t, uri, "SELECT active FROM pg_replication_slots")[0]; row[0] != "f" {
		t.Error("the slot is still active")
	}
	conn, err = source.Connect(t.Context(), i, nil)
	if err != nil {
		t.Fatal(err)
	}
	push = func(_ source.LSN, payload []byte) error {
		if payload[0] == 'C' {
			pgtest.Exec(t, uri, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots")
		}
		return nil
	}
	if err := conn.Stream(t.Context(), options, push, nil); !retry.Retryable(err) || !strings.Contains(err.Error(), "57P01") {
		t.Errorf("terminated: %v", err)
	}
}
