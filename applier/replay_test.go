package applier_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/pgtest"
)

// long is an expression for a value that goes out of line.
const long = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)`

// manyColumns are definitions of n columns.
func manyColumns(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("c%d int DEFAULT %d", i, i)
	}
	return strings.Join(names, ", ")
}

// replays are schemas, what the target has besides, and statements that the target
// must follow. Each statement is one transaction.
var replays = []struct {
	name   string
	schema []string
	target []string
	during []string
	// publication is "FOR ALL TABLES" unless given.
	publication string
	// since is the first source server that can publish this way.
	since int
	// publication18 is the one that server 18 needs instead.
	publication18 string
	// compare is a query that both sides must answer alike, instead of having the same tables.
	compare string
}{
	{
		name:   "plain rows",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, v text, n numeric(20,5), f float8, b bytea, ts timestamptz, j jsonb)`, `INSERT INTO a SELECT i, 'before' FROM generate_series(1, 20) i`},
		during: []string{
			`INSERT INTO a SELECT i, 'v' || i, i / 7.0, i / 3.0, decode(md5(i::text), 'hex'), '2020-01-01'::timestamptz + i * interval '1.5 hours', jsonb_build_object('k', i) FROM generate_series(100, 1500) i`,
			`UPDATE a SET v = v || '!' WHERE id % 2 = 0`,
			`DELETE FROM a WHERE id % 5 = 0`,
			`UPDATE a SET v = NULL, n = 'NaN', f = '-0', b = '' WHERE id % 7 = 0`,
			`INSERT INTO a VALUES (5000, ''), (5001, E'tab\tnew\nline\\back\r\b\f\v'), (5002, '\.'), (5003, '\N')`,
		},
	},
	{
		name:   "several changes of one row in one transaction",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, v text)`},
		during: []string{
			`INSERT INTO a VALUES (1, 'x'); UPDATE a SET v = 'y'; UPDATE a SET id = 2; UPDATE a SET v = 'z'; INSERT INTO a VALUES (1, 'again'); DELETE FROM a WHERE id = 2; INSERT INTO a VALUES (2, 'last')`,
			`DELETE FROM a; INSERT INTO a VALUES (1, 'new')`,
			`INSERT INTO a VALUES (3, 'short'); DELETE FROM a WHERE id = 3`,
		},
	},
	{
		name:   "unchanged out-of-line values stay",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, small int, big text, other text)`, `ALTER TABLE a ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL`},
		during: []string{
			`INSERT INTO a SELECT i, i, ` + long + `, ` + long + ` || i FROM generate_series(1, 10) i`,
			`UPDATE a SET small = small + 1`,
			`UPDATE a SET small = small + 1, other = 'short' WHERE id < 4`,
			`UPDATE a SET other = ` + long + ` || 'x' WHERE id > 3; UPDATE a SET small = 0 WHERE id > 5`,
			`UPDATE a SET id = id + 100`,
			`INSERT INTO a VALUES (1, 1, ` + long + `, 'o'); UPDATE a SET small = 2 WHERE id = 1; UPDATE a SET id = 50 WHERE id = 1; UPDATE a SET small = 3 WHERE id = 50`,
		},
	},
	{
		name:   "an out-of-line key",
		schema: []string{`CREATE TABLE a (k text PRIMARY KEY, v int, w int)`, `ALTER TABLE a ALTER k SET STORAGE EXTERNAL`},
		during: []string{
			`INSERT INTO a VALUES (repeat('k', 2500), 1, 1), ('short', 1, 1)`,
			`UPDATE a SET v = 2`,
			`UPDATE a SET k = repeat('l', 2500) WHERE k = 'short'`,
			`DELETE FROM a WHERE k = repeat('k', 2500)`,
		},
	},
	{
		name:   "keys that move",
		schema: []string{`CREATE TABLE a (x int, y text, v text, PRIMARY KEY (y, x))`},
		during: []string{
			`INSERT INTO a SELECT i, 'k', 'v' || i FROM generate_series(1, 10) i`,
			`UPDATE a SET x = x + 1000; UPDATE a SET x = x - 999`,
			`UPDATE a SET x = -1 WHERE x = 2; UPDATE a SET x = 2 WHERE x = 3; UPDATE a SET x = 3 WHERE x = -1`,
			`UPDATE a SET y = y || x`,
		},
	},
	{
		name:   "values that change owners under several unique indexes",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE, w text, UNIQUE (w, u))`, `INSERT INTO a SELECT i, i, 'w' FROM generate_series(1, 30) i`},
		during: []string{
			`UPDATE a SET u = -1 WHERE id = 1; UPDATE a SET u = 1 WHERE id = 2; UPDATE a SET u = 2 WHERE id = 1`,
			`UPDATE a SET u = NULL WHERE id = 3; UPDATE a SET u = 3 WHERE id = 4; UPDATE a SET u = 4 WHERE id = 5; UPDATE a SET u = 5 WHERE id = 3`,
			`DELETE FROM a WHERE id = 10; INSERT INTO a VALUES (100, 10, 'x')`,
			`UPDATE a SET u = u + 1000 WHERE id = 11; INSERT INTO a VALUES (101, 11, 'x'); DELETE FROM a WHERE id = 101; UPDATE a SET u = 11 WHERE id = 11`,
			`INSERT INTO a VALUES (102, 500, 'x'); DELETE FROM a WHERE id = 102; INSERT INTO a VALUES (103, 500, 'y')`,
		},
	},
	{
		name:   "a deferrable unique constraint",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED)`, `INSERT INTO a SELECT i, i FROM generate_series(1, 5) i`},
		during: []string{`UPDATE a SET u = 6 - u`, `UPDATE a SET u = u % 5 + 1`},
	},
	{
		name: "chains and cycles over several unique indexes, deferrable ones among them",
		schema: []string{
			`CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE, v int UNIQUE DEFERRABLE INITIALLY DEFERRED, w int, x int, UNIQUE (w, x))`,
			`INSERT INTO a SELECT i, i, i, i, i % 3 FROM generate_series(1, 30) i`,
		},
		during: []string{
			`UPDATE a SET v = v % 30 + 1`,
			`UPDATE a SET u = -u; UPDATE a SET u = 31 + u; UPDATE a SET v = 31 - v`,
			`UPDATE a SET w = -w, x = 3 - x; UPDATE a SET w = 31 + w; UPDATE a SET u = u + 100 WHERE id = 30; UPDATE a SET u = u - 1 WHERE u BETWEEN 2 AND 2; UPDATE a SET u = u + 200, v = v % 30 + 1`,
			`DELETE FROM a WHERE id = 7; INSERT INTO a SELECT 107, u - 1000, v, w + 500, x FROM a WHERE id = 8; UPDATE a SET v = 31 WHERE id = 107; UPDATE a SET id = 7 WHERE id = 107; UPDATE a SET (w, x) = (w + 50, x) WHERE id < 20; UPDATE a SET (w, x) = (w - 50, 4) WHERE id < 20`,
		},
	},
	{
		name:   "wider types of every kind on the target",
		schema: []string{`CREATE TABLE a (id smallint PRIMARY KEY, i int, r real, c varchar(5), d date, n numeric(5,2))`},
		target: []string{`DROP TABLE a`, `CREATE TABLE a (id bigint PRIMARY KEY, n numeric, d timestamp, c text, r float8, i numeric)`},
		during: []string{
			`INSERT INTO a SELECT i, i * 1000, i / 7.0, 'c' || i, date '2024-02-28' + i, i / 9.0 FROM generate_series(1, 60) i`,
			`UPDATE a SET i = -i, r = r * 2 WHERE id % 2 = 0`, `UPDATE a SET id = id + 1000 WHERE id > 50`, `DELETE FROM a WHERE id < 5`, `UPDATE a SET d = 'infinity', n = NULL WHERE id = 7`,
		},
		compare: `SELECT id::bigint, i::numeric, r::text, c::text, d::timestamp, n::numeric FROM a ORDER BY 1`,
	},
	{
		name:   "a serial key that only the target has",
		schema: []string{`CREATE TABLE a (v text, n int)`, `ALTER TABLE a REPLICA IDENTITY FULL`},
		target: []string{`DROP TABLE a`, `CREATE TABLE a (extra serial PRIMARY KEY, n int, v text)`},
		during: []string{
			`INSERT INTO a SELECT 'v' || i % 5, i % 3 FROM generate_series(1, 60) i`, `UPDATE a SET n = 7 WHERE ctid = (SELECT min(ctid) FROM a)`,
			`DELETE FROM a WHERE ctid IN (SELECT max(ctid) FROM a GROUP BY v)`, `UPDATE a SET v = NULL WHERE n = 1`, `DELETE FROM a WHERE v IS NULL AND n = 1`,
		},
		compare: `SELECT v, n FROM a ORDER BY v, n`,
	},
	{
		name: "an exclusion constraint",
		schema: []string{
			`CREATE TABLE a (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&))`,
			`INSERT INTO a SELECT i, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 5) i`,
		},
		during: []string{
			`UPDATE a SET during = 'empty' WHERE id = 1; UPDATE a SET during = '[10,20)' WHERE id = 2; UPDATE a SET during = '[20,30)' WHERE id = 1`,
			`DELETE FROM a WHERE id = 3; INSERT INTO a VALUES (6, '[30,40)')`,
		},
	},
	{
		name: "full identity without a key",
		schema: []string{
			`CREATE TABLE a (i int, t text, n numeric, j json, p point, x xml)`, `ALTER TABLE a REPLICA IDENTITY FULL`,
			`INSERT INTO a SELECT 1, 'same', 1.0, '{"a": 1}', '(1,2)', '<a/>' FROM generate_series(1, 4)`,
		},
		during: []string{
			`DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)`,
			`UPDATE a SET n = 1.00 WHERE ctid = (SELECT min(ctid) FROM a)`,
			`INSERT INTO a VALUES (NULL, NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, NULL, NULL)`,
			`UPDATE a SET t = 'was null' WHERE ctid = (SELECT min(ctid) FROM a WHERE i IS NULL)`,
			`DELETE FROM a WHERE n::text = '1.00'`,
			`UPDATE a SET j = '{"b":  2}', i = i + 1 WHERE t = 'same'`,
		},
	},
	{
		name:   "full identity with a key on the target",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, big text, n numeric)`, `ALTER TABLE a REPLICA IDENTITY FULL`, `ALTER TABLE a ALTER big SET STORAGE EXTERNAL`},
		during: []string{
			`INSERT INTO a SELECT i, ` + long + `, i FROM generate_series(1, 10) i`,
			`UPDATE a SET n = n + 1`, `UPDATE a SET id = id + 100 WHERE id < 4`, `DELETE FROM a WHERE id = 5`,
			`UPDATE a SET big = NULL WHERE id = 6`, `UPDATE a SET id = -id, n = NULL`,
		},
	},
	{
		name: "an index as identity",
		schema: []string{
			`CREATE TABLE a (id int PRIMARY KEY, k1 text NOT NULL, k2 int NOT NULL, v text)`, `CREATE UNIQUE INDEX a_k ON a (k2, k1)`,
			`ALTER TABLE a REPLICA IDENTITY USING INDEX a_k`,
		},
		during: []string{
			`INSERT INTO a SELECT i, 'k' || i, i, 'v' FROM generate_series(1, 10) i`,
			`UPDATE a SET v = 'w' WHERE id < 5`, `UPDATE a SET k1 = 'new' || id WHERE id > 3`, `UPDATE a SET id = id + 100`, `DELETE FROM a WHERE k2 = 7`,
		},
	},
	{
		name:   "identity always, as key and beside it",
		schema: []string{`CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, big text)`, `CREATE TABLE b (k text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v text)`, `ALTER TABLE a ALTER big SET STORAGE EXTERNAL`},
		during: []string{
			`INSERT INTO a (v, big) SELECT 'v' || i, ` + long + ` FROM generate_series(1, 5) i`,
			`INSERT INTO b (k, v) SELECT 'k' || i, 'v' FROM generate_series(1, 5) i`,
			`UPDATE a SET v = 'w' WHERE id = 2; UPDATE a SET id = DEFAULT WHERE id = 3`,
			`UPDATE b SET v = 'w' WHERE n = 2; UPDATE b SET n = DEFAULT WHERE n = 3; UPDATE b SET k = 'new' WHERE n = 4`,
			`DELETE FROM a WHERE id = 1; DELETE FROM b WHERE n = 1`,
		},
	},
	{
		name:   "generated columns",
		schema: []string{`CREATE TABLE a (g int GENERATED ALWAYS AS (id * 2) STORED, id int PRIMARY KEY, v int, h text GENERATED ALWAYS AS (v::text) STORED)`, `CREATE TABLE f (v int, g int GENERATED ALWAYS AS (v + 1) STORED)`, `ALTER TABLE f REPLICA IDENTITY FULL`},
		during: []string{`INSERT INTO a (id, v) SELECT i, i FROM generate_series(1, 5) i`, `UPDATE a SET v = v + 1, id = id + 10`, `DELETE FROM a WHERE id = 12`, `INSERT INTO f VALUES (1), (1), (2)`, `UPDATE f SET v = 5 WHERE v = 2`, `DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f)`},
		// From 18 on a replica identity must not hold generated columns that are not published.
		publication18: "FOR ALL TABLES WITH (publish_generated_columns = stored)",
	},
	{
		name: "truncate between rows, of tables that refer to each other",
		schema: []string{
			`CREATE TABLE a (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text)`,
			`CREATE TABLE b (id serial PRIMARY KEY, a int REFERENCES a)`, `CREATE TABLE c (id int PRIMARY KEY)`,
		},
		during: []string{
			`INSERT INTO a (v) VALUES ('x'), ('y'); INSERT INTO b (a) VALUES (1), (2); INSERT INTO c VALUES (1); TRUNCATE a CASCADE; INSERT INTO a (v) VALUES ('z'); UPDATE a SET v = 'zz'; INSERT INTO c VALUES (2)`,
			`TRUNCATE c; INSERT INTO c VALUES (1); TRUNCATE c; INSERT INTO c VALUES (1), (2)`,
			`TRUNCATE a, b RESTART IDENTITY; INSERT INTO a (v) VALUES ('first')`,
		},
	},
	{
		name:   "tables without columns",
		schema: []string{`CREATE TABLE a ()`, `ALTER TABLE a REPLICA IDENTITY FULL`},
		during: []string{`INSERT INTO a DEFAULT VALUES; INSERT INTO a DEFAULT VALUES; INSERT INTO a DEFAULT VALUES`, `DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)`},
	},
	{
		name: "partitions under their own names",
		schema: []string{
			`CREATE TABLE a (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)`,
			`CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (100)`, `CREATE TABLE a2 (v text, id int NOT NULL)`, `ALTER TABLE a ATTACH PARTITION a2 FOR VALUES FROM (100) TO (200)`,
		},
		during: []string{`INSERT INTO a SELECT i, 'v' FROM generate_series(90, 110) i`, `UPDATE a SET id = id + 50 WHERE id IN (93, 99)`, `UPDATE a SET v = 'w' WHERE id > 95`, `DELETE FROM a WHERE id % 2 = 0`, `TRUNCATE a1`, `INSERT INTO a VALUES (1, 'one')`, `TRUNCATE a`, `INSERT INTO a VALUES (1, 'one')`},
	},
	{
		name: "partitions through their root, other bounds on the target",
		schema: []string{
			`CREATE TABLE a (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)`,
			`CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (100)`, `CREATE TABLE a2 PARTITION OF a DEFAULT`,
		},
		target:      []string{`DROP TABLE a1`, `CREATE TABLE a3 PARTITION OF a FOR VALUES FROM (0) TO (95)`},
		during:      []string{`INSERT INTO a SELECT i, 'v' FROM generate_series(90, 110) i`, `UPDATE a SET id = id + 30 WHERE id IN (93, 99, 85)`, `UPDATE a SET v = 'w' WHERE id > 95`, `DELETE FROM a WHERE id % 2 = 0`, `TRUNCATE a`, `INSERT INTO a VALUES (1, 'one'), (200, 'two')`},
		publication: `FOR TABLE a WITH (publish_via_partition_root = true)`,
		compare:     `SELECT * FROM a ORDER BY id`,
	},
	{
		name: "full identity through a partition root",
		schema: []string{
			`CREATE TABLE a (id int, v text) PARTITION BY LIST (id)`,
			`CREATE TABLE a1 PARTITION OF a FOR VALUES IN (1)`, `CREATE TABLE a2 PARTITION OF a DEFAULT`, `ALTER TABLE a REPLICA IDENTITY FULL`, `ALTER TABLE a1 REPLICA IDENTITY FULL`, `ALTER TABLE a2 REPLICA IDENTITY FULL`,
		},
		during:      []string{`INSERT INTO a SELECT i, 'v' FROM generate_series(1, 3) i, generate_series(1, 3)`, `UPDATE a SET v = 'w' WHERE ctid = '(0,2)'`, `DELETE FROM a WHERE ctid = '(0,1)'`},
		publication: `FOR TABLE a WITH (publish_via_partition_root = true)`,
	},
	{
		name:   "inheritance",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, v text)`, `CREATE TABLE b (w text, PRIMARY KEY (id)) INHERITS (a)`},
		during: []string{`INSERT INTO a VALUES (1, 'a'), (2, 'a')`, `INSERT INTO b VALUES (1, 'b', 'b'), (2, 'b', 'b')`, `UPDATE ONLY a SET v = 'only a' WHERE id = 1`, `DELETE FROM ONLY a WHERE id = 2`, `TRUNCATE ONLY a`},
	},
	{
		name:   "another column order, more columns and wider types on the target",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, v varchar(10), n int)`},
		target: []string{`DROP TABLE a`, `CREATE TABLE a (extra serial, n bigint, v text, "More" text DEFAULT 'kept', id bigint PRIMARY KEY)`},
		during: []string{`INSERT INTO a SELECT i, 'v', i FROM generate_series(1, 10) i`, `UPDATE a SET n = n + 1`, `UPDATE a SET id = id + 10 WHERE id > 5`, `DELETE FROM a WHERE id = 1`},
	},
	{
		name: "types of every kind as keys and values",
		schema: []string{
			`CREATE SCHEMA ext`, `CREATE EXTENSION citext SCHEMA ext`, `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`, `CREATE DOMAIN posint AS int CHECK (VALUE > 0)`, `CREATE TYPE pair AS (x int, y text)`,
			`CREATE TABLE k_enum (k mood PRIMARY KEY, v mood[])`, `CREATE TABLE k_domain (k posint PRIMARY KEY, v pair)`, `CREATE TABLE k_citext (k ext.citext PRIMARY KEY, v ext.citext)`,
			`CREATE TABLE k_char (k char(5) PRIMARY KEY, v "char")`, `CREATE TABLE k_numeric (k numeric PRIMARY KEY, v interval)`, `CREATE TABLE k_array (k int[] PRIMARY KEY, v int4range)`,
			`CREATE TABLE k_pair (k pair PRIMARY KEY, v bit(3), w varbit)`, `CREATE TABLE k_uuid (k uuid PRIMARY KEY, v inet, w money)`, `CREATE TABLE k_float (k float8 PRIMARY KEY, v float4)`, `CREATE TABLE k_varchar (k varchar(20) PRIMARY KEY, v char(4))`,
		},
		during: []string{
			`INSERT INTO k_enum VALUES ('sad', '{ok,happy}'), ('ok', NULL); INSERT INTO k_domain VALUES (1, '(1,"a b")'), (2, NULL); INSERT INTO k_citext VALUES ('Abc', 'x'), ('d', 'y')`,
			`INSERT INTO k_char VALUES ('a', 'x'), ('b ', 'y'); INSERT INTO k_numeric VALUES (1.0, '1 day 2 hours'), (2.50, '-3 months'); INSERT INTO k_array VALUES ('{1,2}', '[1,5)'), ('{}', 'empty')`,
			`INSERT INTO k_pair VALUES ('(1,a)', B'101', B'1'), ('(2,)', B'000', B''); INSERT INTO k_uuid VALUES ('00000000-0000-0000-0000-000000000001', '10.0.0.1/8', 12.34); INSERT INTO k_float VALUES (0.1, 0.1), ('Infinity', 'NaN'); INSERT INTO k_varchar VALUES ('v', 'ab')`,
			`UPDATE k_enum SET v = '{sad}' WHERE k = 'ok'; UPDATE k_domain SET v = '(3,x)'; UPDATE k_citext SET v = 'z'; UPDATE k_char SET v = 'z'; UPDATE k_numeric SET v = '1 month'; UPDATE k_array SET v = '(,3)'`,
			`UPDATE k_pair SET w = B'11'; UPDATE k_uuid SET v = '::1'; UPDATE k_float SET v = 1.5; UPDATE k_varchar SET v = 'cd'`,
			`UPDATE k_enum SET k = 'happy' WHERE k = 'ok'; UPDATE k_domain SET k = 3 WHERE k = 2; UPDATE k_citext SET k = 'ABC' WHERE k = 'abc'; UPDATE k_numeric SET k = 1.000 WHERE k = 1; UPDATE k_float SET k = 7 WHERE k = 'Infinity'`,
			`DELETE FROM k_enum WHERE k = 'sad'; DELETE FROM k_domain WHERE k = 1; DELETE FROM k_citext WHERE k = 'D'; DELETE FROM k_char WHERE k = 'b'; DELETE FROM k_numeric WHERE k = 2.5; DELETE FROM k_array WHERE k = '{}'; DELETE FROM k_pair WHERE k = ROW(1, 'a')::pair; DELETE FROM k_float WHERE v = 1.5 AND k = 7`,
		},
	},
	{
		name: "as many columns as fit",
		schema: []string{
			`CREATE TABLE a (id int PRIMARY KEY, ` + manyColumns(1400) + `)`, `CREATE TABLE b (id int, ` + manyColumns(1400) + `)`, `ALTER TABLE b REPLICA IDENTITY FULL`,
		},
		during: []string{`INSERT INTO a SELECT generate_series(1, 3); INSERT INTO b SELECT generate_series(1, 3)`, `UPDATE a SET c7 = -1; UPDATE b SET c1399 = NULL`, `DELETE FROM a WHERE id = 2; DELETE FROM b WHERE id = 2`},
	},
	{
		name:        "a column list",
		schema:      []string{`CREATE TABLE a (id int PRIMARY KEY, secret text, v text)`},
		during:      []string{`INSERT INTO a (v, id) VALUES ('v', 1), ('w', 2)`, `UPDATE a SET v = 'x'`, `DELETE FROM a WHERE id = 1`},
		publication: `FOR TABLE a (id, v)`,
		since:       15,
	},
	{
		name:   "names that need quotes",
		schema: []string{`CREATE SCHEMA "Od""d"`, `CREATE TABLE "Od""d"."Ta ble" ("I d" int PRIMARY KEY, "select" text)`},
		during: []string{`INSERT INTO "Od""d"."Ta ble" VALUES (1, 'x'), (2, 'y')`, `UPDATE "Od""d"."Ta ble" SET "select" = 'z'`, `UPDATE "Od""d"."Ta ble" SET "I d" = 5 WHERE "I d" = 1`, `DELETE FROM "Od""d"."Ta ble" WHERE "I d" = 2`, `TRUNCATE "Od""d"."Ta ble"`},
	},
	{
		name:   "an update that sets nothing",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY)`},
		during: []string{`INSERT INTO a VALUES (1), (2)`, `UPDATE a SET id = id`, `UPDATE a SET id = id + 5`},
	},
	{
		name:   "a table that changes in the stream",
		schema: []string{`CREATE TABLE a (id int PRIMARY KEY, v text)`},
		target: []string{`ALTER TABLE a ADD w int, ADD x text`},
		during: []string{`INSERT INTO a VALUES (1, 'x'), (2, 'y')`, `ALTER TABLE a ADD w int; INSERT INTO a VALUES (3, 'z', 3); ALTER TABLE a ADD x text; UPDATE a SET w = id, x = 'x'`, `ALTER TABLE a DROP v; UPDATE a SET w = 7`},
	},
}

