package swarm

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/request"
)

// How much is asked of an origin beyond what R3 says. Whole pieces and long runs
// are asked for, so that few ranges are needed.
const (
	originLeast = 128 << 10             // in flight at least, and two pieces
	originAlone = 512 << 10             // at first, where there is nobody else to ask
	originBatch = 4 << 20               // at most asked for at once
	batchTime   = 50 * time.Millisecond // at least what is asked for at once, on a fast link
)

// How long an origin may be silent. It makes its clients wait in a queue, and
// asking again would lose the place in it.
const originPatience = time.Minute

// Bounds of what an origin may ask for with Elsewhere.
const (
	leastAfter = 250 * time.Millisecond
	mostAfter  = time.Minute
)

// connectOrigin is Connect for an origin: it has everything and never chokes.
func (s *Swarm) connectOrigin(id ConnID, caps Caps) {
	caps.Tandem, caps.Fast = false, false
	c := &conn{id: id, origin: true, caps: caps, peer: s.picker.JoinOrigin()}
	c.choked = true
	c.reqq, c.rtt = s.cfg.MaxDepth, startRTT
	c.parole = s.parole.has(caps.Key)
	c.since, c.moved, c.busy = s.now, s.now, s.now
	c.turn = s.rand.IntN(max(s.geo.NumPieces(), 1))
	s.conns[id] = c
	s.list = append(s.list, c)
	s.origins++
	s.limit()
	s.updateInterest(c)
	s.fill(c)
}

// fillOrigin is fill for an origin. When what is in flight falls below the depth,
// whole pieces are asked for, on a fast link many of them.
func (s *Swarm) fillOrigin(c *conn) {
	depth := s.originDepth(c)
	if c.out.len() >= depth && c.own == nil {
		return
	}
	batch := min(int(c.rate.Get(s.now)*batchTime.Seconds()), originBatch) / content.BlockSize
	if s.outstanding+batch < s.missing/2 {
		depth += batch
	}
	for (c.out.len() < depth || c.own != nil) && s.askOne(c) {
	}
}

// originDepth returns below how many outstanding requests an origin is asked for
// more (R3): two pieces are in flight at least.
func (s *Swarm) originDepth(c *conn) int {
	if c.snubbed {
		return 1
	}
	least := max(originLeast/content.BlockSize, s.geo.NumBlocks(0)+1)
	if c.down == 0 && len(s.list) == 1 {
		least = max(least, originAlone/content.BlockSize)
	}
	d := request.Depth(c.rate.Get(s.now), c.rtt+c.pulse.Slack(), s.cfg.MaxDepth)
	return request.Net(max(d, least), s.outstanding, s.missing)
}

// rarest returns the piece to start on c. To an origin neighbours are preferred
// among the rarest; where to begin is drawn for each.
func (s *Swarm) rarest(c *conn) (int, bool) {
	if !c.origin {
		return s.picker.Rarest(c.peer, s.now)
	}
	next := s.picker.RarestFrom
	if c.inOrder {
		next = s.picker.FirstFrom
	}
	piece, ok := next(c.peer, c.turn, s.now)
	if ok {
		c.turn = (piece + 1) % s.geo.NumPieces()
	}
	return piece, ok
}

// InOrder says that an origin sends whole files only: it is asked for the pieces
// that are needed as they follow each other, those from first before the others.
// A negative from ends that.
func (s *Swarm) InOrder(now time.Time, id ConnID, from int) {
	c := s.at(now, id)
	if c == nil || !c.origin {
		return
	}
	if c.inOrder = from >= 0; c.inOrder {
		c.turn = min(from, s.geo.NumPieces()-1)
	}
}

// stallOrigin deals with an origin that sends nothing. What peers have they are
// asked for; the rest stays asked of it, since it may stand in a queue there, but
// not for ever.
func (s *Swarm) stallOrigin(c *conn, limit time.Duration) {
	silent := s.now - c.waiting
	switch {
	case silent > max(originPatience, limit):
		c.snubbed, c.waiting = true, s.now
		s.giveBackAll(c, true)
	case silent > max(snubAfter, limit) && !c.snubbed:
		c.snubbed = true
		for i := c.out.len() - 1; i >= 0; i-- {
			a := *c.out.at(i)
			if s.picker.Count(int(a.piece)) == 0 {
				continue
			}
			if c.own != nil && c.own.piece == int(a.piece) {
				s.disown(c)
			}
			s.cancel(c, s.block(int(a.piece), int(a.block)))
			s.giveBack(c, i)
		}
	}
}

// Elsewhere says that an origin will not give blocks now, which others may; nor,
// for as long as after, the pieces in taken (nil: not said). With all pieces taken
// it is left alone for that long.
func (s *Swarm) Elsewhere(now time.Time, id ConnID, blocks []Block, taken *content.Bitfield, after time.Duration) {
	c := s.at(now, id)
	if c == nil || !c.origin {
		return
	}
	until := s.now + min(max(after, leastAfter), mostAfter)
	if taken != nil && taken.Len() == s.geo.NumPieces() {
		c.peer.Taken(taken, until)
		if taken.Full() {
			c.rest = until
		}
	}
	for _, b := range blocks {
		block, ok := s.ours(b)
		if !ok {
			continue
		}
		c.peer.Avoid(b.Piece, until)
		if c.own != nil && c.own.piece == b.Piece {
			s.disown(c)
		}
		if i := c.find(b.Piece, block); i >= 0 {
			s.giveBack(c, i)
		}
	}
	c.waiting = s.now
	s.fillAll()
}
