package validate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/sqltext"
)

var slotChecks = []check{
	{
		id: "source.slots", severity: Error, needs: source, replication: true, run: freeSlots,
		cause:  "All of `max_replication_slots` are in use on the source. A warning when one is left: a copy that is interrupted needs a second one to go on.",
		remedy: "Drop slots that nobody uses, or raise the setting and restart.",
	},
	{
		id: "source.walsenders", severity: Error, needs: source, replication: true, run: freeWalsenders,
		cause:  "All of `max_wal_senders` are in use on the source. A warning when one is left.",
		remedy: "End replication connections that are not needed, or raise the setting and restart.",
	},
	{
		id: "source.slot_name", severity: Error, needs: source, replication: true, run: slotName,
		cause:  "A slot of the name that the migration would create exists.",
		remedy: "If an earlier migration left it behind, `walferry cleanup`; else choose another `--name` or `--slot`.",
	},
	{
		id: "source.publication_name", severity: Error, needs: source, replication: true, run: publicationName,
		cause:  "A publication of the name that the migration would create exists.",
		remedy: "If an earlier migration left it behind, `walferry cleanup`; else choose another `--name`, or use it with `--publication`.",
	},
	{
		id: "source.publications", severity: Error, needs: source, replication: true, run: publications,
		cause:  "A publication that is named with `--publication` does not exist in the source's database. A warning when it holds no table.",
		remedy: "Check the name and the database, or create it.",
	},
	{
		id: "source.old_transactions", severity: Warning, needs: source, replication: true, run: oldTransactions,
		cause:  "Transactions on the source have been open for a while. The creation of the slot waits until every transaction that is open at that moment, in any database, has ended.",
		remedy: "Wait, or end them with `pg_terminate_backend`.",
	},
	{
		id: "source.prepared_transactions", severity: Warning, needs: source, replication: true, run: preparedTransactions,
		cause:  "Prepared transactions (`PREPARE TRANSACTION`) are open on the source; the creation of the slot waits for them, too.",
		remedy: "`COMMIT PREPARED` or `ROLLBACK PREPARED` those that were forgotten.",
	},
	{
		id: "source.replication_connection", severity: Error, needs: source, replication: true, run: replicationConnection,
		cause:  "The source accepts an ordinary connection and refuses one for replication: the role lacks the right, or `pg_hba.conf` does not admit it.",
		remedy: "Grant the right; let `pg_hba.conf` admit the role to the database (an entry for `replication` is for physical replication).",
	},
	{
		id: "source.create_slot", severity: Error, needs: source, replication: true, run: createSlot,
		cause:  "A temporary logical slot could not be created on the source, although nothing else was found against it. It was tried for five seconds; a warning when it took longer.",
		remedy: "As the source's answer says.",
	},
}

// A migration holds one slot and one walsender. It needs another of each for the
// time of a copy that continues after the first snapshot was lost.

func freeSlots(ctx context.Context, p *preflight) ([]Finding, error) {
	used, err := p.source.number(ctx, "SELECT count(*) FROM pg_catalog.pg_replication_slots")
	if err != nil {
		return nil, err
	}
	unused, err := p.source.strings(ctx, "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE NOT active ORDER BY 1")
	if err != nil {
		return nil, err
	}
	findings := free(p, "max_replication_slots", "replication slot", used)
	for i := range findings {
		if len(unused) > 0 {
			findings[i].Detail += " Not active are " + join(unused) + "."
			findings[i].Hint += " A slot is dropped by: SELECT pg_drop_replication_slot('NAME');"
		}
	}
	return findings, nil
}

func freeWalsenders(ctx context.Context, p *preflight) ([]Finding, error) {
	used, err := p.source.number(ctx, "SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()")
	if err != nil {
		return nil, err
	}
	return free(p, "max_wal_senders", "walsender", used), nil
}

