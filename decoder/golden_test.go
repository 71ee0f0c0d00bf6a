package decoder_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

var update = flag.Bool("update", false, "record the golden streams anew from real servers 13 to 18")

const newestMajor = 18

// recordings are the streams in testdata/wal/<major>/<case>.<variant>.txtar: each
// case's SQL, from testdata/sql, on every server since a major version.
var recordings = []struct {
	sql, variant string
	since        int
	protocol     int
	options      decoder.StreamOptions
}{
	{"rows", "text", 13, 1, decoder.StreamOptions{}},
	{"rows", "binary", 14, 2, decoder.StreamOptions{Binary: true}},
	{"partitions", "text", 13, 1, decoder.StreamOptions{Publications: []string{"p", "leaf's"}}},
	{"origin", "any", 13, 1, decoder.StreamOptions{}},
	{"origin", "none", 16, 4, decoder.StreamOptions{LocalOnly: true}},
	{"origin", "streamed", 14, 2, decoder.StreamOptions{Streaming: decoder.StreamingOn}},
	{"messages", "messages", 14, 1, decoder.StreamOptions{Messages: true}},
	{"streamed", "off", 13, 1, decoder.StreamOptions{}},
	{"streamed", "on", 14, 2, decoder.StreamOptions{Streaming: decoder.StreamingOn, Messages: true}},
	{"streamed", "parallel", 16, 4, decoder.StreamOptions{Streaming: decoder.StreamingParallel, Binary: true}},
	{"prepared", "off", 13, 1, decoder.StreamOptions{}},
	{"prepared", "whole", 15, 3, decoder.StreamOptions{TwoPhase: true}},
	{"prepared", "streamed", 15, 3, decoder.StreamOptions{TwoPhase: true, Streaming: decoder.StreamingOn}},
	{"prepared", "parallel", 16, 4, decoder.StreamOptions{TwoPhase: true, Streaming: decoder.StreamingParallel, LocalOnly: true}},
	{"filters", "text", 15, 3, decoder.StreamOptions{}},
	{"orders", "text", 18, 1, decoder.StreamOptions{}},
	{"orders", "binary", 18, 4, decoder.StreamOptions{Binary: true}},
	{"generated", "text", 18, 4, decoder.StreamOptions{}},
}

// TestGolden decodes streams that real servers sent. With -update it records them
// anew; what the servers chose (ids, positions, times) is made stable.
func TestGolden(t *testing.T) {
	for major := 13; major <= newestMajor; major++ {
		for _, r := range recordings {
			if major < r.since {
				continue
			}
			path := filepath.Join("testdata", "wal", strconv.Itoa(major), r.sql+"."+r.variant+".txtar")
			t.Run(filepath.ToSlash(path), func(t *testing.T) {
				if *update {
					o := r.options
					if o.Publications == nil {
						o.Publications = []string{"p"}
					}
					options := decoder.PluginOptions(major, o)
					options[0] = fmt.Sprintf("proto_version '%d'", r.protocol)
					record(t, major, r.sql, options, path)
				}
				checkGolden(t, path)
			})
		}
	}
	if !t.Failed() {
		checkCoverage(t)
	}
}

// The sections of a golden file that are read; the others are for people.
const (
	sectionMessages     = "messages"     // position and payload, one per line
	sectionTransactions = "transactions" // what a Handler gets
)

func checkGolden(t *testing.T, path string) {
	t.Helper()
	sections, stream := readGolden(t, path)
	got := assemble(t, stream)
	if want := sections[sectionTransactions]; got != want {
		t.Errorf("%s: got transactions\n%s\nwant\n%s", path, got, want)
	}
}

// assemble renders a stream's transactions, which must not depend on how much is
// kept in memory.
func assemble(t *testing.T, stream []recorded) string {
	t.Helper()
	var rendered [2]string
	for i, memory := range []int64{0, 1} {
		h := &recorder{}
		a := decoder.NewAssembler(decoder.AssemblerOptions{MemoryBytes: memory, SpillDir: t.TempDir(), RolledBack: noneRolledBack}, h)
		for _, m := range stream {
			if err := a.Push(m.walStart, m.payload); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		rendered[i] = h.out.String()
	}
	if rendered[0] != rendered[1] {
		t.Errorf("spilled, the transactions differ:\n%s\nnot spilled\n%s", rendered[1], rendered[0])
	}
	return rendered[0]
}

// readGolden parses a golden file: a comment, then sections that begin with a
// line "-- name --", which is the txtar format.
func readGolden(tb testing.TB, path string) (map[string]string, []recorded) {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("%v; record it with: go test ./decoder -run Golden -update", err)
	}
	sections, section := make(map[string]string), ""
	for line := range strings.Lines(string(text)) {
		name, begins := strings.CutPrefix(line, "-- ")
		if name, ends := strings.CutSuffix(name, " --\n"); begins && ends {
			section = name
			continue
		}
		sections[section] += line
	}
	var stream []recorded
	for line := range strings.Lines(sections[sectionMessages]) {
		var position, payload string
		if _, err := fmt.Sscan(line, &position, &payload); err != nil {
			tb.Fatalf("%s: %q: %v", path, line, err)
		}
		lsn, err := pglogrepl.ParseLSN(position)
		if err != nil {
			tb.Fatal(err)
		}
		raw, err := hex.DecodeString(payload)
		if err != nil {
			tb.Fatal(err)
		}
		stream = append(stream, recorded{lsn, raw})
	}
	return sections, stream
}

// record runs a case on a server and writes the golden file.
func record(t *testing.T, major int, name string, options []string, path string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", "sql", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	setup, workload, _ := strings.Cut(string(script), "-- workload\n")
	uri := pgtest.Server(t, major).Database(t)
	play(t, uri, setup)
	pgtest.Query(t, uri, "SELECT 1 FROM pg_create_logical_replication_slot('golden', 'pgoutput')")
	play(t, uri, workload)

	var stream []recorded
	replicate(t, uri, "golden", "-c logical_decoding_work_mem=64kB", options, position(t, uri), func(walStart decoder.LSN, payload []byte) error {
		stream = append(stream, recorded{walStart, slices.Clone(payload)})
		return nil
	}, nil)

	var messages strings.Builder
	stream = normalize(t, stream)
	for _, m := range stream {
		fmt.Fprintf(&messages, "%s %x\n", m.walStart, m.payload)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "PostgreSQL %d, testdata/sql/%s.sql. Recorded by: go test ./decoder -run Golden -update\n", major, name)
	for _, section := range [][2]string{
		{"options", strings.Join(options, "\n") + "\n"},
		{"sql", workload},
		{sectionTransactions, assemble(t, stream)},
		{sectionMessages, messages.String()},
	} {
		fmt.Fprintf(&text, "-- %s --\n%s", section[0], section[1])
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// play runs a script, one statement per line, in the sessions that it names.
func play(t *testing.T, uri, script string) {
	t.Helper()
	ctx := t.Context()
	sessions := make(map[string]*pgx.Conn)
	session := "a"
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "-- session "); ok {
			session, _, _ = strings.Cut(rest, ":")
		}
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		if sessions[session] == nil {
			conn, err := pgx.Connect(ctx, uri)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(ctx) //nolint:errcheck // a failure here breaks nothing
			sessions[session] = conn
		}
		if _, err := sessions[session].Exec(ctx, line, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}
