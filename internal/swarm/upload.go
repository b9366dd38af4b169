package swarm

import (
	"time"

	"tandem/internal/choke"
	"tandem/internal/fault"
)

// maxRequest is the longest request served, in bytes. Clients ask for 16 KiB;
// old ones ask for more.
const maxRequest = 128 << 10

// PeerInterest says whether the peer is interested in us. Everybody interested
// is unchoked unless MaxUnchoked says otherwise.
func (s *Swarm) PeerInterest(now time.Time, id ConnID, interested bool) {
	c := s.peerAt(now, id)
	if c == nil {
		return
	}
	if c.interested == interested {
		return
	}
	c.interested = interested
	switch {
	case interested && c.choked:
		if s.cfg.MaxUnchoked <= 0 || s.unchoked() < s.cfg.MaxUnchoked {
			s.setChoked(c, false)
		}
	case !interested && s.cfg.MaxUnchoked > 0:
		s.setChoked(c, true)
		s.rotateAt = min(s.rotateAt, s.now) // somebody waits for the slot
	}
	s.foul(c, foulFlap, fault.Protocol, "kept changing its interest")
}

func (s *Swarm) unchoked() int {
	n := 0
	for _, c := range s.list {
		if !c.choked {
			n++
		}
	}
	return n
}

// setChoked chokes or unchokes a peer. Its queued requests are dropped with
// the choke, each with a reject if it has Fast.
func (s *Swarm) setChoked(c *conn, choked bool) {
	if c.choked == choked {
		return
	}
	c.choked, c.since = choked, s.now
	if !choked {
		s.emit(Action{Kind: SendUnchoke, Conn: c.id})
		return
	}
	s.emit(Action{Kind: SendChoke, Conn: c.id})
	for i := range c.in.len() {
		s.refuse(c, *c.in.at(i))
	}
	for i := range c.held.len() {
		s.refuse(c, c.held.at(i).block)
	}
	c.in.clear()
	c.held.clear()
	s.requeue(c)
}

// rotate gives the slots of MaxUnchoked to whom they are due.
func (s *Swarm) rotate() {
	if s.cfg.MaxUnchoked <= 0 || s.now < s.rotateAt {
		return
	}
	s.rotateAt = s.now + choke.Rotation
	var peers []choke.Peer
	var conns []*conn
	for _, c := range s.list {
		if !c.interested {
			s.setChoked(c, true)
			continue
		}
		peers = append(peers, choke.Peer{Unchoked: !c.choked, Since: c.since, Rate: c.rate.Get(s.now)})
		conns = append(conns, c)
	}
	chosen := choke.Slots(peers, s.cfg.MaxUnchoked, s.complete)
	for i, j := 0, 0; i < len(conns); i++ {
		if j < len(chosen) && chosen[j] == i {
			j++
			continue
		}
		s.setChoked(conns[i], true)
	}
	for _, i := range chosen {
		s.setChoked(conns[i], false)
	}
}

// PeerRequest takes a request with any numbers a peer can send. With Fast every
// request gets its block or a reject.
func (s *Swarm) PeerRequest(now time.Time, id ConnID, b Block) {
	c := s.peerAt(now, id)
	if c == nil {
		return
	}
	if b.Piece < 0 || b.Piece >= s.geo.NumPieces() || b.Begin < 0 || b.Length <= 0 ||
		b.Length > maxRequest || b.Begin > s.geo.PaddedSize(b.Piece)-b.Length {
		s.drop(c, fault.Protocol, "asked for bytes that no piece has")
		return
	}
	switch {
	case c.choked:
		s.refuse(c, b)
		s.foul(c, foulChoked, fault.Protocol, "kept asking while choked")
		return
	case !s.have.Has(b.Piece):
		s.refuse(c, b)
		s.foul(c, foulAbsent, fault.Protocol, "kept asking for pieces that were not announced")
		return
	case c.in.len()+c.held.len() >= s.cfg.MaxQueuedIn:
		s.refuse(c, b)
		s.foul(c, foulQueue, fault.Protocol, "kept too many requests")
		return
	}
	switch s.guard.judge(s, c, b) {
	case refuseNow:
		s.refuse(c, b)
		return
	case refuseLater:
		c.held.push(heldRequest{b, s.now + holdTime})
		return
	}
	c.in.push(b)
	s.requeue(c)
	s.serve()
}

// refuse answers a request without its block, where the peer understands it.
func (s *Swarm) refuse(c *conn, b Block) {
	if c.caps.Fast && !c.gone {
		s.emit(Action{Kind: SendReject, Conn: c.id, Block: b})
	}
}

// PeerCancel takes back a request of the peer, unless it was handed over.
func (s *Swarm) PeerCancel(now time.Time, id ConnID, b Block) {
	c := s.peerAt(now, id)
	if c == nil {
		return
	}
	for i := range c.in.len() {
		if *c.in.at(i) == b {
			c.in.remove(i)
			s.requeue(c)
			s.refuse(c, b)
			s.guard.cancelled(s, c, b.Piece)
			return
		}
	}
	for i := range c.held.len() {
		if c.held.at(i).block == b {
			c.held.remove(i)
			s.refuse(c, b)
			return
		}
	}
}
