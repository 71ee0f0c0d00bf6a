package conninfo_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/conninfo"
)

// FuzzParse gives any bytes to the parser and any password to both forms.
func FuzzParse(f *testing.F) {
	f.Add("postgres://u:%s@h:1,[::1]/d?sslmode=disable&x=%", `p@ss w%rd'\`)
	f.Add("host=h port = 1 dbname='a\\'b' service=", "=")
	f.Add("postgresql://%41@%2Ftmp/", "a b")
	f.Fuzz(func(t *testing.T, conn, password string) {
		if i, err := conninfo.Parse("source", conn); err == nil {
			// What comes out can be read again and means the same.
			child, _ := i.Child()
			again, err := conninfo.Parse("source", child)
			if child != "" && err != nil {
				t.Fatalf("%q gave %q: %v", conn, child, err)
			}
			if child != "" && again.String() != i.String() {
				t.Fatalf("%q is %s, then %s", conn, i, again)
			}
		}
		if password == "" || strings.ContainsRune(password, 0) {
			return
		}
		var encoded strings.Builder
		for _, b := range []byte(password) {
			const hex = "0123456789abcdef"
			encoded.Write([]byte{'%', hex[b>>4], hex[b&15]})
		}
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		for _, conn := range []string{"postgres://u:" + encoded.String() + "@h/d", "host=h password='" + quoted + "' user=u dbname=d"} {
			i, err := conninfo.Parse("source", conn)
			if err != nil {
				t.Fatalf("%q: %v", conn, err)
			}
			child, env := i.Child()
			if len(env) != 1 || env[0] != "PGPASSWORD="+password {
				t.Fatalf("%q: environment %q", conn, env)
			}
			if len(password) > 6 && strings.Contains(child, password) {
				t.Fatalf("%q: %q", conn, child)
			}
		}
	})
}
