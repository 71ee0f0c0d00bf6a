package proof_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/workload"
)

// mostTries bounds the work on one failure.
const mostTries = 200

// shrinker reduces a case that fails in one way to what it fails of.
type shrinker struct {
	t       *testing.T
	servers *servers
	c       schemaCase
	way     schemaWay
	// says is what the failure says; another kind of failure is not the same.
	says  string
	tries int
}

// shrink reduces the case as far as it can, and prints it.
func (s *shrinker) shrink() {
	s.t.Helper()
	if !s.fails(s.c, s.way) {
		s.t.Logf("the failure does not come again when its statements are run again:\n%s", s.script())
		return
	}
	s.reduce()
	s.t.Logf("after %d tries it still fails so:\n%s\nof:\n%s", s.tries, s.says, s.script())
}

// reduce leaves out tables, transactions, statements and options, the large before the small.
func (s *shrinker) reduce() {
	keep := func(c schemaCase, way schemaWay) bool {
		if !s.fails(c, way) {
			return false
		}
		s.c, s.way = c, way
		return true
	}
	// First what the failure does not name.
	var named []workload.SchemaTable
	for _, table := range s.c.schema.Tables {
		if strings.Contains(s.says, plainName(table.Name)) {
			named = append(named, table)
		}
	}
	if len(named) > 0 && keep(s.c.of(named), s.way) {
		keep(s.c.touching(named), s.way)
	}
	keep(s.c.used(), s.way)
	reduced(s.c.schema.Tables, func(tables []workload.SchemaTable) bool { return keep(s.c.of(tables), s.way) })
	for _, h := range []func(*schemaCase) *workload.History{
		func(c *schemaCase) *workload.History { return &c.after },
		func(c *schemaCase) *workload.History { return &c.before },
	} {
		history := *h(&s.c)
		reduced(history.Transactions(), func(transactions []int) bool {
			c := s.c
			*h(&c) = slices.DeleteFunc(slices.Clone(history), func(step workload.Step) bool { return !slices.Contains(transactions, step.Transaction) })
			return keep(c, s.way)
		})
		reduced(*h(&s.c), func(steps []workload.Step) bool {
			c := s.c
			*h(&c) = steps
			return keep(c, s.way)
		})
	}
	reduced(s.c.schema.Statements, func(statements []string) bool {
		c := s.c
		c.schema.Statements = statements
		return keep(c, s.way)
	})
	reduced(s.way.options, func(options [][2]string) bool {
		way := s.way
		way.options = options
		return keep(s.c, way)
	})
}

// reduced leaves out all, halves, then quarters, and so on down to single parts, as long as
// what is left still fails.
func reduced[T any](all []T, fails func([]T) bool) {
	for size := len(all); size > 0; size /= 2 {
		// From the end on: what comes later often depends on what was before.
		for end := len(all); end > 0; end = min(end-size, len(all)) {
			rest := slices.Delete(slices.Clone(all), max(0, end-size), end)
			if fails(rest) {
				all = rest
			}
		}
	}
}

// fails runs the case from nothing and reports whether it fails in the same manner.
func (s *shrinker) fails(c schemaCase, way schemaWay) bool {
	s.t.Helper()
	if s.tries++; s.tries > mostTries {
		return false
	}
	var says string
	s.t.Run(fmt.Sprint("try ", s.tries), func(t *testing.T) {
		again := c.replayed(t, s.servers)
		run := again.begin(t, s.servers, way)
		if says = run.copied(t); says != "" {
			return
		}
		replay(t, again.source, c.after)
		if says = run.finish(t); says == "" {
			says = again.compare(t, s.servers, run.target)
		}
	})
	kind, _, _ := strings.Cut(s.says, ":")
	other, _, _ := strings.Cut(says, ":")
	if says == "" || kind != other {
		return false
	}
	s.says = says
	return true
}

// of keeps some of the tables, and the statements that name no other.
func (c schemaCase) of(tables []workload.SchemaTable) schemaCase {
	others := slices.DeleteFunc(slices.Clone(c.schema.Tables), func(table workload.SchemaTable) bool {
		return slices.ContainsFunc(tables, func(kept workload.SchemaTable) bool { return kept.Name == table.Name })
	})
	foreign := func(sql string) bool { return names(sql, others) }
	c.schema.Tables = tables
	c.schema.Statements = slices.DeleteFunc(slices.Clone(c.schema.Statements), foreign)
	c.before = slices.DeleteFunc(slices.Clone(c.before), func(step workload.Step) bool { return foreign(step.SQL) })
	c.after = slices.DeleteFunc(slices.Clone(c.after), func(step workload.Step) bool { return foreign(step.SQL) })
	return c
}

