package swarm

import (
	"slices"
	"time"

	"tandem/internal/content"
)

// guard gets every piece out once before any goes twice (R5). It holds only in
// a node that started complete, until every piece is placed: assigned to the
// first connection that asked for it, or announced by somebody.
type guard struct {
	on       bool
	holder   []ConnID // per piece; nobody
	unplaced int
	cursor   int           // where to look for the next piece to offer
	last     time.Duration // of the last assignment
	pace     time.Duration // average time between assignments
	glow     time.Duration // for a while after its end, what nobody announced is still served first
}

const nobody ConnID = -1

// guarded is the guard's side of a connection.
type guarded struct {
	held    fifo[heldRequest] // to be rejected later
	moved   time.Duration     // last sign of progress with what was assigned
	stalled bool
	refusal [16]refusal // the last pieces refused, as a ring
	refuseN int
	streak  int           // refusals since the last request that was taken
	streakT time.Duration // when the streak began

	shown  *content.Bitfield // pieces announced one by one to a peer without Fast; nil: all
	offers []offer
	reveal int // next piece to announce once the guard is off
}

type heldRequest struct {
	block Block
	due   time.Duration
}

// refusal counts how often the same block was asked for in spite of a reject.
type refusal struct {
	block Block
	n     int
	at    time.Duration
}

// offer is a piece shown to one peer without Fast to fetch and pass on.
type offer struct {
	piece int
	at    time.Duration
}

const (
	// A client that asks again without delay gets its reject late, and after
	// insistLimit times the block: it knows no other way to go on.
	holdTime     = 250 * time.Millisecond
	insistTime   = 2 * time.Second
	insistLimit  = 3
	streakHold   = 32
	streakLimit  = 64
	guardStall   = 10 * time.Second // without progress, what was assigned is free again
	offersAtOnce = 2
	offerTime    = 10 * time.Second
	glowTime     = 10 * time.Second
	revealBatch  = 1000 // announcements per tick when the guard ends
)

type verdict uint8

const (
	serveIt verdict = iota
	refuseNow
	refuseLater
)

func (g *guard) begin(n int) {
	g.on, g.unplaced = true, n
	g.holder = make([]ConnID, n)
	for i := range g.holder {
		g.holder[i] = nobody
	}
}

// end switches the guard off for good.
func (g *guard) end(s *Swarm) {
	if !g.on {
		return
	}
	g.on, g.holder, g.glow = false, nil, s.now+glowTime
	for _, c := range s.list {
		for i := range c.held.len() {
			c.in.push(c.held.at(i).block)
		}
		c.held.clear()
		s.requeue(c)
	}
	s.serve()
}

// judge says what becomes of a request.
func (g *guard) judge(s *Swarm, c *conn, b Block) verdict {
	if !g.on || g.holder[b.Piece] == c.id {
		return serveIt
	}
	if g.holder[b.Piece] == nobody && s.picker.Count(b.Piece) == 0 {
		g.assign(s, c, b.Piece)
		return serveIt
	}
	// Nobody wants what is left (parts of the content were selected), or no
	// reject can be sent: hold nothing back.
	if !c.caps.Fast || s.now-g.last > max(guardStall, 4*g.pace) {
		return serveIt
	}
	return c.insist(s.now, b)
}

func (g *guard) assign(s *Swarm, c *conn, piece int) {
	g.holder[piece] = c.id
	if g.last > 0 {
		g.pace += (s.now - g.last - g.pace) / 8
	}
	g.last = s.now
	c.streak = 0
	c.moved, c.stalled = s.now, false
	g.place(s)
}

// place notes that one piece more is placed.
func (g *guard) place(s *Swarm) {
	if g.unplaced--; g.unplaced == 0 {
		g.end(s)
	}
}

// insist says how to refuse b: at once, later if the client keeps asking, and
// in the end not at all.
func (c *conn) insist(now time.Duration, b Block) verdict {
	again := false
	i := slices.IndexFunc(c.refusal[:], func(r refusal) bool { return r.n > 0 && r.block.Piece == b.Piece })
	switch {
	case i < 0:
		c.refusal[c.refuseN%len(c.refusal)] = refusal{b, 1, now}
		c.refuseN++
	case now-c.refusal[i].at > insistTime:
		c.refusal[i] = refusal{b, 1, now}
	default:
		r := &c.refusal[i]
		r.at, again = now, true
		if r.block == b {
			if r.n++; r.n > insistLimit {
				*r = refusal{}
				c.streak = 0
				return serveIt
			}
		}
	}
	if c.streak++; c.streak == 1 {
		c.streakT = now
	}
	if c.streak >= streakLimit && now-c.streakT >= insistTime {
		c.streak = 0
		return serveIt
	}
	if again || c.streak > streakHold {
		return refuseLater
	}
	return refuseNow
}

