package validate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/sqltext"
)

var extensionChecks = []check{
	{
		id: "target.extensions", severity: Error, needs: both, run: targetExtensions,
		cause: "An extension of the source cannot be had on the target: it is not available, only in an older version, or its creation was refused in a transaction that was rolled back. " +
			"A warning when the target has another, newer version.",
		remedy: "Install it on the target's server, have an administrator create it, or drop it on the source with what depends on it.",
	},
	{
		id: "target.preload", severity: Error, needs: both, run: preload,
		cause:  "An extension of the source works only when its library is in `shared_preload_libraries`, and on the target it is not. A warning where it can be created all the same. Asked only where the role may see the setting.",
		remedy: "Add the library to `shared_preload_libraries` and restart the target.",
	},
	{
		id: "target.languages", severity: Error, needs: both, run: languages,
		cause:  "A procedural language of the source is not installed on the target, and no extension that both have brings it.",
		remedy: "Install it on the target, or drop it on the source with its functions.",
	},
}

// preloaded are extensions whose library has to be preloaded, and whether they
// cannot be created otherwise.
var preloaded = map[string]bool{
	"citus": true, "pg_cron": true, "pg_net": true, "pgaudit": true, "pglogical": true, "pg_squeeze": true, "timescaledb": true,
	"pg_stat_kcache": false, "pg_stat_statements": false, "pg_wait_sampling": false, "set_user": false,
}

// extension is one of the source's, with what the target has of it.
type extension struct {
	name, version string
	offered       bool
	// installed is empty when the target's database does not have it, standard is
	// the version that it would get.
	installed, standard string
	needsSuperuser      bool
	versions            []string
}

