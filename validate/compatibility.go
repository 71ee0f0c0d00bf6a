package validate

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// targetEncoding compares what characters both sides can hold. Rows travel as UTF-8.
func targetEncoding(_ context.Context, p *preflight) ([]Finding, error) {
	from, to := p.source.settings["server_encoding"], p.target.settings["server_encoding"]
	f := Finding{
		Object:  to,
		Message: fmt.Sprintf("the source's encoding is %s, the target's %s", from, to),
	}
	switch {
	case from == to:
		return nil, nil
	case from == "SQL_ASCII":
		f.Detail = "The source may hold bytes that are no valid characters; the copy of their table stops at the first one."
		f.Hint = "Look for them on the source before the migration, or use a target database with encoding SQL_ASCII."
	case to == "UTF8":
		return nil, nil
	default:
		f.Detail = "The copy of a table stops at the first character that the target cannot hold."
		f.Hint = "Use a target database with encoding UTF8."
	}
	return []Finding{f}, nil
}

// targetExtensions finds extensions of the source that the target cannot be given.
func targetExtensions(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.NoSchema {
		return nil, nil
	}
	rows, err := p.source.conn.Query(ctx, "SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY 1")
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	var names []string
	var name, version string
	if _, err = pgx.ForEachRow(rows, []any{&name, &version}, func() error {
		names, versions[name] = append(names, name), version
		return nil
	}); err != nil {
		return nil, err
	}
	offered, err := p.offered(ctx, names)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, name := range names {
		e, ok := offered[name]
		f := Finding{Object: name}
		switch {
		case !ok:
			f.Message = "the extension is not available on the target"
			f.Hint = "Install it on the target's server, or drop it on the source with what depends on it."
		case e.installed != "":
			continue
		case e.needsSuperuser && !p.target.superuser:
			f.Severity = Warning
			f.Message = "creating the extension on the target needs a superuser, unless the service makes an exception"
			f.Hint = "On the target, create it beforehand as its administrator."
		case !slices.Contains(e.versions, versions[name]):
			f.Severity = Warning
			f.Message = fmt.Sprintf("the target has no version %s of the extension; it creates %s", versions[name], e.standard)
		default:
			continue
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// offer is what the target has of an extension.
type offer struct {
	installed, standard string
	needsSuperuser      bool
	versions            []string
}

func (p *preflight) offered(ctx context.Context, names []string) (map[string]*offer, error) {
	rows, err := p.target.conn.Query(ctx, `SELECT e.name, coalesce(e.installed_version, ''), coalesce(e.default_version, ''),
			coalesce(bool_or(v.superuser AND NOT v.trusted) FILTER (WHERE v.version = e.default_version), false), array_agg(v.version)
		FROM pg_catalog.pg_available_extensions e JOIN pg_catalog.pg_available_extension_versions v USING (name)
		WHERE e.name = ANY ($1) GROUP BY 1, 2, 3, e.default_version`, names)
	if err != nil {
		return nil, err
	}
	offered := map[string]*offer{}
	for rows.Next() {
		var name string
		o := &offer{}
		if err := rows.Scan(&name, &o.installed, &o.standard, &o.needsSuperuser, &o.versions); err != nil {
			rows.Close()
			return nil, err
		}
		offered[name] = o
	}
	return offered, rows.Err()
}
