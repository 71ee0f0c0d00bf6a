package validate

import (
	"context"
	"fmt"
	"strconv"
)

// The releases that walferry is tested with.
const (
	oldestMajor = 13
	newestMajor = 18
)

// safeMinor is, per major, the first minor release of a source without a known
// bug by which logical decoding loses or repeats changes.
var safeMinor = map[int]int{13: 22, 14: 19, 15: 14, 16: 10, 17: 6}

func sourceVersion(_ context.Context, p *preflight) ([]Finding, error) {
	return supported(p.source, "source"), nil
}

func targetVersion(_ context.Context, p *preflight) ([]Finding, error) {
	findings := supported(p.target, "target")
	if p.target.major() < p.source.major() {
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
		return []Finding{f}
	}
	return nil
}

func sourceMinorVersion(_ context.Context, p *preflight) ([]Finding, error) {
	return minorVersion(p.source.major(), p.source.minor()), nil
}

func minorVersion(major, minor int) []Finding {
	safe, ok := safeMinor[major]
	if !ok || minor >= safe {
		return nil
	}
	return []Finding{{
		Object:  fmt.Sprintf("%d.%d", major, minor),
		Message: fmt.Sprintf("the source's release %d.%d has known bugs in logical decoding", major, minor),
		Detail:  "Among those fixed since then: a slot that starts inside of a transaction, changes decoded with outdated definitions, positions that move backwards.",
		Hint:    fmt.Sprintf("Update the source to %d.%d or newer before the migration.", major, safe),
	}}
}
