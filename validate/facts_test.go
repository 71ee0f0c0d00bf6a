package validate

import (
	"strings"
	"testing"
)

func TestMinorVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		major, minor int
		want         Severity
	}{{13, 21, Warning}, {13, 23, ""}, {15, 13, Warning}, {15, 16, Info}, {15, 18, ""}, {17, 5, Warning}, {17, 10, Info}, {18, 0, Warning}, {18, 4, ""}} {
		var got Severity
		if found := minorVersion(tc.major, tc.minor); len(found) > 0 {
			got = found[0].Severity
		}
		if got != tc.want {
			t.Errorf("%d.%d: %q, want %q", tc.major, tc.minor, got, tc.want)
		}
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		host, setting, role, want, walLevel string
	}{
		{"x.c1.eu-west-1.rds.amazonaws.com", "", "", "Amazon RDS or Aurora", "rds.logical_replication"},
		{"10.0.0.1", "rds.logical_replication", "rds_superuser", "Amazon RDS or Aurora", "parameter group"},
		{"10.0.0.1", "cloudsql.logical_decoding", "", "Google Cloud SQL", "cloudsql.logical_decoding=on"},
		{"10.0.0.1", "", "cloudsqlsuperuser", "Google Cloud SQL", "cloudsql.logical_decoding"},
		{"10.0.0.1", "alloydb.logical_decoding", "alloydbsuperuser", "Google AlloyDB", "alloydb.logical_decoding"},
		{"x.postgres.database.azure.com", "", "", "Azure Database for PostgreSQL", "server parameter wal_level"},
		{"10.0.0.1", "azure.extensions", "", "Azure Database for PostgreSQL", "server parameter"},
		{"DB-1.b.db.ondigitalocean.com", "", "", "DigitalOcean", "support"},
		{"10.0.0.1", "", "doadmin", "DigitalOcean", "support"},
		{"pg-1.aivencloud.com", "", "", "Aiven", "support"},
		{"db.abcd.supabase.co", "", "", "Supabase", "supabase"},
		{"ep-1.eu-central-1.aws.neon.tech", "", "", "Neon", "console"},
		{"10.0.0.1", "", "neon_superuser", "Neon", "console"},
		{"p.abc.db.postgresbridge.com", "", "", "Crunchy Bridge", "ALTER SYSTEM"},
		{"dpg-1.frankfurt-postgres.render.com", "", "", "Render", "support"},
		{"localhost", "", "", "", "ALTER SYSTEM"},
	} {
		got := recognise(tc.host, map[string]string{tc.setting: ""}, []string{tc.role})
		if got.name != tc.want || !strings.Contains(got.walLevel, tc.walLevel) {
			t.Errorf("%+v: %s: %s", tc, got.name, got.walLevel)
		}
	}
	for i := range providers {
		if p := &providers[i]; p.name == "" || p.walLevel == "" || p.replication == "" {
			t.Errorf("%s: a hint is missing", p.name)
		}
	}
}

func TestOlderVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"1.9", "1.10", true},
		{"1.10", "1.9", false},
		{"1.6", "1.6.0", false},
		{"3.3.2next", "3.3.3", true},
		{"unpackaged", "1.0", false},
		{"2", "10", true},
		{"1.0", "1.0", false},
	} {
		if got := olderVersion(tc.a, tc.b); got != tc.want {
			t.Errorf("%s older than %s: %v", tc.a, tc.b, got)
		}
	}
}
