package applier_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

var randomTables = []string{
	`CREATE TABLE plain (id int PRIMARY KEY, u int UNIQUE, v text, big text)`,
	`CREATE TABLE compound (a text, id int, u int, v text, big text, PRIMARY KEY (id, a), UNIQUE (u, v))`,
	`CREATE TABLE keyed (id int PRIMARY KEY, u int, v text, big text)`,
	`CREATE TABLE keyless (id int, u int, v text, big text)`,
	`CREATE TABLE fuzzy (id numeric PRIMARY KEY, u int UNIQUE DEFERRABLE, v text, big text)`,
	`CREATE TABLE halved (id int PRIMARY KEY, u int, v text, big text)`,
	`CREATE TABLE parted (a text, id bigint, u int, v text, big text, PRIMARY KEY (id, a))`,
	`ALTER TABLE halved ALTER big SET STORAGE EXTERNAL`, `ALTER TABLE parted ALTER big SET STORAGE EXTERNAL`,
	`ALTER TABLE keyed REPLICA IDENTITY FULL`, `ALTER TABLE keyless REPLICA IDENTITY FULL`,
	`ALTER TABLE plain ALTER big SET STORAGE EXTERNAL`, `ALTER TABLE compound ALTER big SET STORAGE EXTERNAL`,
	`ALTER TABLE keyed ALTER big SET STORAGE EXTERNAL`, `ALTER TABLE fuzzy ALTER big SET STORAGE EXTERNAL`,
}

// randomStatement changes one of randomTables. It may violate a constraint.
func randomStatement(r *rand.Rand) string {
	tables := []string{"plain", "compound", "keyed", "keyless", "fuzzy", "halved", "parted"}
	table := tables[r.IntN(len(tables))]
	columns := "id, u, v, big"
	first := ""
	if table == "compound" || table == "parted" {
		columns, first = "a, "+columns, "'a' || i % 3, "
	}
	from := r.IntN(120)
	to := from + r.IntN(25)
	where := fmt.Sprintf(" WHERE id BETWEEN %d AND %d", from, to)
	switch r.IntN(12) {
	case 0, 1, 2:
		return fmt.Sprintf("INSERT INTO %s (%s) SELECT %si, i + %d, 'v%d', repeat('%x', 2100) FROM generate_series(%d, %d) i",
			table, columns, first, r.IntN(3), r.IntN(9), r.IntN(16), from, to)
	case 3, 4:
		return fmt.Sprintf("UPDATE %s SET v = 'w%d'", table, r.IntN(1000)) + where
	case 5:
		return fmt.Sprintf("UPDATE %s SET big = repeat('%x', %d)", table, r.IntN(16), r.IntN(3000)) + where
	case 6:
		return fmt.Sprintf("UPDATE %s SET id = id + %d", table, r.IntN(60)) + where
	case 7:
		return fmt.Sprintf("UPDATE %s SET u = NULL%s; UPDATE %s SET u = %d - id%s", table, where, table, from+to, where)
	case 8:
		return fmt.Sprintf("UPDATE %s SET id = -id%s; UPDATE %s SET id = %d + id WHERE id < 0", table, where, table, from+to)
	case 9, 10:
		return "DELETE FROM " + table + where
	default:
		if r.IntN(6) == 0 {
			return "TRUNCATE " + table
		}
		return fmt.Sprintf("UPDATE %s SET u = u + 1000", table) + where
	}
}

// randomTransaction may fail in part, and then keeps the rest.
func randomTransaction(r *rand.Rand) string {
	var body strings.Builder
	for range 1 + r.IntN(5) {
		body.WriteString("BEGIN " + randomStatement(r) + "; EXCEPTION WHEN unique_violation THEN NULL; END;\n")
	}
	return "DO $$ BEGIN\n" + body.String() + "END $$"
}

func TestApplier_RandomHistories(t *testing.T) {
	t.Parallel()
	const never = 1 << 30
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			replica := newReplica(t, randomTables...)
			replica.publish(t, "FOR ALL TABLES")
			statements := make([]string, 150)
			for i := range statements {
				statements[i] = randomTransaction(r)
			}
			pgtest.Exec(t, replica.source, statements...)
			for _, mode := range []struct {
				name           string
				setFrom, batch int
				binary         bool
				lanes          int
			}{
				{"row by row", never, 0, false, 1},
				{"all as sets", 1, 0, false, 1},
				{"sets of some, in batches", 3, 200_000, true, 1},
				{"in pieces", 1, 5000, false, 1},
				{"2 lanes", 3, 0, true, 2},
				{"8 lanes, in pieces", 2, 5000, false, 8},
				{"8 lanes, in batches", 3, 200_000, true, 8},
			} {
				replica.options.Lanes = mode.lanes
				replica.split = map[string][]string{"halved": {"id"}, "parted": {"id", "a"}}
				replica.reset(t, randomTables...)
				replica.setFrom, replica.options.MaxBatchBytes, replica.binary = mode.setFrom, mode.batch, mode.binary
				if stats := replica.mustFollow(t); stats.MissedDeletes+stats.MissedUpdates > 0 {
					t.Errorf("%s: rows were missed: %+v", mode.name, stats)
				}
				if left := len(replica.split); (left < 2) != (mode.lanes > 1) {
					t.Errorf("%s: %d tables are split at the end", mode.name, left)
				}
				if t.Failed() {
					t.Fatalf("failed %s", mode.name)
				}
			}
		})
	}
}
