package conninfo_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/retry"
	"github.com/walferry/walferry/internal/source"
)

// serveTLS gives a server a self-signed certificate for localhost and returns
// the certificate's file.
func serveTLS(t *testing.T, server *pgtest.Cluster) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyBytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Stat(server.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	owner := dir.Sys().(*syscall.Stat_t)
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: certificate},
		"server.key": {Type: "EC PRIVATE KEY", Bytes: keyBytes},
	} {
		path := filepath.Join(server.DataDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Exec(t, server.URI("postgres"), "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	pgtest.Eventually(t, "TLS is on", func() bool {
		return pgtest.Query(t, server.URI("postgres"), "SHOW ssl")[0][0] == "on"
	})
	return filepath.Join(server.DataDir(), "server.crt")
}

func TestConnect_VerifiesTheServer(t *testing.T) {
	cleanEnvironment(t)
	major, _ := pgtest.Majors()
	server := pgtest.Start(t, major, nil)
	certificate := serveTLS(t, server)
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
	certificate := serveTLS(t, server)
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
