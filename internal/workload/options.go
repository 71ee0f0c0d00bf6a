package workload

import (
	"log/slog"
	"time"
)

// Options say how to write. The zero value writes as fast as four sessions can.
type Options struct {
	// Seed makes each session's choices repeatable, as far as concurrency lets them be.
	Seed uint64
	// Sessions write at the same time. Default: 4.
	Sessions int
	// Schemas restricts the choice of tables. Default: all of the user's.
	Schemas []string
	// Skip names tables to leave alone, as schema.table without quotes.
	Skip []string
	// Statements bounds the statements of an ordinary transaction. Default: 8.
	Statements int
	// LargeEvery makes one of so many transactions a large one. Default: 200; negative: never.
	LargeEvery int
	// LargeRows is about how many rows a large transaction changes. Default: 3000.
	LargeRows int
	// Truncate allows TRUNCATE.
	Truncate bool
	// Prepare ends some transactions by PREPARE TRANSACTION and COMMIT PREPARED, for
	// which the server must have max_prepared_transactions.
	Prepare bool
	// Pause is how long each session rests between two transactions.
	Pause time.Duration
	// Logger hears of lost connections. Default: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Sessions <= 0 {
		o.Sessions = 4
	}
	if o.Statements <= 0 {
		o.Statements = 8
	}
	if o.LargeEvery == 0 {
		o.LargeEvery = 200
	}
	if o.LargeRows <= 0 {
		o.LargeRows = 3000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