func TestApplier_Replay(t *testing.T) {
	t.Parallel()
	const never = 1 << 30
	major, _ := pgtest.Majors()
	for _, c := range replays {
		if major < c.since {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			publication := c.publication
			if publication == "" {
				publication = "FOR ALL TABLES"
			}
			if major >= 18 && c.publication18 != "" {
				publication = c.publication18
			}
			r := newReplica(t, c.schema...)
			r.publish(t, publication)
			pgtest.Exec(t, r.source, c.during...)
			for _, mode := range []struct {
				name    string
				setFrom int
				batch   int
				binary  bool
				lanes   int
			}{
				{"row by row", never, 0, false, 1},
				{"as sets", 1, 0, false, 1},
				{"binary", 2, 0, true, 1},
				{"in pieces", 1, 300, false, 1},
				{"in pieces and lanes", 2, 400, false, 3},
			} {
				t.Run(mode.name, func(t *testing.T) {
					r.reset(t, c.schema...)
					// The caller asks for binary values only where the types are the same.
					r.binary = mode.binary && len(c.target) == 0
					r.setFrom, r.options.MaxBatchBytes, r.options.Lanes = mode.setFrom, mode.batch, mode.lanes
					pgtest.Exec(t, r.target, c.target...)
					stats, err := r.follow(t)
					if err != nil {
						t.Fatalf("%+v", err)
					}
					if c.compare == "" {
						pgtest.Compare(t, r.source, r.target)
					} else if s, d := pgtest.Query(t, r.source, c.compare), pgtest.Query(t, r.target, c.compare); !slices.EqualFunc(s, d, slices.Equal) {
						t.Errorf("source: %v\ntarget: %v", s, d)
					}
					if stats.MissedUpdates+stats.MissedDeletes > 0 {
						t.Errorf("rows were missed: %+v", stats)
					}
					if stats.Transactions == 0 {
						t.Errorf("nothing was applied: %+v", stats)
					}
				})
			}
		})
	}
}
