// Package applier writes the transactions of a logical replication stream to a
// target database, in commit order and exactly once.
//
// An [Applier] is the [decoder.Handler] of a stream. The goroutine that receives
// the stream calls it and only copies each change once into a batch;
// [Applier.Run], in a goroutine of its own, writes batches to the target. Whoever
// is slower is waited for: two batches exist, so memory is bounded whatever the
// size of a transaction.
//
// The one rule: a checkpoint is written in the same target transaction as the rows
// that it covers, and only at the end of a source transaction. Whatever is killed
// at whatever moment, a restart from the checkpoint repeats nothing and misses
// nothing.
//
// Lanes write at the same time, each the tables of its own, with its own connection
// and its own checkpoint (see [Options].Lanes). All read the same batches. They commit
// independently, so a run that is killed leaves them at different positions; each
// skips what it has when the stream begins again at the least. A TRUNCATE of several
// tables is done by each lane for its own, in the order of the source.
// The rows of a table may also be spread over all lanes, by the hash of their keys (see
// [Route].Split).
//
// Several source transactions share one target commit when they are there, and a
// single one does not wait for others. A source transaction that is larger than a
// batch flows in pieces through one target transaction.
//
// A batch is reduced to its net effect, row by row of the target, and written table
// by table as sets: COPY for inserts, staged UPDATE and DELETE. Where the target
// objects, as when a unique value moves between rows, that table's changes are
// undone and applied one by one in source order, which is always valid. Few changes
// and tables where sets might differ (see [Stats].RowByRow) are applied that way
// from the start.
//
// The package does not copy existing rows, receive from a slot, or create anything
// on the target. It expects a connection on which triggers and foreign keys are
// out of the way (see [Options].Connect).
package applier
