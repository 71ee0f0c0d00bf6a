package decoder_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

// A random workload of three sessions gives the same transactions however the
// server sends them: whole, streamed, streamed with everything spilled, or streamed to
// a client that breaks off within transactions and has acknowledged what it has seen.
func TestAssembler_StreamingChangesNothing(t *testing.T) {
	major, _ := pgtest.Majors()
	major = max(major, 14)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	uri := pgtest.Server(t, major).Database(t,
		"CREATE TABLE a (id int PRIMARY KEY, filler text)", "CREATE TABLE b (LIKE a INCLUDING ALL)", "CREATE TABLE c (LIKE a INCLUDING ALL)",
		"ALTER TABLE b REPLICA IDENTITY FULL", wideTable, "CREATE PUBLICATION p FOR TABLE a, b, c")
	ways := []struct {
		slot      string
		streaming decoder.Streaming
		memory    int64
		lives     int
	}{
		{"whole", decoder.StreamingOff, 0, 1},
		{"streamed", decoder.StreamingOn, 0, 1},
		{"spilled", decoder.StreamingParallel, 1, 1},
		{"broken", decoder.StreamingOn, 0, 10},
	}
	for _, way := range ways {
		pgtest.Query(t, uri, "SELECT 1 FROM pg_create_logical_replication_slot($1, 'pgoutput')", way.slot)
	}
	begin := position(t, uri)
	play(t, uri, randomScript(rand.New(rand.NewPCG(seed, 0)), 600))
	end := position(t, uri)

	var want string
	for _, way := range ways {
		h := &recorder{brief: true, noRelations: true}
		segments := 0
		options := decoder.PluginOptions(major, decoder.StreamOptions{Publications: []string{"p"}, Streaming: way.streaming})
		for life, start := 1, decoder.LSN(0); life <= way.lives; life++ {
			a := decoder.NewAssembler(decoder.AssemblerOptions{
				SkipBefore: start, MemoryBytes: way.memory, SpillDir: t.TempDir(), RolledBack: askServer(t, uri),
			}, h)
			until := begin + (end-begin)/decoder.LSN(way.lives)*decoder.LSN(life)
			if life == way.lives {
				until = end
			}
			replicate(t, uri, way.slot, "-c logical_decoding_work_mem=64kB", options, until, func(walStart decoder.LSN, payload []byte) error {
				if payload[0] == 'S' {
					segments++
				}
				return a.Push(walStart, payload)
			}, func() decoder.LSN {
				start = max(until, h.end)
				return start
			})
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if (segments > 0) != (way.streaming != decoder.StreamingOff) {
			t.Errorf("%s: %d segments were streamed", way.slot, segments)
		}
		// Of a transaction whose changes were all rolled back only a stream tells.
		got := regexp.MustCompile(`begin \d+\ncommit \d+\n`).ReplaceAllString(h.out.String(), "")
		if want == "" {
			want = got
		}
		if got != want || !strings.Contains(got, "insert") {
			t.Errorf("%s: the transactions differ:\n%s", way.slot, difference(want, got))
		}
	}
}

// A server that had to write a subtransaction of more than 4096 changes to its disk before it
// could stream it does not send its rollback; 18 streams none that it knows to be rolled back.
func TestAssembler_RollbackThatTheServerDoesNotSend(t *testing.T) {
	major, _ := pgtest.Majors()
	major = max(major, 14)
	uri := pgtest.Server(t, major).Database(t, "CREATE TABLE t (id int PRIMARY KEY)", wideTable, "CREATE PUBLICATION p FOR TABLE t")
	pgtest.Query(t, uri, "SELECT 1 FROM pg_create_logical_replication_slot('unsent', 'pgoutput')")
	// The first value of wide has the server know the table when it comes to the second.
	play(t, uri, "BEGIN;\nINSERT INTO t VALUES (1);\nINSERT INTO wide VALUES (repeat('x', 200000));\nSAVEPOINT s;\nINSERT INTO t VALUES (2);\n"+
		"INSERT INTO wide VALUES (repeat('x', 9000000));\nROLLBACK TO s;\nINSERT INTO t VALUES (3);\nCOMMIT;\n")
	h, aborts, inserts := &applied{}, 0, 0
	a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir(), RolledBack: askServer(t, uri)}, h)
	options := decoder.PluginOptions(major, decoder.StreamOptions{Publications: []string{"p"}, Streaming: decoder.StreamingOn})
	replicate(t, uri, "unsent", "-c logical_decoding_work_mem=64kB", options, position(t, uri), func(walStart decoder.LSN, payload []byte) error {
		switch payload[0] {
		case 'A':
			aborts++
		case 'I':
			inserts++
		}
		return a.Push(walStart, payload)
	}, nil)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(h.rows, " "); got != "1 3" {
		t.Errorf("got rows %s", got)
	}
	if major < 18 && (aborts != 0 || inserts != 3) {
		t.Errorf("server %d sent %d rows and %d aborts: it has changed", major, inserts, aborts)
	}
}

