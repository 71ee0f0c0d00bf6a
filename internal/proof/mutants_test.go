package proof_test

import "github.com/walferry/walferry/internal/program"

// fault is a mistake that programs of this kind are known to make.
type fault struct {
	replace []program.Replacement
	// tests is the pattern of the tests that have to notice it.
	tests string
}

var mutants = map[string]fault{}