// placed notes that somebody announced piece.
func (g *guard) placed(s *Swarm, piece int) {
	if !g.on || s.picker.Count(piece) != 1 {
		return
	}
	if g.holder[piece] == nobody {
		g.place(s)
	}
}

// progress notes that a connection takes what it asked for.
func (g *guard) progress(c *conn, now time.Duration) {
	if g.on {
		c.moved, c.stalled = now, false
	}
}

// left frees what was assigned to c and announced by nobody.
func (g *guard) left(s *Swarm, c *conn) {
	if g.on {
		g.release(c.id)
		g.recount(s)
	}
}

func (g *guard) release(id ConnID) {
	for i, h := range g.holder {
		if h == id {
			g.holder[i] = nobody
		}
	}
}

// cancelled frees a piece that c no longer asks for.
func (g *guard) cancelled(s *Swarm, c *conn, piece int) {
	if !g.on || g.holder[piece] != c.id || s.picker.Count(piece) > 0 {
		return
	}
	for i := range c.in.len() {
		if c.in.at(i).Piece == piece {
			return
		}
	}
	g.holder[piece] = nobody
	g.unplaced++
}

// recount finds out what is placed, after announcements came or went in bulk.
func (g *guard) recount(s *Swarm) {
	if !g.on {
		return
	}
	g.unplaced = 0
	for i, h := range g.holder {
		if h == nobody && s.picker.Count(i) == 0 {
			g.unplaced++
		}
	}
	if g.unplaced == 0 {
		g.end(s)
	}
}

// tick answers requests whose reject was held back, frees what stalled
// connections hold, and keeps offers going.
func (g *guard) tick(s *Swarm) {
	freed := false
	for _, c := range s.list {
		for c.held.len() > 0 && c.held.at(0).due <= s.now {
			s.refuse(c, c.held.at(0).block)
			c.held.remove(0)
		}
		if g.on && !c.stalled && s.now-c.moved > guardStall {
			c.stalled, freed = true, true
			g.release(c.id)
		}
		s.offer(c)
	}
	if freed {
		g.recount(s)
	}
}

// offer keeps a peer without Fast, which cannot be refused, supplied with
// pieces that nobody has: two at a time, and none blocks the next for long. Once
// the guard is off it is shown everything.
func (s *Swarm) offer(c *conn) {
	if c.shown == nil {
		return
	}
	if !s.guard.on {
		for n := 0; c.reveal < c.shown.Len() && n < revealBatch; c.reveal++ {
			if c.shown.Set(c.reveal) {
				s.emit(Action{Kind: SendHave, Conn: c.id, Block: Block{Piece: c.reveal}})
				n++
			}
		}
		if c.reveal == c.shown.Len() {
			c.shown = nil
		}
		return
	}
	c.offers = slices.DeleteFunc(c.offers, func(o offer) bool {
		return c.peer.Has(o.piece) || s.now-o.at > offerTime
	})
	for len(c.offers) < offersAtOnce {
		piece := s.guard.unoffered(s, c)
		if piece < 0 {
			return
		}
		c.offers = append(c.offers, offer{piece, s.now})
		s.announce(c, piece)
	}
}

// unoffered returns a piece to offer to c: one that is not placed, or, if c
// was shown all of those and did not take them, one it can have elsewhere too;
// -1 if c was shown everything.
func (g *guard) unoffered(s *Swarm, c *conn) int {
	n, second := len(g.holder), -1
	for range n {
		g.cursor = (g.cursor + 1) % n
		if i := g.cursor; !c.shown.Has(i) {
			if g.holder[i] == nobody && s.picker.Count(i) == 0 {
				return i
			}
			second = i
		}
	}
	return second
}

// announce tells c that we have piece, unless it is shown pieces one by one.
func (s *Swarm) announce(c *conn, piece int) {
	if !c.origin && (c.shown == nil || c.shown.Set(piece)) {
		s.emit(Action{Kind: SendHave, Conn: c.id, Block: Block{Piece: piece}})
	}
}
