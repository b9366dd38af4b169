package swarm

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// PeerBlock says that data arrived and reports whether to store it: it was
// asked for and is not a copy. Write it to the store before carrying out the
// actions that follow, since Verify may be among them.
func (s *Swarm) PeerBlock(now time.Time, id ConnID, b Block) bool {
	c := s.at(now, id)
	if c == nil {
		return false
	}
	block, ok := s.ours(b)
	if !ok {
		s.foul(c, foulUnasked, fault.Protocol, "sent a block that was not asked for")
		return false
	}
	s.received += int64(b.Length)
	c.down += int64(b.Length)
	c.rate.Add(s.now, b.Length)
	s.downRate.Add(s.now, b.Length)
	c.steady = c.rate.Get(s.now)
	c.pulse.Answered(s.now, s.now-c.waiting, c.out.len())
	c.waiting, c.snubbed, c.refused = s.now, false, 0

	if i := c.find(b.Piece, block); i >= 0 {
		c.out.remove(i)
		s.outstanding--
	} else if !s.lateBlock(c, b.Piece) {
		return false
	}
	p := s.byPiece[int32(b.Piece)]
	if p == nil || p.blocks[block].got {
		s.wasted += int64(b.Length)
		s.fill(c)
		return false
	}
	s.accept(c, p, block)
	s.fill(c)
	return true
}

// ours returns the number of the block that b is, if it is one we may have
// asked for.
func (s *Swarm) ours(b Block) (int, bool) {
	if b.Piece < 0 || b.Piece >= s.geo.NumPieces() || b.Begin < 0 || b.Begin%content.BlockSize != 0 {
		return 0, false
	}
	n := b.Begin / content.BlockSize
	if n >= s.geo.NumBlocks(b.Piece) || b.Length != s.geo.BlockLen(b.Piece, n) {
		return 0, false
	}
	return n, true
}

// lateBlock deals with a block that is not among the requests of c. If its
// request may have been taken back it is as good as any, where it is still
// needed: the piece is started for it if need be.
func (s *Swarm) lateBlock(c *conn, piece int) bool {
	if c.late == 0 {
		s.wasted += content.BlockSize
		s.foul(c, foulUnasked, fault.Protocol, "sent blocks that were not asked for")
		return false
	}
	c.late--
	p := s.byPiece[int32(piece)]
	if p == nil && !s.have.Has(piece) && s.wanted.Has(piece) && !s.suspect.Has(piece) && c.own == nil && !c.parole {
		s.start(c, piece)
		return true
	}
	if p != nil && p.alone && !(p.owner == c) {
		s.wasted += content.BlockSize // it would blur who is to blame
		return false
	}
	return true
}

// accept puts a block of p, just come from c, in its place.
func (s *Swarm) accept(c *conn, p *partial, block int) {
	b := &p.blocks[block]
	if b.copies == 0 {
		p.free--
		s.free--
	}
	for i := range int(b.copies) {
		if o := s.conns[b.from[i]]; o != nil && o != c {
			if j := o.find(p.piece, block); j >= 0 {
				o.out.remove(j)
				s.outstanding--
				s.cancel(o, s.block(p.piece, block))
				s.refill = append(s.refill, o)
			}
		}
	}
	b.copies, b.got = 0, true
	b.sender = p.senderIndex(c)
	p.got++
	s.missing--
	if p.got == len(p.blocks) {
		s.delist(p)
		p.closed = true
		s.settle(p)
		s.emit(Action{Kind: Verify, Conn: c.id, Block: Block{Piece: p.piece}})
	} else if p.free == 0 || p.alone {
		s.settle(p)
	}
	for _, o := range s.refill {
		s.fill(o)
	}
	s.refill = s.refill[:0]
}

// PieceVerified answers Verify.
func (s *Swarm) PieceVerified(now time.Time, piece int, ok bool) {
	s.clock(now)
	p := s.byPiece[int32(piece)]
	if p == nil || !p.closed || p.judging {
		return
	}
	if !ok {
		s.blame(p)
		return
	}
	s.absolve(p)
	p.told = noneTold // the announcement says it
	s.forget(p)
	s.have.Set(piece)
	s.haveWanted++
	s.bytes += int64(s.geo.PieceSize(piece))
	s.picker.Done(piece)
	for _, c := range s.list {
		s.announce(c, piece)
		if c.weInterested {
			s.updateInterest(c)
		}
	}
	s.checkComplete()
}

// PieceFound says that a suspect piece was verified: it is served from now on.
// Of other pieces it says nothing.
func (s *Swarm) PieceFound(now time.Time, piece int) {
	s.clock(now)
	if !s.suspect.Clear(piece) {
		return
	}
	s.have.Set(piece)
	if s.wanted.Has(piece) {
		s.suspects--
		s.haveWanted++
		s.bytes += int64(s.geo.PieceSize(piece))
	}
	for _, c := range s.list {
		s.announce(c, piece)
	}
	s.checkComplete()
}

// PieceLost says that the store can no longer read a verified piece, or that a
// suspect one is bad. It is fetched if it is wanted; those who asked for it are
// refused.
func (s *Swarm) PieceLost(now time.Time, piece int) {
	s.clock(now)
	if s.suspect.Clear(piece) {
		if s.wanted.Has(piece) {
			s.suspects--
			s.need(piece)
		}
		return
	}
	if !s.have.Clear(piece) {
		return
	}
	s.guard.end(s)
	for _, c := range s.list {
		for i := c.in.len() - 1; i >= 0; i-- {
			if b := *c.in.at(i); b.Piece == piece {
				c.in.remove(i)
				s.refuse(c, b)
			}
		}
		s.requeue(c)
	}
	if !s.wanted.Has(piece) {
		return
	}
	s.haveWanted--
	s.bytes -= int64(s.geo.PieceSize(piece))
	s.need(piece)
}

// need makes a wanted piece one to fetch.
func (s *Swarm) need(piece int) {
	s.missing += s.geo.NumBlocks(piece)
	s.picker.Need(piece)
	for _, c := range s.list {
		s.updateInterest(c)
	}
	s.fillAll()
}
