package applier

import (
	"context"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/failpoint"
)

// segment is a run of changes without a TRUNCATE. Tables do not depend on each
// other, since foreign keys are out of the way, so each is written on its own.
type segment struct {
	// changes index the changes that are applied, in source order.
	changes []int32
	// parts are those of one table each, parallel to the batch's relations.
	parts [][]int32
	// rows are those that are written one by one.
	rows []int32
}

func (s *segment) empty(relations int) {
	s.changes, s.rows = s.changes[:0], s.rows[:0]
	for len(s.parts) < relations {
		s.parts = append(s.parts, nil)
	}
	for i := range relations {
		s.parts[i] = s.parts[i][:0]
	}
}

// write writes the transactions from up to to, exclusive, of the batch.
func (l *lane) write(ctx context.Context, b *batch, from, to int) error {
	failpoint.Hit("apply: before a batch is written")
	s := &l.segment
	s.empty(len(b.relations))
	for i := from; i < to; i++ {
		tx := &b.transactions[i]
		for index := tx.first; index < b.last(i); index++ {
			c := &b.changes[index]
			if c.op == decoder.Truncate {
				if err := l.truncatesSplit(&b.truncations[c.relation], tx.commitLSN); err != nil {
					return err
				}
				if err := l.writeSegment(ctx, b); err != nil {
					return err
				}
				s.empty(len(b.relations))
				if err := l.writeTruncate(ctx, b, index, tx.commitLSN); err != nil {
					return err
				}
				continue
			}
			p := l.current[c.relation]
			if p.skips(tx.commitLSN) {
				continue
			}
			if p.split != nil {
				owned, err := l.owns(b, p, c)
				if err != nil {
					return err
				}
				if !owned {
					continue
				}
			}
			if err := p.check(c); err != nil {
				return l.explain(err, b, index)
			}
			count(&l.pending, c.op)
			s.changes = append(s.changes, int32(index))
		}
	}
	return l.writeSegment(ctx, b)
}

// fewChanges is below what it is worth to write the changes of a table as a set.
const fewChanges = 40

func (l *lane) writeSegment(ctx context.Context, b *batch) error {
	s := &l.segment
	for _, index := range s.changes {
		r := b.changes[index].relation
		s.parts[r] = append(s.parts[r], index)
	}
	sets := 0
	for r := range b.relations {
		if len(s.parts[r]) > 0 && l.setwise(b, r) {
			sets++
		} else {
			s.parts[r] = s.parts[r][:0]
		}
	}
	if sets == 0 {
		return l.writeRows(ctx, b, s.changes)
	}
	for _, index := range s.changes {
		if len(s.parts[b.changes[index].relation]) == 0 {
			s.rows = append(s.rows, index)
		}
	}
	if err := l.writeRows(ctx, b, s.rows); err != nil {
		return err
	}
	for r := range b.relations {
		if len(s.parts[r]) > 0 {
			if err := l.writeSet(ctx, b, l.current[r], s.parts[r]); err != nil {
				return err
			}
		}
	}
	return nil
}

// setwise decides how the changes of a table in the segment are written.
func (l *lane) setwise(b *batch, relation int) bool {
	p := l.current[relation]
	if l.shared || p.mode == rowByRow || len(l.segment.parts[relation]) < l.few {
		return false
	}
	if p.mode == setwise {
		return !p.conflict.skips()
	}
	for _, index := range l.segment.parts[relation] {
		if b.changes[index].op != decoder.Insert {
			return false
		}
	}
	return true
}
