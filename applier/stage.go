package applier

import (
	"strconv"
	"strings"
)

// staging are the temporary tables of one connection that hold keys and values for
// a set-wise statement. Their rows go with the end of each transaction.
type staging struct {
	// allowed reports that the role may create temporary tables.
	allowed bool
	stages  map[string]*stage
	names   int
	// transaction numbers the target transactions.
	transaction int64
}

// stage is one temporary table.
type stage struct {
	name   string
	number int
	// usedIn is the last transaction that wrote to it.
	usedIn int64
}

// maxStages bounds them: every commit empties all of them.
const maxStages = 24

// stage returns an empty table for the columns. It is created by the next
// statement, if there is none for this purpose.
func (l *lane) stage(purpose string, columns []string) *stage {
	g := &l.staging
	definition := strings.Join(columns, ", ")
	key := purpose + definition
	s := g.stages[key]
	switch {
	case s == nil:
		if len(g.stages) >= maxStages {
			l.dropOldest()
		}
		g.names++
		s = &stage{name: "pg_temp.walferry_stage_" + strconv.Itoa(g.names), number: g.names}
		if g.stages == nil {
			g.stages = map[string]*stage{}
		}
		g.stages[key] = s
		l.before = append(l.before, "CREATE TEMP TABLE "+strings.TrimPrefix(s.name, "pg_temp.")+" ("+definition+") ON COMMIT DELETE ROWS")
	case s.usedIn == g.transaction:
		l.before = append(l.before, "TRUNCATE "+s.name)
	}
	s.usedIn = g.transaction
	return s
}

func (l *lane) dropOldest() {
	oldest := ""
	for key, s := range l.staging.stages {
		if oldest == "" || s.usedIn < l.staging.stages[oldest].usedIn {
			oldest = key
		}
	}
	l.before = append(l.before, "DROP TABLE "+l.staging.stages[oldest].name)
	delete(l.staging.stages, oldest)
}

// forget forgets the tables that a rollback has undone: those created after the
// names-th.
func (g *staging) forget(names int) {
	for key, s := range g.stages {
		if s.number > names {
			delete(g.stages, key)
		}
	}
}
