package roles

import (
	"slices"
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

// listSettings are those whose value is a list of names, which is stored as text
// with quotes and has to be given name by name. They are those that
// variable_is_guc_list_quote of pg_dump knows.
var listSettings = []string{
	"local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
	"temp_tablespaces", "unix_socket_directories",
}

// SetSQL is the SET clause of a setting as catalogs store it, name=value. ok is
// false for text that is none.
func SetSQL(setting string) (sql string, ok bool) {
	name, value, ok := strings.Cut(setting, "=")
	if !ok || name == "" {
		return "", false
	}
	// A custom setting's name may have dots; each part is a name of its own.
	sql = "SET " + sqltext.Ident(strings.Split(name, ".")...) + " TO "
	if !slices.Contains(listSettings, strings.ToLower(name)) {
		return sql + strings.TrimSpace(sqltext.Literal(value)), true
	}
	names := splitNames(value)
	if len(names) == 0 {
		names = []string{""}
	}
	for i, n := range names {
		names[i] = strings.TrimSpace(sqltext.Literal(n))
	}
	return sql + strings.Join(names, ", "), true
}

// splitNames cuts a list of names at its commas, like SplitGUCList of PostgreSQL:
// what stands in double quotes stands for itself.
func splitNames(list string) (names []string) {
	for rest := strings.TrimSpace(list); rest != ""; {
		var name string
		if rest[0] == '"' {
			name, rest = quotedName(rest)
		} else {
			name, rest = rest, ""
			if i := strings.IndexByte(name, ','); i >= 0 {
				name, rest = name[:i], name[i:]
			}
			name = strings.TrimSpace(name)
		}
		names = append(names, name)
		rest = strings.TrimSpace(rest)
		if rest != "" && rest[0] == ',' {
			rest = strings.TrimSpace(rest[1:])
		}
	}
	return names
}

// quotedName reads the name that a text begins with, which is in double quotes.
func quotedName(text string) (name, rest string) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), text[i+1:]
	}
	return b.String(), ""
}
