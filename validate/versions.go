package validate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// The releases that walferry is tested with.
const (
	oldestMajor = 13
	newestMajor = 18
)

var versionChecks = []check{
	{
		id: "source.version", severity: Error, needs: source, run: sourceVersion,
		cause:  "The source is older than PostgreSQL 13. A warning when it is newer than what walferry was tested with.",
		remedy: "Upgrade the source first, or move the data with pg_dump.",
	},
	{
		id: "target.version", severity: Error, needs: target, run: targetVersion,
		cause:  "The target's major version is older than the source's, or older than 13. A warning when it is newer than what walferry was tested with.",
		remedy: "Use a target of the source's major version or a newer one.",
	},
	{
		id: "source.minor_version", severity: Warning, needs: source, replication: true, run: sourceMinorVersion,
		cause:  "Later minor releases of the source's major version have fixed bugs of logical decoding. A warning when one of them loses or repeats changes, or loses the slot; the others are a note.",
		remedy: "Install the minor release before the migration; it needs a restart, no dump.",
	},
}

// decodingBug is a bug of logical decoding, with the minor release per major
// version that fixed it.
type decodingBug struct {
	fixed map[int]int
	what  string
	// harmless says that neither changes nor the slot are lost.
	harmless bool
}

var decodingBugs = []decodingBug{
	{fixed: map[int]int{13: 14, 14: 11, 15: 6, 16: 2}, what: "columns that were added with a default arrive as NULL"},
	{fixed: map[int]int{13: 16, 14: 13, 15: 8, 16: 4}, what: "a slot can start inside of a transaction and decode only a part of it"},
	{fixed: map[int]int{13: 17, 14: 14, 15: 9, 16: 5, 17: 1}, what: "decoding takes much memory", harmless: true},
	{fixed: map[int]int{13: 18, 14: 15, 15: 10, 16: 6, 17: 2}, what: "a slot's restart_lsn can move backwards, to WAL that is gone"},
	{fixed: map[int]int{13: 22, 14: 19, 15: 14, 16: 10, 17: 6}, what: "a slot's confirmed position can move backwards, and changes are decoded with outdated definitions"},
	{fixed: map[int]int{13: 23, 14: 20, 15: 15, 16: 11, 17: 7, 18: 1}, what: "MERGE and INSERT … ON CONFLICT change rows without a replica identity, which then cannot be found on the target"},
	{fixed: map[int]int{14: 21, 15: 16, 16: 12, 17: 8, 18: 2}, what: "a checkpoint can invalidate a slot that is being created"},
	{fixed: map[int]int{14: 23, 15: 18, 16: 14, 17: 10, 18: 4}, what: "a walsender can hang when the server is shut down", harmless: true},
	{fixed: map[int]int{17: 11}, what: "prepared transactions without changes are sent", harmless: true},
}

func sourceVersion(_ context.Context, p *preflight) ([]Finding, error) {
	return supported(p.source, "source"), nil
}

func targetVersion(_ context.Context, p *preflight) ([]Finding, error) {
	findings := supported(p.target, "target")
	if p.source != nil && p.target.major() < p.source.major() {
		findings = append(findings, Finding{
			Object:  strconv.Itoa(p.target.major()),
			Message: fmt.Sprintf("the target is older than the source: PostgreSQL %d and %d", p.target.major(), p.source.major()),
			Detail:  "A schema of a newer server cannot be restored into an older one in general.",
			Hint:    fmt.Sprintf("Use a target of PostgreSQL %d or newer.", p.source.major()),
		})
	}
	return findings, nil
}

func supported(s *server, side string) []Finding {
	f := Finding{
		Object:  strconv.Itoa(s.major()),
		Message: fmt.Sprintf("the %s is PostgreSQL %d", side, s.major()),
		Detail:  fmt.Sprintf("walferry is tested with PostgreSQL %d to %d.", oldestMajor, newestMajor),
	}
	switch {
	case s.major() < oldestMajor:
		f.Hint = "Upgrade the " + side + " first, or move the data with pg_dump."
		return []Finding{f}
	case s.major() > newestMajor:
		f.Severity = Warning
		f.Hint = "Look for a newer walferry, or rehearse the migration."
		return []Finding{f}
	}
	return nil
}

func sourceMinorVersion(_ context.Context, p *preflight) ([]Finding, error) {
	return minorVersion(p.source.major(), p.source.minor()), nil
}

func minorVersion(major, minor int) []Finding {
	var bugs []string
	update, severity := 0, Info
	for _, b := range decodingBugs {
		fixed, concerned := b.fixed[major]
		if !concerned || minor >= fixed {
			continue
		}
		update = max(update, fixed)
		bugs = append(bugs, fmt.Sprintf("%s (fixed in %d.%d)", b.what, major, fixed))
		if !b.harmless {
			severity = Warning
		}
	}
	if len(bugs) == 0 {
		return nil
	}
	return []Finding{{
		Severity: severity,
		Object:   fmt.Sprintf("%d.%d", major, minor),
		Message:  fmt.Sprintf("the source's release %d.%d has known bugs in logical decoding", major, minor),
		Detail:   "They are: " + strings.Join(bugs, "; ") + ".",
		Hint:     fmt.Sprintf("Update the source to %d.%d or newer before the migration.", major, update),
	}}
}
