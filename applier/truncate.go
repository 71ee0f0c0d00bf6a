package applier

import (
	"strings"

	"github.com/walferry/walferry/decoder"
)

// truncate sends one TRUNCATE for all tables of the message: a statement for each
// would fail where foreign keys tie them. CASCADE is never added; the source has
// already named every table that it reached there.
func (w *rowWriter) truncate(index int, commitLSN decoder.LSN) error {
	t := &w.batch.truncations[w.batch.changes[index].relation]
	var names []string
	for _, r := range t.relations {
		p := w.lane.current[r]
		if p.skips(commitLSN) {
			continue
		}
		names = append(names, p.table.only())
	}
	if len(names) == 0 {
		return nil
	}
	count(&w.lane.pending, decoder.Truncate)
	sql := "TRUNCATE " + strings.Join(names, ", ")
	if t.restartIdentity {
		sql += " RESTART IDENTITY"
	}
	return w.pipeline.text(index, sql)
}
