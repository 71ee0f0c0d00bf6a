package decoder

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"os"
	"slices"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/failpoint"
)

// store is what the record logs of one Assembler share: the bounds, and the
// buffers that are free.
type store struct {
	dir                     string
	memoryBytes, spillBytes int64 // the bounds; spillBytes 0 is none
	blockBytes              int
	memory, spilled         int64 // in use
	logs                    map[*recordLog]struct{}
	free                    [][]byte
	create                  func(dir string) (*os.File, error)
}

const (
	defaultMemoryBytes = 32 << 20
	minBlockBytes      = 4 << 10
	maxBlockBytes      = 256 << 10
)

func newStore(o AssemblerOptions) *store {
	s := &store{
		dir: o.SpillDir, memoryBytes: o.MemoryBytes, spillBytes: o.SpillBytes, logs: make(map[*recordLog]struct{}),
		create: func(dir string) (*os.File, error) { return os.CreateTemp(dir, "walferry-*.spill") },
	}
	if s.memoryBytes <= 0 {
		s.memoryBytes = defaultMemoryBytes
	}
	if s.dir == "" {
		s.dir = os.TempDir()
	}
	s.blockBytes = int(min(max(s.memoryBytes/8, minBlockBytes), maxBlockBytes))
	return s
}

// buffer returns an empty buffer for at least n bytes.
func (s *store) buffer(n int) []byte {
	if n <= s.blockBytes && len(s.free) > 0 {
		b := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		return b[:0]
	}
	return make([]byte, 0, max(n, s.blockBytes))
}

// release takes a buffer back; one made for a single large record is left to the collector.
func (s *store) release(b []byte) {
	if cap(b) == s.blockBytes {
		s.free = append(s.free, b)
	}
}

// makeRoom spills the largest logs until memory is within its bound.
func (s *store) makeRoom() error {
	for s.memory > s.memoryBytes {
		var largest *recordLog
		for l := range s.logs {
			if largest == nil || l.memory > largest.memory {
				largest = l
			}
		}
		if err := largest.spill(); err != nil {
			err = errors.Wrapf(err, "spill transaction %d to %q after %d bytes", errors.Safe(largest.xid), s.dir, errors.Safe(s.spilled))
			return errors.WithHint(err, "give the spill directory more room, choose another one, or turn streaming off: the source then keeps large transactions until they commit")
		}
	}
	return nil
}

// recordLog is an append-only sequence of records that can be cut at its end: first
// in memory, then with its older part in a file, at the same positions.
type recordLog struct {
	store  *store
	xid    uint32 // for errors
	blocks []block
	onDisk int   // blocks[:onDisk] are in the file, the rest in memory
	end    int64 // position after the last record
	memory int64
	file   *os.File
	path   string // of the file, when it could not lose its name while open
}

// block is a run of whole records.
type block struct {
	start int64
	size  int    // in the file
	sum   uint32 // in the file
	data  []byte // in memory
}

func newRecordLog(s *store, xid uint32) *recordLog {
	l := &recordLog{store: s, xid: xid}
	s.logs[l] = struct{}{}
	return l
}

// A record is its payload's length, a tag, and the payload.
const recordHeader = 4 + 4

// append adds a record; payload is copied.
func (l *recordLog) append(tag uint32, payload []byte) error {
	need := recordHeader + len(payload)
	n := len(l.blocks)
	if n == l.onDisk || cap(l.blocks[n-1].data)-len(l.blocks[n-1].data) < need {
		l.blocks = append(l.blocks, block{start: l.end, data: l.hold(l.store.buffer(need))})
		n++
	}
	b := &l.blocks[n-1]
	b.data = binary.LittleEndian.AppendUint32(b.data, uint32(len(payload)))
	b.data = binary.LittleEndian.AppendUint32(b.data, tag)
	b.data = append(b.data, payload...)
	l.end += int64(need)
	return l.store.makeRoom()
}

// hold counts a buffer as in use by the log.
func (l *recordLog) hold(b []byte) []byte {
	l.memory += int64(cap(b))
	l.store.memory += int64(cap(b))
	return b
}

