package decoder_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/walferry/walferry/decoder"
)

// printer writes down what was committed.
type printer struct {
	out     strings.Builder
	flushed decoder.LSN
}

func (p *printer) Begin(tx *decoder.Transaction) error {
	fmt.Fprintf(&p.out, "transaction %d\n", tx.XID)
	return nil
}

func (p *printer) Change(c *decoder.Change) error {
	if c.Op == decoder.Truncate {
		fmt.Fprintf(&p.out, "  truncate of %d tables\n", len(c.Truncated))
		return nil
	}
	fmt.Fprintf(&p.out, "  %c %s.%s", c.Op, c.Relation.Namespace, c.Relation.Name)
	for i, v := range c.New {
		fmt.Fprintf(&p.out, " %s=%s", c.Relation.Columns[i].Name, v.Data)
	}
	p.out.WriteByte('\n')
	return nil
}

func (p *printer) Commit(tx *decoder.Transaction) error {
	p.flushed = tx.EndLSN // a real consumer makes its work durable first
	return nil
}

func (p *printer) Message(bool, decoder.LSN, string, []byte) error { return nil }

// A consumer of a slot, complete but for keeping its position.
func Example() {
	if err := follow(context.Background(), os.Getenv("SOURCE")); err != nil {
		slog.Error("following the slot", "error", err)
	}
}

func follow(ctx context.Context, uri string) error {
	conn, err := pgconn.Connect(ctx, uri+"?replication=database")
	if err != nil {
		return errors.Wrap(err, "connect to the source")
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost

	p := &printer{}
	a := decoder.NewAssembler(decoder.AssemblerOptions{}, p)
	defer a.Close() //nolint:errcheck // without streaming it holds nothing
	options := decoder.PluginOptions(17, decoder.StreamOptions{Publications: []string{"pub"}, Binary: true})
	if err := pglogrepl.StartReplication(ctx, conn, "slot", 0, pglogrepl.StartReplicationOptions{PluginArgs: options}); err != nil {
		return errors.Wrap(err, "start replication")
	}
	for reported := time.Now(); ; {
		message, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return errors.Wrap(err, "receive")
		}
		data, ok := message.(*pgproto3.CopyData)
		if !ok {
			return errors.Newf("the server sent %T", message)
		}
		if data.Data[0] == pglogrepl.XLogDataByteID {
			x, err := pglogrepl.ParseXLogData(data.Data[1:])
			if err != nil {
				return errors.Wrap(err, "parse the frame")
			}
			if err := a.Push(x.WALStart, x.WALData); err != nil {
				return err
			}
		}
		if time.Since(reported) > 10*time.Second {
			status := pglogrepl.StandbyStatusUpdate{WALWritePosition: p.flushed}
			if err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, status); err != nil {
				return errors.Wrap(err, "report the position")
			}
			reported = time.Now()
		}
	}
}

// A transaction as PostgreSQL 18 sent it.
func ExampleAssembler() {
	p := &printer{}
	a := decoder.NewAssembler(decoder.AssemblerOptions{}, p)
	for _, payload := range []string{
		"B\x00\x00\x00\x00\x01\x00\x02\x00\x00\x02\xcd\x98\x7e\xd4\x80\x00\x00\x00\x02\xbc",
		"R\x00\x00\x40\x00public\x00t\x00d\x00\x02\x01id\x00\x00\x00\x00\x17\xff\xff\xff\xff\x00note\x00\x00\x00\x00\x19\xff\xff\xff\xff",
		"I\x00\x00\x40\x00N\x00\x02t\x00\x00\x00\x011t\x00\x00\x00\x05hello",
		"C\x00\x00\x00\x00\x00\x01\x00\x02\x00\x00\x00\x00\x00\x01\x00\x02\x80\x00\x02\xcd\x98\x7e\xd4\x80\x00",
	} {
		if err := a.Push(0, []byte(payload)); err != nil {
			fmt.Println(err)
		}
	}
	if err := a.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Print(p.out.String())
	// Output:
	// transaction 700
	//   I public.t id=1 note=hello
}

func ExamplePluginOptions() {
	for _, option := range decoder.PluginOptions(14, decoder.StreamOptions{
		Publications: []string{"orders", "it's"}, Binary: true, Streaming: decoder.StreamingParallel, TwoPhase: true,
	}) {
		fmt.Println(option)
	}
	// Output:
	// proto_version '2'
	// publication_names '"orders","it''s"'
	// binary 'true'
	// streaming 'on'
}
