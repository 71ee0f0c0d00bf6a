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

// plainEvery is how often a line is written while a phase goes on.
const plainEvery = 10 * time.Second

// Display shows the progress of one run. It is safe for concurrent use. What is
// written to it, such as log lines, appears above the bar.
type Display struct {
	w    io.Writer
	mode Mode

	mu     sync.Mutex
	last   status.Progress
	shown  time.Time // when the last line was written
	rate   rate
	bars   *mpb.Progress
	bar    *mpb.Bar
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
		d.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
		d.bar = d.bars.AddBar(0,
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return d.current().Phase + " " })),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + d.text() })))
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
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := p.Phase != d.last.Phase
	d.last = p
	d.rate.add(time.Now(), p.BytesCopied, p.Changes)
	switch d.mode {
	case Bar:
		done, total := share(p)
		d.bar.SetTotal(total, false)
		d.bar.SetCurrent(done)
	case Plain, JSON:
		if now := time.Now(); changed || now.Sub(d.shown) >= plainEvery {
			d.shown = now
			d.line()
		}
	case Auto, None:
	}
}

// Close shows the last state and releases the terminal.
func (d *Display) Close() error {
	if d.bars != nil {
		d.bar.Abort(false)
		d.bars.Wait()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Wrap(d.failed, "show progress")
}

func (d *Display) line() {
	if d.mode == JSON {
		if err := json.NewEncoder(d.w).Encode(d.last); err != nil {
			d.failed = err
		}
		return
	}
	if _, err := fmt.Fprintf(d.w, "walferry: %s: %s\n", d.last.Phase, describe(d.last, &d.rate)); err != nil {
		d.failed = err
	}
}

func (d *Display) current() status.Progress {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

func (d *Display) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return describe(d.last, &d.rate)
}
