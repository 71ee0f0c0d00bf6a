package snapshot

import (
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table is one table to copy. The zero value of every field but the names is the
// recommended setting for an ordinary table.
type Table struct {
	// Namespace and Name are the same on both sides.
	Namespace, Name string
	// Columns are the columns to copy, by the names they have on both sides,
	// without generated ones. Default: all of the source table.
	Columns []string
	// Where is an SQL condition over the table's columns that chooses the rows, as
	// a publication's row filter is printed. It is trusted. Default: all rows.
	Where string
	// Descendants includes the rows of partitions and inheritance children. It is
	// needed for a partitioned table that is copied as its root. Without it only
	// the table's own rows are copied, as replication publishes them.
	Descendants bool
	// Binary copies in the binary format. It needs send and receive functions for
	// every column, and the same types on both sides. Default: text.
	Binary bool
	// Truncate empties the target table first, in the transaction that copies. The
	// rows are then written frozen where the target allows that.
	Truncate bool
	// Whole forbids to copy the table in chunks: what is left of them after the snapshot
	// was lost could not be told from rows that were there before.
	Whole bool
	// Bytes is the estimated size. Larger tables are started first. Run sets it to the
	// size on the source's disk where that can be read.
	Bytes int64
}

// String returns the table's name for people, as namespace.name without quotes.
func (t *Table) String() string { return t.Namespace + "." + t.Name }

func (t *Table) quoted() string { return pgx.Identifier{t.Namespace, t.Name}.Sanitize() }

func (t *Table) columnList() string {
	quoted := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		quoted[i] = pgx.Identifier{c}.Sanitize()
	}
	return strings.Join(quoted, ", ")
}

// copyTo returns the statement that reads the table, or a chunk of it. COPY of a table
// does less work per row than COPY of a query, so a query is used only where it must be.
func (t *Table) copyTo(c *chunk) string {
	from, only, where := t.quoted(), !t.Descendants, t.Where
	if c != nil {
		from, only = c.relation, true
		switch {
		case where == "":
			where = c.where
		case c.where != "":
			where = "(" + where + ") AND " + c.where
		}
	}
	if where == "" && only {
		return "COPY " + from + t.parenthesized() + " TO STDOUT" + t.format(false)
	}
	query := "SELECT " + t.columnList() + " FROM "
	if only {
		query += "ONLY "
	}
	query += from
	if where != "" {
		query += " WHERE " + where
	}
	return "COPY (" + query + ") TO STDOUT" + t.format(false)
}

func (t *Table) copyFrom(freeze bool) string {
	return "COPY " + t.quoted() + t.parenthesized() + " FROM STDIN" + t.format(freeze)
}

// parenthesized is empty for a table without columns: COPY knows no empty list,
// and copies all columns without one.
func (t *Table) parenthesized() string {
	if len(t.Columns) == 0 {
		return ""
	}
	return " (" + t.columnList() + ")"
}

func (t *Table) format(freeze bool) string {
	var options []string
	if t.Binary {
		options = append(options, "FORMAT binary")
	}
	if freeze {
		options = append(options, "FREEZE")
	}
	if len(options) == 0 {
		return ""
	}
	return " WITH (" + strings.Join(options, ", ") + ")"
}
