package wire

import (
	"net/url"
	"testing"
)

// Through returns a proxy before the server of a URI, which lives as long as the test,
// and the URI that goes through it.
func Through(tb testing.TB, uri string) (*Proxy, string) {
	tb.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := Listen(u.Host)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	u.Host = p.Addr()
	return p, u.String()
}
