package validate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

func walLevel(_ context.Context, p *preflight) ([]Finding, error) {
	// From PostgreSQL 19 on, a slot raises the effective level by itself.
	if p.source.settings["wal_level"] == "logical" || p.source.has("effective_wal_level") && p.source.settings["wal_level"] == "replica" {
		return nil, nil
	}
	return []Finding{{
		Object:  "wal_level",
		Message: "wal_level is " + p.source.settings["wal_level"] + " on the source, replication needs logical",
		Hint:    walLevelHint(p.source),
	}}, nil
}

// walLevelHint knows the services that have a setting of their own.
func walLevelHint(s *server) string {
	switch {
	case s.has("rds.logical_replication"):
		return "Set rds.logical_replication to 1 in the parameter group of the instance (Aurora: of the cluster) and reboot it."
	case s.has("cloudsql.logical_decoding"):
		return "Set the flag cloudsql.logical_decoding to on; the instance restarts."
	case s.has("alloydb.logical_decoding"):
		return "Set the flag alloydb.logical_decoding to on; the instance restarts."
	case s.has("azure.extensions"):
		return "Set the server parameter wal_level to logical and restart the server."
	}
	return "On the source, run: ALTER SYSTEM SET wal_level = logical; then restart the server. With a managed service, change it in its settings."
}

func outputPlugin(_ context.Context, p *preflight) ([]Finding, error) {
	allowed, ok := p.source.settings["output_plugin_libraries"]
	if !ok {
		return nil, nil
	}
	for name := range strings.SplitSeq(allowed, ",") {
		if name = strings.Trim(name, ` "`); name == "pgoutput" || name == "*" {
			return nil, nil
		}
	}
	return []Finding{{
		Object:  "output_plugin_libraries",
		Message: "the source does not allow the output plugin pgoutput",
		Detail:  "output_plugin_libraries is " + strconv.Quote(allowed) + ".",
		Hint:    "On the source, add pgoutput to output_plugin_libraries and reload the server.",
	}}, nil
}

func replicationRight(_ context.Context, p *preflight) ([]Finding, error) {
	if p.source.replication {
		return nil, nil
	}
	hint := "On the source, run: ALTER ROLE " + p.source.quotedUser() + " REPLICATION; as a superuser or as your service's administrator."
	if p.source.has("rds.logical_replication") {
		hint = "On the source, run: GRANT rds_replication TO " + p.source.quotedUser() + ";"
	}
	return []Finding{{
		Object:  p.source.user,
		Message: "the source's role may not replicate",
		Hint:    hint,
	}}, nil
}

// A migration holds one slot and one walsender. It needs another of each for the
// time of a copy that continues after the first snapshot was lost.

func freeSlots(ctx context.Context, p *preflight) ([]Finding, error) {
	used, err := p.source.number(ctx, "SELECT count(*) FROM pg_catalog.pg_replication_slots")
	if err != nil {
		return nil, err
	}
	return free(p, "max_replication_slots", "replication slot", used), nil
}

func freeWalsenders(ctx context.Context, p *preflight) ([]Finding, error) {
	used, err := p.source.number(ctx, "SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()")
	if err != nil {
		return nil, err
	}
	return free(p, "max_wal_senders", "walsender", used), nil
}

func free(p *preflight, setting, noun string, used int64) []Finding {
	limit, err := strconv.ParseInt(p.source.settings[setting], 10, 64)
	if err != nil || p.Resuming || limit-used > 1 {
		return nil
	}
	f := Finding{
		Object: setting,
		Detail: fmt.Sprintf("%d of %s = %d are in use.", used, setting, limit),
		Hint:   "On the source, raise " + setting + " (needs a restart), or drop what is no longer used.",
	}
	if limit > used {
		f.Severity = Warning
		f.Message = "only one " + noun + " is free on the source; a copy that is interrupted needs another one to go on"
	} else {
		f.Message = "no " + noun + " is free on the source"
	}
	return []Finding{f}
}