func free(p *preflight, setting, noun string, used int64) []Finding {
	limit, ok := p.source.integer(setting)
	if !ok || p.Resuming || limit-used > 1 {
		return nil
	}
	f := Finding{
		Object: setting,
		Detail: fmt.Sprintf("%d of %s = %d are in use.", used, setting, limit),
		Hint: fmt.Sprintf("On the source, run as a superuser: ALTER SYSTEM SET %s = %d; and restart the server; or drop what is no longer used.%s",
			setting, limit+4, p.source.inService()),
	}
	if limit > used {
		f.Severity = Warning
		f.Message = "only one " + noun + " is free on the source; a copy that is interrupted needs another one to go on"
	} else {
		f.Message = "no " + noun + " is free on the source"
	}
	return []Finding{f}
}

func slotName(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.Slot == "" || p.Resuming {
		return nil, nil
	}
	return p.source.find(ctx, func(row []string) Finding {
		return Finding{
			Message: "a replication slot of that name exists on the source",
			Detail:  row[1],
			Hint:    "If an earlier migration left it behind, run walferry cleanup; otherwise choose another name with --name or --slot.",
		}
	}, `SELECT slot_name::text, pg_catalog.format('It belongs to database %s and is %s.', coalesce(database, '(none)'),
			CASE WHEN active THEN 'in use' ELSE 'not in use' END)
		FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`, p.Slot)
}

func publicationName(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.Resuming {
		return nil, nil
	}
	return p.source.find(ctx, func([]string) Finding {
		return Finding{
			Message: "a publication of that name exists on the source",
			Hint:    "If an earlier migration left it behind, run walferry cleanup; otherwise choose another --name, or use it as an existing publication with --publication.",
		}
	}, "SELECT pubname::text FROM pg_catalog.pg_publication WHERE pubname = ANY ($1) ORDER BY 1", p.NewPublications)
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
				Hint:    "Check the name and the database; or on the source, run: CREATE PUBLICATION " + sqltext.Ident(name) + " FOR TABLE …;",
			})
		case tables == 0:
			findings = append(findings, Finding{
				Severity: Warning,
				Object:   name,
				Message:  "the publication holds no table",
				Hint:     "On the source, run: ALTER PUBLICATION " + sqltext.Ident(name) + " ADD TABLE …; the next run copies the tables that were added.",
			})
		}
	}
	return findings, nil
}

// oldTransactionSeconds is how old a transaction is that does not just happen to be there.
const oldTransactionSeconds = 5

func oldTransactions(ctx context.Context, p *preflight) ([]Finding, error) {
	old, err := p.source.strings(ctx, `SELECT pg_catalog.format('Process %s of role %s in database %s has a transaction since %s.', pid, usename, datname, xact_start)
		FROM pg_catalog.pg_stat_activity
		WHERE backend_xid IS NOT NULL AND xact_start < pg_catalog.clock_timestamp() - $1 * interval '1 second'
		ORDER BY xact_start LIMIT 5`, oldTransactionSeconds)
	if err != nil {
		return nil, err
	}
	hidden, err := p.hiddenTransactions(ctx)
	if err != nil || len(old)+len(hidden) == 0 {
		return nil, err
	}
	return []Finding{{
		Object:  p.source.database,
		Message: "old transactions on the source will hold up the creation of the slot",
		Detail:  sentences(append(old, hidden...)),
		Hint:    "Wait until they have ended, or end them on the source: SELECT pg_terminate_backend(PID);",
	}}, nil
}

// hiddenPatience is how long a transaction must last while it is looked at.
const hiddenPatience = 2 * time.Second

