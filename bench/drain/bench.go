package main

import (
	"context"
	"io"
	"strconv"

	"github.com/walferry/walferry/bench/internal/measure"
)

// bench is a pair of servers and the program to measure.
type bench struct {
	*measure.Pair

	o options
}

// newBench starts the servers and builds walferry. The caller must call Close.
func newBench(ctx context.Context, o options, progress io.Writer) (*bench, error) {
	pair, err := measure.NewPair(ctx, measure.Options{
		SourceMajor: o.sourceMajor, TargetMajor: o.targetMajor, Walferry: o.walferry, Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	pair.Settings["writer synchronous_commit"] = "off"
	if o.native != "" {
		pair.Settings["subscription"] = strconv.Quote(o.native)
	}
	return &bench{Pair: pair, o: o}, nil
}
