package validate

import (
	"strings"
	"testing"
)

func TestSourceVersion(t *testing.T) {
	t.Parallel()
	for num, want := range map[int]Severity{90624: Error, 120022: Error, 130000: "", 180004: "", 190000: Warning} {
		p := &preflight{source: &server{versionNum: num}}
		findings, err := sourceVersion(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		var got Severity
		for _, f := range findings {
			// A finding without a severity has that of its check.
			if got = f.Severity; got == "" {
				got = Error
			}
		}
		if got != want {
			t.Errorf("%d: %q, want %q", num, got, want)
		}
	}
}

func TestMinorVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		major, minor int
		warned       bool
	}{{13, 21, true}, {13, 23, false}, {15, 13, true}, {15, 14, false}, {17, 5, true}, {17, 10, false}, {18, 0, false}} {
		if got := len(minorVersion(tc.major, tc.minor)) > 0; got != tc.warned {
			t.Errorf("%d.%d: warned %v", tc.major, tc.minor, got)
		}
	}
}

func TestOutputPlugin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		settings map[string]string
		allowed  bool
	}{
		{nil, true},
		{map[string]string{"output_plugin_libraries": "pgoutput, test_decoding"}, true},
		{map[string]string{"output_plugin_libraries": `test_decoding, "pgoutput"`}, true},
		{map[string]string{"output_plugin_libraries": "wal2json"}, false},
	} {
		p := &preflight{source: &server{settings: tc.settings}}
		findings, err := outputPlugin(t.Context(), p)
		if err != nil || (len(findings) == 0) != tc.allowed {
			t.Errorf("%v: %v, %v", tc.settings, findings, err)
		}
	}
}

func TestWalLevel_KnowsServices(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"rds.logical_replication":   "parameter group",
		"cloudsql.logical_decoding": "cloudsql.logical_decoding",
		"alloydb.logical_decoding":  "alloydb.logical_decoding",
		"azure.extensions":          "server parameter",
		"other":                     "ALTER SYSTEM",
	} {
		p := &preflight{source: &server{settings: map[string]string{"wal_level": "replica", setting: "off"}}}
		findings, err := walLevel(t.Context(), p)
		if err != nil || len(findings) != 1 || !strings.Contains(findings[0].Hint, want) {
			t.Errorf("%s: %v, %v", setting, findings, err)
		}
	}
}
