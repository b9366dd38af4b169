package swarm

import (
	"slices"
	"time"

	"tandem/internal/content"
)

// A block of a partial piece is missing (free), asked of one or two
// connections, or here.
type blockState struct {
	from   [2]ConnID // who was asked; the first copies are valid
	copies uint8
	got    bool
	sender uint16 // index into partial.senders, once got
}

// partial is a piece somebody started. It belongs to the connection that did
// (R2) while it has free blocks; without owner it is an orphan and comes before
// unstarted pieces.
type partial struct {
	piece  int
	blocks []blockState
	got    int
	free   int // blocks neither here nor asked for
	next   int // no block before it is free

	owner   *conn
	orphan  bool
	alone   bool // for its owner only: whoever delivers it all is to blame for it
	closed  bool // all blocks here: verified or judged next
	judging bool
	judged  bool // its leaf hashes were compared once
	senders []sender
	began   time.Duration
	told    audience // who knows that we fetch it
	index   int      // in Swarm.partials; -1 when closed
}

// start begins a piece for c.
func (s *Swarm) start(c *conn, piece int) *partial {
	n := s.geo.NumBlocks(piece)
	var p *partial
	if k := len(s.spare); k > 0 {
		p, s.spare = s.spare[k-1], s.spare[:k-1]
	} else {
		p = new(partial)
	}
	*p = partial{
		piece:   piece,
		blocks:  append(p.blocks[:0], make([]blockState, n)...),
		free:    n,
		senders: p.senders[:0],
		began:   s.now,
	}
	s.free += n
	s.byPiece[int32(piece)] = p
	s.enlist(p)
	s.picker.Start(piece)
	p.alone = c.parole
	s.own(c, p)
	return p
}

// own makes p the piece of c.
func (s *Swarm) own(c *conn, p *partial) {
	s.disown(c)
	p.owner, c.own = c, p
	s.settle(p)
}

// disown makes the piece of c, if any, an orphan.
func (s *Swarm) disown(c *conn) {
	if p := c.own; p != nil {
		p.owner, c.own = nil, nil
		s.settle(p)
	}
}

// settle restores what follows from the free blocks and the owner of p: a
// piece without free blocks needs no owner, one of which nothing is here or
// underway is unstarted, one with free blocks and no owner is an orphan. What
// was to come from one connection alone and will not starts over.
func (s *Swarm) settle(p *partial) {
	if p.free == 0 && p.owner != nil {
		p.owner.own, p.owner = nil, nil
	}
	if p.alone && p.owner == nil && !p.closed && p.free > 0 && p.free+p.got == len(p.blocks) {
		s.wasted += int64(p.got) * content.BlockSize
		s.discard(p)
	}
	if p.told > 0 && p.orphan && !s.underway(p) {
		s.untell(p)
	}
	untouched := p.free == len(p.blocks)
	if orphan := p.owner == nil && p.free > 0 && !p.closed; orphan != p.orphan {
		p.orphan = orphan
		if orphan {
			s.orphans++
		} else {
			s.orphans--
		}
	}
	if untouched && p.owner == nil {
		s.forget(p)
		s.picker.Reopen(p.piece)
	}
}

// forget ends p, whatever came of it.
func (s *Swarm) forget(p *partial) {
	if p.owner != nil {
		p.owner.own, p.owner = nil, nil
	}
	s.untell(p)
	if p.orphan {
		p.orphan = false
		s.orphans--
	}
	s.free -= p.free
	s.delist(p)
	delete(s.byPiece, int32(p.piece))
	if len(s.spare) < maxSpare {
		s.spare = append(s.spare, p)
	}
}

// maxSpare bounds the partials kept for reuse.
const maxSpare = 64

func (s *Swarm) enlist(p *partial) {
	p.index = len(s.partials)
	s.partials = append(s.partials, p)
}

func (s *Swarm) delist(p *partial) {
	if p.index < 0 {
		return
	}
	last := len(s.partials) - 1
	s.partials[p.index] = s.partials[last]
	s.partials[p.index].index = p.index
	s.partials = s.partials[:last]
	p.index = -1
}

// nextFree returns the first free block of p, or -1.
func (p *partial) nextFree() int {
	if p.free == 0 {
		return -1
	}
	for ; p.next < len(p.blocks); p.next++ {
		if b := &p.blocks[p.next]; !b.got && b.copies == 0 {
			return p.next
		}
	}
	return -1
}

// take asks c for a block of p, which is free or asked of one other.
func (s *Swarm) take(c *conn, p *partial, block int) {
	b := &p.blocks[block]
	b.from[b.copies] = c.id
	b.copies++
	if b.copies == 1 {
		p.free--
		s.free--
	}
	if c.out.len() == 0 {
		c.waiting = s.now
		c.rate.Start(s.now)
	}
	c.out.push(ask{int32(p.piece), int32(block), s.now})
	s.outstanding++
	if c.distant {
		s.tell(c, p)
	}
	s.emit(Action{Kind: SendRequest, Conn: c.id, Block: s.block(p.piece, block)})
	if p.free == 0 {
		s.settle(p)
	}
}

// untake removes c's copy of a block that will not come from it. The caller
// takes it out of c.out.
func (s *Swarm) untake(c *conn, p *partial, block int) {
	b := &p.blocks[block]
	switch {
	case b.copies > 0 && b.from[0] == c.id:
		b.from[0] = b.from[1]
	case b.copies < 2 || b.from[1] != c.id:
		return
	}
	b.copies--
	if b.copies == 0 && !b.got {
		p.free++
		s.free++
		p.next = min(p.next, block)
		s.settle(p)
	}
}

// giveBack returns the i-th request of c to the pool.
func (s *Swarm) giveBack(c *conn, i int) {
	a := *c.out.at(i)
	c.out.remove(i)
	s.outstanding--
	if p := s.byPiece[a.piece]; p != nil {
		s.untake(c, p, int(a.block))
	}
}

// giveBackAll returns every request of c and its piece, telling the peer if
// cancel is set.
func (s *Swarm) giveBackAll(c *conn, cancel bool) {
	s.disown(c)
	for n := c.out.len(); n > 0; n-- {
		a := *c.out.at(n - 1)
		if cancel {
			s.cancel(c, s.block(int(a.piece), int(a.block)))
		}
		s.giveBack(c, n-1)
	}
}

func (s *Swarm) cancel(c *conn, b Block) {
	c.late = min(c.late+1, maxLate)
	s.emit(Action{Kind: SendCancel, Conn: c.id, Block: b})
}

// maxLate bounds how many blocks may come after their request was taken back.
const maxLate = 2048

// find returns the place of a block among the requests of c, or -1.
func (c *conn) find(piece, block int) int {
	for i := range c.out.len() {
		if a := c.out.at(i); int(a.piece) == piece && int(a.block) == block {
			return i
		}
	}
	return -1
}

// senderIndex returns where c stands among the senders of p, adding it.
func (p *partial) senderIndex(c *conn) uint16 {
	i := slices.IndexFunc(p.senders, func(o sender) bool { return o.id == c.id })
	if i < 0 {
		i = len(p.senders)
		p.senders = append(p.senders, sender{c.id, c.caps.Key})
	}
	return uint16(i)
}
