package swarm_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/swarm"
)

// trials is a transfer to which anything happens that an origin and some peers can
// do, in any order.
type trials struct {
	*rapid.T
	r       *rig
	pieces  int
	blocks  int
	nextID  swarm.ConnID
	origins []swarm.ConnID
	peers   []swarm.ConnID
	has     map[swarm.ConnID]*content.Bitfield
	asked   map[swarm.Block][]swarm.ConnID
	got     map[swarm.Block]bool
	done    bool
}

func (w *trials) n(most int, what string) int { return rapid.IntRange(0, most).Draw(w.T, what) }

// carry carries out what the machine wants.
func (w *trials) carry() {
	w.r.pull()
	acts := w.r.acts
	w.r.acts = nil
	var whole []int
	for _, a := range acts {
		switch a.Kind {
		case swarm.SendRequest:
			w.request(a.Conn, a.Block)
		case swarm.SendCancel:
			w.forget(a.Conn, a.Block)
		case swarm.Verify:
			whole = append(whole, a.Block.Piece)
		case swarm.Complete:
			w.done = true
		case swarm.Drop, swarm.Ban:
			w.Fatalf("connection %d, which is honest, was dropped: %s", a.Conn, a.Text)
		}
	}
	for _, p := range whole {
		w.r.sw.PieceVerified(w.r.now, p, true)
		w.carry()
	}
}

func (w *trials) request(id swarm.ConnID, b swarm.Block) {
	if w.got[b] {
		w.Fatalf("asked for %v, which is here", b)
	}
	w.asked[b] = append(w.asked[b], id)
	if len(w.asked[b]) == 1 {
		return
	}
	if len(w.asked[b]) > 2 {
		w.Fatalf("asked for %v of %v", b, w.asked[b])
	}
	for p := range w.pieces {
		for _, o := range blks(p, w.blocks) {
			if w.held(p) && !w.got[o] && len(w.asked[o]) == 0 {
				w.Fatalf("asked for %v of %v before %v of anybody", b, w.asked[b], o)
			}
		}
	}
}

// held reports whether anybody connected has a piece.
func (w *trials) held(piece int) bool {
	for _, have := range w.has {
		if have.Has(piece) {
			return true
		}
	}
	return false
}

func (w *trials) forget(id swarm.ConnID, b swarm.Block) {
	var left []swarm.ConnID
	for _, o := range w.asked[b] {
		if o != id {
			left = append(left, o)
		}
	}
	w.asked[b] = left
}

// owed returns what a connection was asked for, pieces in order.
func (w *trials) owed(id swarm.ConnID) (owed []swarm.Block) {
	for p := range w.pieces {
		for _, b := range blks(p, w.blocks) {
			for _, o := range w.asked[b] {
				if o == id {
					owed = append(owed, b)
				}
			}
		}
	}
	return owed
}

func (w *trials) deliver(id swarm.ConnID, b swarm.Block) {
	w.forget(id, b)
	if w.r.sw.PeerBlock(w.r.now, id, b) {
		w.got[b] = true
	}
	w.carry()
}

func (w *trials) part(id swarm.ConnID) {
	for _, b := range w.owed(id) {
		w.forget(id, b)
	}
	delete(w.has, id)
	w.r.sw.Disconnect(w.r.now, id)
	w.carry()
}

func (w *trials) joinOrigin() {
	w.nextID++
	w.origins = append(w.origins, w.nextID)
	w.has[w.nextID] = content.FullBitfield(w.pieces)
	w.r.visits(w.nextID)
	w.carry()
}

func (w *trials) joinPeer() {
	w.nextID++
	w.peers = append(w.peers, w.nextID)
	near := w.n(1, "near") == 1
	w.r.joins(w.nextID, near)
	has := content.NewBitfield(w.pieces)
	for p := range w.pieces {
		if w.n(2, "has") > 0 {
			has.Set(p)
		} else {
			w.r.sw.PeerFetching(w.r.now, w.nextID, p, true) // and will not say that it is over
		}
	}
	w.has[w.nextID] = has
	w.r.sw.PeerBitfield(w.r.now, w.nextID, has)
	w.carry()
}

// pick takes one of ids out.
func (w *trials) pick(ids *[]swarm.ConnID) swarm.ConnID {
	i := w.n(len(*ids)-1, "who")
	id := (*ids)[i]
	*ids = append((*ids)[:i:i], (*ids)[i+1:]...)
	return id
}

func (w *trials) step() {
	op := w.n(9, "op")
	switch {
	case op == 0 || len(w.origins) == 0:
		w.joinOrigin()
		return
	case op == 1:
		w.joinPeer()
		return
	case op == 2:
		w.part(w.pick(&w.origins))
		return
	case op == 3 && len(w.peers) > 0:
		w.part(w.pick(&w.peers))
		return
	case op == 4:
		w.r.pass(time.Duration(w.n(6000, "ms")) * time.Millisecond)
		w.carry()
		return
	}
	id := w.origins[w.n(len(w.origins)-1, "origin")]
	switch op {
	case 5:
		w.r.sw.Costly(w.r.now, id, w.n(1, "costly") == 1)
		w.carry()
	case 6:
		w.refuse(id)
	case 7:
		w.r.sw.InOrder(w.r.now, id, w.n(w.pieces, "from")-1)
	default:
		if owed := w.owed(id); len(owed) > 0 {
			for _, b := range owed[:1+w.n(len(owed)-1, "blocks")] {
				w.deliver(id, b)
			}
		}
	}
}

func (w *trials) refuse(id swarm.ConnID) {
	owed := w.owed(id)
	var blocks []swarm.Block
	taken := content.NewBitfield(w.pieces)
	for _, b := range owed {
		if w.n(1, "refused") == 1 {
			blocks = append(blocks, b)
			w.forget(id, b)
		}
	}
	for p := range w.pieces {
		if w.n(1, "taken") == 1 {
			taken.Set(p)
		}
	}
	w.r.sw.Elsewhere(w.r.now, id, blocks, taken, time.Duration(w.n(5000, "after"))*time.Millisecond)
	w.carry()
}

// Whatever an origin did before, and whatever peers claim, with one origin that
// answers everything is fetched in the end, and nothing was asked of two at once
// while something was asked of nobody.
func TestAnyOrderOfEventsEndsWithEverything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &trials{
			T: rt, pieces: 6, blocks: 3, has: map[swarm.ConnID]*content.Bitfield{},
			asked: map[swarm.Block][]swarm.ConnID{}, got: map[swarm.Block]bool{},
		}
		w.r = newRig(t, w.pieces, w.blocks, false)
		for range w.n(40, "steps") {
			w.step()
		}
		for len(w.origins) > 0 {
			w.part(w.pick(&w.origins))
		}
		w.joinOrigin()
		id := w.origins[0]
		w.r.sw.Costly(w.r.now, id, w.n(1, "costly in the end") == 1)
		w.carry()
		for end := w.r.now.Add(3 * time.Minute); !w.done; {
			if w.r.now.After(end) {
				w.Fatalf("%d of %d blocks here after three minutes, %d asked of the origin", len(w.got), w.pieces*w.blocks, len(w.owed(id)))
			}
			for _, b := range w.owed(id) {
				w.deliver(id, b)
			}
			w.r.pass(swarm.TickEvery)
			w.carry()
		}
	})
}
