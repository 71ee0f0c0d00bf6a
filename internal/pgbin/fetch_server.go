package pgbin

import (
	"context"

	"github.com/cockroachdb/errors"
)

func fetchServer(_ context.Context, major int) (string, error) {
	return "", errors.WithHintf(errors.Newf("not installed"), "set WALFERRY_PG_BIN_%d", major)
}
