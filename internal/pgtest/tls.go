package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ServeTLS gives the server, which must be the test's own, a self-signed certificate for
// localhost, and returns the certificate's file.
func (c *Cluster) ServeTLS(tb testing.TB) string {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	keyBytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: certificate},
		"server.key": {Type: "EC PRIVATE KEY", Bytes: keyBytes},
	} {
		path := filepath.Join(c.DataDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
		if err := c.Own(path); err != nil {
			tb.Fatal(err)
		}
	}
	Exec(tb, c.URI("postgres"), "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	Eventually(tb, "TLS is on", func() bool {
		return Query(tb, c.URI("postgres"), "SHOW ssl")[0][0] == "on"
	})
	return filepath.Join(c.DataDir(), "server.crt")
}