func slotRetention(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	if kept := p.source.settings["max_slot_wal_keep_size"]; kept != "" && kept != "-1" {
		findings = append(findings, Finding{
			Object:  "max_slot_wal_keep_size",
			Message: "the source gives up a slot that falls more than " + kept + " MB behind",
			Detail:  "Without its slot a migration has to begin again with a new copy.",
			Hint:    "Leave room for what is written during the copy and the longest interruption, or set max_slot_wal_keep_size = -1 and watch the disk.",
		})
	}
	if idle := p.source.settings["idle_replication_slot_timeout"]; idle != "" && idle != "0" {
		findings = append(findings, Finding{
			Object:  "idle_replication_slot_timeout",
			Message: "the source gives up a slot that is unused for " + idle + " (in the unit of idle_replication_slot_timeout)",
			Detail:  "Without its slot a migration has to begin again with a new copy.",
			Hint:    "Set idle_replication_slot_timeout = 0 for the time of the migration.",
		})
	}
	return findings, nil
}

func slotName(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.Slot == "" || p.Resuming {
		return nil, nil
	}
	taken, err := p.source.strings(ctx, `SELECT pg_catalog.format('It belongs to database %s and is %s.', coalesce(database, '(none)'),
		CASE WHEN active THEN 'in use' ELSE 'not in use' END) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`, p.Slot)
	if err != nil || len(taken) == 0 {
		return nil, err
	}
	return []Finding{{
		Object:  p.Slot,
		Message: "a replication slot of that name exists on the source",
		Detail:  taken[0],
		Hint:    "If an earlier migration left it behind, clean that up; otherwise choose another name.",
	}}, nil
}

func publicationName(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.Resuming {
		return nil, nil
	}
	taken, err := p.source.strings(ctx, "SELECT pubname FROM pg_catalog.pg_publication WHERE pubname = ANY ($1) ORDER BY 1", p.NewPublications)
	var findings []Finding
	for _, name := range taken {
		findings = append(findings, Finding{
			Object:  name,
			Message: "a publication of that name exists on the source",
			Hint:    "If an earlier migration left it behind, clean that up; otherwise choose another name, or use it as an existing publication.",
		})
	}
	return findings, err
}

func publications(ctx context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	for _, name := range p.Publications {
		tables, err := p.source.number(ctx, `SELECT coalesce((SELECT count(t.pubname) FROM pg_catalog.pg_publication p
			LEFT JOIN pg_catalog.pg_publication_tables t USING (pubname) WHERE p.pubname = $1 GROUP BY p.pubname), -1)`, name)
		switch {
		case err != nil:
			return nil, err
		case tables < 0:
			findings = append(findings, Finding{
				Object:  name,
				Message: "the publication does not exist on the source",
				Detail:  "The source is connected to database " + p.source.database + "; publications belong to one database.",
				Hint:    "Check the name and the database, or create it.",
			})
		case tables == 0:
			findings = append(findings, Finding{
				Severity: Warning,
				Object:   name,
				Message:  "the publication holds no table",
				Hint:     "On the source, run: ALTER PUBLICATION … ADD TABLE …; the next run copies the tables that were added.",
			})
		}
	}
	return findings, nil
}

// oldTransactionSeconds is how old a transaction is that does not just happen to be there.
const oldTransactionSeconds = 5

// Creating a slot waits until every transaction that has an XID at that moment has
// ended, in all databases.

func oldTransactions(ctx context.Context, p *preflight) ([]Finding, error) {
	old, err := p.source.strings(ctx, `SELECT pg_catalog.format('Process %s of role %s in database %s has a transaction since %s.', pid, usename, datname, xact_start)
		FROM pg_catalog.pg_stat_activity
		WHERE backend_xid IS NOT NULL AND xact_start < pg_catalog.clock_timestamp() - $1 * interval '1 second'
		ORDER BY xact_start LIMIT 5`, oldTransactionSeconds)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	return []Finding{{
		Object:  p.source.database,
		Message: "old transactions on the source will hold up the creation of the slot",
		Detail:  strings.Join(old, " "),
		Hint:    "Wait until they have ended, or end them with pg_terminate_backend.",
	}}, nil
}

func preparedTransactions(ctx context.Context, p *preflight) ([]Finding, error) {
	prepared, err := p.source.strings(ctx, `SELECT pg_catalog.format('%L of role %s in database %s, since %s.', gid, owner, database, prepared)
		FROM pg_catalog.pg_prepared_xacts ORDER BY prepared LIMIT 5`)
	if err != nil || len(prepared) == 0 {
		return nil, err
	}
	return []Finding{{
		Object:  p.source.database,
		Message: "prepared transactions on the source will hold up the creation of the slot until they end",
		Detail:  strings.Join(prepared, " "),
		Hint:    "On the source, run COMMIT PREPARED or ROLLBACK PREPARED for each of them that was forgotten.",
	}}, nil
}
