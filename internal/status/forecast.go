package status

import (
	"fmt"
	"time"
)

// Sample is where both sides were at one moment, as bytes of WAL.
type Sample struct {
	At              time.Time
	Source, Applied uint64
}

// Forecast is what becomes of the lag if both sides go on as they did lately.
type Forecast struct {
	SourceBytesPerSecond  float64 `json:"source_bytes_per_second"`
	AppliedBytesPerSecond float64 `json:"applied_bytes_per_second"`
	// CaughtUpAt is null when there is nothing to catch up with, or the lag does not shrink.
	CaughtUpAt *time.Time `json:"caught_up_at"`
	// SlotLostAt is null when nothing limits the slot, or what it keeps does not grow.
	SlotLostAt *time.Time `json:"slot_lost_at"`
	// Text says it in words.
	Text string `json:"text"`
}

const (
	// forecastOver is how far back the speed is measured, unless nothing that young is known.
	forecastOver = 5 * time.Minute
	// forecastLeast is what a speed is measured over at least.
	forecastLeast = 3 * time.Second
	// closeBehind is a lag that is no lag: something always writes WAL.
	closeBehind = 64 << 10
	// farOff bounds what is worth saying.
	farOff = 365 * 24 * time.Hour
)

// NewForecast judges by samples, oldest first, the last of which is of now. Safe is how
// much WAL the source may write before the slot is lost; nil when nothing limits it. It
// returns nil where there is too little to judge by.
func NewForecast(samples []Sample, safe *int64) *Forecast {
	if len(samples) < 2 {
		return nil
	}
	now := samples[len(samples)-1]
	first := samples[len(samples)-2]
	for i := len(samples) - 2; i >= 0 && now.At.Sub(samples[i].At) <= forecastOver; i-- {
		first = samples[i]
	}
	seconds := now.At.Sub(first.At).Seconds()
	if seconds < forecastLeast.Seconds() || now.Source < first.Source || now.Applied < first.Applied {
		return nil
	}
	f := &Forecast{
		SourceBytesPerSecond:  float64(now.Source-first.Source) / seconds,
		AppliedBytesPerSecond: float64(now.Applied-first.Applied) / seconds,
	}
	lag := float64(now.Source) - float64(now.Applied)
	shrinks := f.AppliedBytesPerSecond - f.SourceBytesPerSecond
	switch {
	case lag <= closeBehind:
		f.Text = "caught up"
	case shrinks > 0 && lag/shrinks < farOff.Seconds():
		at := now.At.Add(time.Duration(lag / shrinks * float64(time.Second)))
		f.CaughtUpAt, f.Text = &at, "caught up at "+clock(at, now.At)
	case shrinks > -1:
		f.Text = "not catching up"
	default:
		f.Text = fmt.Sprintf("falling behind by %.1f MiB/s", -shrinks/(1<<20))
	}
	if grows := -shrinks; safe != nil && grows > 0 && lag > closeBehind && float64(max(0, *safe))/grows < farOff.Seconds() {
		left := time.Duration(float64(max(0, *safe)) / grows * float64(time.Second))
		at := now.At.Add(left)
		f.SlotLostAt = &at
		f.Text += ": at this rate the slot is lost in " + Span(left)
	}
	return f
}

// clock tells the time of day, and the day when it is another one.
func clock(at, now time.Time) string {
	if at.Sub(now) < 12*time.Hour {
		return at.Format("15:04 MST")
	}
	return at.Format("2006-01-02 15:04 MST")
}

// Span writes a duration in its two largest units: 3 h 10 min.
func Span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// Behind says how long before the last sample the source was where lsn is: the time since
// which it has passed it, as far as samples tell. Zero when it is there still.
func Behind(samples []Sample, lsn uint64) time.Duration {
	if len(samples) == 0 || samples[len(samples)-1].Source <= lsn {
		return 0
	}
	now := samples[len(samples)-1].At
	since := samples[0].At
	for _, s := range samples {
		if s.Source > lsn {
			break
		}
		since = s.At
	}
	return now.Sub(since)
}
