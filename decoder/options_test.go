package decoder_test

import (
	"strings"
	"testing"

	"github.com/walferry/walferry/decoder"
)

func TestPluginOptions_MatchTheServer(t *testing.T) {
	t.Parallel()
	all := decoder.StreamOptions{
		Publications: []string{"p"}, Binary: true, Messages: true, Streaming: decoder.StreamingParallel, TwoPhase: true, LocalOnly: true,
	}
	for major, want := range map[int]string{
		13: `proto_version '1', publication_names '"p"'`,
		14: `proto_version '2', publication_names '"p"', binary 'true', messages 'true', streaming 'on'`,
		15: `proto_version '3', publication_names '"p"', binary 'true', messages 'true', streaming 'on', two_phase 'true'`,
		16: `proto_version '4', publication_names '"p"', binary 'true', messages 'true', streaming 'parallel', two_phase 'true', origin 'none'`,
		19: `proto_version '4', publication_names '"p"', binary 'true', messages 'true', streaming 'parallel', two_phase 'true', origin 'none'`,
	} {
		if got := strings.Join(decoder.PluginOptions(major, all), ", "); got != want {
			t.Errorf("server %d: got %s, want %s", major, got, want)
		}
	}
	got := decoder.PluginOptions(18, decoder.StreamOptions{Publications: []string{`a"b`, `c'd`, "e,f"}})
	if want := `proto_version '4', publication_names '"a""b","c''d","e,f"'`; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
