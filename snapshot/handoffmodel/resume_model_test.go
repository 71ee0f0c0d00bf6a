//go:build !race

package handoffmodel

// Bounds of the resume model: table 0 has the keys 0 and 1, between which rows
// can move, table 1 has key 2 and only one value.
const (
	tables    = 2
	maxWrites = 3
)

var (
	tableOf  = [3]int8{0, 0, 1}
	keysOf   = [tables][]int8{{0, 1}, {2}}
	valuesOf = [tables]row{rows, 2}
)

type content [3]row

// change is one source transaction with one change: of the row old under key
// from to the row new under key to. Positions in the log stand for commit LSNs; a
// snapshot with consistent point c holds the transactions at positions below c.
type change struct {
	from, to, old, new int8
	// early is set when the change was written before the transaction at the
	// position before it committed, which a change's own LSN would show.
	early bool
}

func (c change) table() int8   { return tableOf[c.to] }
func (c change) partial() bool { return c.old != 0 && c.new != 0 && colB(c.old) == colB(c.new) }

// unset is a position that is not known.
const unset = -1

// progress is a state of the resume model. What is durable on the target: the
// rows, mark and applied. The rest but the source is lost in a crash.
type progress struct {
	src, tgt content
	log      [maxWrites]change
	logged   int8

	snap    content
	point   int8         // consistent point of the snapshot that is open
	stale   int8         // the same as the stream's reader knows it, or an LSN read near it
	written [tables]bool // the rows are on the target, the ledger entry is still to follow
	mark    [tables]int8 // ledger: the table's watermark once it is copied
	chunks  chunks
	applied int8 // checkpoint
	pos     int8 // next transaction of the stream
	flush   int8 // what the slot was told to forget
	crashes int8
	broken  bool // a change found something else than its old row, or a copy found rows
}

// resume says how one design copies tables from one or more snapshots and then
// applies the stream of the first slot, from its consistent point, which is 0.
type resume struct {
	name string
	// The watermark of a table copied from a snapshot with consistent point c; the
	// changes in transactions before it are skipped.
	ignoreMark   bool // changes are never skipped
	shift        int8 // added to the watermark
	oneMark      bool // the newest watermark holds for every table
	byChangeLSN  bool // changes are compared by their own LSN, not the commit's
	lsnBefore    bool // the snapshot is an ordinary one, the watermark an LSN read before it
	lsnAfter     bool // the same, read after it
	splitLedger  bool // the ledger entry follows the rows in a transaction of its own
	truncate     bool // a copy first empties the table
	splitCkpt    bool // the checkpoint follows the rows in a transaction of its own
	ackInCopy    bool // received positions are reported as flushed while tables are copied
	noMoves      bool // no UPDATE moves a row from one key to another
	lenient      bool // INSERT is an upsert, UPDATE and DELETE may find nothing, no state is broken
	during       bool // the stream is applied while tables are copied, and changes of uncopied ones are dropped
	waitAtPoint  bool // with during: no further than the open snapshot's consistent point
	lateAnnounce bool // with waitAtPoint: the stream learns of the snapshot after it was made
	chunked      chunkRule
	crashes      int8
}

// starts are the contents that differ by more than the names of keys and values.
func (r resume) starts() (all []progress) {
	for _, pair := range [][2]row{{0, 0}, {0, 1}, {1, 1}, {1, 2}, {1, 3}, {1, 4}} {
		for other := range row(2) {
			c := content{pair[0], pair[1], other}
			all = append(all, progress{src: c, snap: c, mark: [tables]int8{unset, unset}, stale: 0, chunks: noChunks})
		}
	}
	return all
}

func (r resume) wrong(s progress) bool {
	complete := s.copied() && s.pos == s.logged && s.applied == s.pos
	return s.broken || complete && s.src != s.tgt
}

func (s *progress) copied() bool {
	for _, m := range s.mark {
		if m == unset {
			return false
		}
	}
	return true
}

func (r resume) next(s progress, emit func(string, progress)) {
	r.write(s, emit)
	if !s.copied() {
		r.copySteps(s, emit)
	}
	r.applySteps(s, emit)
	if s.crashes < r.crashes {
		n := s
		n.crashes++
		n.snap, n.point, n.stale, n.written = content{}, unset, unset, [tables]bool{}
		n.pos = max(n.applied, n.flush)
		n.chunks.claimed, n.chunks.written = false, [2]bool{}
		emit("crash", n)
		r.crashInChunk(s, n, emit)
	}
}

// write lets the application insert, update, delete or move a row.
func (r resume) write(s progress, emit func(string, progress)) {
	if s.logged == maxWrites {
		return
	}
	commit := func(c change) {
		n := s
		n.log[n.logged] = c
		n.logged++
		n.src[c.from] = 0
		n.src[c.to] = c.new
		emit("write", n)
		if r.byChangeLSN && s.logged > 0 && s.log[s.logged-1].table() != c.table() {
			n.log[n.logged-1].early = true
			emit("write early", n)
		}
	}
	for to := range int8(len(s.src)) {
		for v := range valuesOf[tableOf[to]] {
			if v != s.src[to] {
				commit(change{from: to, to: to, old: s.src[to], new: v})
			}
			for _, from := range keysOf[tableOf[to]] {
				if !r.noMoves && from != to && s.src[from] != 0 && s.src[to] == 0 && v != 0 {
					commit(change{from: from, to: to, old: s.src[from], new: v})
				}
			}
		}
	}
}
