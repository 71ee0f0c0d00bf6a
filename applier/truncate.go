package applier

import (
	"strings"

	"github.com/walferry/walferry/decoder"
)

// truncateSQL is one statement for all tables of a TRUNCATE: a statement for each
// would fail where foreign keys tie them. CASCADE is never added; the source has
// already named every table that it reached there. It is empty when all are skipped.
func (l *lane) truncateSQL(b *batch, index int, commitLSN decoder.LSN) string {
	t := &b.truncations[b.changes[index].relation]
	var names []string
	for _, r := range t.relations {
		if p := l.current[r]; !p.skips(commitLSN) {
			names = append(names, p.table.only())
		}
	}
	if len(names) == 0 {
		return ""
	}
	sql := "TRUNCATE " + strings.Join(names, ", ")
	if t.restartIdentity {
		sql += " RESTART IDENTITY"
	}
	return sql
}
