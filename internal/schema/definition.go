package schema

import (
	"strings"

	"github.com/walferry/walferry/internal/sqltext"
)

// newEntry makes an item independent of the session settings that pg_restore
// would put before it.
func newEntry(t item, stage Stage, noOwner bool) Entry {
	e := Entry{
		ID: t.id, Kind: t.desc, Schema: t.namespace, Name: t.tag, Owner: t.owner,
		SQL: strings.TrimSpace(t.definition), Dependencies: t.dependencies, Stage: stage,
	}
	if t.desc == "MATERIALIZED VIEW DATA" {
		// It sees what policies let the view's owner see, as on the source.
		e.SQL = withSetting("row_security", "on", "off", e.SQL)
	}
	if t.accessMethod != "" {
		if t.relkind == 'p' {
			// It has no storage of its own; new partitions take the method from it.
			e.SQL += "\nALTER TABLE " + sqltext.Ident(t.namespace, t.tag) +
				" SET ACCESS METHOD " + sqltext.Ident(t.accessMethod) + ";"
		} else if t.accessMethod != "heap" {
			e.SQL = withSetting("default_table_access_method", sqltext.Literal(t.accessMethod), "DEFAULT", e.SQL)
		}
	}
	if t.tablespace != "" {
		// A target that has no tablespace of that name takes the default one.
		e.SQL = withSetting("default_tablespace", "", "''", "SELECT pg_catalog.set_config('default_tablespace', spcname, true)"+
			" FROM pg_catalog.pg_tablespace WHERE spcname = "+sqltext.Literal(t.tablespace)+";\n"+e.SQL)
	}
	if !noOwner {
		e.OwnerSQL = ownerSQL(t)
	}
	return e
}

// withSetting runs sql under a setting of the transaction and takes it back,
// for whatever runs in the same transaction afterwards. An empty value means
// that sql sets it.
func withSetting(name, value, reset, sql string) string {
	if value != "" {
		sql = "SET LOCAL " + name + " = " + value + ";\n" + sql
	}
	return sql + "\nSET LOCAL " + name + " = " + reset + ";"
}

// Unvalidated returns an entry's SQL, with NOT VALID added where it makes a foreign key
// that can be validated later: that takes weaker locks, and a row that breaks
// the key on the source too does not undo the key. A partitioned table takes it only from 18 on.
func Unvalidated(e Entry) string {
	sql := strings.TrimRight(e.SQL, "; \n")
	if e.Kind != "FK CONSTRAINT" || !strings.HasPrefix(sql, "ALTER TABLE ONLY ") ||
		strings.HasSuffix(sql, " NOT VALID") || strings.HasSuffix(sql, " NOT ENFORCED") {
		return e.SQL
	}
	return sql + " NOT VALID;"
}
