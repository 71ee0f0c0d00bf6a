package term

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/walferry/walferry/internal/status"
)

// moving is a rate of so many bytes each second.
func moving(perSecond int64) *rate {
	var r rate
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 5 {
		r.add(at.Add(time.Duration(i)*time.Second), int64(i)*perSecond, 0)
	}
	return &r
}

func TestFrame(t *testing.T) {
	t.Parallel()
	p := status.Progress{
		Phase: "copying", TablesDone: 3, TablesTotal: 12, RowsCopied: 1234567, BytesCopied: 1400 << 20, BytesTotal: 4500 << 20,
		Copying: []status.TableProgress{
			{Table: "public.a_table_whose_name_is_very_long_indeed", BytesCopied: 1200 << 20, BytesTotal: 2800 << 20, ChunksDone: 5, Chunks: 12},
			{Table: "public.表", BytesCopied: 1023<<10 + 900, BytesTotal: 1 << 20, Chunks: 1},
		},
	}
	for width, want := range map[int]string{
		80: `
public.a_table_whose_na… [========>-----------]  42%  1.2 GiB of ~2.7 GiB
public.表                [===================>]  99%  1023.9 KiB of ~1.0 MiB
total                    [======>-------------]  31%  1.4 GiB of ~4.4 GiB
copying: 3 of 12 tables, 1234567 rows, 100.0 MiB/s, ~31 s left`,
		200: `
public.a_table_whose_name_is_very_long_indeed      [========================>---------------------------------]  42%  1.2 GiB of ~2.7 GiB, chunks 5/12
public.表                                          [=========================================================>]  99%  1023.9 KiB of ~1.0 MiB
total                                              [==================>---------------------------------------]  31%  1.4 GiB of ~4.4 GiB
copying: 3 of 12 tables, 1234567 rows, 100.0 MiB/s, ~31 s left`,
	} {
		got := frame(p, moving(100<<20), width)
		if text := "\n" + strings.Join(got, "\n"); text != want {
			t.Errorf("at %d columns:%s\nwant%s", width, text, want)
		}
		if len(got) != height(p) {
			t.Errorf("%d lines, height says %d", len(got), height(p))
		}
	}
}

// TestFrame_FitsAnyTerminal never writes more than the terminal is wide.
func TestFrame_FitsAnyTerminal(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]status.TableProgress{{Table: strings.Repeat("ü", 63) + "." + strings.Repeat("表", 21), BytesCopied: 1, BytesTotal: 1 << 50, Chunks: 9999}}, 20)
	for _, p := range []status.Progress{
		{Phase: "preparing"},
		{Phase: "copying"},
		{Phase: "copying", TablesTotal: 20, BytesTotal: 1 << 60, BytesCopied: 1 << 59, RowsCopied: 1 << 60, Copying: many},
		{Phase: "indexing", EntriesDone: 3, EntriesTotal: 7, Item: "INDEX " + strings.Repeat("i", 300)},
		{Phase: "streaming", AppliedLSN: "FFFFFFFF/FFFFFFFF", LagBytes: 1 << 60},
	} {
		for width := 1; width < 250; width++ {
			lines := frame(p, moving(1), width)
			if len(lines) != height(p) {
				t.Fatalf("%s: %d lines, height says %d", p.Phase, len(lines), height(p))
			}
			for _, line := range lines {
				if got := runewidth.StringWidth(line); got > width {
					t.Fatalf("%s at %d columns: %d in %q", p.Phase, width, got, line)
				}
			}
		}
	}
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	p := status.Progress{Phase: "copying", BytesCopied: 100, BytesTotal: 1000}
	if left, known := remaining(p, moving(10)); !known || left != 90*time.Second {
		t.Errorf("%s, %v", left, known)
	}
	little := p
	little.BytesCopied = 9
	later := p
	later.Phase = "streaming"
	for name, c := range map[string]struct {
		p status.Progress
		r *rate
	}{
		"no speed": {p, &rate{}}, "it stands": {p, moving(0)}, "less than a hundredth": {little, moving(10)}, "no copy": {later, moving(10)},
	} {
		if left, known := remaining(c.p, c.r); known {
			t.Errorf("%s: %s", name, left)
		}
	}
	for d, want := range map[time.Duration]string{
		1400 * time.Millisecond: "~1 s", 200 * time.Second: "~3 min 20 s", 7900 * time.Second: "~2 h 11 min", 90 * time.Hour: "~3 d 18 h",
	} {
		if got := about(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
