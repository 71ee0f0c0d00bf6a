package status

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is a sample so many seconds before noon, in MiB.
func at(before int, source, applied uint64) Sample {
	return Sample{At: noon.Add(-time.Duration(before) * time.Second), Source: source << 20, Applied: applied << 20}
}

func TestNewForecast(t *testing.T) {
	t.Parallel()
	limit := int64(11400 << 20)
	for _, test := range []struct {
		name    string
		samples []Sample
		safe    *int64
		want    string // none is no forecast
	}{
		{"nothing is known", nil, nil, ""},
		{"one sample", []Sample{at(0, 5, 5)}, nil, ""},
		{"too short a time", []Sample{at(1, 5, 5), at(0, 6, 6)}, nil, ""},
		{"idle", []Sample{at(60, 5, 5), at(0, 5, 5)}, &limit, "caught up"},
		{"busy and caught up", []Sample{at(60, 5, 5), at(0, 600, 600)}, &limit, "caught up"},
		{"catching up", []Sample{at(10, 1000, 100), at(0, 1010, 210)}, nil, "caught up at 12:01 UTC"},
		{"catching up for days", []Sample{at(10, 9000000, 100), at(0, 9000010, 210)}, nil, "caught up at 2026-03-11 21:59 UTC"},
		{"falling behind, no limit", []Sample{at(10, 1000, 100), at(0, 1100, 190)}, nil, "falling behind by 1.0 MiB/s"},
		{"falling behind, a limit", []Sample{at(10, 1000, 100), at(0, 1100, 190)}, &limit, "falling behind by 1.0 MiB/s: at this rate the slot is lost in 3 h 10 min"},
		{"not running for an hour", []Sample{at(3600, 1000, 1000), at(0, 4600, 1000)}, &limit, "falling behind by 1.0 MiB/s: at this rate the slot is lost in 3 h 10 min"},
		{"only the last minutes count", []Sample{at(1000, 0, 0), at(100, 1000, 0), at(0, 1000, 0)}, &limit, "not catching up"},
		{"another source", []Sample{at(10, 1000, 100), at(0, 5, 5)}, nil, ""},
	} {
		got := ""
		if f := NewForecast(test.samples, test.safe); f != nil {
			got = f.Text
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestBehind(t *testing.T) {
	t.Parallel()
	samples := []Sample{at(30, 10, 5), at(20, 20, 15), at(10, 20, 20), at(0, 40, 30)}
	for lsn, want := range map[uint64]time.Duration{50 << 20: 0, 40 << 20: 0, 30 << 20: 10 * time.Second, 20 << 20: 10 * time.Second, 15 << 20: 30 * time.Second, 1: 30 * time.Second} {
		if got := Behind(samples, lsn); got != want {
			t.Errorf("%d MiB: %s, want %s", lsn>>20, got, want)
		}
	}
	if Behind(nil, 1) != 0 {
		t.Error("without samples nothing can be said")
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		9 * time.Second: "9 s", 61 * time.Second: "1 min 1 s", 190 * time.Minute: "3 h 10 min", 49 * time.Hour: "2 d 1 h",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
