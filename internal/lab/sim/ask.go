package sim

// Requests ahead of their turn. A receiver asks each neighbour for a piece before it is
// served, so that the link never waits, and what it has asked of one it asks of no other
// (R2): where there are few pieces to be had, many wait for the same neighbour while
// another that has the piece too is idle. That is part of what a swarm takes, where a
// piece is no larger than what is asked for ahead (R3). Of a larger one others can have
// a part, so there a receiver chooses when its turn comes; and so it does where there
// are very many, or where pieces are merged.
const (
	askers     = 2_000
	askedAhead = 128 << 10
)

// gives reports whether node j serves anybody at all.
func (e *engine) gives(j int32) bool {
	v := &e.nodes[j]
	if v.state != isHere || v.up <= 0 {
		return false
	}
	if j < e.origins {
		return e.hook == nil
	}
	return e.swarm && v.marks&freeRider == 0
}

// ask has node i ask j for a piece, if it has none asked there and j has one that it
// wants.
func (e *engine) ask(i, j int32) {
	if !e.asks || i < e.origins || e.nodes[i].state != isHere || !e.gives(j) {
		return
	}
	line := &e.lines.of[j]
	k := line.Find(i)
	if k < 0 || line.Note(k) != none || !e.lacks(i, e.offer(j)) {
		return
	}
	piece := e.choose(j, i)
	set(e.row(e.taken, i), piece)
	line.SetNote(k, piece)
	e.poke(j)
	if j < e.origins {
		e.guard.place(e, piece)
	}
	if e.endgame(i) {
		e.wake(i)
	}
}

// askFor has those of i's neighbours that wait for something of it ask for a new piece.
func (e *engine) askFor(i, piece int32) {
	if !e.asks || !e.gives(i) {
		return
	}
	line := &e.lines.of[i]
	for k, j := range line.All() {
		if line.Note(k) == none && !bit(e.row(e.taken, j), piece) {
			e.ask(j, i)
		}
	}
}

// forget returns what node i has asked of j, and has it forgotten; none if there is nothing.
func (e *engine) forget(i, j int32) int32 {
	line := &e.lines.of[j]
	k := line.Find(i)
	if !e.asks || k < 0 {
		return none
	}
	piece := line.Note(k)
	line.SetNote(k, none)
	return piece
}

// release says that nobody brings piece to node i, although it has asked j for it.
func (e *engine) release(i, j, piece int32) {
	if piece == none {
		return
	}
	unset(e.row(e.taken, i), piece)
	if j < e.origins && e.live[piece] == 0 {
		e.guard.free(e, piece)
	}
	if e.nodes[i].state != isHere {
		return
	}
	e.wake(i)
	if e.hook != nil {
		e.hook.opened(i)
	}
}

// askAll has all of j's neighbours ask it.
func (e *engine) askAll(j int32) {
	if !e.asks {
		return
	}
	for _, i := range e.lines.of[j].All() {
		e.ask(i, j)
	}
}

// takeBack has all requests to peers forgotten.
func (e *engine) takeBack() {
	if !e.asks {
		return
	}
	for _, j := range e.here {
		for _, i := range e.lines.of[j].All() {
			if piece := e.forget(i, j); piece != none {
				unset(e.row(e.taken, i), piece)
			}
		}
	}
}
