package demo

import (
	"slices"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgbin"
)

// chooseMajors completes the versions that were asked for; 0 means that nobody did.
// What is installed is preferred, a downgrade is refused.
func chooseMajors(source, target int, installed []int) (from, to int, err error) {
	for _, major := range []int{source, target} {
		if major != 0 && (major < pgbin.OldestMajor || major > pgbin.NewestMajor) {
			err := errors.Newf("there is no PostgreSQL %d to run", major)
			return 0, 0, errors.WithHintf(err, "choose a version from %d to %d", pgbin.OldestMajor, pgbin.NewestMajor)
		}
	}
	if source == 0 && target == 0 && len(installed) == 0 {
		return pgbin.NewestMajor, pgbin.NewestMajor, nil
	}
	if source == 0 {
		source = target
		if i := slices.IndexFunc(installed, func(major int) bool { return target == 0 || major <= target }); i >= 0 {
			source = installed[i]
		}
	}
	if target == 0 {
		target = max(source, slices.Max(append([]int{source}, installed...)))
	}
	if source > target {
		err := errors.Newf("PostgreSQL %d cannot be migrated to the older %d", source, target)
		return 0, 0, errors.WithHint(err, "choose a target version that is the source's or a newer one")
	}
	return source, target, nil
}
