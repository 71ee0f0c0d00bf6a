package main

import (
	"strings"
	"testing"

	"github.com/cockroachdb/errors"
)

// TestLogger_ErrorsWithoutStack logs an error in one line that names no source file.
func TestLogger_ErrorsWithoutStack(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var out strings.Builder
		logger, err := (&app{logLevel: "info", logFormat: format}).logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		logger.Warn("retrying after an error", "error", errors.Wrap(errors.New("connection reset"), "read the slot"))
		if got := out.String(); !strings.Contains(got, "read the slot: connection reset") || strings.Contains(got, ".go") || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %s", format, got)
		}
	}
}
