package decoder_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/walferry/walferry/decoder"
)

// FuzzDecoder: no bytes make it panic, and what it accepts is exactly what the
// message encodes to.
func FuzzDecoder(f *testing.F) {
	type class struct {
		kind     byte
		inStream bool
		length   int
	}
	seen := make(map[class]bool)
	for _, path := range goldenFiles(f) {
		_, stream := readGolden(f, path)
		walk(f, stream, func(r recorded, _ decoder.Message, inStream bool) {
			if c := (class{r.payload[0], inStream, len(r.payload) / 64}); !seen[c] {
				seen[c] = true
				f.Add(r.payload, inStream)
			}
		})
	}
	f.Fuzz(func(t *testing.T, payload []byte, inStream bool) {
		var d decoder.Decoder
		m, err := d.Decode(payload, inStream)
		if err != nil {
			return
		}
		if bytes.Contains(payload, []byte("pg_catalog\x00")) {
			return // the server leaves this name out, so does the encoder
		}
		if again := encode(m, inStream); !bytes.Equal(again, payload) {
			t.Fatalf("%x was decoded to %#v, which is encoded as %x", payload, m, again)
		}
	})
}

// FuzzAssembler: no sequence of messages makes it panic, or leaves a file.
func FuzzAssembler(f *testing.F) {
	for _, path := range goldenFiles(f) {
		var script []byte
		_, stream := readGolden(f, path)
		for _, m := range stream {
			script = binary.BigEndian.AppendUint16(script, uint16(len(m.payload)))
			script = append(script, m.payload...)
		}
		if len(script) < 10000 {
			f.Add(script)
		}
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		dir := t.TempDir()
		a := decoder.NewAssembler(decoder.AssemblerOptions{MemoryBytes: 16 << 10, SpillDir: dir, RolledBack: noneRolledBack}, &recorder{})
		for len(script) >= 2 {
			n := min(int(binary.BigEndian.Uint16(script)), len(script)-2)
			if a.Push(0, script[2:2+n]) != nil {
				break
			}
			_ = a.Pending()
			script = script[2+n:]
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("left behind: %v %v", left, err)
		}
	})
}
