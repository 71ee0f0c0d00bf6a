package pgtest

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/internal/rowdiff"
)

// Compare fails the test unless both databases, which must be quiet, hold the
// same rows in every ordinary table of the source, and says which rows differ.
func Compare(tb testing.TB, sourceURI, targetURI string, options ...rowdiff.Options) {
	tb.Helper()
	var o rowdiff.Options
	if len(options) > 0 {
		o = options[0]
	}
	result, err := rowdiff.Diff(tb.Context(), sourceURI, targetURI, o)
	if err != nil {
		tb.Fatalf("compare source and target: %v", err)
	}
	if result.Tables == 0 && len(o.Skip) == 0 {
		tb.Fatal("compare source and target: the source has no table")
	}
	if len(result.Differences) > 0 {
		tb.Errorf("source and target differ:\n%s", strings.Join(result.Differences, "\n"))
	}
}
