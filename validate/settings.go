package validate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var settingChecks = []check{
	{
		id: "source.wal_level", severity: Error, needs: source, replication: true, run: walLevel,
		cause:  "`wal_level` is not `logical` on the source.",
		remedy: "`ALTER SYSTEM SET wal_level = logical;` and a restart; the hint knows the way of the service that it recognises.",
	},
	{
		id: "source.output_plugin", severity: Error, needs: source, replication: true, run: outputPlugin,
		cause:  "`output_plugin_libraries` (newer minor releases have it) does not list pgoutput.",
		remedy: "Add pgoutput to the list and reload the server.",
	},
	{
		id: "source.slot_retention", severity: Warning, needs: source, replication: true, run: slotRetention,
		cause:  "`max_slot_wal_keep_size` or `idle_replication_slot_timeout` lets the source give up a slot that is behind or unused. A migration without its slot begins again with a new copy.",
		remedy: "Raise or switch off the setting for the time of the migration, and watch the source's disk.",
	},
	{
		id: "source.wal_sender_timeout", severity: Warning, needs: source, replication: true, run: walSenderTimeout,
		cause:  "`wal_sender_timeout` is shorter than ten seconds: a short hold-up of the network ends the stream, which is then resumed again and again.",
		remedy: "Raise it to a minute.",
	},
	{
		id: "source.timeouts", severity: Warning, needs: source, run: sourceTimeouts,
		cause:  "Something ends what runs long on the source, such as the copy of a large table: a timeout of the role that the session cannot switch off, `old_snapshot_threshold` (until 16), or on a standby `max_standby_streaming_delay`.",
		remedy: "Switch the setting off for the time of the migration.",
	},
	{
		id: "target.timeouts", severity: Warning, needs: target, run: targetTimeouts,
		cause:  "A timeout ends what runs long on the target, such as the build of an index.",
		remedy: "Switch the setting off for the role.",
	},
}

func walLevel(_ context.Context, p *preflight) ([]Finding, error) {
	// From PostgreSQL 19 on, a slot raises the effective level by itself.
	if p.source.settings["wal_level"] == "logical" || p.source.has("effective_wal_level") && p.source.settings["wal_level"] == "replica" {
		return nil, nil
	}
	return []Finding{{
		Object:  "wal_level",
		Message: "wal_level is " + p.source.settings["wal_level"] + " on the source, replication needs logical",
		Detail:  strings.TrimSpace(p.source.inService()),
		Hint:    p.source.provider.walLevel,
	}}, nil
}

func outputPlugin(_ context.Context, p *preflight) ([]Finding, error) {
	allowed, ok := p.source.settings["output_plugin_libraries"]
	if !ok {
		return nil, nil
	}
	names := []string{"pgoutput"}
	for name := range strings.SplitSeq(allowed, ",") {
		if name = strings.Trim(name, ` "`); name == "pgoutput" || name == "*" {
			return nil, nil
		} else if name != "" {
			names = append(names, name)
		}
	}
	return []Finding{{
		Object:  "output_plugin_libraries",
		Message: "the source does not allow the output plugin pgoutput",
		Detail:  "output_plugin_libraries is " + strconv.Quote(allowed) + ".",
		Hint:    "On the source, run as a superuser: ALTER SYSTEM SET output_plugin_libraries = " + strings.Join(names, ", ") + "; SELECT pg_reload_conf();",
	}}, nil
}

func slotRetention(_ context.Context, p *preflight) ([]Finding, error) {
	var findings []Finding
	if kept, ok := p.source.integer("max_slot_wal_keep_size"); ok && kept >= 0 {
		findings = append(findings, Finding{
			Object:  "max_slot_wal_keep_size",
			Message: fmt.Sprintf("the source gives up a slot that falls more than %d MB behind", kept),
			Detail:  "Without its slot a migration has to begin again with a new copy.",
			Hint: "Leave room for what is written during the copy and the longest interruption; or on the source, run: " +
				"ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf(); and watch the disk.",
		})
	}
	if idle, ok := p.source.integer("idle_replication_slot_timeout"); ok && idle > 0 {
		findings = append(findings, Finding{
			Object:  "idle_replication_slot_timeout",
			Message: fmt.Sprintf("the source gives up a slot that is unused for %s", time.Duration(idle)*time.Second),
			Detail:  "Without its slot a migration has to begin again with a new copy.",
			Hint:    "For the time of the migration, run on the source: ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();",
		})
	}
	return findings, nil
}

// senderPatience is the shortest wal_sender_timeout that a busy network does not
// exceed now and then.
const senderPatience = 10 * time.Second

func walSenderTimeout(_ context.Context, p *preflight) ([]Finding, error) {
	ms, ok := p.source.integer("wal_sender_timeout")
	timeout := time.Duration(ms) * time.Millisecond
	if !ok || timeout == 0 || timeout >= senderPatience {
		return nil, nil
	}
	return []Finding{{
		Object:  "wal_sender_timeout",
		Message: fmt.Sprintf("the source ends a stream that it hears nothing from for %s", timeout),
		Detail:  "walferry reports twice within that time, but a hold-up of the network can be longer. The stream is then resumed.",
		Hint:    "On the source, run: ALTER SYSTEM SET wal_sender_timeout = '1min'; SELECT pg_reload_conf();",
	}}, nil
}

func sourceTimeouts(_ context.Context, p *preflight) ([]Finding, error) {
	findings := timeouts(p.source, "source")
	if minutes, ok := p.source.integer("old_snapshot_threshold"); ok && minutes >= 0 {
		findings = append(findings, Finding{
			Object:  "old_snapshot_threshold",
			Message: fmt.Sprintf("the source ends what reads a snapshot older than %d minutes", minutes),
			Detail:  "The copy reads one snapshot from its beginning to its end.",
			Hint:    "On the source, run: ALTER SYSTEM SET old_snapshot_threshold = -1; and restart the server.",
		})
	}
	if ms, ok := p.source.integer("max_standby_streaming_delay"); ok && ms >= 0 && p.source.inRecovery && p.source.settings["hot_standby_feedback"] != "on" {
		findings = append(findings, Finding{
			Object:  "max_standby_streaming_delay",
			Message: fmt.Sprintf("the standby ends a query that holds up its primary's changes for %s", time.Duration(ms)*time.Millisecond),
			Detail:  "The copy of a large table is such a query.",
			Hint:    "On the standby, run: ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf(); or use the primary as source.",
		})
	}
	return findings, nil
}

func targetTimeouts(_ context.Context, p *preflight) ([]Finding, error) {
	return timeouts(p.target, "target"), nil
}

// timeouts finds what is in effect in spite of the session's own wish.
func timeouts(s *server, side string) []Finding {
	var findings []Finding
	for _, name := range []string{"statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"} {
		if ms, ok := s.integer(name); ok && ms > 0 {
			findings = append(findings, Finding{
				Object:  name,
				Message: fmt.Sprintf("%s is %s on the %s, which ends what takes longer", name, time.Duration(ms)*time.Millisecond, side),
				Hint:    fmt.Sprintf("On the %s, run: ALTER ROLE %s SET %s = 0;", side, s.quotedUser(), name),
			})
		}
	}
	return findings
}
