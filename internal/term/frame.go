package term

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/walferry/walferry/internal/status"
)

// shownTables bounds how many tables have a bar of their own.
const shownTables = 8

// frame returns the lines that a terminal of that width shows: a bar for each of the
// largest tables that are being copied, one for all, and what else there is to say.
func frame(p status.Progress, r *rate, width int) []string {
	var lines []string
	for _, t := range p.Copying[:min(len(p.Copying), shownTables)] {
		text := sizes(t.BytesCopied, t.BytesTotal)
		if t.Chunks > 1 && width >= 100 {
			text += fmt.Sprintf(", chunks %d/%d", t.ChunksDone, t.Chunks)
		}
		lines = append(lines, barLine(t.Table, t.BytesCopied, t.BytesTotal, text, width))
	}
	switch done, total := share(p); {
	case p.Phase == copying && p.BytesTotal > 1:
		lines = append(lines, barLine("total", done, total, sizes(p.BytesCopied, p.BytesTotal), width))
	case total > 1:
		lines = append(lines, barLine("total", done, total, fmt.Sprintf("%d of %d", done, total), width))
	}
	text := describe(p, r)
	if p.Phase == copying { // the line above has the sizes
		text = fmt.Sprintf("%d of %d tables, %s", p.TablesDone, p.TablesTotal, pace(p, r))
	}
	return append(lines, runewidth.Truncate(p.Phase+": "+text, width, "…"))
}

// height is the number of lines of a frame.
func height(p status.Progress) int {
	n := min(len(p.Copying), shownTables) + 1
	if _, total := share(p); total > 1 {
		n++
	}
	return n
}

// textWidth is that of "1023.9 MiB of ~1023.9 MiB, chunks 10/10".
const textWidth = 26

// barLine is a name, a bar, the share in percent, and a text.
func barLine(name string, done, total int64, text string, width int) string {
	space := textWidth
	if width >= 100 {
		space += 18
	}
	nameWidth := min(max(width*3/10, 8), 50)
	percent := 0.0
	if total > 0 {
		percent = min(1, float64(done)/float64(total)) * 100
	}
	if done < total {
		percent = min(percent, 99) // what is not done is not shown as done
	}
	name = runewidth.FillRight(runewidth.Truncate(name, nameWidth, "…"), nameWidth)
	line := name + " " + bar(percent/100, width-nameWidth-space-8) + fmt.Sprintf(" %3d%%  ", int(percent)) + text
	return runewidth.Truncate(line, width, "…")
}

// bar draws a share; nothing where there is no room for it.
func bar(share float64, width int) string {
	inner := min(width, 60) - 2
	if inner < 4 {
		return ""
	}
	full := int(share * float64(inner))
	head := ""
	if full < inner {
		head = ">"
	}
	return "[" + strings.Repeat("=", full) + head + strings.Repeat("-", inner-full-len(head)) + "]"
}

// sizes says how much is moved of an estimate.
func sizes(done, total int64) string { return Bytes(done) + " of ~" + Bytes(total) }

// remaining estimates how long the copy still takes; false before a hundredth is done
// and its speed was measured.
func remaining(p status.Progress, r *rate) (time.Duration, bool) {
	speed, measured := r.measured(func(s sample) int64 { return s.bytes })
	if p.Phase != copying || !measured || speed <= 0 || p.BytesCopied < p.BytesTotal/100 {
		return 0, false
	}
	return time.Duration(float64(max(0, p.BytesTotal-p.BytesCopied)) / speed * float64(time.Second)), true
}

// about writes an estimated duration in its two largest units.
func about(d time.Duration) string {
	seconds := int64(d.Round(time.Second) / time.Second)
	switch {
	case seconds < 60:
		return fmt.Sprintf("~%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("~%d min %d s", seconds/60, seconds%60)
	case seconds < 48*3600:
		return fmt.Sprintf("~%d h %d min", seconds/3600, seconds/60%60)
	}
	return fmt.Sprintf("~%d d %d h", seconds/86400, seconds/3600%24)
}
