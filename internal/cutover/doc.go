// Package cutover holds the end of a migration: named steps, each of which may
// run any number of times, with what they do to both servers.
//
// The steps before the point of no return can be taken back: the source is opened
// again. That point is one committed row on the target ([target.Decide]); after it
// the steps only go forward. docs/design/cutover.md says why never both sides are
// written to.
//
// Whatever changes something goes through [Actions], which has a twin that only
// writes down what would be done.
package cutover
