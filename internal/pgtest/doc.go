// Package pgtest gives tests real PostgreSQL servers.
//
// A test binary has one shared server per major version, started by the first
// [Server] call and stopped by [Main]; each test takes a [Cluster.Database] of its
// own. A missing server is a failure, never a skipped test.
package pgtest
