package validate

import (
	"context"
	"slices"
)

// check is one question. Its findings carry its id.
type check struct {
	id string
	// severity of the findings that name none themselves.
	severity Severity
	needs    needs
	// replication says that a migration that only copies does not need it.
	replication bool
	// ofDatabase says that it asks the target's database itself, which must exist.
	ofDatabase bool
	// cause and remedy are for the reference: when the check finds something, and
	// what can be done.
	cause, remedy string
	run           func(ctx context.Context, p *preflight) ([]Finding, error)
}

// needs says which connections a check asks.
type needs byte

const (
	both needs = iota
	source
	target
	neither
)

// group is a part of the reference.
type group struct {
	title  string
	checks []check
}

// groups hold all that preflight asks, in the order of its report.
var groups = []group{
	{"Connections", connectionChecks},
	{"Versions and settings", slices.Concat(versionChecks, settingChecks, slotChecks)},
	{"Rights", slices.Concat(sourceRightChecks, targetRightChecks)},
	{"Objects of the source", slices.Concat(identityChecks, objectChecks, definitionChecks)},
	{"Objects of the target", targetTableChecks},
	{"Compatibility", slices.Concat(extensionChecks, encodingChecks, localeChecks, storageChecks, superuserChecks)},
	{"Size and time", slices.Concat(sizeChecks, connectionLimitChecks)},
	{"The method", methodChecks},
}
