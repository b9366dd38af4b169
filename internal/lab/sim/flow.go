package sim

// rest is what is lacking of a piece that was begun and given up.
type rest struct {
	piece int32
	next  int32 // or none; of those free too
	left  int64
}

// begin starts to send piece to node to, which must lack it and not be fetching it. It
// returns the flow's number, which is used again after the flow has ended.
func (e *engine) begin(from, to, piece int32) int32 {
	left := e.resume(to, piece)
	set(e.row(e.taken, to), piece)
	if from < e.origins {
		e.guard.place(e, piece)
	}
	f := e.attach(from, to, piece)
	v := &e.flows[f]
	v.left, v.size = left, left
	e.settle(f)
	e.ask(to, from)
	if e.nodes[to].got == 0 {
		e.m.began(to-e.origins, e.now+e.late+e.trip)
	}
	if e.endgame(to) {
		e.wake(to)
	}
	return f
}

// endgame reports whether node i lacks nothing that it does not fetch.
func (e *engine) endgame(i int32) bool {
	if row := e.row(e.taken, i); len(row) == 1 {
		return row[0] == e.taken[0]
	}
	if e.nodes[i].got < e.pieces-longest { // it does not fetch so many at a time
		return false
	}
	all := e.row(e.taken, 0)
	for w, set := range e.row(e.taken, i) {
		if set != all[w] {
			return false
		}
	}
	return true
}

// attach makes a flow, and its turn in the sender's line.
func (e *engine) attach(from, to, piece int32) int32 {
	e.lines.turn(from, to)
	return e.link(from, to, piece)
}

// detach is the reverse of attach.
func (e *engine) detach(f int32) {
	from, to := e.flows[f].from, e.flows[f].to
	e.lines.of[from].End(to)
	if a := e.lines.account(from, to); a != nil {
		a.served = e.now
	}
	e.unlink(f)
}

// end is called when the last byte of a flow has left.
func (e *engine) end(f int32) {
	v := &e.flows[f]
	e.moved = e.now
	p := parcel{
		at: e.now + e.trip + int64(verify), from: v.from, to: v.to, piece: v.piece,
		session: e.nodes[v.to].sessions, bytes: v.size,
	}
	parted := v.part
	e.detachWith(f, true)
	p.last = !parted || e.other(p.to, p.piece) == none
	e.poke(p.from)
	if e.lag > 0 {
		e.arrive(p)
		return
	}
	e.fifo.push(p)
}

// detachWith is detach, and tells the hook.
func (e *engine) detachWith(f int32, whole bool) {
	if v := &e.flows[f]; e.hook != nil && v.from < e.origins {
		gone := *v
		e.detach(f)
		e.hook.ended(&gone, f, whole)
		return
	}
	e.detach(f)
}

// other returns a flow that brings piece to node i, or none.
func (e *engine) other(i, piece int32) int32 {
	for g := e.nodes[i].firstIn; g != none; g = e.flows[g].nextIn {
		if e.flows[g].piece == piece {
			return g
		}
	}
	return none
}

// cut ends a flow before its time. What has come of the piece stays with the receiver.
func (e *engine) cut(f int32) {
	v := &e.flows[f]
	e.advance(v)
	from, to, piece, left := v.from, v.to, v.piece, v.left
	if left == 0 { // at this very moment
		e.end(f)
		return
	}
	e.carry(from, to, v.size-left)
	e.detachWith(f, false)
	e.poke(from)
	if g := e.other(to, piece); g != none { // the others bring it
		e.advance(&e.flows[g])
		e.flows[g].left += left
		e.flows[g].size += left
		e.file(g)
		return
	}
	e.keep(to, piece, left)
	unset(e.row(e.taken, to), piece)
	if from < e.origins && e.live[piece] == 0 {
		e.guard.free(e, piece)
	}
	e.wake(to)
	if e.hook != nil {
		e.hook.opened(to)
	}
}

// carry counts content that went from one node to another.
func (e *engine) carry(from, to int32, bytes int64) {
	if bytes <= 0 {
		return
	}
	e.m.sent(from, to, bytes)
	e.lines.count(from, to, bytes)
}

// keep notes that of a piece so much is still lacking.
func (e *engine) keep(i, piece int32, left int64) {
	for k := e.nodes[i].rest; k != none; k = e.rest[k].next {
		if e.rest[k].piece == piece {
			e.rest[k].left = min(e.rest[k].left+left, e.bytes(piece))
			return
		}
	}
	e.rest = append(e.rest, rest{piece, e.nodes[i].rest, min(left, e.bytes(piece))})
	e.nodes[i].rest = int32(len(e.rest) - 1)
}

// resume returns how much node i lacks of a piece, and forgets it.
func (e *engine) resume(i, piece int32) int64 {
	at := &e.nodes[i].rest
	for *at != none {
		if r := &e.rest[*at]; r.piece == piece {
			*at = r.next
			return r.left
		}
		at = &e.rest[*at].next
	}
	return e.bytes(piece)
}

// arrive is called when a parcel is there, and checked against its hash.
func (e *engine) arrive(p parcel) {
	v := &e.nodes[p.to]
	e.moved = e.now
	e.carry(p.from, p.to, p.bytes)
	if v.state != isHere || v.sessions != p.session {
		e.m.wasted += p.bytes
		if e.live[p.piece] == 0 && p.from < e.origins {
			e.guard.free(e, p.piece)
		}
		return
	}
	e.late = 2 * e.trip // a have, and a request for it
	if e.nodes[p.from].marks&poisoner != 0 {
		e.m.corrupt += p.bytes
		e.keep(p.to, p.piece, p.bytes)
		e.ban(p.to, p.from)
	}
	switch {
	case !p.last:
	case e.begun(p.to, p.piece):
		unset(e.row(e.taken, p.to), p.piece)
		if e.hook != nil {
			e.hook.arrived(p.to, p.piece, p.from)
		}
		e.wake(p.to)
	default:
		e.verified(p.to, p.piece, p.from)
	}
}

// begun reports whether some of a piece is still lacking.
func (e *engine) begun(i, piece int32) bool {
	for k := e.nodes[i].rest; k != none; k = e.rest[k].next {
		if e.rest[k].piece == piece {
			return true
		}
	}
	return false
}

// verified is called when a node has a piece.
func (e *engine) verified(i, piece, from int32) {
	v := &e.nodes[i]
	set(e.row(e.have, i), piece)
	if &e.seen[0] != &e.have[0] {
		set(e.row(e.seen, i), piece)
	}
	v.got++
	e.live[piece]++
	e.guard.place(e, piece)
	e.m.piece(i-e.origins, int(piece), e.bytes(piece), e.now)
	e.poke(i)
	e.askFor(i, piece)
	if e.hook != nil {
		e.hook.arrived(i, piece, from)
	}
	if v.got == e.pieces {
		set(e.whole, i)
		e.finished(i)
	}
	e.killDue()
}

// wake pokes the neighbours of node i that may have something for it and nothing to do.
func (e *engine) wake(i int32) {
	for _, j := range e.lines.of[i].All() {
		e.ask(i, j)
		if v := &e.nodes[j]; v.got > 0 && v.up > 0 && (v.nOut < serving || !v.spent() && e.busy(j) < serving) {
			e.poke(j)
		}
	}
}
