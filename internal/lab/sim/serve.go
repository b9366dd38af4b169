package sim

import (
	"slices"

	"tandem/internal/choke"
)

// serving is to how many connections a node sends at a time (R4, swarm.Config.Serving).
const serving = 2

// crowded is from how many flows on nobody begins another to a receiver whose downlink
// is full: it would make none of them faster. Real senders do begin more, at block
// level, where it costs nothing and brings nothing either.
const crowded = 4

// longest is up to how many nodes a sender looks for whom it could help in the endgame.
const longest = 64

// serve has node j send to as many as it should.
func (e *engine) serve(j int32) {
	if !e.gives(j) {
		return
	}
	if v := &e.nodes[j]; !e.asks && v.nOut >= serving && v.spent() { // of no use, and a look at its flows costs
		return
	}
	for slots := e.slots(j); int(e.nodes[j].nOut) < slots || e.busy(j) < slots; {
		i, ok := e.next(j)
		if !ok {
			if !e.assist(j) {
				break
			}
			continue
		}
		piece := e.forget(i, j)
		if piece == none {
			piece = e.choose(j, i)
		}
		e.begin(j, i, piece)
	}
	e.spread(j, outgoing)
}

// busy counts the flows of a sender that take their share of its uplink.
func (e *engine) busy(j int32) int {
	v := &e.nodes[j]
	n, least := 0, e.share(j)
	if v.nOut == 2 { // the usual case: the second is what the first leaves, and need not be looked up
		first := e.flows[v.firstOut].rate
		if first >= least {
			n++
		}
		if v.out-first >= least {
			n++
		}
		return n
	}
	for g := v.firstOut; g != none; g = e.flows[g].nextOut {
		if e.flows[g].rate >= least {
			n++
		}
	}
	return n
}

// next returns whom node j sends to next: who waits longest of those that want what it
// has. Who only takes comes last.
func (e *engine) next(j int32) (int32, bool) {
	offer := e.offer(j)
	last := int32(none)
	line := &e.lines.of[j]
	for k, i := range line.Waiting() {
		if e.asks && line.Note(k) == none || !e.asks && (i < e.origins || !e.lacks(i, offer)) {
			continue
		}
		v := &e.nodes[i]
		if !e.asks && v.nIn >= crowded && v.full() {
			v.turnedAway = true
			continue
		}
		if v.state != isHere {
			continue
		}
		if !e.onlyTakes(j, i) {
			return i, true
		}
		if last == none {
			last = i
		}
	}
	return last, last != none
}

// offer returns what node j may give now: what it has, but for what the guard holds
// back.
func (e *engine) offer(j int32) []uint64 {
	have := e.row(e.have, j)
	if j < e.origins && e.guard.on {
		for w := range e.open {
			e.open[w] = have[w] &^ e.guard.placed[w]
		}
		return e.open
	}
	return have
}

// lacks reports whether node i wants something of an offer that it does not fetch.
func (e *engine) lacks(i int32, offer []uint64) bool {
	if len(offer) == 1 {
		return offer[0]&^e.taken[i] != 0
	}
	if bit(e.whole, i) { // where nodes stay, most are
		return false
	}
	for w, set := range e.row(e.taken, i) {
		if offer[w]&^set != 0 {
			return true
		}
	}
	return false
}

// onlyTakes reports whether node i takes of j and does not give, although it could (R7).
func (e *engine) onlyTakes(j, i int32) bool {
	a := e.lines.account(j, i)
	if a == nil || e.nodes[j].got == e.pieces || !choke.FreeRider(a.up, a.down) || e.now-a.served >= int64(choke.Patience) {
		return false
	}
	if hides := int64(e.nodes[i].got)*e.size < a.up/2; hides {
		return true
	}
	mine := e.row(e.have, j)
	for w, set := range e.row(e.have, i) {
		if set&^mine[w] != 0 {
			return true
		}
	}
	return false
}

// choose returns which piece of j's node i asks for: one begun before, or the rarest
// among its neighbours (R2).
func (e *engine) choose(j, i int32) int32 {
	offer := e.offer(j)
	for k := e.nodes[i].rest; k != none; k = e.rest[k].next {
		if p := e.rest[k].piece; bit(offer, p) && !bit(e.row(e.taken, i), p) {
			return p
		}
	}
	for w, set := range e.row(e.taken, i) {
		e.open[w] = offer[w] &^ set
	}
	e.narrow()
	piece, _ := e.pull.Rarest(e.open, e.seen, e.counted(i), e.rand)
	return int32(piece)
}

