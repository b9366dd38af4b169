package swarm

import (
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// A refused (peer, piece) is left alone for this long (R5).
const avoidTime = 3 * time.Second

// A peer that rejects restAfter requests without a block between them is asked
// nothing for a second, then two, up to maxRest.
const (
	restAfter = 64
	maxRest   = 30 * time.Second
)

// startRTT is assumed until the transport knows.
const startRTT = 50 * time.Millisecond

// Connect says that a handshake is done. It emits Announce, or Ban at once for
// a key that was banned before.
func (s *Swarm) Connect(now time.Time, id ConnID, caps Caps) {
	s.clock(now)
	if s.banned.has(caps.Key) {
		s.emit(Action{Kind: Ban, Conn: id, Reason: fault.Refused, Text: "was banned before"})
		return
	}
	if caps.Origin {
		s.connectOrigin(id, caps)
		return
	}
	c := &conn{id: id, caps: caps, peer: s.picker.Join()}
	c.chokesUs, c.choked = true, true
	c.reqq, c.rtt = defaultReqQ, startRTT
	c.parole = s.parole.has(caps.Key)
	c.since, c.moved, c.busy = s.now, s.now, s.now
	s.conns[id] = c
	s.list = append(s.list, c)
	if caps.Near {
		s.picker.SetNear(c.peer, true)
	}
	s.limit()
	if s.guard.on && !caps.Fast {
		c.shown = content.NewBitfield(s.geo.NumPieces())
		s.emit(Action{Kind: Announce, Conn: id, Have: c.shown})
		s.offer(c)
		return
	}
	s.emit(Action{Kind: Announce, Conn: id, Have: s.have})
	s.tellNew(c)
}

// Disconnect says that a connection is gone, whoever closed it.
func (s *Swarm) Disconnect(now time.Time, id ConnID) {
	if c := s.at(now, id); c != nil {
		s.leave(c)
	}
}

// leave forgets a connection: what it owed us others may fetch, what was
// assigned to it is free again.
func (s *Swarm) leave(c *conn) {
	c.gone = true
	delete(s.conns, c.id)
	s.list = slices.DeleteFunc(s.list, func(o *conn) bool { return o == c })
	s.fair()
	s.active = slices.DeleteFunc(s.active, func(o *conn) bool { return o == c })
	s.requeue(c)
	s.giveBackAll(c, false)
	s.holders.left(s, c)
	if c.origin {
		s.origins--
	}
	s.picker.Leave(c.peer)
	s.guard.left(s, c)
	s.limit()
	s.fillAll()
	s.serve()
}

// PeerHave says that the peer announced piece, which the driver range-checked.
func (s *Swarm) PeerHave(now time.Time, id ConnID, piece int) {
	c := s.peerAt(now, id)
	if c == nil {
		return
	}
	if !s.picker.Have(c.peer, piece) {
		s.foul(c, foulRepeat, fault.Protocol, "announced the same pieces again and again")
		return
	}
	c.moved = s.now
	s.guard.placed(s, piece)
	s.offer(c)
	if !c.weInterested {
		s.updateInterest(c)
	}
	if c.distant {
		return // with the next tick: not all who are near at the same moment
	}
	s.fill(c)
}

// PeerBitfield says that the peer announced the set have, also by have-all or
// have-none. The Swarm copies what it needs.
func (s *Swarm) PeerBitfield(now time.Time, id ConnID, have *content.Bitfield) {
	c := s.peerAt(now, id)
	if c == nil {
		return
	}
	s.picker.Set(c.peer, have)
	s.guard.recount(s)
	s.updateInterest(c)
	s.fill(c)
}

// PeerChoke says whether the peer chokes us. What was asked of a peer that
// chokes is lost, unless Fast promises an answer to each request.
func (s *Swarm) PeerChoke(now time.Time, id ConnID, choked bool) {
	c := s.peerAt(now, id)
	if c == nil || c.chokesUs == choked {
		return
	}
	c.chokesUs = choked
	if !choked {
		s.fill(c)
		return
	}
	if c.caps.Fast {
		s.disown(c)
	} else {
		c.late = min(c.late+c.out.len(), maxLate)
		s.giveBackAll(c, false)
	}
	s.fillAll()
}

// PeerReject says that the peer will not answer our request (BEP 6).
func (s *Swarm) PeerReject(now time.Time, id ConnID, b Block) {
	c := s.at(now, id)
	if c == nil {
		return
	}
	block, ok := s.ours(b)
	i := -1
	if ok {
		i = c.find(b.Piece, block)
	}
	if i < 0 {
		if c.late--; c.late < 0 {
			c.late = 0
			s.foul(c, foulReject, fault.Protocol, "rejected what was not asked for")
		}
		return
	}
	c.peer.Avoid(b.Piece, s.now+avoidTime)
	if c.own != nil && c.own.piece == b.Piece {
		s.disown(c)
	}
	s.giveBack(c, i)
	c.waiting = s.now
	if c.refused++; c.refused%restAfter == 0 {
		c.rest = s.now + min(time.Second<<min(c.refused/restAfter-1, 5), maxRest)
	}
	s.fill(c)
	if s.free > 0 && s.picker.Available() == 0 {
		s.fillAll() // somebody else may be idle
	}
}

// PeerAllowed says that piece may be asked for while choked (BEP 6).
func (s *Swarm) PeerAllowed(now time.Time, id ConnID, piece int) {
	c := s.peerAt(now, id)
	if c == nil || piece < 0 || piece >= s.geo.NumPieces() {
		return
	}
	if len(c.allowed) < maxAllowed && !slices.Contains(c.allowed, piece) {
		c.allowed = append(c.allowed, piece)
		s.fill(c)
	}
}

// PeerSuggest is a hint that the peer has piece at hand (BEP 6). It is ignored:
// following it would put the sender's cache before the rarity of pieces.
func (s *Swarm) PeerSuggest(now time.Time, _ ConnID, _ int) { s.clock(now) }

// RTT gives the transport's estimate of the round trip.
func (s *Swarm) RTT(id ConnID, d time.Duration) {
	if c := s.conns[id]; c != nil && d > 0 {
		c.rtt = min(d, 10*time.Second)
	}
}

// ReqQ gives the number of requests the peer says it will queue (BEP 10
// "reqq"); until then 250 is assumed.
func (s *Swarm) ReqQ(id ConnID, n int) {
	if c := s.conns[id]; c != nil && n > 0 {
		c.reqq = n
	}
}

// Pause stops new requests (disk full, down limit) or lets them go on.
func (s *Swarm) Pause(now time.Time, paused bool) {
	s.clock(now)
	if s.paused != paused {
		s.paused = paused
		s.fillAll()
	}
}