// used leaves out the types, functions and tables that no other statement names.
func (c schemaCase) used() schemaCase {
	made := regexp.MustCompile(`^CREATE (?:TYPE|DOMAIN|FUNCTION|TABLE) public\.(\w+)`)
	for before := 0; before != len(c.schema.Statements); {
		before = len(c.schema.Statements)
		all := strings.Join(c.schema.Statements, ";\n")
		c.schema.Statements = slices.DeleteFunc(slices.Clone(c.schema.Statements), func(sql string) bool {
			match := made.FindStringSubmatch(sql)
			return match != nil && strings.Count(all, match[1]) == strings.Count(sql, match[1])
		})
	}
	return c
}

// touching keeps the transactions in which a statement names one of the tables.
func (c schemaCase) touching(tables []workload.SchemaTable) schemaCase {
	for _, h := range []*workload.History{&c.before, &c.after} {
		idle := map[int]bool{}
		for _, transaction := range h.Transactions() {
			idle[transaction] = !slices.ContainsFunc(*h, func(step workload.Step) bool {
				return step.Transaction == transaction && names(step.SQL, tables)
			})
		}
		*h = h.Without(idle)
	}
	return c
}

// names reports whether a statement names one of the tables.
func names(sql string, tables []workload.SchemaTable) bool {
	return slices.ContainsFunc(tables, func(table workload.SchemaTable) bool { return strings.Contains(sql, table.Name) })
}

// plainName is a quoted name as differences show it.
func plainName(quoted string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.Trim(quoted, `"`), `"."`, "."), `""`, `"`)
}

// script is the case as one would type it.
func (s *shrinker) script() string {
	var options strings.Builder
	for _, option := range s.way.options {
		options.WriteString(" " + option[0] + " " + option[1])
	}
	when := "after this migration has ended"
	if s.way.live {
		when = "while it runs"
	}
	return fmt.Sprintf("-- on the source\n%s;\n%s-- walferry migrate --max-replication-lag 0%s (%s)\n-- on the source, %s\n%s"+
		"-- walferry migrate --max-replication-lag 0%s --stop-replication",
		strings.Join(s.c.schema.Statements, ";\n"), s.c.before, options.String(), s.way.name, when, s.c.after, options.String())
}

// TestShrink_FindsThePlantedFault has a fault that random histories meet, and reduces
// them to the few statements that it takes.
func TestShrink_FindsThePlantedFault(t *testing.T) {
	if *mutant != "" {
		return // there is a fault already
	}
	from, to := pgtest.Majors()
	servers := &servers{source: pgtest.Start(t, from, crashSettings), target: pgtest.Start(t, to, nil)}
	way := schemaWay{name: "planted", options: [][2]string{{"--apply-jobs", "2"}, {"--binary", "off"}}, program: sync.OnceValues(func() (string, error) {
		return build("a fold that drops a column", smallBatches[1])
	})}
	// Some seeds before do not meet it.
	for seed := uint64(15); ; seed++ {
		var says string
		var c schemaCase
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			found := newSchemaCase(t, servers, seed, 1)
			run := found.begin(t, servers, way)
			if says := run.copied(t); says != "" {
				t.Fatal(says)
			}
			found.record(t, seed, 8)
			if says = run.finish(t); says == "" {
				says = found.compare(t, servers, run.target)
			}
			c = found.schemaCase
		})
		if t.Failed() {
			return
		}
		if says == "" {
			continue
		}
		s := shrinker{t: t, servers: servers, c: c, way: way, says: says}
		s.shrink()
		if len(s.c.before)+len(s.c.after) > 8 || len(s.c.schema.Statements) > 8 || len(s.way.options) > 0 {
			t.Errorf("%d statements of the schema, %d before the copy, %d after it and the options %v are left",
				len(s.c.schema.Statements), len(s.c.before), len(s.c.after), s.way.options)
		}
		return
	}
}
