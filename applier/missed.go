package applier

import "github.com/walferry/walferry/decoder"

func (m *Missed) count(op decoder.Op) {
	if op == decoder.Update {
		m.Updates++
	} else {
		m.Deletes++
	}
}
