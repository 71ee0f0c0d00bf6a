//go:build race

package proof_test

// raceEnabled has the walferry under test watched like the tests themselves.
const raceEnabled = true
