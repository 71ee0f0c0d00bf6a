// Package roles moves the roles of a cluster: attributes, passwords where they can
// be read, memberships with their options, settings and comments.
//
// A role that exists on the target is compared and left as it is. A role that the
// target refuses is reported as failed with the server's reason, and the others go
// on: what would belong to it then stays with the role that migrates. Every
// function may be repeated.
package roles
