package swarm

import (
	"slices"
	"time"
)

// audience is which tandem peers were told that we fetch a piece.
type audience uint8

const (
	noneTold audience = iota
	nearTold          // fetched from afar: those nearby leave it to us
	allTold           // fetched from an origin: everybody prefers other pieces (R8)
)

// hears reports whether c is among those told.
func (a audience) hears(c *conn) bool {
	return c.caps.Tandem && !c.gone && (a == allTold || a == nearTold && c.caps.Near)
}

// tell lets tandem peers know that p is being fetched from c, which is an origin or
// far away.
func (s *Swarm) tell(c *conn, p *partial) {
	to := nearTold
	if c.origin {
		to = allTold
	}
	if p.told >= to {
		return
	}
	for _, o := range s.list {
		if to.hears(o) && !p.told.hears(o) {
			s.emit(Action{Kind: SendFetching, Conn: o.id, Block: Block{Piece: p.piece}})
		}
	}
	p.told = to
}

// untell takes back what was told of p. Of a piece that is here its announcement
// says as much.
func (s *Swarm) untell(p *partial) {
	if p.told == noneTold {
		return
	}
	for _, o := range s.list {
		if p.told.hears(o) {
			s.emit(Action{Kind: SendFetched, Conn: o.id, Block: Block{Piece: p.piece}})
		}
	}
	p.told = noneTold
}

// tellNew tells a new connection what the others were told.
func (s *Swarm) tellNew(c *conn) {
	if !c.caps.Tandem {
		return
	}
	var pieces []int
	for _, p := range s.byPiece {
		if p.told.hears(c) {
			pieces = append(pieces, p.piece)
		}
	}
	slices.Sort(pieces)
	for _, piece := range pieces {
		s.emit(Action{Kind: SendFetching, Conn: c.id, Block: Block{Piece: piece}})
	}
}

// PeerFetching says that a tandem peer fetches piece from an origin or from afar, or
// does no longer.
func (s *Swarm) PeerFetching(now time.Time, id ConnID, piece int, on bool) {
	c := s.peerAt(now, id)
	if c == nil || !c.caps.Tandem || piece < 0 || piece >= s.geo.NumPieces() {
		return
	}
	if !on {
		s.picker.Fetched(c.peer, piece)
		return
	}
	s.picker.Fetching(c.peer, piece, s.now)
	if c.caps.Near && c.caps.Outgoing && s.nears > 0 {
		s.yield(piece)
	}
}

// yield leaves piece to a near peer that began to fetch it at the same moment as
// we, if nothing of it has come from afar. Of the two, the one that made the
// connection gives way.
func (s *Swarm) yield(piece int) {
	p := s.byPiece[int32(piece)]
	if p == nil || p.told == noneTold || p.got > 0 {
		return
	}
	for _, c := range s.list {
		if !c.distant || c.caps.Near {
			continue
		}
		if c.own == p {
			s.disown(c)
		}
		for i := c.out.len() - 1; i >= 0; i-- {
			if a := *c.out.at(i); int(a.piece) == piece {
				s.cancel(c, s.block(piece, int(a.block)))
				s.giveBack(c, i)
			}
		}
	}
}
