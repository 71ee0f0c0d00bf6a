// Package term shows progress to people and scripts: a bar on a terminal, lines
// or JSON elsewhere.
package term

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/walferry/walferry/internal/status"
)

// Mode is how progress is shown.
type Mode string

// The modes. Auto is Bar on a terminal and Plain elsewhere.
const (
	Auto  Mode = "auto"
	Bar   Mode = "bar"
	Plain Mode = "plain"
	JSON  Mode = "json"
	None  Mode = "none"
)

// How often a line is written while a phase goes on.
const (
	plainEvery = 10 * time.Second
	jsonEvery  = time.Second
)

// refreshEvery is how often bars are drawn.
const refreshEvery = 200 * time.Millisecond

// Display shows the progress of one run. Show is called by one goroutine at a time. What
// is written to the display, such as log lines, appears above the bars.
type Display struct {
	w    io.Writer
	mode Mode

	bars  *mpb.Progress
	lines []*mpb.Bar // one for each line of the frame

	mu     sync.Mutex
	last   status.Progress
	shown  time.Time // when the last line was written
	rate   rate
	failed error
}

// New returns a display on w.
func New(w io.Writer, mode Mode) (*Display, error) {
	d := &Display{w: w, mode: mode}
	switch mode {
	case Auto:
		d.mode = Plain
		if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
			d.mode = Bar
		}
	case Bar, Plain, JSON, None:
	default:
		return nil, errors.Newf("--progress %q is none of auto, bar, plain, json, none", string(mode))
	}
	if d.mode == Bar {
		d.bars = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(refreshEvery))
	}
	return d, nil
}

// Write writes above the bar.
func (d *Display) Write(b []byte) (int, error) {
	if d.bars != nil {
		return d.bars.Write(b)
	}
	return d.w.Write(b)
}

// Show takes the newest progress.
func (d *Display) Show(p status.Progress) {
	switch d.mode {
	case Bar:
		d.resize(d.take(p))
	case Plain:
		d.take(p)
		d.line(plainEvery)
	case JSON:
		d.take(p)
		d.line(jsonEvery)
	case Auto, None:
	}
}

// take keeps the progress, and returns how many lines it has.
func (d *Display) take(p status.Progress) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.Phase != d.last.Phase {
		d.rate, d.shown = rate{}, time.Time{}
	}
	d.last = p
	d.rate.add(time.Now(), p.BytesCopied, p.Changes)
	return height(p)
}

// resize makes the display so many lines high.
func (d *Display) resize(n int) {
	for len(d.lines) < n {
		i := len(d.lines)
		fill := func(w io.Writer, s decor.Statistics) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			lines := frame(d.last, &d.rate, s.AvailableWidth)
			if i >= len(lines) {
				return nil
			}
			_, err := io.WriteString(w, lines[i])
			return err
		}
		d.lines = append(d.lines, d.bars.MustAdd(0, mpb.BarFillerFunc(fill), mpb.BarFillerTrim()))
	}
	for len(d.lines) > n {
		d.lines[len(d.lines)-1].Abort(true)
		d.lines = d.lines[:len(d.lines)-1]
	}
}

// Close shows the last state and releases the terminal.
func (d *Display) Close() error {
	if d.bars != nil {
		for _, line := range d.lines {
			line.Abort(false)
		}
		d.bars.Wait()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Wrap(d.failed, "show progress")
}

// report is a line of JSON: the progress, with what is measured of it.
type report struct {
	status.Progress

	// BytesPerSecond is of the copy, ChangesPerSecond of the stream; RemainingSeconds is an
	// estimate, null while there is none.
	BytesPerSecond   int64    `json:"bytes_per_second"`
	ChangesPerSecond int64    `json:"changes_per_second"`
	RemainingSeconds *float64 `json:"remaining_seconds"`
}

// line writes a line when the phase has changed, or the last was written so long ago.
func (d *Display) line(every time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Sub(d.shown) < every {
		return
	}
	d.shown = now
	var err error
	if d.mode == JSON {
		speed, _ := d.rate.measured(func(s sample) int64 { return s.bytes })
		r := report{Progress: d.last, BytesPerSecond: int64(speed), ChangesPerSecond: d.rate.changes()}
		if left, known := remaining(d.last, &d.rate); known {
			seconds := left.Seconds()
			r.RemainingSeconds = &seconds
		}
		err = json.NewEncoder(d.w).Encode(r)
	} else {
		_, err = fmt.Fprintf(d.w, "walferry: %s: %s\n", d.last.Phase, describe(d.last, &d.rate))
	}
	if err != nil {
		d.failed = err
	}
}
