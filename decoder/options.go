package decoder

import (
	"strconv"
	"strings"
)

// Streaming says whether the source sends large transactions before they commit.
type Streaming byte

const (
	// StreamingOff keeps a large transaction at the source until it commits; it then
	// flows through the Assembler change by change.
	StreamingOff Streaming = iota
	// StreamingOn sends it while it runs, so decoding overlaps with it; the Assembler
	// keeps it, in memory and then in a spill file, until it commits. Needs server 14.
	// Servers 14 to 18 end the stream ("could not map filenumber") after a savepoint of
	// such a transaction that altered or truncated a table was rolled back, and do not
	// send every rollback: this needs AssemblerOptions.RolledBack.
	StreamingOn
	// StreamingParallel is StreamingOn with positions in abort messages. Server 14 and 15 get StreamingOn.
	StreamingParallel
)

// StreamOptions say what a slot is to send.
type StreamOptions struct {
	// Publications to read; at least one.
	Publications []string
	// Binary asks for values in their types' send format. A type without one still
	// comes as Text. Needs server 14.
	Binary bool
	// Messages asks for pg_logical_emit_message content. Needs server 14.
	Messages bool
	// Streaming of transactions in progress. Default: StreamingOff.
	Streaming Streaming
	// TwoPhase asks for transactions at PREPARE instead of at COMMIT PREPARED; see
	// Assembler.Pending before using it. Needs server 15.
	TwoPhase bool
	// LocalOnly asks for changes only that were made at the source itself, not replayed
	// there from elsewhere. Needs server 16; before, compare Transaction.Origin.
	LocalOnly bool
}

// PluginOptions renders the options of START_REPLICATION for pgoutput, quoted. It
// takes the highest protocol version that the server's major version speaks and
// leaves out what that server does not know, since it refuses unknown options.
func PluginOptions(serverMajor int, o StreamOptions) []string {
	quoted := make([]string, len(o.Publications))
	for i, name := range o.Publications {
		quoted[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	options := []string{
		option("proto_version", strconv.Itoa(protocolVersion(serverMajor))),
		option("publication_names", strings.Join(quoted, ",")),
	}
	if serverMajor >= 14 {
		if o.Binary {
			options = append(options, option("binary", "true"))
		}
		if o.Messages {
			options = append(options, option("messages", "true"))
		}
		switch o.Streaming {
		case StreamingOff:
		case StreamingOn:
			options = append(options, option("streaming", "on"))
		case StreamingParallel:
			value := "parallel"
			if serverMajor < 16 {
				value = "on"
			}
			options = append(options, option("streaming", value))
		}
	}
	if serverMajor >= 15 && o.TwoPhase {
		options = append(options, option("two_phase", "true"))
	}
	if serverMajor >= 16 && o.LocalOnly {
		options = append(options, option("origin", "none"))
	}
	return options
}

func protocolVersion(serverMajor int) int {
	switch {
	case serverMajor >= 16:
		return 4
	case serverMajor == 15:
		return 3
	case serverMajor == 14:
		return 2
	default:
		return 1
	}
}

// option renders one option; the replication grammar knows no escape but the doubled quote.
func option(name, value string) string {
	return name + " '" + strings.ReplaceAll(value, "'", "''") + "'"
}