// extensions lists those of the source that are to be on the target.
func (p *preflight) extensions(ctx context.Context) ([]extension, error) {
	rows, err := p.source.conn.Query(ctx, "SELECT extname::text, extversion FROM pg_catalog.pg_extension ORDER BY 1")
	if err != nil {
		return nil, err
	}
	var all []extension
	var names []string
	var e extension
	if _, err = pgx.ForEachRow(rows, []any{&e.name, &e.version}, func() error {
		if !slices.Contains(p.ExcludeExtensions, e.name) {
			all, names = append(all, e), append(names, e.name)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	rows, err = p.target.conn.Query(ctx, `SELECT e.name::text, coalesce(e.installed_version, ''), coalesce(e.default_version, ''),
			coalesce(bool_or(v.superuser AND NOT v.trusted) FILTER (WHERE v.version = e.default_version), false), array_agg(v.version)
		FROM pg_catalog.pg_available_extensions e JOIN pg_catalog.pg_available_extension_versions v USING (name)
		WHERE e.name = ANY ($1) GROUP BY 1, 2, 3, e.default_version`, names)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o extension
		if err := rows.Scan(&o.name, &o.installed, &o.standard, &o.needsSuperuser, &o.versions); err != nil {
			return nil, err
		}
		i := slices.Index(names, o.name)
		o.version, o.offered = all[i].version, true
		all[i] = o
	}
	return all, rows.Err()
}

func targetExtensions(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema {
		return nil, nil
	}
	all, err := p.extensions(ctx)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for i := range all {
		f, err := p.judge(ctx, &all[i])
		if err != nil {
			return nil, err
		}
		if f.Message != "" {
			f.Object = all[i].name
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// judge says what stands against an extension; an empty message means nothing.
func (p *preflight) judge(ctx context.Context, e *extension) (Finding, error) {
	has, verb := e.standard, "offers"
	if e.installed != "" {
		has, verb = e.installed, "has"
	}
	switch {
	case p.NoExtensions && e.installed == "" && e.name != "plpgsql":
		return Finding{
			Severity: Warning,
			Message:  "the extension is left out and is not on the target",
			Detail:   "What uses it cannot be created there.",
			Hint:     "On the target, run: CREATE EXTENSION " + sqltext.Ident(e.name) + "; if anything uses it.",
		}, nil
	case !e.offered:
		return Finding{
			Message: "the extension is not available on the target",
			Detail:  "The source has version " + e.version + ".",
			Hint:    "Install it on the target's server; or drop it on the source with what depends on it: DROP EXTENSION " + sqltext.Ident(e.name) + " CASCADE;",
		}, nil
	case olderVersion(has, e.version):
		return Finding{
			Message: fmt.Sprintf("the target %s version %s of the extension, older than the source's %s", verb, has, e.version),
			Detail:  "The schema may use what the older version does not have.",
			Hint:    fmt.Sprintf("Install version %s or newer on the target's server; then, where it exists already, run: ALTER EXTENSION %s UPDATE;", e.version, sqltext.Ident(e.name)),
		}, nil
	}
	if _, library := preloaded[e.name]; e.installed == "" && e.needsSuperuser && !p.target.superuser && !library {
		// Services make exceptions, which no catalog tells.
		refused, err := probe(ctx, p.target.conn, "SET LOCAL statement_timeout = '10s'; CREATE SCHEMA walferry_probe; SET LOCAL search_path = walferry_probe; CREATE EXTENSION "+
			sqltext.Ident(e.name)+" CASCADE")
		if err != nil {
			return Finding{}, err
		}
		if refused != nil {
			return Finding{
				Message: "the target refuses to create the extension, which needs a superuser",
				Detail:  "It answered: " + refused.Error() + ".",
				Hint:    "On the target, run as its administrator or a superuser: CREATE EXTENSION " + sqltext.Ident(e.name) + ";",
			}, nil
		}
	}
	if has != e.version && !slices.Contains(e.versions, e.version) {
		return Finding{
			Severity: Warning,
			Message:  fmt.Sprintf("the target %s version %s of the extension, the source has %s", verb, has, e.version),
			Hint:     "Read what changed between the versions; nothing has to be done as a rule.",
		}, nil
	}
	return Finding{}, nil
}

var numbers = regexp.MustCompile(`\d+`)

// olderVersion compares the numbers in two versions; what has none is not older.
func olderVersion(a, b string) bool {
	return slices.Compare(versionNumbers(a), versionNumbers(b)) < 0 && len(versionNumbers(a)) > 0
}

func versionNumbers(version string) []int {
	var ns []int
	for _, digits := range numbers.FindAllString(version, -1) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil
		}
		ns = append(ns, n)
	}
	for len(ns) > 0 && ns[len(ns)-1] == 0 { // 1.6 and 1.6.0 are one version
		ns = ns[:len(ns)-1]
	}
	return ns
}

func preload(ctx context.Context, p *preflight) ([]Finding, error) {
	libraries, known := p.target.settings["shared_preload_libraries"]
	if !known || p.NoSchema || p.NoExtensions {
		return nil, nil
	}
	var loaded []string
	for name := range strings.SplitSeq(libraries, ",") {
		if name = strings.Trim(name, ` "`); name != "" {
			loaded = append(loaded, name)
		}
	}
	all, err := p.extensions(ctx)
	var findings []Finding
	for i := range all {
		e := &all[i]
		required, concerned := preloaded[e.name]
		if !concerned || !e.offered || slices.Contains(loaded, e.name) {
			continue
		}
		f := Finding{
			Object:  e.name,
			Message: "the target does not preload the extension's library, without which it cannot be created",
			Detail:  "shared_preload_libraries is " + strconv.Quote(libraries) + ".",
			Hint: "On the target, run as a superuser: ALTER SYSTEM SET shared_preload_libraries = " + strings.Join(append(slices.Clone(loaded), e.name), ", ") +
				"; and restart the server." + p.target.inService(),
		}
		if !required {
			f.Severity = Warning
			f.Message = "the target does not preload the extension's library, without which it does nothing"
		}
		findings = append(findings, f)
	}
	return findings, err
}

// languages are brought by extensions as a rule, which targetExtensions looks for.
func languages(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema {
		return nil, nil
	}
	wanted, err := p.source.strings(ctx, `SELECT lanname::text FROM pg_catalog.pg_language l WHERE lanispl
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_language'::regclass AND d.objid = l.oid AND d.deptype = 'e')`)
	if err != nil {
		return nil, err
	}
	return p.target.find(ctx, func([]string) Finding {
		return Finding{
			Message: "the language is not installed on the target",
			Hint:    "Install it on the target's server and create it there; or drop it on the source with its functions.",
		}
	}, `SELECT w FROM pg_catalog.unnest($1::text[]) w WHERE w NOT IN (SELECT lanname::text FROM pg_catalog.pg_language) ORDER BY 1`, wanted)
}
