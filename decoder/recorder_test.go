package decoder_test

import (
	"fmt"
	"strings"

	"github.com/walferry/walferry/decoder"
)

// recorder is a Handler that renders what it gets, one line per call.
type recorder struct {
	out strings.Builder
	// brief leaves positions and times out.
	brief       bool
	noRelations bool
	// last of each relation, to show where a new definition takes effect.
	seen map[uint32]*decoder.Relation
	open bool
	end  decoder.LSN // of the last transaction
}

func (r *recorder) Begin(tx *decoder.Transaction) error {
	if r.open {
		r.out.WriteString("begin inside of a transaction!\n")
	}
	r.open = true
	r.transaction("begin", tx)
	return nil
}

func (r *recorder) Commit(tx *decoder.Transaction) error {
	if !r.open {
		r.out.WriteString("commit outside of a transaction!\n")
	}
	r.open, r.end = false, tx.EndLSN
	r.transaction("commit", tx)
	return nil
}

func (r *recorder) transaction(what string, tx *decoder.Transaction) {
	fmt.Fprintf(&r.out, "%s %d", what, tx.XID)
	if !r.brief {
		fmt.Fprintf(&r.out, " at %s end %s time %s", tx.CommitLSN, tx.EndLSN, tx.CommitTime.Format("2006-01-02T15:04:05.999999Z07:00"))
	}
	if tx.Origin != "" {
		fmt.Fprintf(&r.out, " origin %q", tx.Origin)
	}
	r.out.WriteByte('\n')
}

func (r *recorder) Change(c *decoder.Change) error {
	for _, rel := range append(c.Truncated, c.Relation) {
		if rel == nil || r.noRelations || r.seen[rel.OID] == rel {
			continue
		}
		if r.seen == nil {
			r.seen = make(map[uint32]*decoder.Relation)
		}
		r.seen[rel.OID] = rel
		fmt.Fprintf(&r.out, "  relation %s.%s identity %c:", rel.Namespace, rel.Name, rel.ReplicaIdentity)
		for _, col := range rel.Columns {
			fmt.Fprintf(&r.out, " %s %d/%d", col.Name, col.TypeOID, col.TypeModifier)
			if col.Key {
				r.out.WriteString(" key")
			}
		}
		r.out.WriteByte('\n')
	}
	switch c.Op {
	case decoder.Insert:
		fmt.Fprintf(&r.out, "  insert %s", c.Relation.Name)
	case decoder.Update:
		fmt.Fprintf(&r.out, "  update %s", c.Relation.Name)
	case decoder.Delete:
		fmt.Fprintf(&r.out, "  delete %s", c.Relation.Name)
	case decoder.Truncate:
		r.out.WriteString("  truncate")
		for _, rel := range c.Truncated {
			r.out.WriteString(" " + rel.Name)
		}
		if c.Cascade {
			r.out.WriteString(" cascade")
		}
		if c.RestartIdentity {
			r.out.WriteString(" restart identity")
		}
	}
	if c.OldKind != decoder.OldNone {
		fmt.Fprintf(&r.out, " %c%s", c.OldKind, render(c.Old))
	}
	if c.New != nil {
		r.out.WriteString(" N" + render(c.New))
	}
	r.out.WriteByte('\n')
	return nil
}

func render(t decoder.Tuple) string {
	values := make([]string, len(t))
	for i, v := range t {
		switch v.Kind {
		case decoder.Null:
			values[i] = "null"
		case decoder.Unchanged:
			values[i] = "unchanged"
		case decoder.Text:
			values[i] = fmt.Sprintf("%q", v.Data)
			if len(v.Data) > 80 {
				values[i] = fmt.Sprintf("%q... of %d", v.Data[:40], len(v.Data))
			}
		case decoder.Binary:
			values[i] = fmt.Sprintf("x%x", v.Data)
		}
	}
	return "(" + strings.Join(values, ", ") + ")"
}

func (r *recorder) Message(transactional bool, lsn decoder.LSN, prefix string, content []byte) error {
	if transactional {
		r.out.WriteString("  ")
	}
	r.out.WriteString("message")
	if !r.brief {
		fmt.Fprintf(&r.out, " at %s", lsn)
	}
	fmt.Fprintf(&r.out, " %q %q\n", prefix, content)
	return nil
}
