package proof_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/program"
)

const mib = 1 << 20

// limit is something large, and how much memory walferry may take for it.
type limit struct {
	name string
	// bounded and whole are how much of it there is, in the bounded form and in the long one.
	bounded, whole int
	// before makes it before the copy, during in the stream; %d is how much.
	before, during []string
	options        []string
	// most bounds the peak, by how much there is.
	most func(n int) int64
}

func atMost(bytes int64) func(int) int64 { return func(int) int64 { return bytes } }

var limits = []limit{
	{
		name: "columns", bounded: 1600, whole: 1600, most: atMost(160 * mib),
		before: []string{
			`DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg(format('c%%s int', i), ', ') || ', PRIMARY KEY (c1))' FROM generate_series(1, %d) i); END $$`,
			`DO $$ BEGIN EXECUTE (SELECT 'INSERT INTO wide SELECT n, ' || string_agg('n', ', ') || ' FROM generate_series(1, 200) n' FROM generate_series(2, %d)); END $$`,
		},
		during: []string{
			`UPDATE wide SET c1600 = c1600 + 1 WHERE c1 < 5`, // a few, and a set
			`UPDATE wide SET c2 = c2 + 1, c1599 = NULL`, `DELETE FROM wide WHERE c1 %% 3 = 0`, `UPDATE wide SET c1 = -c1 WHERE c1 < 9`,
			`DO $$ BEGIN EXECUTE (SELECT 'INSERT INTO wide SELECT n, ' || string_agg('n', ', ') || ' FROM generate_series(201, 600) n' FROM generate_series(2, %d)); END $$`,
		},
	},
	{
		// One message holds the value, a batch holds it once more, and so does what is sent.
		name: "value", bounded: 48_000_000, whole: 500_000_000, most: func(n int) int64 { return 6*int64(n) + 120*mib },
		before: []string{`CREATE TABLE large (id int PRIMARY KEY, v text, n int)`, `INSERT INTO large VALUES (1, repeat('x', %d), 0)`},
		during: []string{
			`INSERT INTO large VALUES (2, repeat('y', %d), 0)`, `UPDATE large SET n = n + 1`,
			`UPDATE large SET v = repeat('z', %d) WHERE id = 1`, `DELETE FROM large WHERE id = 2`,
		},
	},
	{
		name: "subtransactions", bounded: 10_000, whole: 10_000, most: atMost(160 * mib),
		before: []string{`CREATE TABLE nested (id int PRIMARY KEY, n int)`},
		during: []string{`DO $$ BEGIN FOR i IN 1..%d LOOP
			BEGIN
				INSERT INTO nested VALUES (i, i);
				UPDATE nested SET n = n + 1 WHERE id = i / 2 * 2;
				IF i %% 2 = 1 THEN RAISE division_by_zero; END IF;
			EXCEPTION WHEN division_by_zero THEN NULL; END;
		END LOOP; END $$`},
	},
	{
		name: "rows", bounded: 400_000, whole: 10_000_000, most: atMost(256 * mib),
		before: []string{`CREATE TABLE many (id int PRIMARY KEY, t text)`},
		during: []string{`INSERT INTO many SELECT i, 'row ' || i FROM generate_series(1, %d) i`, `UPDATE many SET t = t || '!' WHERE id %% 4 = 0`},
	},
	{
		name: "rows in lanes", bounded: 200_000, whole: 10_000_000, most: atMost(256 * mib), options: []string{"--apply-jobs", "2"},
		before: []string{`CREATE TABLE many (id int PRIMARY KEY, t text)`, `CREATE TABLE others (LIKE many INCLUDING ALL)`},
		during: []string{`BEGIN; INSERT INTO many SELECT i, 'row ' || i FROM generate_series(1, %[1]d / 2) i; INSERT INTO others SELECT i, 'row ' || i FROM generate_series(1, %[1]d / 2) i; COMMIT`},
	},
	{
		// Some 6 KiB for each.
		name: "relations", bounded: 1000, whole: 100_000, most: func(n int) int64 { return 120*mib + 12*1024*int64(n) },
		before: []string{`DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('CREATE TABLE r%%s (id int PRIMARY KEY, t text)', i);
			IF i %% 100 = 0 THEN COMMIT; END IF; END LOOP; END $$`},
		during: []string{
			`DO $$ BEGIN FOR i IN 1..%d LOOP EXECUTE format('INSERT INTO r%%s VALUES (1, ''a''), (2, ''b'')', i);
			IF i %% 1000 = 0 THEN COMMIT; END IF; END LOOP; END $$`,
		},
	},
}

// TestLimits_MemoryIsBounded moves what is large, and measures what walferry takes for it.
func TestLimits_MemoryIsBounded(t *testing.T) {
	from, to := pgtest.Majors()
	// What pg_dump and CREATE PUBLICATION lock.
	settings := map[string]string{"max_locks_per_transaction": "1024", "max_wal_size": "8GB"}
	s := &servers{source: pgtest.Start(t, from, settings), target: pgtest.Start(t, to, settings)}
	for _, l := range limits {
		n := l.bounded
		if *long > 0 {
			n = l.whole
		}
		t.Run(l.name, func(t *testing.T) { l.hold(t, s, n) })
	}
}

