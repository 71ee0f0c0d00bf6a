package applier

import "sync"

// parcel is a batch on its way from the receiver to the lanes.
type parcel struct {
	// batch is the receiver's. What is published of it does not change anymore until
	// every lane has passed the parcel; more may be added behind.
	batch
	published batch
	// handed reports that something is published, sealed that nothing is added anymore.
	handed, sealed bool
	// begun and passed count the lanes that have read something, or all of it.
	begun, passed int
}

// parcels is how many there are: one is written while the next one is filled. A lane
// is ahead of another by at most that.
const parcels = 2

// queue hands parcels to the lanes. Every lane reads all of them, in order.
type queue struct {
	mu sync.Mutex
	// handed are the parcels with something to read, oldest first; first is the number
	// of the oldest.
	handed []*parcel
	first  int
	lanes  []reader
	closed bool
	// free holds the parcels that nobody uses.
	free chan *parcel
}

// reader is how far a lane has come.
type reader struct {
	// parcel is the number of the one that it reads, read how many of its transactions
	// it has been given.
	parcel, read int
	// wake tells the lane to look for more.
	wake chan struct{}
}

func newQueue(lanes int) *queue {
	q := &queue{free: make(chan *parcel, parcels), lanes: make([]reader, lanes)}
	for range parcels {
		q.free <- &parcel{}
	}
	for i := range q.lanes {
		q.lanes[i].wake = make(chan struct{}, 1)
	}
	return q
}

// filling returns the parcel to add to, nil when an empty one is to be taken. What
// every lane has begun to write is left, so that the memory in use stays small.
func (q *queue) filling(bound int) *parcel {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.handed) == 0 {
		return nil
	}
	p := q.handed[len(q.handed)-1]
	if p.sealed {
		return nil
	}
	if p.begun < len(q.lanes) && p.size() < bound {
		return p
	}
	p.sealed = true
	q.wake()
	return nil
}

// publish lets the lanes read what the parcel holds; seal says that it is full.
func (q *queue) publish(p *parcel, seal bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.published = p.batch
	p.published.known = nil
	p.sealed = seal
	if !p.handed {
		p.handed = true
		q.handed = append(q.handed, p)
	}
	q.wake()
}

// close says that nothing more is published.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

func (q *queue) wake() {
	for i := range q.lanes {
		q.lanes[i].again()
	}
}

// again makes the lane look once more.
func (r *reader) again() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next gives a lane what it has not read. fresh reports that it is the first of a
// parcel, done that nothing more will come. b is the lane's view of the parcel.
func (q *queue) next(lane int, b *batch, bound int) (some, fresh, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := &q.lanes[lane]
	for {
		at := r.parcel - q.first
		if at == len(q.handed) {
			return false, false, q.closed
		}
		p := q.handed[at]
		if r.read < len(p.published.transactions) {
			fresh = r.read == 0
			if fresh {
				p.begun++
			}
			r.read = len(p.published.transactions)
			images := b.images[:0]
			*b = p.published
			b.images = images
			return true, fresh, false
		}
		if !p.sealed {
			return false, false, q.closed
		}
		r.parcel++
		r.read = 0
		images := b.images[:0]
		if cap(images)*bytesPerValue > 2*bound {
			images = nil
		}
		*b = batch{images: images}
		if p.passed++; p.passed == len(q.lanes) {
			// Lanes read in order, so it is the oldest.
			q.handed = append(q.handed[:0], q.handed[1:]...)
			q.first++
			p.reset(bound)
			q.free <- p
		}
	}
}

// waiting reports whether there is something that the lane has not read.
func (q *queue) waiting(lane int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := &q.lanes[lane]
	at := r.parcel - q.first
	return at+1 < len(q.handed) || at < len(q.handed) && r.read < len(q.handed[at].published.transactions)
}

func (p *parcel) reset(bound int) {
	p.empty(bound)
	p.published = batch{}
	p.handed, p.sealed, p.begun, p.passed = false, false, 0, 0
}
