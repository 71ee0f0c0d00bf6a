package applier

import (
	"context"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline sends statements without waiting for their results, and hands the
// results out in the order of the statements.
//
// What is under way is bounded: two windows, each ended by a Sync. The server's
// results of two windows fit into the sockets' buffers, and the client's into its
// write buffer.
type pipeline struct {
	*pgconn.Pipeline
	prepared *prepared
	// result is called for every executed statement that succeeded.
	result func(tag int, rows int64) error
	// sent is what the server has not answered yet, oldest first from head.
	sent []sent
	head int
	// window counts the statements and bytes since the last Sync.
	windowStatements, windowBytes int
	// syncs counts those that are not answered.
	syncs int

	values  [][]byte
	formats []int16
}

// sent is a request whose answer is awaited.
type sent struct {
	kind sentKind
	// tag is the caller's name for the statement.
	tag       int
	statement *statement
}

type sentKind byte

const (
	sentExecute sentKind = iota
	sentPrepare
	sentDeallocate
	sentSync
)

const (
	windowStatements = 500
	windowBytes      = 128 << 10
)

// startPipeline begins a pipeline on a connection that is free. The connection is
// free again after close.
func startPipeline(ctx context.Context, conn *pgconn.PgConn, prepared *prepared, result func(tag int, rows int64) error) *pipeline {
	return &pipeline{Pipeline: conn.StartPipeline(ctx), prepared: prepared, result: result}
}

// statementError is the error of one statement.
type statementError struct {
	tag int
	error
}

func (e *statementError) Unwrap() error { return e.error }

// text sends a statement that is not worth preparing.
func (p *pipeline) text(tag int, sql string) error {
	p.SendQueryParams(sql, nil, nil, nil, nil)
	return p.note(sent{kind: sentExecute, tag: tag}, len(sql))
}

// execute sends a prepared statement with p.values in p.formats, which may be
// reused when it returns.
func (p *pipeline) execute(tag int, s *statement) error {
	if !s.prepared {
		if victim := p.prepared.admit(s); victim != nil {
			p.SendDeallocate(victim.name)
			p.sent = append(p.sent, sent{kind: sentDeallocate, tag: tag})
		}
		p.SendPrepare(s.name, s.sql, nil)
		if err := p.note(sent{kind: sentPrepare, tag: tag, statement: s}, len(s.sql)); err != nil {
			return err
		}
	}
	p.prepared.use(s)
	size := 0
	for _, v := range p.values {
		size += 4 + len(v)
	}
	p.SendQueryPrepared(s.name, p.values, p.formats, nil)
	return p.note(sent{kind: sentExecute, tag: tag}, size)
}

// note remembers a request, and ends the window when it is full.
func (p *pipeline) note(s sent, bytes int) error {
	p.sent = append(p.sent, s)
	p.windowStatements++
	p.windowBytes += bytes
	if p.windowStatements < windowStatements && p.windowBytes < windowBytes {
		return nil
	}
	if err := p.sync(); err != nil {
		return err
	}
	if p.syncs > 1 {
		return p.drain()
	}
	return nil
}

// sync ends the window and sends it.
func (p *pipeline) sync() error {
	p.sent = append(p.sent, sent{kind: sentSync})
	p.windowStatements, p.windowBytes = 0, 0
	p.syncs++
	return errors.Wrap(p.Sync(), "send to the target")
}

// drain reads the results of one window.
func (p *pipeline) drain() error {
	for {
		s := p.sent[p.head]
		p.head++
		if s.kind == sentSync {
			p.syncs--
		}
		if p.head == len(p.sent) {
			p.sent, p.head = p.sent[:0], 0
		}
		results, err := p.GetResults()
		if err != nil {
			p.prepared.drop(s.statement)
			return &statementError{s.tag, err}
		}
		switch s.kind {
		case sentSync:
			if p.head > windowStatements {
				p.sent, p.head = append(p.sent[:0], p.sent[p.head:]...), 0
			}
			return nil
		case sentPrepare, sentDeallocate:
		case sentExecute:
			reader, ok := results.(*pgconn.ResultReader)
			if !ok {
				return errors.AssertionFailedf("the target answered a statement with %T", results)
			}
			tag, err := reader.Close()
			if err != nil {
				return &statementError{s.tag, err}
			}
			if err := p.result(s.tag, tag.RowsAffected()); err != nil {
				return err
			}
		}
	}
}

// finish reads all results that are awaited.
func (p *pipeline) finish() error {
	if p.windowStatements > 0 || p.head < len(p.sent) && p.syncs == 0 {
		if err := p.sync(); err != nil {
			return err
		}
	}
	for p.syncs > 0 {
		if err := p.drain(); err != nil {
			return err
		}
	}
	return nil
}

// close gives the connection back. What follows a failed statement was not run;
// the statements that were to be prepared are taken as not prepared.
func (p *pipeline) close() error {
	for _, s := range p.sent[p.head:] {
		p.prepared.drop(s.statement)
	}
	return errors.Wrap(p.Close(), "end the pipeline to the target")
}
