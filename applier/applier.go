package applier

import (
	"sync/atomic"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/decoder"
)

// Applier writes the transactions that it is handed to a target.
//
// Begin, Change, Commit, Message, Idle and Close are for one goroutine, the
// receiving one; Run is for another one, and has one for each lane. The receiver
// waits while both batches are full. Applied, Durable and Stats are safe for
// concurrent use.
type Applier struct {
	options Options
	few     int

	// queue is what the lanes have to write. The receiver adds to its last batch
	// for as long as a lane is busy with an earlier one.
	queue  *queue
	routes *routes
	// ended is closed when Run returns; failure holds its error then.
	ended   chan struct{}
	failure error
	stopped atomic.Bool

	receiver receiver
	idle     *idle
	progress *progress
}

var _ decoder.Handler = (*Applier)(nil)

// receiver is what only the receiving goroutine touches.
type receiver struct {
	// filling is the batch of the transaction that is being received, nil between
	// transactions.
	filling *parcel
	// commitLSN is that of the transaction that is being received.
	commitLSN decoder.LSN
	// endLSN is that of the last transaction that was handed over.
	endLSN decoder.LSN
	// contained reports that the transaction is on the target already.
	contained bool
	closed    bool
}

// New returns an Applier. It starts nothing: call Run.
func New(options Options) *Applier {
	options = options.withDefaults()
	lanes := max(1, options.Lanes)
	return &Applier{
		options:  options,
		few:      fewChanges,
		queue:    newQueue(lanes),
		routes:   &routes{of: options.Table},
		ended:    make(chan struct{}),
		idle:     newIdle(lanes),
		progress: newProgress(&options, lanes),
	}
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

// take returns the batch to add to.
func (a *Applier) take() (*parcel, error) {
	if b := a.queue.filling(a.options.MaxBatchBytes); b != nil {
		return b, nil
	}
	select {
	case b := <-a.queue.free:
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
	a.queue.publish(b, true)
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
	a.queue.publish(b, false)
	return nil
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
	}
	a.queue.close()
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
