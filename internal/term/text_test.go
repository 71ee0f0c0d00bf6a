package term

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walferry/walferry/internal/status"
)

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1 << 60: "1024.0 PiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// TestDisplay_Plain writes a line when the phase changes and once in a while, with the
// present speed and what is left, once they are known.
func TestDisplay_Plain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d, err := New(&out, Auto)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			d.Show(status.Progress{Phase: "copying", TablesDone: i / 10, TablesTotal: 4, BytesCopied: int64(i) << 20, BytesTotal: 40 << 20, RowsCopied: int64(i)})
			time.Sleep(time.Second) //nolint:forbidigo // the bubble's clock
		}
		d.Show(status.Progress{Phase: "streaming", AppliedLSN: "0/16B3748", LagBytes: 2048, Transactions: 3, Changes: 7})
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		want := `walferry: copying: 0 of 4 tables, 0 B of ~40.0 MiB, 0 rows
walferry: copying: 1 of 4 tables, 10.0 MiB of ~40.0 MiB, 10 rows, 1.0 MiB/s, ~30 s left
walferry: copying: 2 of 4 tables, 20.0 MiB of ~40.0 MiB, 20 rows, 1.0 MiB/s, ~20 s left
walferry: copying: 3 of 4 tables, 30.0 MiB of ~40.0 MiB, 30 rows, 1.0 MiB/s, ~10 s left
walferry: streaming: lag 2.0 KiB, applied 0/16B3748, 3 transactions, 7 changes, 0/s
`
		if got := out.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestDisplay_JSON has the measured speed, and says nothing of the time left before.
func TestDisplay_JSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d, err := New(&out, JSON)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			d.Show(status.Progress{Phase: "copying", BytesCopied: int64(i) * 1000, BytesTotal: 10000, Copying: []status.TableProgress{{Table: "public.t", Chunks: 1}}})
			time.Sleep(2 * time.Second) //nolint:forbidigo // the bubble's clock
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 {
			t.Fatalf("%s", out.String())
		}
		var r struct {
			BytesPerSecond   int64                  `json:"bytes_per_second"`
			RemainingSeconds *float64               `json:"remaining_seconds"`
			Copying          []status.TableProgress `json:"copying"`
		}
		for i, line := range lines {
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if i == 0 && (r.RemainingSeconds != nil || r.BytesPerSecond != 0) {
				t.Errorf("an estimate without a measure: %s", line)
			}
		}
		if r.BytesPerSecond != 500 || r.RemainingSeconds == nil || *r.RemainingSeconds != 16 || len(r.Copying) != 1 {
			t.Errorf("%s", lines[2])
		}
	})
}

func TestDisplay_JSONAndNone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for _, mode := range []Mode{JSON, None} {
		d, err := New(&out, mode)
		if err != nil {
			t.Fatal(err)
		}
		d.Show(status.Progress{Phase: "indexing", Item: "INDEX i"})
	}
	if got := out.String(); !strings.HasPrefix(got, `{"phase":"indexing","item":"INDEX i",`) || strings.Count(got, "\n") != 1 {
		t.Errorf("%s", got)
	}
	if _, err := New(&out, "loud"); err == nil {
		t.Error("an unknown mode is accepted")
	}
}
