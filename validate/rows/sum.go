package rows

import (
	"context"
	"math/big"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// sum identifies a multiset of rows: their number, and the sums of both hashes modulo 2^64.
type sum struct {
	rows   int64
	h1, h2 uint64
}

func (s *sum) add(o sum) {
	s.rows += o.rows
	s.h1 += o.h1
	s.h2 += o.h2
}

// span is a range of a table's pages; to 0 means to its end.
type span struct{ from, to int64 }

// part is a piece of a table that is read at once, under one lock.
type part struct {
	table *comparison
	leaf  leaf
	span
}

// partPages bounds a part: 256 MiB, a second or so.
const partPages = 32768

// parts divides a table of one side. Until 13, the server reads a whole table to find the
// rows of some pages; other access methods may not know pages.
func parts(c *comparison, r *relation, major int) (divided []part) {
	for _, l := range r.leaves {
		from := int64(0)
		if major >= 14 && l.heap {
			for ; l.pages-from > partPages; from += partPages {
				divided = append(divided, part{c, l, span{from, from + partPages}})
			}
		}
		divided = append(divided, part{c, l, span{from, 0}})
	}
	return divided
}

// pages is how much of the table there was to read when it was measured.
func (p *part) pages() int64 {
	if p.to == 0 {
		return max(0, p.leaf.pages-p.from)
	}
	return p.to - p.from
}

// read adds up a part.
func (p *part) read(ctx context.Context, conn *pgx.Conn) (sums map[int32]sum, err error) {
	err = unlocked(ctx, conn, func() error {
		sums, err = readSums(ctx, conn, p.table.form.sums(p))
		if err != nil {
			return err
		}
		return same(ctx, conn, []leaf{p.leaf})
	})
	return sums, err
}

func readSums(ctx context.Context, conn *pgx.Conn, sql string) (map[int32]sum, error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	sums := map[int32]sum{}
	var bucket int32
	var s sum
	var h1, h2 string
	_, err = pgx.ForEachRow(rows, []any{&bucket, &s.rows, &h1, &h2}, func() error {
		s.h1, err = wrapped(h1)
		if err != nil {
			return err
		}
		s.h2, err = wrapped(h2)
		sums[bucket] = s
		return err
	})
	return sums, err
}

var modulus = new(big.Int).Lsh(big.NewInt(1), 64)

// wrapped takes a sum of bigints modulo 2^64, so that parts can be added.
func wrapped(text string) (uint64, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return 0, errors.Newf("%q is no sum of hashes", text)
	}
	return n.Mod(n, modulus).Uint64(), nil
}
