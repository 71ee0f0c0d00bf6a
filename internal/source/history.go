package source

import (
	"context"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
)

// LeftTimeline returns where the log that ends on the timeline now left an earlier
// one; false when it never was on that.
func (c *Conn) LeftTimeline(ctx context.Context, now, earlier int) (LSN, bool, error) {
	if now <= earlier {
		return 0, false, nil // the first has no history, and none has a later one in its own
	}
	row, err := c.queryRow(ctx, "TIMELINE_HISTORY "+strconv.Itoa(now))
	if err != nil {
		return 0, false, errors.Wrapf(err, "read the history of timeline %d of the source", errors.Safe(now))
	}
	return leftTimeline(row[len(row)-1], earlier)
}

// leftTimeline finds a timeline in a history file: a line for each that was left, with
// its number, the position, and a reason.
func leftTimeline(history string, earlier int) (LSN, bool, error) {
	for line := range strings.Lines(history) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != strconv.Itoa(earlier) {
			continue
		}
		lsn, err := pglogrepl.ParseLSN(fields[1])
		return lsn, true, errors.Wrapf(err, "read the history of a timeline: %q", line)
	}
	return 0, false, nil
}
