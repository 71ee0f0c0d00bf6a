package applier

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/walferry/walferry/decoder"
)

// rowWriter writes changes one by one in source order, which is always valid.
type rowWriter struct {
	lane     *lane
	batch    *batch
	pipeline *pipeline
}

// beginning tags the statement that is no change.
const beginning = -1

// write writes the transactions from up to to, exclusive, of the batch.
func (l *lane) write(ctx context.Context, b *batch, from, to int) error {
	w := &rowWriter{lane: l, batch: b}
	w.pipeline = startPipeline(ctx, l.conn.PgConn(), &l.prepared, w.result)
	err := w.run(from, to)
	closeErr := w.pipeline.close()
	if err != nil {
		// The connection was in the middle of something: what closing it says is
		// a consequence.
		return w.explain(err)
	}
	return closeErr
}

func (w *rowWriter) run(from, to int) error {
	if !w.lane.open {
		if err := w.pipeline.text(beginning, "BEGIN"); err != nil {
			return err
		}
		w.lane.open = true
	}
	for i := from; i < to; i++ {
		tx := &w.batch.transactions[i]
		for index := tx.first; index < w.batch.last(i); index++ {
			if err := w.change(index, tx.commitLSN); err != nil {
				return err
			}
		}
	}
	return w.pipeline.finish()
}

// change sends one change.
func (w *rowWriter) change(index int, commitLSN decoder.LSN) error {
	c := &w.batch.changes[index]
	if c.op == decoder.Truncate {
		return w.truncate(index, commitLSN)
	}
	p := w.lane.current[c.relation]
	if p.skips(commitLSN) {
		return nil
	}
	if err := p.check(c); err != nil {
		return &statementError{index, err}
	}
	count(&w.lane.pending, c.op)
	s := p.shapeFor(w.batch, c)
	if s == nil {
		return nil
	}
	if s.statement == nil || !s.statement.prepared {
		s.statement = w.lane.prepared.statement(s.sql)
	}
	w.bind(c, s)
	return w.pipeline.execute(index, s.statement)
}

// bind fills in the parameters of a statement.
func (w *rowWriter) bind(c *change, s *shape) {
	values, formats := w.pipeline.values[:0], w.pipeline.formats[:0]
	for _, param := range s.params {
		first := c.new
		if param.old {
			first = c.old
		}
		v := w.batch.values[int(first)+param.column]
		format := int16(pgtype.TextFormatCode)
		if v.kind == decoder.Binary {
			format = pgtype.BinaryFormatCode
		}
		values, formats = append(values, w.batch.data(v)), append(formats, format)
	}
	w.pipeline.values, w.pipeline.formats = values, formats
}

// check refuses changes that cannot be written without losing something.
func (p *plan) check(c *change) error {
	switch {
	case c.op == decoder.Insert && c.unchanged:
		err := errors.New("the row entered the publication's row filter by an UPDATE, and the stream does not carry its unchanged TOAST values")
		return errors.WithHint(err, "copy the table again; with ALTER TABLE … REPLICA IDENTITY FULL on the source, "+
			"or without the row filter, the stream carries these values")
	case c.op != decoder.Insert && p.identity == identityNone:
		err := errors.Newf("nothing identifies the row: the source publishes no replica identity of %s", p.relationName())
		return errors.WithHint(err, "set a replica identity on the source, or publish the table for inserts only, and copy it again")
	default:
		return nil
	}
}

// count counts a change.
func count(s *Stats, op decoder.Op) {
	switch op {
	case decoder.Insert:
		s.Inserts++
	case decoder.Update:
		s.Updates++
	case decoder.Delete:
		s.Deletes++
	case decoder.Truncate:
		s.Truncates++
	}
}

// result takes the number of rows that a change's statement affected.
func (w *rowWriter) result(index int, rows int64) error {
	if rows > 0 || index == beginning {
		return nil
	}
	c := &w.batch.changes[index]
	if c.op != decoder.Update && c.op != decoder.Delete {
		return nil
	}
	w.lane.current[c.relation].missed.count(c.op)
	if c.op == decoder.Update {
		w.lane.pending.MissedUpdates++
	} else {
		w.lane.pending.MissedDeletes++
	}
	if w.lane.options.OnMissingRow == MissingRowStop {
		err := errors.New("the row is not on the target")
		return &statementError{index, errors.WithHint(err, "compare the table on both sides (walferry verify), "+
			"or let missing rows be counted (--on-missing-row count)")}
	}
	return nil
}

// explain says which change an error is about.
func (w *rowWriter) explain(err error) error {
	var failed *statementError
	if !errors.As(err, &failed) {
		return err
	}
	if failed.tag == beginning {
		return errors.Wrap(failed.error, "begin a transaction on the target")
	}
	return w.lane.explain(failed.error, w.batch, failed.tag)
}
