package applier

import (
	"sync/atomic"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// Applier writes the transactions that it is handed to a target.
//
// Begin, Change, Commit, Message, Idle and Close are for one goroutine, the
// receiving one; Run is for another one. The receiver waits while both batches are
// full. Applied, Durable and Stats are safe for concurrent use.
type Applier struct {
	options Options
	few     int

	// free holds the batches that nobody uses, ready the one that waits to be
	// written. Between transactions the receiver takes the waiting one back to add
	// to it, so it grows for as long as the writer is busy.
	free  chan *batch
	ready chan *batch
	// ended is closed when Run returns; failure holds its error then.
	ended   chan struct{}
	failure error
	stopped atomic.Bool

	receiver receiver
	idle     idle
	progress progress
}

var _ decoder.Handler = (*Applier)(nil)

// receiver is what only the receiving goroutine touches.
type receiver struct {
	// filling is the batch of the transaction that is being received, nil between
	// transactions.
	filling *batch
	// commitLSN is that of the transaction that is being received.
	commitLSN decoder.LSN
	// endLSN is that of the last transaction that was handed over.
	endLSN decoder.LSN
	// contained reports that the transaction is on the target already.
	contained bool
	closed    bool
}

// batches is how many there are: one is written while the next one is filled.
const batches = 2

// New returns an Applier. It starts nothing: call Run.
func New(options Options) *Applier {
	options = options.withDefaults()
	a := &Applier{
		options: options,
		few:     fewChanges,
		free:    make(chan *batch, batches),
		// One place, so that the receiver never waits for a writer that is not
		// full, and can take the batch back.
		ready:    make(chan *batch, 1),
		ended:    make(chan struct{}),
		idle:     idle{urgent: make(chan struct{}, 1)},
		progress: progress{applied: options.Start, durable: options.Start},
	}
	for range batches {
		a.free <- &batch{}
	}
	return a
}

// Begin implements [decoder.Handler].
func (a *Applier) Begin(tx *decoder.Transaction) error {
	if err := a.refusal(); err != nil {
		return err
	}
	if a.receiver.filling != nil {
		return errors.AssertionFailedf("transaction %s begins inside of transaction %s", tx.CommitLSN, a.receiver.commitLSN)
	}
	if tx.CommitLSN < a.options.Start {
		a.receiver.contained = true
		return nil
	}
	b, err := a.take()
	if err != nil {
		return err
	}
	b.begin(tx.CommitLSN)
	a.receiver.filling, a.receiver.commitLSN = b, tx.CommitLSN
	return nil
}

// take returns the waiting batch if it has room, else an empty one.
func (a *Applier) take() (*batch, error) {
	select {
	case b := <-a.ready:
		if b.size() < a.options.MaxBatchBytes {
			return b, nil
		}
		// Nobody else sends: there is room.
		a.ready <- b
	default:
	}
	select {
	case b := <-a.free:
		return b, nil
	case <-a.ended:
		return nil, a.refusal()
	}
}

// Change implements [decoder.Handler]. It copies the change.
func (a *Applier) Change(c *decoder.Change) error {
	if a.receiver.contained {
		return nil
	}
	b := a.receiver.filling
	if b == nil {
		return errors.AssertionFailedf("a change outside of a transaction")
	}
	if a.stopped.Load() {
		return a.refusal()
	}
	if err := b.add(c); err != nil {
		return err
	}
	if b.size() < a.options.MaxBatchBytes {
		return nil
	}
	if err := a.offer(b); err != nil {
		return err
	}
	b, err := a.take()
	if err != nil {
		return err
	}
	b.begin(a.receiver.commitLSN)
	a.receiver.filling = b
	return nil
}

// Commit implements [decoder.Handler].
func (a *Applier) Commit(tx *decoder.Transaction) error {
	if a.receiver.contained {
		a.receiver.contained = false
		return nil
	}
	b := a.receiver.filling
	if b == nil {
		return errors.AssertionFailedf("commit %s without a transaction", tx.CommitLSN)
	}
	b.commit(tx)
	a.receiver.filling, a.receiver.endLSN = nil, tx.EndLSN
	return a.offer(b)
}

// offer hands a batch to the writer.
func (a *Applier) offer(b *batch) error {
	select {
	case a.ready <- b:
		return nil
	case <-a.ended:
		return a.refusal()
	}
}

// Message implements [decoder.Handler]. Messages are not applied.
func (a *Applier) Message(bool, decoder.LSN, string, []byte) error {
	return a.refusal()
}

// Close says that no more input comes: Run applies the transactions that are
// complete and returns. What was received of another one is dropped.
func (a *Applier) Close() {
	r := &a.receiver
	if r.closed {
		return
	}
	r.closed = true
	if b := r.filling; b != nil {
		r.filling = nil
		b.dropOpen()
		if len(b.transactions) > 0 && a.offer(b) != nil {
			return
		}
	}
	close(a.ready)
}

// refusal is the error of a call that comes too late, nil while input is welcome.
func (a *Applier) refusal() error {
	if a.receiver.closed {
		return errors.New("the applier is closed")
	}
	select {
	case <-a.ended:
		if a.failure == nil {
			return errors.New("the applier has ended")
		}
		return a.failure
	default:
		return nil
	}
}

// end makes all calls return err from now on.
func (a *Applier) end(err error) {
	a.failure = err
	a.stopped.Store(true)
	close(a.ended)
}
