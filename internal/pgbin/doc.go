// Package pgbin finds the programs of PostgreSQL, and fetches them where a
// machine has none.
//
// A server or client program is looked for in WALFERRY_PG_BIN_<major>, then
// WALFERRY_PG_BIN, then PATH, then the places where distributions install it.
// Only when all of these fail is anything downloaded, into [CacheDir]; nothing
// outside of that directory is ever written.
package pgbin
