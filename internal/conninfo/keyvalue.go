package conninfo

import (
	"strings"

	"github.com/cockroachdb/errors"
)

const space = " \t\n\r\v\f"

// parseKeyValue reads libpq's key/value form. Its errors quote nothing of s.
func parseKeyValue(s string) (params, error) {
	var p params
	s = strings.TrimLeft(s, space)
	for s != "" {
		key, rest, found := strings.Cut(s, "=")
		key = strings.TrimRight(key, space)
		if !found || key == "" || strings.ContainsAny(key, space) {
			return nil, errors.WithHint(errors.New(`a key without "="`),
				`Write key=value pairs, and quote a value that holds spaces, quotes or backslashes: password='it\'s secret'.`)
		}
		if err := checkKey(p, key); err != nil {
			return nil, err
		}
		value, rest, err := takeValue(strings.TrimLeft(rest, space))
		if err != nil {
			return nil, err
		}
		p = append(p, param{key, value})
		s = strings.TrimLeft(rest, space)
	}
	return p, nil
}

// takeValue splits s after its first value, which is unquoted and unescaped.
func takeValue(s string) (value, rest string, err error) {
	var b strings.Builder
	quoted := strings.HasPrefix(s, "'")
	i := 0
	if quoted {
		i++
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case quoted && c == '\'':
			return b.String(), s[i+1:], nil
		case !quoted && strings.IndexByte(space, c) >= 0:
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.WithHint(errors.New("a quoted value does not end"), `Write a quote inside of a value as \', a backslash as \\.`)
	}
	return b.String(), "", nil
}

var escaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// keyValue renders the parameters so that libpq and pgx read them back unchanged.
func (p params) keyValue() string {
	pairs := make([]string, len(p))
	for n, o := range p {
		value := o.value
		if value == "" || strings.ContainsAny(value, space+`\'`) {
			value = "'" + escaper.Replace(value) + "'"
		}
		pairs[n] = o.key + "=" + value
	}
	return strings.Join(pairs, " ")
}
