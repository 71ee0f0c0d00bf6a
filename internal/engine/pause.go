package engine

import (
	"context"
	"time"
)

// pause waits a moment between two looks at a server; false when ctx is over.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(200 * time.Millisecond):
		return true
	}
}
