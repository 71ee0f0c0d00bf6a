package rows

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
)

// row is what identifies a row of a bucket that differs.
type row struct {
	h1, h2 int64
	key    []string
}

// compareKeys orders rows the way the servers do: by the bytes of the key, without a key
// by the hashes.
func compareKeys(a, b *row) int {
	if len(a.key) == 0 {
		if a.h1 != b.h1 {
			return compareInts(a.h1, b.h1)
		}
		return compareInts(a.h2, b.h2)
	}
	for i := range a.key {
		if c := strings.Compare(a.key[i], b.key[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// found is a difference, before it is told.
type found struct {
	kind Kind
	row  row
}

// examine reads the rows of the buckets that differ from both sides, in one order, and
// merges them. Memory holds the rows of one key and the samples, whatever the table's size.
func (c *comparison) examine(ctx context.Context, source, target *pgx.Conn, differing []int32, samples int) error {
	return unlocked(ctx, source, func() error {
		return unlocked(ctx, target, func() error {
			sample, err := c.merge(ctx, source, target, differing, samples)
			if err != nil {
				return err
			}
			if err := c.describe(ctx, source, target, sample); err != nil {
				return err
			}
			if err := same(ctx, source, c.source.leaves); err != nil {
				return err
			}
			return same(ctx, target, c.target.leaves)
		})
	})
}

func (c *comparison) merge(ctx context.Context, source, target *pgx.Conn, differing []int32, samples int) (sample []found, err error) {
	s, err := c.openSorted(ctx, source, c.source.leaves, differing)
	if err != nil {
		return nil, errors.Wrap(err, "on the source")
	}
	defer s.close()
	t, err := c.openSorted(ctx, target, c.target.leaves, differing)
	if err != nil {
		return nil, errors.Wrap(err, "on the target")
	}
	defer t.close()
	note := func(kind Kind, counter *int64, r row) {
		*counter++
		if len(sample) < samples {
			sample = append(sample, found{kind, r})
		}
	}
	v := &c.verdict
	for s.ok || t.ok {
		var order int
		switch {
		case !t.ok:
			order = -1
		case !s.ok:
			order = 1
		default:
			order = compareKeys(&s.head, &t.head)
		}
		if len(c.form.key) == 0 {
			c.count(s, t, order, note)
			continue
		}
		var here, there []row
		if order <= 0 {
			here = s.group()
		}
		if order >= 0 {
			there = t.group()
		}
		here, there = cancel(here, there)
		for len(here) > 0 && len(there) > 0 {
			note(Changed, &v.Changed, here[0])
			here, there = here[1:], there[1:]
		}
		for _, r := range here {
			note(Missing, &v.Missing, r)
		}
		for _, r := range there {
			note(Extra, &v.Extra, r)
		}
	}
	return sample, errors.CombineErrors(s.err, t.err)
}

// count compares how often each side has the row at hand, without a key.
func (c *comparison) count(s, t *sorted, order int, note func(Kind, *int64, row)) {
	var here, there int
	first := s.head
	if order > 0 {
		first = t.head
	}
	for ; s.ok && compareKeys(&first, &s.head) == 0; s.next() {
		here++
	}
	for ; t.ok && compareKeys(&first, &t.head) == 0; t.next() {
		there++
	}
	for ; here > there; here-- {
		note(Missing, &c.verdict.Missing, first)
	}
	for ; there > here; there-- {
		note(Extra, &c.verdict.Extra, first)
	}
}

// cancel takes away the rows that both have.
func cancel(here, there []row) (a, b []row) {
	equal := func(x, y row) bool { return x.h1 == y.h1 && x.h2 == y.h2 }
	a = here[:0]
	for _, r := range here {
		i := slices.IndexFunc(there, func(other row) bool { return equal(r, other) })
		if i < 0 {
			a = append(a, r)
			continue
		}
		there = slices.Delete(there, i, i+1)
	}
	return a, there
}

// sorted reads rows in the order of compareKeys.
type sorted struct {
	rows pgx.Rows
	head row
	ok   bool
	err  error
}

func (c *comparison) openSorted(ctx context.Context, conn *pgx.Conn, leaves []leaf, differing []int32) (*sorted, error) {
	if len(leaves) == 0 {
		return &sorted{}, nil
	}
	rows, err := conn.Query(ctx, c.form.differing(leaves), differing)
	if err != nil {
		return nil, err
	}
	s := &sorted{rows: rows}
	s.next()
	if s.err != nil {
		s.close()
	}
	return s, s.err
}

func (s *sorted) next() {
	if s.ok = s.rows.Next(); !s.ok {
		s.err = s.rows.Err()
		return
	}
	s.head = row{}
	if s.err = s.rows.Scan(&s.head.h1, &s.head.h2, &s.head.key); s.err != nil {
		s.ok = false
	}
}

func (s *sorted) close() {
	if s.rows != nil {
		s.rows.Close()
	}
}

// group takes the rows of one key. There is more than one where no unique index keeps
// them apart.
func (s *sorted) group() (rows []row) {
	first := s.head
	for s.ok && compareKeys(&first, &s.head) == 0 {
		rows = append(rows, s.head)
		s.next()
	}
	return rows
}

// describe turns the sample into what is told: the keys with the columns that differ, or
// all values.
func (c *comparison) describe(ctx context.Context, source, target *pgx.Conn, sample []found) error {
	if len(c.form.key) == 0 {
		return c.describeRows(ctx, source, target, sample)
	}
	var changed [][]*string
	for _, f := range sample {
		values := make([]*string, len(f.row.key))
		key := make(map[string]*string, len(f.row.key))
		for i, text := range f.row.key {
			if c.form.converted {
				if b, err := hex.DecodeString(text); err == nil {
					text = string(b)
				}
			}
			values[i] = &text
			key[c.form.key[i]] = cut(text)
		}
		if f.kind == Changed {
			changed = append(changed, values)
		}
		c.verdict.Differences = append(c.verdict.Differences, Difference{Kind: f.kind, Key: key})
	}
	if len(changed) == 0 {
		return nil
	}
	here, err := readFields(ctx, source, c.form.fields(&c.source, changed))
	if err != nil {
		return errors.Wrap(err, "on the source")
	}
	there, err := readFields(ctx, target, c.form.fields(&c.target, changed))
	if err != nil {
		return errors.Wrap(err, "on the target")
	}
	n := 0
	for i := range c.verdict.Differences {
		if d := &c.verdict.Differences[i]; d.Kind == Changed {
			k := joined(changed[n])
			for j, column := range c.form.columns {
				if a, b := here[k], there[k]; len(a) > 0 && len(b) > 0 && a[j] != b[j] {
					d.Columns = append(d.Columns, column)
				}
			}
			n++
		}
	}
	return nil
}

// readFields returns the columns' hashes by key.
func readFields(ctx context.Context, conn *pgx.Conn, sql string) (map[string][]int64, error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	fields := map[string][]int64{}
	var key []*string
	var hashes []int64
	_, err = pgx.ForEachRow(rows, []any{&key, &hashes}, func() error {
		fields[joined(key)] = slices.Clone(hashes)
		return nil
	})
	return fields, err
}

func joined(key []*string) string {
	var b bytes.Buffer
	for _, text := range key {
		if text != nil {
			b.WriteString(*text)
		}
		b.WriteByte(0) // no text holds it
	}
	return b.String()
}

// describeRows tells the values of rows without a key.
func (c *comparison) describeRows(ctx context.Context, source, target *pgx.Conn, sample []found) error {
	type id struct{ h1, h2 int64 }
	values := map[id][]*string{}
	for _, s := range []struct {
		conn   *pgx.Conn
		leaves []leaf
		kind   Kind
	}{{source, c.source.leaves, Missing}, {target, c.target.leaves, Extra}} {
		var wanted []int64
		for _, f := range sample {
			if f.kind == s.kind {
				wanted = append(wanted, f.row.h1)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		rows, err := s.conn.Query(ctx, c.form.values(s.leaves), wanted)
		if err != nil {
			return err
		}
		var i id
		var texts []*string
		_, err = pgx.ForEachRow(rows, []any{&i.h1, &i.h2, &texts}, func() error {
			values[i] = slices.Clone(texts)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, f := range sample {
		key := map[string]*string{}
		for i, text := range values[id{f.row.h1, f.row.h2}] {
			key[c.form.columns[i]] = text
		}
		c.verdict.Differences = append(c.verdict.Differences, Difference{Kind: f.kind, Key: key})
	}
	return nil
}

// cut bounds what is shown of a value.
func cut(text string) *string {
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return &text
}
