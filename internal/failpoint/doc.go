// Package failpoint names the places at which the tests kill walferry: before and
// after each effect that outlives the process. A program built without the tag
// failpoint contains nothing of it.
//
// Built with the tag, WALFERRY_FAILPOINT=NAME=ACTION@N acts when the place NAME is
// passed for the Nth time: "kill" ends the process as kill -9 does, "stop" stops it
// until SIGCONT. What cannot be read ends it. WALFERRY_FAILPOINT_TRACE=FILE appends the name of each place that is
// passed, a line each.
package failpoint
