package swarm

import (
	"time"

	"tandem/internal/fault"
	"tandem/internal/request"
)

const (
	snubAfter  = 10 * time.Second // without an answer, or four times what was expected
	timeout    = 30 * time.Second // of one request, while others are answered
	patience   = 4
	paroleRest = time.Minute
)

// Tick lets time pass. The driver calls it every TickEvery.
func (s *Swarm) Tick(now time.Time) {
	s.clock(now)
	s.tickJudging()
	for _, c := range s.list {
		c.peer.Expire(s.now)
		s.picker.ExpireNotices(c.peer, s.now)
		s.stall(c)
	}
	s.tickSpared()
	s.guard.tick(s)
	s.rotate()
	s.tickServe()
	s.fillAll()
}

// expected returns when the last request of c should be answered, by the
// rate it had when it last delivered.
func (c *conn) expected() time.Duration {
	if c.steady == 0 {
		return 0
	}
	return request.Expected(c.out.len(), c.steady, c.rtt)
}

// stall takes back what c does not answer. A connection that answers nothing
// is snubbed: others get its blocks, it gets one request until it delivers.
func (s *Swarm) stall(c *conn) {
	if c.out.len() == 0 {
		return
	}
	p := s.byPiece[c.out.at(0).piece]
	if p != nil && p.alone && s.now-p.began > timeout && s.othersHave(c, p.piece) {
		// A peer on parole may prove itself, not hold up the others.
		c.rest = s.now + paroleRest
		s.giveBackAll(c, true)
		return
	}
	limit := patience * c.expected()
	if c.origin {
		s.stallOrigin(c, limit)
		return
	}
	if s.now-c.waiting > max(snubAfter, limit) {
		c.snubbed = true
		c.waiting = s.now
		s.giveBackAll(c, true)
		return
	}
	for c.out.len() > 0 {
		a := *c.out.at(0)
		if s.now-a.at <= max(timeout, limit) {
			return
		}
		s.cancel(c, s.block(int(a.piece), int(a.block)))
		s.giveBack(c, 0)
	}
}

// tickJudging ends waits for a judgement that does not come.
func (s *Swarm) tickJudging() {
	for len(s.judging) > 0 && s.judging[0].until <= s.now {
		j := s.judging[0]
		s.judging = s.judging[1:]
		if p := s.byPiece[int32(j.piece)]; p != nil && p.judging {
			p.judging = false
			s.onParole(p, p.keys())
		}
	}
}

// fouls counts what a peer should not do, draining with time: a slip is
// forgiven, a habit is not.
type fouls struct {
	level float64
	at    time.Duration
}

// What one foul weighs. A level of foulLimit ends the connection; foulDrain is
// forgiven per second. The light ones happen by accident, a queue at a time.
const (
	foulLimit = 100
	foulDrain = 2

	foulUnasked = 5
	foulRepeat  = 0.5
	foulReject  = 0.5
	foulChoked  = 0.1
	foulAbsent  = 0.2
	foulQueue   = 0.1
	foulFlap    = 0.2
)

// foul counts against c and drops it when that becomes a habit.
func (s *Swarm) foul(c *conn, weight float64, k fault.Kind, text string) {
	f := &c.fouls
	f.level = max(f.level-foulDrain*(s.now-f.at).Seconds(), 0) + weight
	f.at = s.now
	if f.level > foulLimit {
		s.drop(c, k, text)
	}
}
