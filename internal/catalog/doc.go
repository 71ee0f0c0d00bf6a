// Package catalog reads what a database holds: tables with their identity and
// columns, sequences, constraints, triggers, rules, publications, and the
// settings of the server.
//
// Every function asks one set-based question per kind of object, whatever the
// number of tables; a filter is evaluated by the server with psql's rules. All
// work on PostgreSQL 13 to 18 and need no right beyond connecting, unless they
// say so. The connection must run with an empty search_path, so that the
// definitions that the server prints name every object with its schema.
//
// Several calls see one state of the database only inside of one REPEATABLE
// READ transaction.
package catalog
