package decoder_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

var largeRows = flag.Int("large-rows", 50_000, "rows of the transaction in TestAssembler_LargeTransaction")

// One transaction of any size passes through in bounded memory, sent whole or
// streamed. What is asserted is the process's peak, test binary included.
func TestAssembler_LargeTransaction(t *testing.T) {
	major, _ := pgtest.Majors()
	for name, streaming := range map[string]decoder.Streaming{"sent whole": decoder.StreamingOff, "streamed": decoder.StreamingOn} {
		t.Run(name, func(t *testing.T) {
			uri := pgtest.Server(t, major).Database(t, "CREATE TABLE t (id bigint PRIMARY KEY, note text)", "CREATE PUBLICATION p FOR TABLE t")
			pgtest.Query(t, uri, "SELECT 1 FROM pg_create_logical_replication_slot('large', 'pgoutput')")
			play(t, uri, fmt.Sprintf("INSERT INTO t SELECT i, 'note ' || i FROM generate_series(1, %d) i;", *largeRows))

			h := &counter{}
			a := decoder.NewAssembler(decoder.AssemblerOptions{SpillDir: t.TempDir(), MemoryBytes: min(32<<20, 10*int64(*largeRows))}, h)
			var spilled int64
			replicate(t, uri, "large", "-c logical_decoding_work_mem=64kB", decoder.PluginOptions(major, decoder.StreamOptions{
				Publications: []string{"p"}, Streaming: streaming, Binary: true,
			}), position(t, uri), func(walStart decoder.LSN, payload []byte) error {
				err := a.Push(walStart, payload)
				if _, inFiles := a.Kept(); inFiles > spilled {
					spilled = inFiles
				}
				return err
			}, nil)
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			peak := peakResident(t)
			t.Logf("%d rows in %d transactions, %d MiB in the spill file, %d MiB resident at the peak", h.rows, h.transactions, spilled>>20, peak>>20)
			if h.rows != *largeRows || h.transactions != 1 {
				t.Errorf("%d rows in %d transactions", h.rows, h.transactions)
			}
			if (spilled > 0) != (streaming == decoder.StreamingOn) {
				t.Errorf("%d bytes were spilled", spilled)
			}
			if peak > 256<<20 {
				t.Errorf("%d MiB resident at the peak", peak>>20)
			}
		})
	}
}

// counter is a Handler that counts.
type counter struct{ rows, transactions int }

func (c *counter) Begin(*decoder.Transaction) error { return nil }

func (c *counter) Change(*decoder.Change) error {
	c.rows++
	return nil
}

func (c *counter) Commit(*decoder.Transaction) error {
	c.transactions++
	return nil
}

func (c *counter) Message(bool, decoder.LSN, string, []byte) error { return nil }

func peakResident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}
