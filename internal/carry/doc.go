// Package carry moves what the stream does not: the positions of sequences, large
// objects, the rows of unlogged tables, the contents of materialized views, and
// the planner's statistics.
//
// Every function makes the target equal to the source as it is when it is
// called, changes only what differs, and may be called again at any time: after
// a crash, once before the application stops and once after. What cannot be
// moved is returned as a warning that names it; an error means that nothing can
// be said of the rest. Connections are used by one goroutine, outside of a
// transaction, with an empty search_path.
package carry
