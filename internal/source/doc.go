// Package source speaks the replication protocol with the source: it creates and
// drops slots, and streams one slot's messages to a callback.
//
// The one rule: what is reported as flushed is what [Positions.SetFlushed] was
// told, never more. The source removes WAL behind it.
//
// A goroutine of [Conn.Stream] answers keepalives and reports positions also while
// the consumer is blocked. The package does not decode, does not retry, and does
// not reconnect: errors that a new connection may heal satisfy retry.Retryable.
package source
