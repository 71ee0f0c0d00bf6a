// Package sqltext writes names and values into SQL text.
//
// Identifiers are always quoted: a name that needs no quotes today is a
// reserved word of the next server version. psql's object patterns become
// anchored regular expressions that are passed to a query as parameters, so a
// pattern is never part of a statement's text.
package sqltext
