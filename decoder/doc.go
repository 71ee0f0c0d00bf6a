// Package decoder turns the bytes of a logical replication slot into whole
// transactions.
package decoder
