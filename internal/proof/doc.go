// Package proof holds the tests of the promise "nothing lost, nothing twice": walferry
// is killed at every named place, its wires are cut, the servers crash under it, and in
// the end the target holds the source's rows. Mutants of walferry, each with one of the
// faults that such programs have, show that the tests would notice.
//
// make prove runs them in bounded form; make prove-long for as long as asked.
package proof
