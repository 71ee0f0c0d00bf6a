package decoder_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/walferry/walferry/decoder"
)

// The benchmarks decode the same recorded streams; compare rows/s,
// or cpu-ns/row when the machine is not idle.

func benchmarkStreams(b *testing.B, run func(b *testing.B, stream []recorded)) {
	b.Helper()
	for _, format := range []string{"text", "binary"} {
		_, stream := readGolden(b, "testdata/wal/18/orders."+format+".txtar")
		b.Run(format, func(b *testing.B) {
			rows, size := 0, int64(0)
			for _, m := range stream {
				size += int64(len(m.payload))
				if kind := m.payload[0]; kind == 'I' || kind == 'U' || kind == 'D' {
					rows++
				}
			}
			b.SetBytes(size)
			b.ReportAllocs()
			before := cpuTime(b)
			run(b, stream)
			total := float64(rows) * float64(b.N)
			b.ReportMetric(total/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(cpuTime(b)-before)/total, "cpu-ns/row")
		})
	}
}

// cpuTime is what the process has used, the collector included. On a shared
// machine it tells more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkDecoder(b *testing.B) {
	benchmarkStreams(b, func(b *testing.B, stream []recorded) {
		b.Helper()
		var d decoder.Decoder
		for b.Loop() {
			for i := range stream {
				if _, err := d.Decode(stream[i].payload, false); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkAssembler(b *testing.B) {
	benchmarkStreams(b, func(b *testing.B, stream []recorded) {
		b.Helper()
		a := decoder.NewAssembler(decoder.AssemblerOptions{}, changes(func(*decoder.Change) error { return nil }))
		for b.Loop() {
			for i := range stream {
				if err := a.Push(stream[i].walStart, stream[i].payload); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkPglogreplParseV2(b *testing.B) {
	benchmarkStreams(b, func(b *testing.B, stream []recorded) {
		b.Helper()
		for b.Loop() {
			for i := range stream {
				if _, err := pglogrepl.ParseV2(stream[i].payload, false); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkAssembler_Streamed keeps a transaction of 10 000 rows and hands it
// over, in memory and by way of a spill file.
func BenchmarkAssembler_Streamed(b *testing.B) {
	start, relation := encode(&decoder.StreamStartMessage{XID: 7, First: true}, false), encode(&decoder.RelationMessage{XID: 7, Relation: testRelation}, true)
	insert, commit := encode(row(7, "a value of some length, say that of a short note in a table"), true), encode(&decoder.StreamCommitMessage{XID: 7}, false)
	const rows = 10000
	payloads := [][]byte{start, relation}
	for range rows {
		payloads = append(payloads, insert)
	}
	payloads = append(payloads, []byte("E"), commit)
	for name, memory := range map[string]int64{"memory": 0, "spilled": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			a := decoder.NewAssembler(decoder.AssemblerOptions{MemoryBytes: memory, SpillDir: b.TempDir()}, changes(func(*decoder.Change) error { return nil }))
			b.SetBytes(int64(rows * len(insert)))
			b.ReportAllocs()
			for b.Loop() {
				for _, payload := range payloads {
					if err := a.Push(0, payload); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
