package sqltext

import (
	"strings"

	"github.com/cockroachdb/errors"
)

// Pattern is one of psql's object patterns, as anchored regular expressions for
// `name OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog."default"`. A part that
// the pattern does not name is the empty string and matches everything.
type Pattern struct {
	// Text is the pattern as it was written.
	Text string
	// Database is compared as it stands, never as an expression.
	Database string
	// Schema and Name are regular expressions of the server's flavor.
	Schema, Name string
}

// ParseTablePattern reads `table`, `schema.table` or `database.schema.table` by
// psql's rules: * and ? are wildcards, letters outside of double quotes are
// folded to lower case, everything inside of double quotes stands for itself,
// and what else a regular expression knows works outside of quotes, except that
// a dot separates and a dollar stands for itself.
func ParseTablePattern(text string) (Pattern, error) {
	parts, err := split(text, 3)
	if err != nil {
		return Pattern{}, err
	}
	p := Pattern{Text: text, Name: parts[len(parts)-1].expression()}
	if len(parts) > 1 {
		p.Schema = parts[len(parts)-2].expression()
	}
	if len(parts) > 2 {
		p.Database = parts[0].literal
	}
	return p, nil
}

// ParseSchemaPattern reads `schema` or `database.schema` by the rules of
// [ParseTablePattern].
func ParseSchemaPattern(text string) (Pattern, error) {
	parts, err := split(text, 2)
	if err != nil {
		return Pattern{}, err
	}
	p := Pattern{Text: text, Schema: parts[len(parts)-1].expression()}
	if len(parts) > 1 {
		p.Database = parts[0].literal
	}
	return p, nil
}

// patternPart is what stands between two dots, as an expression and as a name.
type patternPart struct {
	regex   string
	literal string
}

func (p patternPart) expression() string { return "^(" + p.regex + ")$" }

// split follows patternToSQLRegex of PostgreSQL's fe_utils.
func split(text string, most int) ([]patternPart, error) {
	if strings.Contains(text, "\x00") {
		return nil, errors.Newf("pattern %q: a name holds no NUL", text)
	}
	var parts []patternPart
	var regex, literal strings.Builder
	end := func() error {
		if literal.Len() == 0 {
			return errors.Newf("pattern %q: a part of the name is empty", text)
		}
		parts = append(parts, patternPart{regex: regex.String(), literal: literal.String()})
		regex.Reset()
		literal.Reset()
		return nil
	}
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"' && quoted && i+1 < len(text) && text[i+1] == '"':
			regex.WriteByte('"')
			literal.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			if err := end(); err != nil {
				return nil, err
			}
		default:
			if !quoted && c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			literal.WriteByte(c)
			array := c == '[' && i+1 < len(text) && text[i+1] == ']'
			writeRegex(&regex, c, quoted, array)
		}
	}
	if quoted {
		return nil, errors.Newf("pattern %q: a double quote is not closed", text)
	}
	if err := end(); err != nil {
		return nil, err
	}
	if len(parts) > most {
		return nil, errors.WithHint(errors.Newf("pattern %q: too many dots", text),
			"put double quotes around a name that contains a dot")
	}
	return parts, nil
}

func writeRegex(b *strings.Builder, c byte, quoted, array bool) {
	switch {
	case c == '*' && !quoted:
		b.WriteString(".*")
	case c == '?' && !quoted:
		b.WriteByte('.')
	case c == '$', array, quoted && strings.IndexByte(`|*+?()[]{}.^\`, c) >= 0:
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}
