package applier

import "strconv"

// prepared are the statements that are prepared on one connection. At most
// maxPrepared are at a time; the one that was not used for longest makes room.
type prepared struct {
	statements map[string]*statement
	count      int
	clock      int64
	names      int
}

// statement is a statement that is prepared when it is first used.
type statement struct {
	sql      string
	name     string
	prepared bool
	usedAt   int64
}

// maxPrepared bounds what the server keeps for us.
const maxPrepared = 256

// statement returns the one with this text.
func (p *prepared) statement(sql string) *statement {
	s := p.statements[sql]
	if s == nil {
		if p.statements == nil {
			p.statements = map[string]*statement{}
		}
		p.names++
		s = &statement{sql: sql, name: "walferry_" + strconv.Itoa(p.names)}
		p.statements[sql] = s
	}
	return s
}

func (p *prepared) use(s *statement) {
	p.clock++
	s.usedAt = p.clock
}

// admit takes s for prepared, and returns the statement to deallocate in exchange, if any.
func (p *prepared) admit(s *statement) *statement {
	var victim *statement
	if p.count >= maxPrepared {
		for _, other := range p.statements {
			if other.prepared && (victim == nil || other.usedAt < victim.usedAt) {
				victim = other
			}
		}
		p.drop(victim)
	}
	s.prepared = true
	p.statements[s.sql] = s
	p.count++
	return victim
}

// drop takes s for not prepared. A nil statement is fine.
func (p *prepared) drop(s *statement) {
	if s != nil && s.prepared {
		s.prepared = false
		delete(p.statements, s.sql)
		p.count--
	}
}
