package demo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/walferry/walferry/internal/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDemo_TellsEqualFromDifferent runs a whole demo, which must end equal, and
// then makes the target differ, which must be found.
func TestDemo_TellsEqualFromDifferent(t *testing.T) {
	d, err := demo.Start(t.Context(), demo.Options{Scale: 1, Duration: time.Second, Writers: 2})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer func() {
		if err := d.Stop(); err != nil {
			t.Errorf("stop the demo: %v", err)
		}
	}()
	if err := d.Migrate(t.Context(), nil); err != nil {
		t.Fatalf("%+v", err)
	}
	if err := d.Compare(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, errors.FlattenDetails(err))
	}
	r := d.Report()
	// One table is unlogged: it is copied at the end, and not among those that are compared.
	if !r.Equal || r.TablesCompared < r.Tables-1 || r.SequencesCompared == 0 || r.SequencesSet == 0 || r.RowsCopied == 0 {
		t.Errorf("not everything was moved and compared: %+v", r)
	}
	if !r.Verified || r.ClosedSeconds <= 0 {
		t.Errorf("the cutover: %+v", r)
	}
	if r.Transactions == 0 || r.Changes == 0 || r.Committed == 0 {
		t.Errorf("the stream had no work: %+v", r)
	}

	plant(t, d.TargetURI(), `UPDATE app.holes SET later = 'planted' WHERE id = (SELECT min(id) FROM app.holes)`)
	plant(t, d.TargetURI(), `SELECT pg_catalog.setval('app.invoice_no', 7)`)
	err = d.Compare(t.Context())
	if !errors.Is(err, demo.ErrDiffer) || d.Report().Equal {
		t.Fatalf("the planted differences were not found: %v", err)
	}
	found := strings.Join(d.Report().Differences, "\n")
	if len(d.Report().Differences) != 2 || !strings.Contains(found, "app.holes") || !strings.Contains(found, "app.invoice_no") {
		t.Errorf("found other differences than those planted: %s", found)
	}
}

func plant(t *testing.T, uri, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is lost
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