// let gives a buffer of the log back.
func (l *recordLog) let(b []byte) {
	l.memory -= int64(cap(b))
	l.store.memory -= int64(cap(b))
	l.store.release(b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spill moves all blocks to the file.
func (l *recordLog) spill() error {
	if l.file == nil {
		f, err := l.store.create(l.store.dir)
		if err != nil {
			return err
		}
		l.file = f
		// Without a name the file vanishes with the process, however that ends. Where an
		// open file keeps its name, drop removes it.
		if err := os.Remove(f.Name()); err != nil {
			l.path = f.Name()
		}
	}
	for ; l.onDisk < len(l.blocks); l.onDisk++ {
		b := &l.blocks[l.onDisk]
		size := int64(len(b.data))
		if l.store.spillBytes > 0 && l.store.spilled+size > l.store.spillBytes {
			return errors.Newf("the files would pass their bound of %d bytes", errors.Safe(l.store.spillBytes))
		}
		if _, err := l.file.WriteAt(b.data, b.start); err != nil {
			return err
		}
		failpoint.Hit("spill: block written")
		l.store.spilled += size
		b.size, b.sum = len(b.data), crc32.Checksum(b.data, castagnoli)
		l.let(b.data)
		b.data = nil
	}
	return nil
}

// load reads a block of the file into dst.
func (l *recordLog) load(b *block, dst []byte) ([]byte, error) {
	failpoint.Hit("spill: before a block is read")
	dst = dst[:b.size]
	if _, err := l.file.ReadAt(dst, b.start); err != nil {
		return nil, errors.Wrapf(err, "read the spill file of transaction %d", errors.Safe(l.xid))
	}
	if crc32.Checksum(dst, castagnoli) != b.sum {
		return nil, errors.WithHint(
			errors.Newf("the spill file of transaction %d differs from what was written: %d bytes at %d",
				errors.Safe(l.xid), errors.Safe(b.size), errors.Safe(b.start)),
			"check the disk of the spill directory; nothing of the transaction was acknowledged, a restart receives it again")
	}
	return dst, nil
}

// truncate cuts the log at pos, which must be where a record begins.
func (l *recordLog) truncate(pos int64) error {
	if pos >= l.end {
		return nil
	}
	// The first block that goes away as a whole, and before it the one that is cut.
	gone, _ := slices.BinarySearchFunc(l.blocks, pos, func(b block, pos int64) int { return cmp.Compare(b.start, pos) })
	if cut := gone - 1; cut >= 0 && cut < l.onDisk && pos < l.blocks[cut].start+int64(l.blocks[cut].size) {
		b := &l.blocks[cut]
		data, err := l.load(b, l.hold(l.store.buffer(b.size)))
		if err != nil {
			return err
		}
		l.store.spilled -= int64(b.size)
		b.data = data
		l.onDisk = cut
	}
	if cut := gone - 1; cut >= l.onDisk {
		b := &l.blocks[cut]
		b.data = b.data[:min(pos-b.start, int64(len(b.data)))]
	}
	for i := gone; i < len(l.blocks); i++ {
		if b := &l.blocks[i]; b.data != nil {
			l.let(b.data)
		} else {
			l.store.spilled -= int64(b.size)
		}
	}
	l.blocks = slices.Delete(l.blocks, gone, len(l.blocks))
	l.onDisk = min(l.onDisk, len(l.blocks))
	l.end = pos
	if l.file == nil {
		return nil
	}
	var fileEnd int64
	if l.onDisk > 0 {
		fileEnd = l.blocks[l.onDisk-1].start + int64(l.blocks[l.onDisk-1].size)
	}
	return errors.Wrapf(l.file.Truncate(fileEnd), "cut the spill file of transaction %d", errors.Safe(l.xid))
}

// each calls f with every record, in order; payload is valid during the call only.
func (l *recordLog) each(f func(tag uint32, payload []byte) error) error {
	var scratch []byte
	defer func() { l.store.release(scratch) }()
	for i := range l.blocks {
		data := l.blocks[i].data
		if i < l.onDisk {
			if size := l.blocks[i].size; cap(scratch) < size {
				l.store.release(scratch)
				scratch = l.store.buffer(size)
			}
			var err error
			if data, err = l.load(&l.blocks[i], scratch); err != nil {
				return err
			}
		}
		for len(data) > 0 {
			end := recordHeader + int(binary.LittleEndian.Uint32(data))
			if err := f(binary.LittleEndian.Uint32(data[4:]), data[recordHeader:end:end]); err != nil {
				return err
			}
			data = data[end:]
		}
	}
	return nil
}

// drop releases memory and file. The log must not be used after it.
func (l *recordLog) drop() error {
	for i := range l.blocks {
		if b := &l.blocks[i]; i < l.onDisk {
			l.store.spilled -= int64(b.size)
		} else {
			l.let(b.data)
		}
	}
	l.blocks, l.onDisk = nil, 0
	delete(l.store.logs, l)
	if l.file == nil {
		return nil
	}
	failpoint.Hit("spill: before the file goes")
	err := l.file.Close()
	l.file = nil
	if l.path != "" {
		err = errors.CombineErrors(err, os.Remove(l.path))
	}
	return errors.Wrapf(err, "remove the spill file of transaction %d", errors.Safe(l.xid))
}
