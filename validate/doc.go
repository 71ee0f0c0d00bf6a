// Package validate says before a migration whether it can work, and why not.
//
// Preflight asks both servers everything that the chosen way of migrating needs:
// versions, settings, rights, free slots, tables that replication cannot carry,
// and rows that are already there. It changes nothing on either side; what it
// tries out, it rolls back. Its findings have stable ids, so that scripts can rely
// on them, and hints that say what to run where.
//
// A finding is not an error: Preflight returns an error only when it could not ask,
// because a connection broke or the choice of tables names nothing.
package validate
