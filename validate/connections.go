package validate

import (
	"context"
	"fmt"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/sqltext"
)

var connectionChecks = []check{
	{
		id: "source.connection", severity: Error, needs: neither, run: sourceConnection,
		cause:  "The source cannot be reached, or refuses the connection. The message says why: name resolution, no server at the address, TLS, authentication, `pg_hba.conf`, the database's name.",
		remedy: "As the hint says. `walferry` connects as psql does: the same string must work with psql from this machine.",
	},
	{
		id: "target.connection", severity: Error, needs: neither, run: targetConnection,
		cause:  "The target cannot be reached, or refuses the connection.",
		remedy: "As for source.connection. A target database that does not exist has to be created first.",
	},
	{
		id: "source.pooler", severity: Error, needs: neither, run: sourcePooler,
		cause:  "A connection pooler (PgBouncer, Supavisor, …) answers: the process number that it announced is not that of the process that answers queries. Exported snapshots, session settings and replication do not work through one. Nothing else is asked of this side.",
		remedy: "Use the server's own address, as a rule another port or host name; the hint says which.",
	},
	{
		id: "target.pooler", severity: Error, needs: neither, run: targetPooler,
		cause:  "A connection pooler answers on the target's address; see source.pooler.",
		remedy: "Use the server's own address.",
	},
	{
		id: "target.same_server", severity: Error, needs: both, ofDatabase: true, run: sameServer,
		cause:  "Both addresses lead to the same server, by its system identifier and the moment it was started, however they are written. An error when it is also the same database, else a warning.",
		remedy: "Check the target's address.",
	},
	{
		id: "source.standby", severity: Error, needs: source, replication: true, run: sourceStandby,
		cause:  "The source is a standby, where neither a publication can be created nor, before PostgreSQL 16, a slot; `cutover` could not close it to writers.",
		remedy: "Use the primary as source, or copy once, with `--method dump`.",
	},
	{
		id: "target.standby", severity: Error, needs: target, run: targetStandby,
		cause:  "The target is a standby, which cannot be written to.",
		remedy: "Use its primary, or promote it.",
	},
	{
		id: "target.read_only", severity: Error, needs: target, run: targetReadOnly,
		cause:  "`default_transaction_read_only` is on for the role, the database or the server. Services set it when a disk is full.",
		remedy: "Reset it, or enlarge the disk.",
	},
	{
		id: skippedDatabase, severity: Warning, needs: neither, run: nothing,
		cause:  "Of several databases that are moved, one is skipped: it does not let anybody in.",
		remedy: "`ALTER DATABASE … ALLOW_CONNECTIONS true`, if it matters.",
	},
	{
		id: "walferry.programs", severity: Error, needs: source, run: programs,
		cause:  "No `pg_dump` of the source's major version or a newer one was found on this machine; the schema is read with it.",
		remedy: "Install PostgreSQL's client programs, or name their directory with `--pgbin`; or migrate with `--no-schema`.",
	},
}

const skippedDatabase = "source.database"

// SkippedDatabase is the finding of a database that is left out of several. Each
// database has a preflight of its own, so none of them can find that.
func SkippedDatabase(name, reason string) Finding {
	return Finding{
		ID: skippedDatabase, Severity: Warning, Object: name, Message: "the database is skipped: " + reason,
		Hint: "If it is to be moved, run on the source as its owner: ALTER DATABASE " + sqltext.Ident(name) + " ALLOW_CONNECTIONS true;",
	}
}

func nothing(context.Context, *preflight) ([]Finding, error) { return nil, nil }

func sourceConnection(_ context.Context, p *preflight) ([]Finding, error) {
	return refusal("source", p.SourceError), nil
}

func targetConnection(_ context.Context, p *preflight) ([]Finding, error) {
	return refusal("target", p.TargetError), nil
}

// refusal tells why there is no connection.
func refusal(object string, err error) []Finding {
	if err == nil {
		return nil
	}
	return []Finding{{Object: object, Message: err.Error(), Detail: sentences(errors.GetAllDetails(err)), Hint: sentences(errors.GetAllHints(err))}}
}

// sentences joins texts and gives each the stop that it may lack.
func sentences(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if text == "" || strings.Contains(b.String(), text) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text)
		if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, ";") {
			b.WriteByte('.')
		}
	}
	return b.String()
}

func sourcePooler(ctx context.Context, p *preflight) ([]Finding, error) {
	return pooler(ctx, p.Source, p.source)
}

func targetPooler(ctx context.Context, p *preflight) ([]Finding, error) {
	return pooler(ctx, p.Target, p.target)
}

