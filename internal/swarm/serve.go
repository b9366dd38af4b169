package swarm

import (
	"time"

	"tandem/internal/choke"
	"tandem/internal/content"
)

// How much may be handed to the driver and not be Sent, for one connection:
// what its link takes in windowTime, within these bounds. What stands in a
// socket cannot be taken back, so a slow link gets four blocks.
const (
	minWindow  = 4 * content.BlockSize
	maxWindow  = 1 << 20
	windowTime = 20 * time.Millisecond
)

// quantum is the least turn, as time of the whole uplink: on a very fast link
// changing over for every small piece would cost more than it brings.
const quantum = 5 * time.Millisecond

// limitAfter is how long a turn must last to tell how fast the receiver is.
const limitAfter = 100 * time.Millisecond

// prober lets a few connections more be served from time to time, to learn
// whether the uplink can carry more than we know of. While that finds nothing it
// is tried ever less often.
type prober struct {
	on          bool
	until, next time.Duration
	every       time.Duration
	before      float64 // capacity known when it began
}

const (
	probeTime  = 300 * time.Millisecond
	probeEvery = 2 * time.Second
	probeRest  = 30 * time.Second // at most between two
	probeExtra = 2
	probeGain  = 1.05 // what counts as a find
)

func (p *prober) tick(now time.Duration, capacity float64, waiting bool) {
	switch {
	case p.on && now >= p.until:
		p.on = false
		if p.every = min(2*p.every, probeRest); capacity > probeGain*p.before {
			p.every = probeEvery
		}
		p.next = now + p.every
	case !p.on && p.every == 0:
		p.every, p.next = probeEvery, now+probeEvery
	case !p.on && waiting && now >= p.next:
		p.on, p.until, p.before = true, now+probeTime, capacity
	}
}

// requeue notes whether c waits for a turn, after its queue or turn changed.
func (s *Swarm) requeue(c *conn) {
	if q := !c.gone && !c.active && c.in.len() > 0; q != c.queued {
		c.queued = q
		if q {
			s.queued++
		} else {
			s.queued--
		}
	}
}

// Sent says that the socket took bytes of Serve payload. Every Serve is
// followed by its Sent unless the connection ends, also when the block could
// not be read (PieceLost comes first then, and the driver rejects the block).
func (s *Swarm) Sent(now time.Time, id ConnID, bytes int) {
	c := s.at(now, id)
	if c == nil {
		return
	}
	c.unsent = max(c.unsent-bytes, 0)
	c.up += int64(bytes)
	c.upRate.Add(s.now, bytes)
	s.upRate.Add(s.now, bytes)
	s.capacity.Add(s.now, bytes)
	s.guard.progress(c, s.now)
	if c.active {
		s.weigh(c)
	}
	s.serve()
}

// weigh finds out whether c takes less than its share. A short turn can only
// prove that it does not.
func (s *Swarm) weigh(c *conn) {
	turn, drained := s.now-c.turnAt, c.turnBytes-c.unsent
	slow := choke.Limited(drained, s.fair()-c.turnFair, turn)
	if turn >= limitAfter || c.unsent == 0 && drained > minWindow/2 {
		c.limited = slow
	}
}

// serve goes on with every turn, ends those that are over, and begins others.
func (s *Swarm) serve() {
	for i := 0; i < len(s.active); {
		c := s.active[i]
		if s.feed(c); c.unsent > 0 {
			i++
			continue
		}
		s.fair()
		s.active = append(s.active[:i], s.active[i+1:]...)
		c.active, c.served = false, s.now
		s.requeue(c)
	}
	for s.queued > 0 && s.sending() < s.slots() {
		c := s.nextTurn()
		c.active, c.turnAt, c.turnBytes, c.turnFair = true, s.now, 0, s.fair()
		c.turnPiece = c.in.at(0).Piece
		c.upRate.Start(s.now)
		s.requeue(c)
		s.active = append(s.active, c)
		s.feed(c)
	}
}

// fair returns what an equal share of the uplink has come to, in bytes. It is
// called before the number of those being sent to changes.
func (s *Swarm) fair() float64 {
	return s.share.Advance(s.now, s.capacity.Rate(), len(s.active))
}

// Uplink returns what the uplink was seen to carry, in bytes per second; 0 while that is
// not known.
func (s *Swarm) Uplink() float64 { return s.capacity.Rate() }

// slots returns how many connections to send to at a time (R4).
func (s *Swarm) slots() int {
	if s.probe.on {
		return s.cfg.Serving + probeExtra
	}
	return s.cfg.Serving
}

// sending counts the connections being sent to that take their share.
func (s *Swarm) sending() int {
	n := 0
	for _, c := range s.active {
		if !c.limited {
			n++
		}
	}
	return n
}

// feed hands over what c may have in its socket now. A turn lasts for one
// piece; it goes on if nobody waits.
func (s *Swarm) feed(c *conn) {
	window := max(minWindow, min(maxWindow, int(c.upRate.Get(s.now)*windowTime.Seconds())))
	for c.in.len() > 0 {
		b := *c.in.at(0)
		if c.unsent > 0 && c.unsent+b.Length > window {
			return
		}
		if b.Piece != c.turnPiece {
			if s.queued > 0 && float64(c.turnBytes) >= s.capacity.Rate()*quantum.Seconds() {
				return
			}
			c.turnPiece = b.Piece
		}
		c.in.remove(0)
		c.unsent += b.Length
		c.turnBytes += b.Length
		s.emit(Action{Kind: Serve, Conn: c.id, Block: b})
	}
}

// nextTurn returns who of those waiting is served next.
func (s *Swarm) nextTurn() *conn {
	s.waitBuf, s.waitConn = s.waitBuf[:0], s.waitConn[:0]
	for _, c := range s.list {
		if c.queued {
			s.waitBuf = append(s.waitBuf, choke.Waiting{
				Served:    c.served,
				FreeRider: s.freeRider(c),
				Fresh:     s.now < s.guard.glow && s.asksFresh(c),
			})
			s.waitConn = append(s.waitConn, c)
		}
	}
	return s.waitConn[choke.Next(s.now, s.waitBuf)]
}

// asksFresh reports whether c has asked for a piece that nobody announced.
func (s *Swarm) asksFresh(c *conn) bool {
	for i := range c.in.len() {
		if s.picker.Count(c.in.at(i).Piece) == 0 {
			return true
		}
	}
	return false
}

// freeRider reports whether c only takes, although it could give: we want
// something it has, or it hides what we sent it (R7).
func (s *Swarm) freeRider(c *conn) bool {
	if s.complete || !choke.FreeRider(c.up, c.down) {
		return false
	}
	return c.weInterested || s.hides(c)
}

// hides reports whether a peer has announced less than half of what it got
// from us alone.
func (s *Swarm) hides(c *conn) bool {
	return int64(c.peer.Len())*int64(s.geo.PaddedSize(0)) < c.up/2
}

// tickServe ends the wait for those that cannot take more, and probes.
func (s *Swarm) tickServe() {
	for _, c := range s.active {
		s.weigh(c)
	}
	s.probe.tick(s.now, s.capacity.Rate(), s.queued > 0)
	s.serve()
}
