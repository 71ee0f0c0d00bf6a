// Package handoffmodel searches every interleaving of a table copy, the apply of
// streamed changes, an application that writes to the source, and crashes. It
// holds no code of the program, only tests: which rules for sharing the work
// between copy and stream are safe, and which known-wrong ones the search finds.
//
// The resume model is the rule that walferry follows. The sharing model holds the
// rules of other programs, where copy and apply share one table chunk by chunk.
// docs/design/handoff.md says what follows from them.
//
// The race detector has nothing to find in it and makes it ten times slower, so
// its files are left out of such builds.
package handoffmodel
