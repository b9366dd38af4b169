package swarm_test

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/swarm"
)

// server is an origin in the simulation: it answers ranges, all clients sharing its
// uplink equally, or a few at a time, and admits as the real one is meant to. While
// pieces have never left it, what one client was given another is told to get
// elsewhere; over its budget it points to who has a piece.
type server struct {
	*node
	copies  float64       // told to send at most so many; 0: any number
	slots   int           // clients sent to at a time; 0: all
	patient time.Duration // predicted wait over which clients are told to ask elsewhere; 0: never

	given   []grant // per piece
	fresh   int     // pieces never given to anybody
	waiting []*turn // with slots: requests not begun, in order
	active  int
	queued  int64 // bytes asked for and not sent
	elses   int
	spare   bool
}

// grant is a piece that a client is being sent, or was.
type grant struct {
	to    *end
	at    time.Duration
	times int // copies sent, in blocks
}

// turn is what a client asked of one piece.
type turn struct {
	to     *end
	blocks []swarm.Block
	busy   bool
	left   int
}

// grantTime is how long a piece stays with a client that takes none of it.
const grantTime = 10 * time.Second

func (w *world) addServer(up float64) *server {
	n := &node{
		w: w, id: len(w.nodes), up: link{cap: up * mbit}, down: link{cap: up * mbit}, seed: true,
		key:  peer.Key{ID: peer.ID{0xff, byte(len(w.nodes)), 1}},
		ends: make(map[swarm.ConnID]*end), banned: make(map[peer.Key]bool),
	}
	w.nodes = append(w.nodes, n)
	n.srv = &server{node: n, given: make([]grant, w.geo.NumPieces()), fresh: w.geo.NumPieces()}
	return n.srv
}

// visit connects a node to an origin.
func (w *world) visit(n *node, o *server) {
	if n.dead || o.dead || n.banned[o.key] {
		return
	}
	e := w.wire(n, o.node, true)
	n.sw.Connect(w.clock(), e.id, swarm.Caps{
		Key: o.key, Origin: true, Near: n.lan != nil && n.lan == o.lan,
	})
	n.sw.RTT(e.id, 2*w.latency)
	if o.spare {
		n.sw.Costly(w.clock(), e.id, true)
	}
	n.pump()
}

func (o *server) deliver(e *end, a swarm.Action) {
	switch a.Kind {
	case swarm.SendRequest:
		o.request(e, a.Block)
	case swarm.SendCancel:
		o.cancel(e, a.Block)
	}
}

func (o *server) request(e *end, b swarm.Block) {
	if !o.admits(e, b.Piece) {
		o.elses++
		o.pointElsewhere(e, b)
		return
	}
	g := &o.given[b.Piece]
	if g.to == nil && g.times == 0 {
		o.fresh--
	}
	if g.to == nil || g.to.closed || o.fresh > 0 {
		g.to = e
	}
	g.at = o.w.now
	o.queued += int64(b.Length)
	if o.slots == 0 {
		o.w.send(e, parcel{block: b})
		return
	}
	for _, t := range o.waiting {
		if t.to == e && t.blocks[0].Piece == b.Piece {
			t.blocks = append(t.blocks, b)
			t.left++
			if t.busy {
				o.w.send(e, parcel{block: b})
			}
			return
		}
	}
	o.waiting = append(o.waiting, &turn{to: e, blocks: []swarm.Block{b}, left: 1})
	o.begin()
}

// begin sends to as many clients as have a slot, one piece each.
func (o *server) begin() {
	for _, t := range o.waiting {
		if o.active >= o.slots {
			return
		}
		if t.busy {
			continue
		}
		t.busy = true
		o.active++
		for _, b := range t.blocks {
			o.w.send(t.to, parcel{block: b})
		}
	}
}

// gone is called when a block has left.
func (o *server) gone(e *end, b swarm.Block) {
	o.given[b.Piece].times++
	o.given[b.Piece].at = o.w.now
	o.queued -= int64(b.Length)
	for i, t := range o.waiting {
		if t.to == e && t.blocks[0].Piece == b.Piece {
			if t.left--; t.left == 0 {
				o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
				o.active--
				o.begin()
			}
			return
		}
	}
}

// mine reports whether piece is given to another client that takes it.
func (o *server) others(e *end, piece int) bool {
	g := &o.given[piece]
	if g.to == nil || g.to == e {
		return false
	}
	if g.to.closed {
		g.to = nil
		if g.times < o.w.geo.NumBlocks(piece) {
			g.times = 0
			o.fresh++
		}
		return false
	}
	return g.times >= o.w.geo.NumBlocks(piece) || o.w.now-g.at < grantTime
}

// held reports whether some other receiver has piece.
func (o *server) held(piece int) bool { return o.w.held[piece] > 0 }

func (o *server) admits(e *end, piece int) bool {
	switch {
	case !o.others(e, piece) && !o.held(piece):
		return true
	case o.fresh > 0 && o.given[piece].to != e:
		return false
	case o.given[piece].to == e:
		return true
	case o.copies > 0 && float64(o.node.sent+o.queued) >= o.copies*float64(o.w.geo.total):
		return false
	case o.patient > 0 && float64(o.queued)/o.up.cap > o.patient.Seconds():
		return false
	}
	return true
}

func (o *server) pointElsewhere(e *end, b swarm.Block) {
	taken := content.NewBitfield(len(o.given))
	for i := range o.given {
		if !o.admits(e, i) {
			taken.Set(i)
		}
	}
	wait := time.Duration(float64(o.queued) / o.up.cap * 1e9)
	after := min(max(wait, 250*time.Millisecond), 10*time.Second)
	o.w.after(o.w.latency, func() {
		c := e.other
		if c.closed || c.node.dead {
			return
		}
		delete(o.w.asked, question{e, b})
		c.node.sw.Elsewhere(o.w.clock(), c.id, []swarm.Block{b}, taken, after)
		c.node.pump()
	})
}

func (o *server) cancel(e *end, b swarm.Block) {
	f := &e.flow
	for i := 1; i < len(f.queue); i++ {
		if f.queue[i].block == b {
			f.queue = append(f.queue[:i], f.queue[i+1:]...)
			f.bytes -= b.Length
			f.told = max(f.told-1, 0)
			o.settle(e, b)
			return
		}
	}
	for _, t := range o.waiting {
		if t.to != e || t.busy {
			continue
		}
		for i, q := range t.blocks {
			if q == b && len(t.blocks) > 1 {
				t.blocks = append(t.blocks[:i], t.blocks[i+1:]...)
				t.left--
				o.queued -= int64(b.Length)
				return
			}
		}
	}
}

// settle takes a block that will not be sent out of the accounts.
func (o *server) settle(e *end, b swarm.Block) {
	o.queued -= int64(b.Length)
	for i, t := range o.waiting {
		if t.to == e && t.blocks[0].Piece == b.Piece {
			if t.left--; t.left == 0 {
				o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
				o.active--
				o.begin()
			}
			return
		}
	}
}

// left forgets a client.
func (o *server) left(e *end) {
	for _, p := range e.flow.queue {
		o.queued -= int64(p.block.Length)
	}
	e.flow.queue = nil
	kept := o.waiting[:0]
	for _, t := range o.waiting {
		switch {
		case t.to != e:
			kept = append(kept, t)
		case t.busy:
			o.active--
		default:
			for _, b := range t.blocks {
				o.queued -= int64(b.Length)
			}
		}
	}
	o.waiting = kept
	o.begin()
}