// counted returns the neighbours of node i among which pieces are counted: of very many
// nodes, some. Those who have everything, or nothing, make no piece rarer than another
// and are left out, where that is less work than counting.
func (e *engine) counted(i int32) []int32 {
	all := e.lines.of[i].All()
	if e.lag > 0 && len(all) > sampled {
		all = all[:sampled]
	}
	if e.words == 1 {
		return all
	}
	e.beside = e.beside[:0]
	for _, j := range all {
		if !bit(e.whole, j) {
			e.beside = append(e.beside, j)
		}
	}
	return e.beside
}

const sampled = 8

// narrow leaves of very many open pieces those of one part, drawn at random: the rarest
// of a thousand are as good as the rarest of all, and the product looks at no more.
func (e *engine) narrow() {
	if e.words <= 2*look {
		return
	}
	parts := (e.words + look - 1) / look
	first := e.rand.IntN(parts)
	for k := range parts {
		lo := (first + k) % parts * look
		hi := min(lo+look, e.words)
		if slices.ContainsFunc(e.open[lo:hi], func(set uint64) bool { return set != 0 }) {
			clear(e.open[:lo])
			clear(e.open[hi:])
			return
		}
	}
}

// look is the words of such a part: 1,024 pieces, as pick.Picker looks at.
const look = 16

// wants returns the rarest of the pieces that node i lacks, does not fetch and are not
// in barred (words, nil: none), as an origin would be asked for; none if there is none.
func (e *engine) wants(i int32, barred []uint64) int32 {
	for w, set := range e.row(e.taken, i) {
		e.open[w] = e.have[w] &^ set // node 0 has everything
		if barred != nil {
			e.open[w] &^= barred[w]
		}
	}
	for k := e.nodes[i].rest; k != none; k = e.rest[k].next {
		if bit(e.open, e.rest[k].piece) {
			return e.rest[k].piece
		}
	}
	e.narrow()
	piece, ok := e.pull.Rarest(e.open, e.seen, e.counted(i), e.rand)
	if !ok {
		return none
	}
	return int32(piece)
}

// assist has j, which nobody asks for a piece, send a part of one that somebody fetches
// from a slower one (R2 d, R6), and reports whether there was such.
func (e *engine) assist(j int32) bool {
	if j < e.origins && e.guard.on {
		return false
	}
	have := e.row(e.have, j)
	best, latest := int32(none), e.worth()
	waiting := e.lines.of[j].Waiting()
	for _, i := range waiting[:min(len(waiting), longest)] {
		if bit(e.whole, i) {
			continue
		}
		v := &e.nodes[i]
		if v.nIn == 0 || i < e.origins || v.state != isHere || v.full() {
			continue
		}
		for g := v.firstIn; g != none; g = e.flows[g].nextIn {
			f := &e.flows[g]
			if f.end-e.now > latest && bit(have, f.piece) && f.left > 2*block {
				best, latest = g, f.end-e.now
			}
		}
	}
	if best == none {
		return false
	}
	return e.split(j, best)
}

// worth is how long a piece must still take for help to be of use.
func (e *engine) worth() int64 { return 4*e.trip + int64(assistLeast) }

// split has j send a part of what is left of flow g. Shares follow the rates, in blocks.
func (e *engine) split(j, g int32) bool {
	to, piece := e.flows[g].to, e.flows[g].piece
	f := e.attach(j, to, piece)
	e.settle(f)
	old, add := &e.flows[g], &e.flows[f]
	e.advance(old)
	part := int64(0)
	if add.rate > 0 {
		part = per(old.left, add.rate, add.rate+old.rate) / block * block
	}
	if part <= 0 || part >= old.left {
		e.detach(f)
		return false
	}
	old.part, add.part = true, true
	old.left -= part
	old.size -= part
	add.left, add.size = part, part
	e.file(g)
	e.file(f)
	return true
}

// block is what a piece is split in: content.BlockSize.
const block = 16 << 10

// guard is R5: while some piece has not left the seeder, none leaves twice. It is on
// only with one seeder, since each of two sees that another has everything.
type guard struct {
	on       bool
	placed   []uint64 // on their way to somebody, or there
	unplaced int32
}

func (g *guard) begin(e *engine) {
	if e.hook != nil || e.origins > 1 {
		return
	}
	g.on, g.placed, g.unplaced = true, make([]uint64, e.words), e.pieces
}

// place says that a piece is on its way from the seeder, or that somebody has it.
func (g *guard) place(e *engine, piece int32) {
	if !g.on || bit(g.placed, piece) {
		return
	}
	set(g.placed, piece)
	if g.unplaced--; g.unplaced == 0 {
		g.on = false
		e.askAll(0)
		e.poke(0)
	}
}

// free says that nobody has the piece, nor is it on its way.
func (g *guard) free(e *engine, piece int32) {
	if g.on && bit(g.placed, piece) {
		unset(g.placed, piece)
		g.unplaced++
		e.askAll(0)
		e.poke(0)
	}
}