// hiddenTransactions are those of other roles, whose age an ordinary role may not
// see: it sees that they are there, and whether they still are after a while.
func (p *preflight) hiddenTransactions(ctx context.Context) ([]string, error) {
	const hidden = `SELECT pid || ' ' || backend_xid, pg_catalog.format('Process %s of role %s in database %s has a transaction (its age is hidden from role %s).',
			pid, usename, datname, current_user)
		FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND xact_start IS NULL
			AND ($1::text[] IS NULL OR pid || ' ' || backend_xid = ANY ($1)) ORDER BY pid`
	var known []string
	end := time.NewTimer(hiddenPatience)
	defer end.Stop()
	tick := time.NewTicker(hiddenPatience / 20)
	defer tick.Stop()
	for {
		var texts []string
		seen, err := p.source.find(ctx, func(row []string) Finding { return Finding{Detail: row[1]} }, hidden, known)
		if err != nil || len(seen) == 0 {
			return nil, err
		}
		known = nil
		for _, f := range seen {
			known, texts = append(known, f.Object), append(texts, f.Detail)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			return texts[:min(len(texts), 5)], nil
		case <-tick.C:
		}
	}
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
		Detail:  sentences(prepared),
		Hint:    "In their database on the source, run for each that was forgotten: ROLLBACK PREPARED 'GID'; or COMMIT PREPARED 'GID';",
	}}, nil
}

func replicationConnection(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.ConnectReplication == nil {
		return nil, nil
	}
	conn, err := p.ConnectReplication(ctx)
	if err == nil {
		return nil, conn.Close(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return []Finding{{
		Object:  p.source.user,
		Message: "the source refuses a replication connection",
		Detail:  sentences(append([]string{"The attempt ended with: " + err.Error()}, errors.GetAllDetails(err)...)),
		Hint: fmt.Sprintf("Give the role the right to replicate (source.replication_right), and let pg_hba.conf admit it to the database, with a line such as: host %s %s ADDRESS scram-sha-256 "+
			"(not for \"replication\", which is physical). A pooler does not carry replication connections.", p.source.quotedDatabase(), p.source.quotedUser()),
	}}, nil
}

// slotPatience is how long the creation of a slot may take that nothing holds up.
const slotPatience = 5 * time.Second

// createSlot tries what no catalog tells. What was found before is reason enough
// not to try, and what holds up a slot would hold up the probe.
func createSlot(ctx context.Context, p *preflight) ([]Finding, error) {
	if p.ConnectReplication == nil || len(p.against) > 0 || p.Resuming || p.source.inRecovery ||
		p.found("source.old_transactions") || p.found("source.prepared_transactions") {
		return nil, nil
	}
	conn, err := p.ConnectReplication(ctx)
	if err != nil {
		return nil, err
	}
	late, err := within(ctx, conn, slotPatience, func() error {
		_, err := conn.Exec(ctx, fmt.Sprintf("CREATE_REPLICATION_SLOT walferry_probe_%d TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT", conn.PID())).ReadAll()
		return err
	})
	closeErr := conn.Close(context.WithoutCancel(ctx)) // the slot goes with it
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case late:
		return []Finding{{
			Severity: Warning,
			Object:   p.source.database,
			Message:  fmt.Sprintf("the source did not create a temporary slot within %s", slotPatience),
			Detail:   "It waits for transactions that are open on the source, in any database.",
			Hint:     "On the source, see who is in a transaction: SELECT * FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start;",
		}}, nil
	case err != nil:
		return []Finding{{ //nolint:nilerr // the answer to the question
			Object:  p.source.database,
			Message: "the source refuses to create a temporary logical slot",
			Detail:  "It answered: " + err.Error() + ".",
			Hint:    "See what the source's answer says, and its log.",
		}}, nil
	}
	return nil, closeErr
}

// within runs something on a connection and has the server cancel it when it takes
// longer than patience, or when the context ends: a server may not notice that
// nobody waits anymore. It reports whether that was so.
func within(ctx context.Context, conn *pgconn.PgConn, patience time.Duration, do func() error) (late bool, err error) {
	done, timer := make(chan struct{}), time.NewTimer(patience)
	defer timer.Stop()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		case <-timer.C:
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), slotPatience)
		defer cancel()
		_ = conn.CancelRequest(ctx) // closing the connection is all that is left otherwise
	})
	err = do()
	close(done)
	waiting.Wait()
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "57014", err
}
