//go:build race

package engine_test

// raceEnabled has the walferry under test watched like the tests themselves.
const raceEnabled = true
