package sqltext

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// MaxIdentBytes is the longest name that a server keeps (NAMEDATALEN - 1).
const MaxIdentBytes = 63

const hashChars = 8

// ObjectName names a server object that belongs to one migration of one
// database, such as its slot: prefix_name_db. Characters that a slot may not
// have become "_".
//
// Two different pairs of name and db never share an object: where the plain
// form could stand for another pair (a character was replaced, the name itself
// holds the separator, or the result is longer than [MaxIdentBytes]), it ends
// in a hash of the pair.
func ObjectName(prefix, name, db string) string {
	plain := prefix + "_" + name + "_" + db
	clean := slotName(plain)
	if clean == plain && len(plain) <= MaxIdentBytes && !strings.Contains(name, "_") {
		return plain
	}
	return hashed(clean, name+"\x00"+db)
}

// Suffixed appends suffix to an object's name, shortening the name to a hash of
// itself when both together are longer than [MaxIdentBytes].
func Suffixed(object, suffix string) string {
	if len(object)+len(suffix) <= MaxIdentBytes {
		return object + suffix
	}
	sum := sha256.Sum256([]byte(object))
	keep := max(0, MaxIdentBytes-len(suffix)-hashChars-1)
	return object[:keep] + "_" + hex.EncodeToString(sum[:])[:hashChars] + suffix
}

func hashed(clean, identity string) string {
	sum := sha256.Sum256([]byte(identity))
	clean = clean[:min(len(clean), MaxIdentBytes-hashChars-1)]
	return clean + "_" + hex.EncodeToString(sum[:])[:hashChars]
}

// slotName replaces what a slot's name may not hold, byte by byte, so that a
// character of several bytes is never cut in two.
func slotName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b)
}
