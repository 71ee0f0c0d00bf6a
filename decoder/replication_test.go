package decoder_test

import (
	"context"
	"testing"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/walferry/walferry/decoder"
	"github.com/walferry/walferry/internal/pgtest"
)

// replicate streams a slot to push until the server has sent everything before
// end, then acknowledges what flushed returns. Settings go to the walsender.
func replicate(
	tb testing.TB, uri, slot, settings string, options []string, end decoder.LSN,
	push func(walStart decoder.LSN, payload []byte) error, flushed func() decoder.LSN,
) {
	tb.Helper()
	ctx := tb.Context()
	pgtest.Eventually(tb, "the slot is free", func() bool {
		return pgtest.Query(tb, uri, "SELECT active::text FROM pg_replication_slots WHERE slot_name = $1", slot)[0][0] == "false"
	})
	conn := connectReplication(ctx, tb, uri, settings)
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // a failure here breaks nothing
	if err := pglogrepl.StartReplication(ctx, conn, slot, 0, pglogrepl.StartReplicationOptions{PluginArgs: options}); err != nil {
		tb.Fatal(err)
	}
	// One byte of progress, since the server must not take it for an acknowledgement.
	ask := pglogrepl.StandbyStatusUpdate{WALWritePosition: 1, ReplyRequested: true}
	if err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, ask); err != nil {
		tb.Fatal(err)
	}
	for {
		msg, err := conn.ReceiveMessage(ctx)
		if err != nil {
			tb.Fatal(err)
		}
		data, ok := msg.(*pgproto3.CopyData)
		if !ok {
			tb.Fatalf("the server sent %#v", msg)
		}
		switch data.Data[0] {
		case pglogrepl.XLogDataByteID:
			x, err := pglogrepl.ParseXLogData(data.Data[1:])
			if err != nil {
				tb.Fatal(err)
			}
			if err := push(x.WALStart, x.WALData); err != nil {
				tb.Fatalf("%+v", err)
			}
		case pglogrepl.PrimaryKeepaliveMessageByteID:
			k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data.Data[1:])
			if err != nil {
				tb.Fatal(err)
			}
			if k.ServerWALEnd < end {
				if err := pglogrepl.SendStandbyStatusUpdate(ctx, conn, ask); err != nil {
					tb.Fatal(err)
				}
				continue
			}
			if flushed != nil {
				acknowledge(tb, conn, uri, slot, flushed())
			}
			return
		}
	}
}

// acknowledge waits until the server has taken note.
func acknowledge(tb testing.TB, conn *pgconn.PgConn, uri, slot string, flushed decoder.LSN) {
	tb.Helper()
	status := pglogrepl.StandbyStatusUpdate{WALWritePosition: flushed}
	if err := pglogrepl.SendStandbyStatusUpdate(tb.Context(), conn, status); err != nil {
		tb.Fatal(err)
	}
	pgtest.Eventually(tb, "the slot's confirmed position moves", func() bool {
		rows := pgtest.Query(tb, uri, "SELECT (confirmed_flush_lsn >= $1::text::pg_lsn)::text FROM pg_replication_slots WHERE slot_name = $2", flushed.String(), slot)
		return rows[0][0] == "true"
	})
}

func connectReplication(ctx context.Context, tb testing.TB, uri, settings string) *pgconn.PgConn {
	tb.Helper()
	config, err := pgconn.ParseConfig(uri)
	if err != nil {
		tb.Fatal(err)
	}
	config.RuntimeParams["replication"] = "database"
	config.RuntimeParams["options"] = settings
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		tb.Fatal(err)
	}
	return conn
}

// position is where the server's log ends now.
func position(tb testing.TB, uri string) decoder.LSN {
	tb.Helper()
	lsn, err := pglogrepl.ParseLSN(pgtest.Query(tb, uri, "SELECT pg_current_wal_lsn()::text")[0][0])
	if err != nil {
		tb.Fatal(err)
	}
	return lsn
}
