package workload

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// typmodHeader is what a typmod of numeric and varchar adds to the length.
const typmodHeader = 4

// scalar makes a value of one of PostgreSQL's own types, by its name.
func scalar(r *rand.Rand, name string, typmod int32, w wish) (string, bool) {
	switch name {
	case "bool":
		return pick(r, []string{"t", "f"}), true
	case "int2", "int4", "int8", "oid", "numeric", "money", "float4", "float8":
		return number(r, name, typmod, w), true
	case "citext":
		text := textValue(r, 0, w)
		return pick(r, []string{text, strings.ToUpper(text)}), true
	case "text", "varchar", "bpchar", "name":
		return textValue(r, textLimit(name, typmod), w), true
	case "char":
		return pick(r, []string{"a", "Z", ""}), true
	case "bytea":
		return `\x` + fmt.Sprintf("%x", textValue(r, 0, w)), true
	case "date", "time", "timetz", "timestamp", "timestamptz", "interval":
		return moment(r, name, w), true
	case "uuid":
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
			r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48)), true
	case "inet":
		return fmt.Sprintf("10.%d.%d.%d/%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(33)), true
	case "cidr":
		return fmt.Sprintf("10.%d.%d.0/24", r.IntN(256), r.IntN(256)), true
	case "macaddr":
		return fmt.Sprintf("08:00:2b:%02x:%02x:%02x", r.IntN(256), r.IntN(256), r.IntN(256)), true
	case "json", "jsonb":
		return fmt.Sprintf(`{"n": %d, "t": [null, true, "%s"], "z": {"ü": 1.50}}`,
			r.IntN(1000), strings.Trim(randomText(r, jsonLength(r, w)), `"`)), true
	case "xml":
		return fmt.Sprintf("<a b=\"%d\">&lt;</a>", r.IntN(100)), true
	case "bit":
		return bits(r, int(max(1, typmod))), true
	case "varbit":
		return bits(r, r.IntN(int(max(1, typmod)))), true
	case "point":
		return fmt.Sprintf("(%d,%d.5)", r.IntN(100), r.IntN(100)), true
	case "pg_lsn":
		return fmt.Sprintf("%X/%X", r.IntN(1000), r.Uint32()), true
	case "tsvector":
		return "'word" + strconv.Itoa(r.IntN(100)) + "':1A", true
	default:
		return "", false
	}
}

func number(r *rand.Rand, name string, typmod int32, w wish) string {
	small := 1 + r.Int64N(500)
	switch name {
	case "int2":
		return strconv.FormatInt(1+r.Int64N(32000), 10)
	case "int4", "oid":
		if w == freshValue {
			return strconv.FormatInt(1+r.Int64N(1<<31-2), 10)
		}
	case "int8":
		if w == freshValue {
			return strconv.FormatInt(r.Int64(), 10)
		}
	case "numeric":
		return numeric(r, typmod, w)
	case "float4", "float8":
		if w == anyValue && r.IntN(4) == 0 {
			return pick(r, []string{"NaN", "Infinity", "-Infinity", "-0", "1e-30"})
		}
		return strconv.FormatFloat(r.NormFloat64()*1000, 'g', 7, 64)
	}
	return strconv.FormatInt(small, 10)
}

// numeric makes a number within the typmod's precision and scale; the scale of
// equal numbers varies, as far as it may.
func numeric(r *rand.Rand, typmod int32, w wish) string {
	if w == anyValue && r.IntN(10) == 0 {
		return "NaN"
	}
	if typmod >= typmodHeader {
		precision, scale := (typmod-typmodHeader)>>16&0xffff, (typmod-typmodHeader)&0x7ff
		digits := int(precision - scale)
		text := strconv.FormatInt(r.Int64N(1_000_000_000), 10)
		switch {
		case digits <= 0:
			return "0"
		case scale == 0:
			return text[:min(len(text), digits)]
		default:
			return text[:min(len(text), digits)] + ".5"
		}
	}
	if w == freshValue {
		return fmt.Sprintf("%d.%d", r.Int64N(1<<60), r.IntN(1000))
	}
	return pick(r, []string{"0", "1", "1.0", "1.00", "-1.10", "1e20", "1e-20", "123456789012345678901234567890.5"})
}

func moment(r *rand.Rand, name string, w wish) string {
	at := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(1000 * 24 * time.Hour))))
	at = at.Truncate(time.Microsecond)
	switch name {
	case "date":
		return at.Format(time.DateOnly)
	case "time":
		return at.Format("15:04:05.999999")
	case "timetz":
		return at.Format("15:04:05.999999") + "+05:30"
	case "interval":
		return fmt.Sprintf("%d mons %d days %s", r.IntN(30)-15, r.IntN(60)-30, at.Format("15:04:05.999"))
	}
	if w == anyValue && r.IntN(20) == 0 {
		return pick(r, []string{"infinity", "-infinity", "0044-03-15 12:00:00 BC"})
	}
	return at.Format("2006-01-02 15:04:05.999999") + "+02"
}

func bits(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte('0' + byte(r.IntN(2)))
	}
	return b.String()
}

func jsonLength(r *rand.Rand, w wish) int {
	if w == largeValue {
		return 5000 + r.IntN(20000)
	}
	return r.IntN(20)
}

// textLimit returns how many characters a text type takes; 0 is any number.
func textLimit(name string, typmod int32) int {
	switch {
	case name == "name":
		return 20
	case typmod >= typmodHeader:
		return int(typmod - typmodHeader)
	default:
		return 0
	}
}