// wideTable has values that are stored as they are, out of line.
const wideTable = "CREATE TABLE wide (value text); ALTER TABLE wide ALTER value SET STORAGE EXTERNAL"

// askServer returns AssemblerOptions.RolledBack for a server whose transaction ids have not wrapped around.
func askServer(t *testing.T, uri string) func(xids []uint32) ([]uint32, error) {
	t.Helper()
	return func(xids []uint32) ([]uint32, error) {
		return slices.DeleteFunc(xids, func(xid uint32) bool {
			return pgtest.Query(t, uri, "SELECT pg_xact_status($1::text::xid8)", strconv.FormatUint(uint64(xid), 10))[0][0] != "aborted"
		}), nil
	}
}

// difference shows where two texts part.
func difference(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	at := 0
	for at < min(len(wants), len(gots)) && wants[at] == gots[at] {
		at++
	}
	part := func(lines []string) string { return strings.Join(lines[max(0, at-3):min(len(lines), at+10)], "\n") }
	return fmt.Sprintf("from line %d on, got\n%s\nwant\n%s", at+1, part(gots), part(wants))
}

// randomScript has each session work on a table of its own, so that none waits.
// Nothing that changes pg_class is rolled back: a server that streams decodes the
// transaction although it knows that it is aborted, and may not find the table then
// ("could not map filenode … to relation OID", seen on 15, 17 and 18). So there is no
// TRUNCATE, and ALTER TABLE stands outside of savepoints in transactions that commit.
func randomScript(r *rand.Rand, steps int) string {
	var script strings.Builder
	type session struct {
		name                string
		open, altered       bool
		savepoints, columns int
	}
	sessions := []*session{{name: "a"}, {name: "b"}, {name: "c"}}
	next := 0
	do := func(s *session, format string, args ...any) {
		fmt.Fprintf(&script, "-- session %s\n"+format+";\n", append([]any{s.name}, args...)...)
	}
	for range steps {
		s := sessions[r.IntN(len(sessions))]
		if !s.open {
			do(s, "BEGIN")
			s.open, s.altered, s.savepoints = true, false, 0
		}
		switch n := r.IntN(100); {
		case n < 1:
			// Rolled back, that is what a server does not always tell.
			next++
			do(s, "SAVEPOINT wide")
			do(s, "INSERT INTO %s (id) VALUES (%d)", s.name, next*1000)
			do(s, "INSERT INTO wide VALUES (repeat('x', 9000000))")
			do(s, "%s wide", []string{"ROLLBACK TO", "RELEASE"}[r.IntN(2)])
		case n < 35:
			next++
			do(s, "INSERT INTO %s (id, filler) SELECT %d + i, repeat('x', %d) FROM generate_series(1, %d) i", s.name, next*1000, r.IntN(1500), 1+r.IntN(40))
		case n < 45:
			do(s, "UPDATE %s SET filler = 'updated %d' WHERE id %% 7 = %d", s.name, n, r.IntN(7))
		case n < 50:
			do(s, "UPDATE %s SET id = -id WHERE id %% 11 = %d", s.name, r.IntN(11))
		case n < 55:
			do(s, "DELETE FROM %s WHERE id %% 5 = %d", s.name, r.IntN(5))
		case n < 60:
			if s.savepoints > 0 {
				continue
			}
			s.columns++
			s.altered = true
			do(s, "ALTER TABLE %s ADD IF NOT EXISTS added_%d int DEFAULT %d", s.name, s.columns, s.columns)
		case n < 76:
			s.savepoints++
			do(s, "SAVEPOINT s%d", s.savepoints)
		case n < 86:
			if s.savepoints > 0 {
				s.savepoints = 1 + r.IntN(s.savepoints)
				do(s, "ROLLBACK TO s%d", s.savepoints)
			}
		case n < 92:
			if s.savepoints > 0 {
				do(s, "RELEASE s%d", s.savepoints)
				s.savepoints--
			}
		case n < 98 || s.altered:
			do(s, "COMMIT")
			s.open = false
		default:
			do(s, "ROLLBACK")
			s.open = false
		}
	}
	for _, s := range sessions {
		if s.open {
			do(s, "COMMIT")
		}
	}
	return script.String()
}
