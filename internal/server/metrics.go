package server

import (
	"context"

	"github.com/jackc/pglogrepl"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/walferry/walferry/internal/status"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("walferry_"+name, help, append([]string{"migration"}, labels...), nil)
}

var (
	buildInfo     = desc("build_info", "1, with the version of walferry.", "version")
	up            = desc("up", "Whether both sides could be asked for the state of the migration.")
	phaseDesc     = desc("phase", "1 for the phase that the migration is in, 0 for all others.", "database", "phase")
	lagBytes      = desc("lag_bytes", "WAL of the source that a rung of the ladder does not have yet.", "database", "position")
	lagSeconds    = desc("lag_seconds", "How long ago the source was where a rung of the ladder is; 0 when nothing is missing.", "database", "position")
	lsnDesc       = desc("lsn_bytes", "Position in the source's WAL.", "database", "position")
	slotRetained  = desc("source_slot_retained_bytes", "WAL that the slot keeps on the source.", "database")
	slotSafe      = desc("source_slot_safe_bytes", "WAL that the source may still write before the slot is lost; absent without a limit.", "database")
	slotActive    = desc("source_slot_active", "Whether something reads from the slot.", "database")
	tablesDesc    = desc("tables", "Tables by state.", "database", "state")
	copiedRows    = desc("copied_rows", "Rows that were copied.", "database")
	copiedBytes   = desc("copied_bytes", "Bytes that were copied.", "database")
	missedDesc    = desc("missed_rows_total", "Changes that found no row on the target.", "database", "op")
	blockedDesc   = desc("blocked", "How many things block the migration.", "database")
	transactions  = desc("run_applied_transactions_total", "Transactions that this run has applied.")
	changes       = desc("run_applied_changes_total", "Changes that this run has applied.")
	verifiedEqual = desc("verified_equal", "Whether the last walferry verify found both sides equal; absent before.", "database")
	verifiedAt    = desc("verified_timestamp_seconds", "When the last walferry verify ended; absent before.", "database")
)

// collector makes metrics of the status when Prometheus asks.
type collector struct{ s *Server }

// Describe implements [prometheus.Collector].
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildInfo, up, phaseDesc, lagBytes, lagSeconds, lsnDesc, slotRetained, slotSafe, slotActive, tablesDesc,
		copiedRows, copiedBytes, missedDesc, blockedDesc, transactions, changes, verifiedEqual, verifiedAt,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{c.s.o.Name}, labels...)...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, append([]string{c.s.o.Name}, labels...)...)
	}
	p := c.s.latest()
	gauge(buildInfo, 1, c.s.o.Version)
	counter(transactions, float64(p.Transactions))
	counter(changes, float64(p.Changes))
	found, err := c.s.ask(context.Background())
	if err != nil {
		gauge(up, 0)
		return
	}
	gauge(up, 1)
	for i := range found.Databases {
		collectDatabase(&found.Databases[i], gauge, counter)
	}
}

type emit func(d *prometheus.Desc, value float64, labels ...string)

func collectDatabase(d *status.Database, gauge, counter emit) {
	for _, phase := range append([]string{"failed"}, phases...) {
		gauge(phaseDesc, number(phase == d.Phase), d.Database, phase)
	}
	for _, rung := range []struct {
		name    string
		lsn     string
		bytes   int64
		seconds float64
	}{
		{"received", d.LSN.Received, d.Lag.ReceivedBytes, d.Lag.ReceivedSeconds},
		{"applied", d.LSN.Applied, d.Lag.Bytes, d.Lag.Seconds},
		{"durable", d.LSN.Durable, d.Lag.DurableBytes, d.Lag.DurableSeconds},
	} {
		gauge(lagBytes, float64(rung.bytes), d.Database, rung.name)
		gauge(lagSeconds, rung.seconds, d.Database, rung.name)
		emitLSN(gauge, rung.lsn, d.Database, rung.name)
	}
	emitLSN(gauge, d.LSN.Source, d.Database, "source")
	gauge(slotRetained, float64(d.Slot.RetainedBytes), d.Database)
	gauge(slotActive, number(d.Slot.Active), d.Database)
	if d.Slot.SafeWALSize != nil {
		gauge(slotSafe, float64(*d.Slot.SafeWALSize), d.Database)
	}
	states := map[string]int{}
	var rows, bytes, updates, deletes int64
	for _, t := range d.Tables {
		states[t.State]++
		rows, bytes = rows+t.Rows, bytes+t.Bytes
		updates, deletes = updates+t.MissedUpdates, deletes+t.MissedDeletes
	}
	for state, n := range states {
		gauge(tablesDesc, float64(n), d.Database, state)
	}
	gauge(copiedRows, float64(rows), d.Database)
	gauge(copiedBytes, float64(bytes), d.Database)
	counter(missedDesc, float64(updates), d.Database, "update")
	counter(missedDesc, float64(deletes), d.Database, "delete")
	gauge(blockedDesc, float64(len(d.BlockedBy)), d.Database)
	if d.Verified != nil {
		gauge(verifiedEqual, number(d.Verified.Equal), d.Database)
		gauge(verifiedAt, float64(d.Verified.At.Unix()), d.Database)
	}
}

func emitLSN(gauge emit, text string, labels ...string) {
	if lsn, err := pglogrepl.ParseLSN(text); err == nil {
		gauge(lsnDesc, float64(lsn), labels...)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
