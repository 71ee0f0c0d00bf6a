package demo

import (
	"log/slog"
	"time"
)

// Options say what is shown. The zero value takes about a minute on two cores.
type Options struct {
	// SourceMajor and TargetMajor are PostgreSQL's major versions. Default: of those
	// that are installed the oldest and the newest, else the newest there is.
	SourceMajor, TargetMajor int
	// Scale multiplies the rows of the larger tables. Default: 15.
	Scale int
	// Writers is how many sessions write to the source. Default: 4.
	Writers int
	// Duration is how long they go on once the copy is done and has been caught up with.
	// Default: 20 seconds.
	Duration time.Duration
	// Seed makes what the writers do repeatable, as far as concurrency lets it be.
	Seed uint64
	// Logger hears what the migration logs. Default: nobody.
	Logger *slog.Logger
	// Tell is told what is about to be done and may take a while. Default: nobody.
	Tell func(line string)
}

func (o Options) withDefaults() Options {
	if o.Scale <= 0 {
		o.Scale = 15
	}
	if o.Writers <= 0 {
		o.Writers = 4
	}
	if o.Duration <= 0 {
		o.Duration = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	return o
}
