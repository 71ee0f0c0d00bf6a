// Package retry decides in one place which errors pass by themselves, and tries
// again until they have or patience ends.
//
// What is unknown is not retried: an error of the data comes back every time, and
// a migration that repeats it silently looks alive while it stands still.
package retry