// pooler compares the process that answered the connection with the one that
// answers queries.
func pooler(ctx context.Context, c *pgx.Conn, s *server) ([]Finding, error) {
	if c == nil || s != nil {
		return nil, nil
	}
	pooled, err := conninfo.Pooled(ctx, c.PgConn())
	if err != nil || !pooled {
		return nil, err
	}
	config := c.Config()
	return []Finding{{
		Object:  fmt.Sprintf("%s:%d", config.Host, config.Port),
		Message: "a connection pooler stands in between",
		Detail:  fmt.Sprintf("The connection was announced as process %d, which is not the process that answers queries. Nothing else was asked of this side.", c.PgConn().PID()),
		Hint:    directAddress(config.Host, int(config.Port), config.User),
	}}, nil
}

// directAddress says how the server behind a pooler is reached.
func directAddress(host string, port int, user string) string {
	use := func(host string, port int, where string) string {
		return fmt.Sprintf("Use the server's own address, %s:%d%s.", host, port, where)
	}
	switch {
	case strings.HasSuffix(host, ".pooler.supabase.com"):
		// The pooler's users are written postgres.PROJECT.
		if _, project, ok := strings.Cut(user, "."); ok {
			return use("db."+project+".supabase.co", 5432, ", as user postgres (Supabase; by IPv6, unless the project has the IPv4 add-on)")
		}
		return use("db.PROJECT.supabase.co", 5432, " (Supabase)")
	case strings.Contains(host, "-pooler."):
		return use(strings.Replace(host, "-pooler.", ".", 1), port, " (Neon)")
	case port == 25061:
		return use(host, 25060, ": 25061 is DigitalOcean's PgBouncer")
	case port == 6543:
		return use(host, 5432, ": 6543 is Supabase's pooler")
	case port == 6432:
		return use(host, 5432, ": 6432 is PgBouncer's usual port, also with Azure and AlloyDB")
	case port == 5431:
		return use(host, 5432, ": 5431 is Crunchy Bridge's PgBouncer")
	}
	return "Use the server's own address, as a rule another port or host name: 25060 instead of 25061 (DigitalOcean), " +
		"5432 instead of 6543 (Supabase) or 6432 (PgBouncer, Azure), the host without \"-pooler\" (Neon)."
}

func sameServer(_ context.Context, p *preflight) ([]Finding, error) {
	if p.source.started != p.target.started || p.source.systemID != "" && p.target.systemID != "" && p.source.systemID != p.target.systemID {
		return nil, nil
	}
	detail := "Both were started at the same moment, " + p.source.started + "."
	if p.source.systemID != "" {
		detail = "Both have the system identifier " + p.source.systemID + " and were started at the same moment."
	}
	if p.source.database == p.target.database {
		return []Finding{{
			Object:  p.target.database,
			Message: "source and target are the same database",
			Detail:  detail,
			Hint:    "Check the target's address.",
		}}, nil
	}
	return []Finding{{
		Severity: Warning,
		Object:   p.target.database,
		Message:  "source and target are databases of the same server",
		Detail:   detail,
		Hint:     "Check the target's address, unless this is what you want.",
	}}, nil
}

func sourceStandby(_ context.Context, p *preflight) ([]Finding, error) {
	if !p.source.inRecovery {
		return nil, nil
	}
	return []Finding{{
		Object:  p.source.database,
		Message: "the source is a standby, where no publication can be created",
		Hint:    "Use the primary as source, or copy once, with --method dump.",
	}}, nil
}

func targetStandby(_ context.Context, p *preflight) ([]Finding, error) {
	if !p.target.inRecovery {
		return nil, nil
	}
	return []Finding{{
		Object:  p.target.database,
		Message: "the target is a standby, which cannot be written to",
		Hint:    "Use the address of its primary, or promote it: SELECT pg_promote();",
	}}, nil
}

func targetReadOnly(_ context.Context, p *preflight) ([]Finding, error) {
	if !p.target.readOnly || p.target.inRecovery {
		return nil, nil
	}
	return []Finding{{
		Object:  p.target.database,
		Message: "transactions on the target are read only",
		Detail:  "default_transaction_read_only is on for this role, database or server.",
		Hint: "On the target, run: ALTER DATABASE " + p.target.quotedDatabase() + " RESET default_transaction_read_only; or ALTER ROLE " +
			p.target.quotedUser() + " RESET default_transaction_read_only; A service may set it when its disk is full.",
	}}, nil
}

func programs(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.FindPrograms == nil || p.NoSchema || p.Resuming {
		return nil, nil
	}
	err := p.FindPrograms(ctx, p.source.major())
	if err == nil || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return refusal("pg_dump", err), nil
}
