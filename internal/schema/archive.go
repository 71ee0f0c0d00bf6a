package schema

import (
	"bytes"
	"strconv"

	"github.com/cockroachdb/errors"
)

// The versions of pg_dump's custom format that archive reads: those of pg_dump
// 12 to 18. Each one added a field.
const (
	oldestArchive     = 0x010e
	compressionByName = 0x010f
	relationKinds     = 0x0110
	newestArchive     = 0x0110
)

// section is the part of a dump that an item belongs to.
type section int

// The values of teSection in pg_backup.h.
const (
	sectionNone     section = 1
	sectionPreData  section = 2
	sectionData     section = 3
	sectionPostData section = 4
)

// item is a row of an archive's table of contents.
type item struct {
	id                       int32
	tag, desc                string
	section                  section
	definition, drop         string
	namespace                string
	tablespace, accessMethod string
	relkind                  byte
	owner                    string
	dependencies             []int32
}

// archive reads the head and the table of contents of a custom-format dump.
// The first problem is kept in err, after which everything reads as zero.
type archive struct {
	data    []byte
	version int
	intSize int
	offSize int
	err     error
}

// readArchive returns the items in the order of the dump.
func readArchive(data []byte) ([]item, error) {
	a := &archive{data: data}
	a.head()
	count := a.int()
	var items []item
	for range count {
		if a.err != nil {
			break
		}
		items = append(items, a.item())
	}
	return items, errors.Wrap(a.err, "read pg_dump's archive")
}

// head follows ReadHead of pg_backup_archiver.c.
func (a *archive) head() {
	if !bytes.HasPrefix(a.data, []byte("PGDMP")) {
		a.fail(errors.New("it does not begin like one"))
		return
	}
	a.take(5)
	a.version = int(a.byte())<<8 | int(a.byte())
	a.byte() // revision
	if a.err == nil && (a.version < oldestArchive || a.version > newestArchive) {
		a.fail(errors.WithHint(errors.Newf("format version %d.%d is not known", a.version>>8, a.version&0xff),
			"use --pgbin to name a directory with pg_dump of PostgreSQL 12 to 18"))
		return
	}
	a.intSize = int(a.byte())
	a.offSize = int(a.byte())
	a.byte() // format: custom
	if a.version >= compressionByName {
		a.byte()
	} else {
		a.int()
	}
	for range 7 { // when it was made
		a.int()
	}
	for range 3 { // database, server version, pg_dump version
		a.string()
	}
}

// item follows ReadToc of pg_backup_archiver.c.
func (a *archive) item() item {
	var t item
	t.id = a.int()
	a.int()    // whether the item has data
	a.string() // OID of its catalog
	a.string() // its OID
	t.tag = a.string()
	t.desc = a.string()
	t.section = section(a.int())
	t.definition = a.string()
	t.drop = a.string()
	a.string() // COPY statement
	t.namespace = a.string()
	t.tablespace = a.string()
	t.accessMethod = a.string()
	if a.version >= relationKinds {
		t.relkind = byte(a.int())
	}
	t.owner = a.string()
	a.string() // whether the table has OIDs
	for a.err == nil {
		text := a.string()
		if text == "" {
			break
		}
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			a.fail(errors.Wrapf(err, "dependency of item %d", t.id))
		}
		t.dependencies = append(t.dependencies, int32(id))
	}
	a.take(1 + a.offSize) // where the data is
	return t
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *archive) take(n int) []byte {
	if a.err == nil && n > len(a.data) {
		a.fail(errors.New("it ends too early"))
	}
	if a.err != nil {
		return nil
	}
	b := a.data[:n]
	a.data = a.data[n:]
	return b
}

func (a *archive) byte() byte {
	if b := a.take(1); b != nil {
		return b[0]
	}
	return 0
}

// int reads a sign and intSize bytes, least significant first.
func (a *archive) int() int32 {
	negative := a.byte() != 0
	var n uint64
	for i, b := range a.take(a.intSize) {
		n |= uint64(b) << (8 * min(i, 7))
	}
	if n > 1<<31-1 {
		a.fail(errors.Newf("number %d is too large", n))
		return 0
	}
	if negative {
		return -int32(n)
	}
	return int32(n)
}

// string reads a counted string; a missing one, of length -1, is empty.
func (a *archive) string() string {
	n := a.int()
	if n <= 0 {
		return ""
	}
	return string(a.take(int(n)))
}
