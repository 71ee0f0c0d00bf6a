package validate

import (
	"context"
	"fmt"
)

func sourcePooler(_ context.Context, p *preflight) ([]Finding, error) { return pooler(p.source), nil }

func targetPooler(_ context.Context, p *preflight) ([]Finding, error) { return pooler(p.target), nil }

// pooler compares the process that answered the connection with the one that
// answers queries.
func pooler(s *server) []Finding {
	told := s.conn.PgConn().PID()
	if told == s.backendPID {
		return nil
	}
	config := s.conn.Config()
	return []Finding{{
		Object:  fmt.Sprintf("%s:%d", config.Host, config.Port),
		Message: "a connection pooler stands in between",
		Detail:  fmt.Sprintf("The connection was answered as process %d, queries are answered by process %d.", told, s.backendPID),
		Hint: "Use the server's direct address, as a rule another port or host name: 25060 instead of 25061 (DigitalOcean), " +
			"5432 instead of 6543 (Supabase) or 6432 (Azure), the host without \"-pooler\" (Neon).",
	}}
}

func sameServer(_ context.Context, p *preflight) ([]Finding, error) {
	if p.source.identity == "" || p.source.identity != p.target.identity {
		return nil, nil
	}
	if p.source.database == p.target.database {
		return []Finding{{
			Object:  p.target.database,
			Message: "source and target are the same database",
			Hint:    "Check the target's address.",
		}}, nil
	}
	return []Finding{{
		Severity: Warning,
		Object:   p.target.database,
		Message:  "source and target are databases of the same server",
		Detail:   "Both have the same system identifier and were started at the same moment.",
		Hint:     "Check the target's address, unless this is what you want.",
	}}, nil
}

func sourceStandby(_ context.Context, p *preflight) ([]Finding, error) {
	if !p.source.inRecovery {
		return nil, nil
	}
	if p.source.major() >= 16 && len(p.Publications) > 0 {
		return []Finding{{
			Severity: Warning,
			Object:   p.source.database,
			Message:  "the source is a standby",
			Detail:   "A slot on a standby becomes ready only after its primary has written a record of its running transactions, and is lost when the standby is promoted late or falls behind.",
			Hint:     "On the primary, run: SELECT pg_log_standby_snapshot(); while the slot is being created. Better use the primary as source.",
		}}, nil
	}
	return []Finding{{
		Object:  p.source.database,
		Message: "the source is a standby, where no publication can be created",
		Hint:    "Use the primary as source; from PostgreSQL 16 on a standby also serves with publications that exist.",
	}}, nil
}

func targetStandby(_ context.Context, p *preflight) ([]Finding, error) {
	if !p.target.inRecovery {
		return nil, nil
	}
	return []Finding{{
		Object:  p.target.database,
		Message: "the target is a standby, which cannot be written to",
		Hint:    "Use the address of its primary, or promote it.",
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
			p.target.quotedUser() + " RESET default_transaction_read_only. A service may set it when its disk is full.",
	}}, nil
}

func replicationConnection(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.ConnectReplication == nil {
		return nil, nil
	}
	err := p.ConnectReplication(ctx)
	if err == nil || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return []Finding{{
		Object:  p.source.user,
		Message: "the source refuses a replication connection",
		Detail:  "The attempt ended with: " + err.Error() + ".",
		Hint: "Give the role the REPLICATION attribute, and let pg_hba.conf admit it to the database (not to \"replication\", " +
			"which is for physical replication). A pooler does not carry replication connections.",
	}}, nil
}
