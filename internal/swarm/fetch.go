package swarm

import (
	"time"

	"tandem/internal/request"
)

// endgameDepth: a connection with fewer requests outstanding may duplicate.
const endgameDepth = 4

// depth returns how many requests to have outstanding on c (R3).
func (s *Swarm) depth(c *conn) int {
	if c.snubbed {
		return 1
	}
	limit := min(s.cfg.MaxDepth, c.reqq)
	d := request.Depth(c.rate.Get(s.now), c.rtt+c.pulse.Slack(), limit)
	return request.Net(d, s.outstanding, s.missing)
}

// fill sends requests on c until it has its depth or there is nothing to ask.
func (s *Swarm) fill(c *conn) {
	if c.gone || !s.mayAsk(c) {
		return
	}
	if c.origin {
		s.fillOrigin(c)
		return
	}
	for c.out.len() < s.depth(c) && s.askOne(c) {
	}
}

func (s *Swarm) fillAll() {
	for _, c := range s.list {
		s.fill(c)
	}
}

// askOne chooses a block for c and asks for it, in the order of R2.
func (s *Swarm) askOne(c *conn) bool {
	if c.chokesUs {
		return s.askAllowed(c)
	}
	if p := c.own; p != nil {
		s.take(c, p, p.nextFree())
		return true
	}
	if s.orphans > 0 {
		if p := s.findOrphan(c); p != nil {
			s.own(c, p)
			s.take(c, p, p.nextFree())
			return true
		}
	}
	piece, ok := s.rarest(c)
	if ok && c.parole && s.defers(c, piece) {
		return false
	}
	if ok {
		s.take(c, s.start(c, piece), 0)
		return true
	}
	if c.parole {
		return s.askParole(c)
	}
	if s.free > 0 {
		if p := s.findShared(c); p != nil {
			s.take(c, p, p.nextFree())
			return true
		}
	}
	return s.endgame(c)
}

// askAllowed asks a peer that chokes us for what it allows all the same.
func (s *Swarm) askAllowed(c *conn) bool {
	if p := c.own; p != nil {
		for _, piece := range c.allowed {
			if piece == p.piece {
				s.take(c, p, p.nextFree())
				return true
			}
		}
		return false
	}
	piece, ok := s.picker.FirstOpen(c.peer, c.allowed, s.now)
	if ok {
		s.take(c, s.start(c, piece), 0)
	}
	return ok
}

// mayShare reports whether c can fetch single blocks of p.
func (s *Swarm) mayShare(c *conn, p *partial) bool {
	return p.free > 0 && !p.alone && c.peer.Has(p.piece) && !c.peer.Avoids(p.piece, s.now) &&
		!s.picker.Bars(c.peer, p.piece)
}

// findOrphan returns the orphan of c's peer that is nearest to its end.
func (s *Swarm) findOrphan(c *conn) *partial {
	if c.parole {
		return nil
	}
	var best *partial
	for _, p := range s.partials {
		if p.orphan && s.mayShare(c, p) && (best == nil || p.free < best.free) {
			best = p
		}
	}
	return best
}

// findShared returns the piece of another connection that will take longest.
func (s *Swarm) findShared(c *conn) *partial {
	var best *partial
	var longest time.Duration
	for _, p := range s.partials {
		if p.owner == nil || !s.mayShare(c, p) {
			continue
		}
		d := request.Expected(p.free+p.owner.out.len(), p.owner.rate.Get(s.now), p.owner.rtt)
		if best == nil || d > longest {
			best, longest = p, d
		}
	}
	return best
}

// askParole lets a peer that had a part in a bad piece fetch a piece that
// others began, from the start, if nobody else has it.
func (s *Swarm) askParole(c *conn) bool {
	for _, p := range s.partials {
		if !p.orphan || !c.peer.Has(p.piece) || c.peer.Avoids(p.piece, s.now) || s.othersHave(c, p.piece) {
			continue
		}
		if s.underway(p) {
			continue
		}
		s.discard(p)
		s.wasted += int64(s.geo.PieceSize(p.piece))
		piece := p.piece
		s.settle(p)
		s.take(c, s.start(c, piece), 0)
		return true
	}
	return false
}

// defers reports whether a peer on parole, which would have the piece alone,
// leaves it to others: it is silent, or there are few left.
func (s *Swarm) defers(c *conn, piece int) bool {
	return (c.snubbed || s.picker.Available() < len(s.list)) && s.othersHave(c, piece)
}

// othersHave reports whether somebody not on parole has piece.
func (s *Swarm) othersHave(c *conn, piece int) bool {
	for _, o := range s.list {
		if o != c && !o.parole && o.peer.Has(piece) {
			return true
		}
	}
	return false
}

// underway reports whether blocks of p are being asked for.
func (s *Swarm) underway(p *partial) bool { return p.free+p.got < len(p.blocks) }

// discard makes every block of p that is here missing again.
func (s *Swarm) discard(p *partial) {
	for i := range p.blocks {
		if b := &p.blocks[i]; b.got {
			s.unget(p, b)
		}
	}
	p.next = 0
	p.senders = p.senders[:0]
}

// unget makes one block missing again.
func (s *Swarm) unget(p *partial, b *blockState) {
	b.got = false
	p.got--
	s.missing++
	if b.copies == 0 {
		p.free++
		s.free++
	}
}

// endgame duplicates the block that is expected latest elsewhere (R6). Who is
// silent does not: two of them would keep the last block to themselves.
func (s *Swarm) endgame(c *conn) bool {
	if s.free > 0 || c.snubbed || c.out.len() >= endgameDepth || s.picker.Available() > 0 {
		return false
	}
	here := s.expect(c, c.out.len()+1)
	var best ask
	var latest time.Duration
	for _, o := range s.list {
		if o == c {
			continue
		}
		if a, d := s.latest(o, c); d > latest {
			best, latest = a, d
		}
	}
	if latest == 0 || latest < here+here/2 {
		return false
	}
	s.take(c, s.byPiece[best.piece], int(best.block))
	return true
}

// latest returns the request of o that is expected last and that c could
// duplicate, and how long it will take; 0 if there is none.
func (s *Swarm) latest(o, c *conn) (ask, time.Duration) {
	for i := o.out.len() - 1; i >= 0; i-- {
		a := *o.out.at(i)
		p := s.byPiece[a.piece]
		if p == nil || p.alone || p.blocks[a.block].copies > 1 {
			continue
		}
		if !c.peer.Has(p.piece) || c.peer.Avoids(p.piece, s.now) || s.picker.Bars(c.peer, p.piece) {
			continue
		}
		if o.snubbed || o.chokesUs {
			return a, time.Hour
		}
		return a, s.expect(o, i+1)
	}
	return ask{}, 0
}

// guess is when a first answer is expected of a connection nothing is known of.
const guess = 500 * time.Millisecond

// expect returns when the n-th request outstanding on c should be answered. A
// connection that has not delivered is taken for one like the others, until it
// has kept us waiting; one that was asked for nothing has not become slower.
func (s *Swarm) expect(c *conn, n int) time.Duration {
	if c.steady > 0 && c.out.len() == 0 {
		return request.Expected(n, c.steady, c.rtt)
	}
	if c.steady > 0 {
		return request.Expected(n, c.rate.Get(s.now), c.rtt)
	}
	d := guess
	if s.received > 0 {
		// That nothing comes from the others just now says nothing of it.
		d = min(request.Expected(n, s.downRate.Get(s.now)/float64(len(s.list)), c.rtt), snubAfter)
	}
	if c.out.len() > 0 {
		d = max(d, s.now-c.waiting)
	}
	return d
}
