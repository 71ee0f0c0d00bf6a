package applier

import (
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/decoder"
)

// explain adds to the error of a change which change it was. Values of the row go
// into the detail only.
func (l *lane) explain(err error, b *batch, index int) error {
	c := &b.changes[index]
	lsn := errors.Safe(b.transactionOf(index).commitLSN)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		err = withoutValues(err, pgErr)
	}
	if c.op == decoder.Truncate {
		names := make([]string, 0, 4)
		for _, r := range b.truncations[c.relation].relations {
			names = append(names, l.current[r].relationName())
		}
		return errors.Wrapf(err, "apply TRUNCATE of %s on the target, in the transaction that committed at %s", strings.Join(names, ", "), lsn)
	}
	p := l.current[c.relation]
	if detail := p.describe(b, c); detail != "" {
		err = errors.WithDetail(err, detail)
	}
	if pgErr != nil {
		if hint := p.hint(pgErr); hint != "" {
			err = errors.WithHint(err, hint)
		}
	}
	return errors.Wrapf(err, "apply %s to %s on the target, in the transaction that committed at %s", errors.Safe(verb(c.op)), p.relationName(), lsn)
}

// quotes finds what a message quotes.
var quotes = regexp.MustCompile(`(?s)".*"`)

// withoutValues moves what a server says about a row's values into the detail.
func withoutValues(err error, pgErr *pgconn.PgError) error {
	detail := pgErr.Detail
	if strings.HasPrefix(pgErr.Code, "22") && quotes.MatchString(pgErr.Message) {
		plain := *pgErr
		plain.Message = quotes.ReplaceAllString(pgErr.Message, `"…"`)
		detail = strings.TrimSpace(shorten(pgErr.Message) + ". " + detail)
		err = &plain
	}
	if detail == "" {
		return err
	}
	return errors.WithDetail(err, detail)
}

// shorten bounds a server's message, which may quote a value of any length.
func shorten(message string) string {
	const longest = 4 * shownBytes
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "…"
	}
	return message
}

// verb is the operation's name in SQL.
func verb(op decoder.Op) string {
	switch op {
	case decoder.Insert:
		return "INSERT"
	case decoder.Update:
		return "UPDATE"
	case decoder.Delete:
		return "DELETE"
	case decoder.Truncate:
		return "TRUNCATE"
	}
	return string(op)
}

// describe names the row by its key.
func (p *plan) describe(b *batch, c *change) string {
	first := c.new
	if c.oldKind != decoder.OldNone {
		first = c.old
	}
	var s strings.Builder
	for n, i := range p.key {
		if n > 0 {
			s.WriteString(", ")
		}
		v := b.value(first, i)
		s.WriteString(p.relation.Columns[i].Name + " = " + show(b.data(v), v.kind))
	}
	if s.Len() == 0 {
		return ""
	}
	return "The row's key is " + s.String() + "."
}

// shownBytes is how much of a value an error's detail shows.
const shownBytes = 64

func show(data []byte, kind decoder.ValueKind) string {
	if kind == decoder.Null || kind == decoder.Unchanged {
		return "NULL"
	}
	suffix := ""
	if len(data) > shownBytes {
		data, suffix = data[:shownBytes], "…"
	}
	if kind == decoder.Binary {
		return `\x` + hex.EncodeToString(data) + suffix
	}
	return "'" + strings.ToValidUTF8(string(data), "\uFFFD") + suffix + "'"
}

// hint is what to do about an error of the target.
func (p *plan) hint(err *pgconn.PgError) string {
	again := "; then run the same command again"
	switch err.Code {
	case "42P01", "42703": // undefined table, undefined column
		return "give " + p.table.String() + " on the target the definition that it has on the source" + again
	case "42501": // insufficient privilege
		return "grant the target's role the rights to write " + p.table.String() + again
	case "23505", "23P01", "23502", "23514": // unique, exclusion, not null, check
		return "something else writes to the target, or its constraints are not the source's: compare " +
			p.table.String() + " on both sides, repair the row" + again
	case "22001", "22003", "22P02", "22P03", "42804": // the value does not fit the column's type
		return "give the column of " + p.table.String() + " on the target the type that it has on the source" + again
	default:
		return ""
	}
}