func (l *limit) hold(t *testing.T, servers *servers, n int) {
	t.Helper()
	say := func(statements []string) []string {
		said := slices.Clone(statements)
		for i := range said {
			// Not all of them say how much.
			if strings.Contains(said[i], "%d") || strings.Contains(said[i], "%[1]d") {
				said[i] = fmt.Sprintf(said[i], n)
			} else {
				said[i] = strings.ReplaceAll(said[i], "%%", "%")
			}
		}
		return said
	}
	s := scene{source: servers.source.Database(t, say(l.before)...), target: servers.target.Database(t), servers: servers}
	copying := walferry(t, "", s.args("migrate", append(l.options, "--max-replication-lag", "0")...)...)
	copied := peak(copying)
	mustExit(t, copying, 0)
	pgtest.Exec(t, s.source, say(l.during)...)
	streaming := walferry(t, "", s.args("migrate", append(l.options, "--max-replication-lag", "0", "--stop-replication")...)...)
	streamed := peak(streaming)
	mustExit(t, streaming, 0)
	pgtest.Compare(t, s.source, s.target)
	c, d := copied(), streamed()
	t.Logf("%s: %d, copy %d MiB, stream %d MiB at the peak, %d MiB allowed", l.name, n, c/mib, d/mib, l.most(n)/mib)
	if !raceEnabled && max(c, d) > l.most(n) {
		t.Errorf("%d MiB at the peak, more than %d", max(c, d)/mib, l.most(n)/mib)
	}
}

// peak follows a process to its end, and then returns the largest resident size that it has had.
func peak(p *program.Process) func() int64 {
	most := make(chan int64, 1)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		var bytes int64
		for {
			bytes = max(bytes, residentPeak(p.Cmd.Process.Pid))
			select {
			case <-p.Exited():
				most <- bytes
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 { return <-most }
}

// residentPeak is the largest resident size of a process that runs. What is told of one
// that has ended includes what this program had when it started it.
func residentPeak(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if kib, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, err := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// TestLimits_IdleStaysConnected idles for several times what the source waits for an
// answer, while nobody writes and while others do.
func TestLimits_IdleStaysConnected(t *testing.T) {
	from, to := pgtest.Majors()
	servers := &servers{
		source: pgtest.Start(t, from, map[string]string{"wal_sender_timeout": "5s"}),
		target: pgtest.Start(t, to, nil),
	}
	s := scene{source: servers.source.Database(t, "CREATE TABLE a (id int PRIMARY KEY)"), target: servers.target.Database(t), servers: servers}
	elsewhere := servers.source.Database(t, "CREATE TABLE b (t text)")
	m := walferry(t, "", s.args("migrate")...)
	memory := peak(m)
	const slot = ` FROM pg_replication_slots WHERE database = current_database()`
	pgtest.Eventually(t, "the stream has begun", func() bool {
		if !m.Running() {
			t.Fatal("walferry ended")
		}
		return s.streams(t) && pgtest.Query(t, s.source, "SELECT count(active_pid)"+slot)[0][0] == "1"
	})
	sender := pgtest.Query(t, s.source, "SELECT active_pid"+slot)[0][0]
	idle := func(seconds int) {
		t.Helper()
		begin := pgtest.Query(t, s.source, "SELECT clock_timestamp()")[0][0]
		pgtest.Eventually(t, "it has idled", func() bool {
			return pgtest.Query(t, s.source, "SELECT clock_timestamp() > $1::timestamptz + make_interval(secs => $2)", begin, strconv.Itoa(seconds))[0][0] == "t"
		})
	}
	for range 2 + 20**long {
		idle(12)
		pgtest.Exec(t, elsewhere, "INSERT INTO b SELECT repeat('x', 1000) FROM generate_series(1, 100)")
		marker := pgtest.CurrentLSN(t, s.source)
		pgtest.Eventually(t, "the slot advances", func() bool {
			return pgtest.Query(t, s.source, "SELECT confirmed_flush_lsn >= $1::pg_lsn"+slot, marker.String())[0][0] == "t"
		})
	}
	if now := pgtest.Query(t, s.source, "SELECT coalesce(active_pid, 0)"+slot)[0][0]; now != sender {
		t.Errorf("the connection was lost: walsender %s has become %s", sender, now)
	}
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	bytes := memory()
	t.Logf("idle: %d MiB at the peak", bytes/mib)
	if !raceEnabled && bytes > 120*mib {
		t.Errorf("%d MiB at the peak", bytes/mib)
	}
	finishMigration(t, s)
	pgtest.Compare(t, s.source, s.target)
}
