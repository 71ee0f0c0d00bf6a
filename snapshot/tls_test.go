package snapshot_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/snapshot"
)

// TestRun_OverTLS has the pipe read and write encrypted connections.
func TestRun_OverTLS(t *testing.T) {
	t.Parallel()
	major, _ := pgtest.Majors()
	server := pgtest.Start(t, major, nil)
	encrypt(t, server)
	source := strings.Replace(server.Database(t, uglySchema, uglyRows), "sslmode=disable", "sslmode=require", 1)
	target := strings.Replace(server.Database(t, uglySchema, "CREATE TABLE ledger (name text, rows bigint)"), "sslmode=disable", "sslmode=require", 1)
	if got := pgtest.Query(t, source, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got[0][0] != "t" {
		t.Fatal("the connection is not encrypted")
	}
	if err := snapshot.Run(t.Context(), options(source, target), uglyTables(false)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"identity", "wide", "root"} {
		hasRows(t, target, table, rowsOf(t, source, table))
	}
}

// encrypt gives the server a certificate that only sslmode=require accepts.
func encrypt(t *testing.T, server *pgtest.Cluster) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
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
		"server.key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		path := filepath.Join(server.DataDir(), name)
		err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
		if err == nil {
			err = os.Chown(path, int(owner.Uid), int(owner.Gid))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Exec(t, server.URI("postgres"), "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	pgtest.Eventually(t, "TLS is on", func() bool { return pgtest.Query(t, server.URI("postgres"), "SHOW ssl")[0][0] == "on" })
}
