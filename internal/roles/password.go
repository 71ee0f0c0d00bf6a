package roles

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"golang.org/x/text/secure/precis"
)

// ParsePasswords reads lines of name=password. Empty lines and lines that begin
// with # say nothing. An error names the line, never what is in it.
func ParsePasswords(text string) (map[string]string, error) {
	passwords := map[string]string{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, password, ok := strings.Cut(line, "=")
		switch _, twice := passwords[name]; {
		case !ok || name == "" || password == "":
			return nil, errors.Newf("line %d is not name=password", number)
		case strings.ContainsRune(line, 0):
			return nil, errors.Newf("line %d holds a NUL byte", number)
		case twice:
			return nil, errors.Newf("line %d names a role that an earlier line has named", number)
		}
		passwords[name] = password
	}
	return passwords, nil
}

// scramIterations is PostgreSQL's own number.
const scramIterations = 4096

// isHash recognizes what the server stores as it is.
func isHash(password string) bool {
	return strings.HasPrefix(password, "SCRAM-SHA-256$") || len(password) == 35 && strings.HasPrefix(password, "md5")
}

// scram returns the verifier that PostgreSQL stores of a password. The server is
// told this and never the password, which its log would show.
func scram(password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", errors.Wrap(err, "make a salt")
	}
	// As in PostgreSQL, what SASLprep refuses is taken as it is.
	prepared, err := precis.OpaqueString.String(password)
	if err != nil {
		prepared = password
	}
	salted, err := pbkdf2.Key(sha256.New, prepared, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", errors.Wrap(err, "hash a password")
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return "SCRAM-SHA-256$" + strconv.Itoa(scramIterations) + ":" + encode(salt) + "$" +
		encode(stored[:]) + ":" + encode(mac(salted, "Server Key")), nil
}
