// Package program builds walferry and runs it as a process of its own, so that tests
// can kill it.
package program
