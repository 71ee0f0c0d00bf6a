package conninfo

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
)

const encodeHint = "In a URI write special characters of a user name or password percent-encoded: " +
	"@ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, space as %20."

// cutScheme removes the scheme of a PostgreSQL URI.
func cutScheme(s string) (rest string, isURI bool) {
	if rest, isURI = strings.CutPrefix(s, "postgresql://"); isURI {
		return rest, true
	}
	return strings.CutPrefix(s, "postgres://")
}

// parseURI reads what follows the scheme, by libpq's rules. Its errors quote
// nothing of s: in a malformed URI any part may be a piece of the password.
func parseURI(s string) (params, error) {
	var p params
	add := func(key, raw string) error {
		if raw == "" {
			return nil
		}
		value, err := percentDecode(raw)
		if err != nil {
			return err
		}
		p = append(p, param{key, value})
		return nil
	}

	if i := strings.IndexAny(s, "@/"); i >= 0 && s[i] == '@' {
		user, password, _ := strings.Cut(s[:i], ":")
		s = s[i+1:]
		if strings.ContainsAny(user, "?&=") {
			return nil, malformed()
		}
		if err := errors.CombineErrors(add("user", user), add("password", password)); err != nil {
			return nil, err
		}
	}
	hosts, ports, s, err := takeHosts(s)
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(s, "?")
	if strings.Contains(hosts, "@") || strings.Contains(path, "@") || strings.Trim(ports, "0123456789,") != "" {
		return nil, malformed()
	}
	if err := errors.CombineErrors(add("host", hosts), add("port", ports)); err != nil {
		return nil, err
	}
	if err := add("dbname", strings.TrimPrefix(path, "/")); err != nil {
		return nil, err
	}
	return parseQuery(p, query)
}

// takeHosts reads "host:port,[v6]:port,…" and returns the lists as libpq's host
// and port parameters have them.
func takeHosts(s string) (hosts, ports, rest string, err error) {
	for {
		var host string
		if strings.HasPrefix(s, "[") {
			inside, after, found := strings.Cut(s[1:], "]")
			if !found || inside == "" || after != "" && !strings.ContainsRune(":/?,", rune(after[0])) {
				return "", "", "", errors.WithHint(errors.New("a bracketed address is malformed"), "Write an IPv6 address as [2001:db8::1]:5432.")
			}
			host, s = inside, after
		} else {
			host, s = cutAtAny(s, ":/?,")
		}
		hosts += host
		if strings.HasPrefix(s, ":") {
			var port string
			port, s = cutAtAny(s[1:], "/?,")
			ports += port
		}
		if !strings.HasPrefix(s, ",") {
			return hosts, ports, s, nil
		}
		s = s[1:]
		hosts += ","
		ports += ","
	}
}

func parseQuery(p params, query string) (params, error) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		rawKey, rawValue, found := strings.Cut(pair, "=")
		if !found || strings.Contains(rawValue, "=") {
			return nil, errors.WithHint(errors.New("a query parameter is not of the form key=value"), encodeHint)
		}
		key, err := percentDecode(rawKey)
		if err != nil {
			return nil, err
		}
		value, err := percentDecode(rawValue)
		if err != nil {
			return nil, err
		}
		if key == "ssl" && value == "true" {
			key, value = "sslmode", "require"
		}
		if !slices.Contains(keys, key) && strings.Contains(rawValue, "@") {
			return nil, malformed()
		}
		if err := checkKey(p, key); err != nil {
			return nil, err
		}
		p = append(p, param{key, value})
	}
	return p, nil
}

// cutAtAny splits s before the first of the given characters.
func cutAtAny(s, chars string) (before, from string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// percentDecode decodes %XX. Unlike a form, a plus sign is a plus sign.
func percentDecode(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for {
		before, after, found := strings.Cut(s, "%")
		b = append(b, before...)
		if !found {
			break
		}
		if len(after) < 2 {
			return "", badPercent()
		}
		c, err := strconv.ParseUint(after[:2], 16, 8)
		if err != nil || c == 0 {
			return "", badPercent()
		}
		b = append(b, byte(c))
		s = after[2:]
	}
	return string(b), nil
}

// badPercent leaves out the cause, which would quote a part of the password.
func badPercent() error {
	return errors.WithHint(errors.New("a percent sign is not followed by the two hexadecimal digits of a character"), encodeHint)
}

// malformed is for a URI whose parts cannot be told apart with certainty.
func malformed() error {
	return errors.WithHint(errors.New("its parts cannot be told apart: a character is not percent-encoded, or a port is not a number"), encodeHint)
}
