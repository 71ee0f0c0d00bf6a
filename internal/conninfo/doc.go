// Package conninfo turns what a user would give psql into connections: a URI or
// key/value string, services, the password file and PG* variables.
//
// Every session that it opens has the same pinned settings, so text read from
// one server means the same on the other, whatever the role, the database or a
// pooler set. They are set by SQL after connecting: poolers refuse unknown
// startup parameters.
//
// No error, String or Child of this package holds a password. A string that
// cannot be parsed is therefore never quoted in the error about it.
package conninfo
