package term

import (
	"bytes"
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

// TestDisplay_Plain writes a line when the phase changes and once in a while, with the present speed.
func TestDisplay_Plain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d, err := New(&out, Auto)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			d.Show(status.Progress{Phase: "copying", TablesDone: i / 10, TablesTotal: 4, BytesCopied: int64(i) << 20, BytesTotal: 40 << 20, Item: "public.t"})
			time.Sleep(time.Second) //nolint:forbidigo // the bubble's clock
		}
		d.Show(status.Progress{Phase: "streaming", AppliedLSN: "0/16B3748", LagBytes: 2048, Transactions: 3, Changes: 7})
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 5 {
			t.Errorf("%d lines:\n%s", len(lines), out.String())
		}
		if want := "walferry: copying: tables 1/4, 10.0 MiB of ~40.0 MiB, 1.0 MiB/s public.t"; lines[1] != want {
			t.Errorf("%q, want %q", lines[1], want)
		}
		if want := "walferry: streaming: lag 2.0 KiB, applied 0/16B3748, 3 transactions, 7 changes, 0/s"; lines[4] != want {
			t.Errorf("%q, want %q", lines[4], want)
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
