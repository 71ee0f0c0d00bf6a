package sqltext

import "strings"

// Ident joins the parts of a name with dots, each one quoted:
// Ident("public", "Orders") is `"public"."Orders"`.
//
// A NUL byte cannot be part of a name; it is dropped, so the server answers
// that the name does not exist instead of seeing the text cut short.
func Ident(parts ...string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteByte('"')
		for j := range len(part) {
			switch part[j] {
			case 0:
			case '"':
				b.WriteString(`""`)
			default:
				b.WriteByte(part[j])
			}
		}
		b.WriteByte('"')
	}
	return b.String()
}

// Idents quotes each name by itself and joins them with ", ", as a column list
// wants it.
func Idents(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = Ident(name)
	}
	return strings.Join(quoted, ", ")
}

// Literal quotes a string constant. It does not depend on
// standard_conforming_strings: a value with a backslash becomes an escape string.
func Literal(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.Contains(s, `\`) {
		return quoted
	}
	// The leading space keeps E from joining a word that stands before it.
	return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
}

// Regclass is the constant that names a relation of a schema, independent of
// the search path: Regclass("public", "Orders") is
// `'"public"."Orders"'::pg_catalog.regclass`.
func Regclass(schema, name string) string {
	return Literal(Ident(schema, name)) + "::pg_catalog.regclass"
}
