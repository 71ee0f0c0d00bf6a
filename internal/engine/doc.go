// Package engine runs one migration from its first connection to its last.
//
// A run is a sequence of attempts. An attempt reads from the target how far the
// migration has come and does what is left: schema, publication and slot, copy,
// indexes, stream, finish. It keeps nothing in memory that the next attempt
// would need, so a lost connection, a killed process and the same command typed
// again are one case. The engine owns every goroutine of a migration and waits
// for all of them.
package engine
