package decoder_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

// applied is a Handler that keeps rows and where the last transaction ended.
type applied struct {
	rows []string
	end  decoder.LSN
}

func (h *applied) Begin(*decoder.Transaction) error { return nil }

func (h *applied) Change(c *decoder.Change) error {
	h.rows = append(h.rows, string(c.New[0].Data))
	return nil
}

func (h *applied) Commit(tx *decoder.Transaction) error {
	h.end = tx.EndLSN
	return nil
}

func (h *applied) Message(bool, decoder.LSN, string, []byte) error { return nil }

// A transaction is prepared in one life of the client and committed in the next.
// It arrives once when Pending was respected, and else not at all.
func TestAssembler_PreparedTransactionSurvivesRestart(t *testing.T) {
	major, _ := pgtest.Majors()
	major = max(major, 15)
	for name, want := range map[string]string{"respecting Pending": "1 3 2 4", "acknowledging past it": "1 3 4"} {
		t.Run(name, func(t *testing.T) {
			respect := name == "respecting Pending"
			uri := pgtest.Server(t, major).Database(t, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE PUBLICATION p FOR TABLE t")
			pgtest.Query(t, uri, "SELECT 1 FROM pg_create_logical_replication_slot('restart', 'pgoutput', false, true)")
			options := decoder.PluginOptions(major, decoder.StreamOptions{Publications: []string{"p"}, TwoPhase: true})
			live := func(h *applied, flush bool) (pending decoder.LSN, failed error) {
				a := decoder.NewAssembler(decoder.AssemblerOptions{SkipBefore: h.end, SpillDir: t.TempDir()}, h)
				replicate(t, uri, "restart", "", options, position(t, uri), func(walStart decoder.LSN, payload []byte) error {
					failed = a.Push(walStart, payload)
					return nil
				}, func() decoder.LSN {
					if pending = a.Pending(); pending != 0 && flush {
						return min(pending, h.end)
					}
					return h.end
				})
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
				return pending, failed
			}

			h := &applied{}
			play(t, uri, "INSERT INTO t VALUES (1);\nBEGIN;\nINSERT INTO t VALUES (2);\nPREPARE TRANSACTION 'walferry restart';\nINSERT INTO t VALUES (3);\n")
			if pending, err := live(h, respect); err != nil || pending == 0 || pending >= h.end {
				t.Fatalf("pending at %s with all before %s applied, error %v", pending, h.end, err)
			}
			play(t, uri, "COMMIT PREPARED 'walferry restart';\nINSERT INTO t VALUES (4);\n")
			pending, err := live(h, respect)
			if got := strings.Join(h.rows, " "); err != nil || pending != 0 || got != want {
				t.Fatalf("applied %s, want %s, pending at %s, error %v", got, want, pending, err)
			}
		})
	}
}
