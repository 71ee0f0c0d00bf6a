// Package pgserver runs throw-away PostgreSQL servers: a fresh data directory,
// a free port of 127.0.0.1, a socket, and no trace after Stop.
//
// A server dies with the process that started it. What a killed process leaves
// of its directories is removed by the next [Start] on the machine. Nothing here
// is meant to keep data: by default fsync is off.
package pgserver
