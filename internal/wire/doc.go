// Package wire is a proxy for tests between a client and a PostgreSQL server. It cuts,
// stalls and splits what it carries, at any moment or at chosen protocol messages.
package wire
