package schema

import (
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

// ownerSQL gives an item to its owner, as pg_restore does: whatever has an owner
// and a DROP statement of its own. It is empty for the rest.
func ownerSQL(t item) string {
	if t.owner == "" || t.drop == "" {
		return ""
	}
	var object string
	switch t.desc {
	case "COLLATION", "CONVERSION", "DOMAIN", "FOREIGN TABLE", "MATERIALIZED VIEW", "SEQUENCE", "STATISTICS",
		"TABLE", "TEXT SEARCH DICTIONARY", "TEXT SEARCH CONFIGURATION", "TYPE", "VIEW",
		"PROCEDURAL LANGUAGE", "SCHEMA", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "SERVER", "PUBLICATION":
		parts := []string{t.tag}
		if t.namespace != "" {
			parts = []string{t.namespace, t.tag}
		}
		object = t.desc + " " + sqltext.Ident(parts...)
	case "AGGREGATE", "FUNCTION", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURE":
		// The DROP statement names arguments and access method in the way that
		// ALTER wants them.
		object = strings.TrimRight(strings.TrimPrefix(t.drop, "DROP "), ";\n")
	default:
		return ""
	}
	return "ALTER " + object + " OWNER TO " + sqltext.Ident(t.owner) + ";"
}
