package workload

import (
	"fmt"
	"slices"
	"strings"
)

// Step is one statement of a recorded history.
type Step struct {
	// Session is the connection that runs it, Transaction the transaction, counted over all sessions.
	Session, Transaction int
	SQL                  string
	// Data is what follows a COPY … FROM STDIN.
	Data string
}

// History is what several sessions did, in the order in which they did it. Run again from
// the same rows it has the same effects, as far as the schema's defaults and triggers let it.
type History []Step

// Without returns the history without the transactions, in which statements no more need
// to succeed.
func (h History) Without(transactions map[int]bool) History {
	return slices.DeleteFunc(slices.Clone(h), func(s Step) bool { return transactions[s.Transaction] })
}

// Transactions returns the numbers of those that are left, in order of their begin.
func (h History) Transactions() []int {
	var all []int
	for _, s := range h {
		if !slices.Contains(all, s.Transaction) {
			all = append(all, s.Transaction)
		}
	}
	return all
}

// String writes the history as psql would take it, were there a psql for each session.
func (h History) String() string {
	var b strings.Builder
	for _, s := range h {
		fmt.Fprintf(&b, "/* session %d, transaction %d */ %s;\n", s.Session, s.Transaction, s.SQL)
		if s.Data != "" {
			b.WriteString(s.Data + "\\.\n")
		}
	}
	return b.String()
}
