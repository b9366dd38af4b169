package sim

import (
	"slices"

	"tandem/internal/admit"
	"tandem/internal/content"
)

// fill has node i ask its origin for what it may.
func (h *hybrid) fill(i int32) {
	u := h.user(i)
	d := h.desks[u.home]
	if !u.here || !u.member || u.finished || !d.alive {
		return
	}
	if h.e.now < u.rest {
		h.rise(i, u.rest)
		return
	}
	for range asksAtOnce {
		if int(u.under) >= atOnceAsked {
			return
		}
		barred := h.barred(d, u)
		piece := h.e.wants(i, barred)
		late := int32(none)
		if piece == none {
			if late = h.late(i, barred); late != none {
				piece = h.e.flows[late].piece
			}
		}
		if piece == none {
			if u.taken != nil && h.e.now < u.until {
				h.rise(i, u.until)
			}
			return
		}
		bytes := h.e.bytes(piece)
		if late != none {
			bytes = max(h.e.flows[late].left/2/block, 1) * block
		}
		v := d.o.Ask(h.at(), admit.Request{
			Client: admit.Client{Node: nodeID(i)}, Share: theShare, First: int(piece), Last: int(piece), Bytes: bytes,
		})
		if v.ID == 0 {
			h.elsewhere(u, piece, v)
			continue
		}
		u.diverted = 0
		h.take(d, &ask{id: v.ID, desk: u.home, node: i, piece: piece, flow: none, help: late != none, of: bytes})
	}
	h.rise(i, h.e.now+max(h.trip, 1)) // the answers take so long to come
}

// barred returns the pieces that a node does not ask its origin for now; nil: none.
func (h *hybrid) barred(d *desk, u *user) []uint64 {
	if u.taken != nil && h.e.now >= u.until {
		u.taken = nil
	}
	if !d.spare || !h.swarm {
		return u.taken
	}
	row := make([]uint64, h.e.words)
	copy(row, u.taken)
	for p := range h.e.pieces {
		if h.e.live[p] > 0 {
			set(row, p)
		}
	}
	for _, a := range d.asks {
		set(row, a.piece)
	}
	return row
}

// elsewhere takes the answer that peers are to be asked for piece, or the origin later.
func (h *hybrid) elsewhere(u *user, piece int32, v admit.Verdict) {
	after := min(max(v.After, leastAfter), mostAfter)
	if u.taken == nil || h.e.now >= u.until {
		u.taken = make([]uint64, h.e.words)
	}
	if v.Taken != nil {
		copyBits(u.taken, v.Taken)
	}
	set(u.taken, piece)
	u.until = h.e.now + int64(after)
	if u.diverted++; u.diverted >= stormNamed {
		after = max(after, min(leastAfter<<min((u.diverted-stormNamed)/asksAtOnce, 8), stormMost))
		u.rest = h.e.now + int64(after)
	}
	if v.Taken != nil && v.Taken.Full() {
		u.rest = u.until
	}
}

// copyBits makes row what b says.
func copyBits(row []uint64, b *content.Bitfield) {
	clear(row)
	for p := b.Next(0); p >= 0; p = b.Next(p + 1) {
		set(row, int32(p))
	}
}

// take has an origin that has taken a request send what it grants. Where it has no
// budget that is at once.
func (h *hybrid) take(d *desk, a *ask) {
	h.user(a.node).under++
	d.asks = append(d.asks, a)
	d.byID[a.id] = a
	if !a.help {
		set(h.e.row(h.e.taken, a.node), a.piece) // it is not asked of anybody else meanwhile
		set(h.e.row(h.e.seen, a.node), a.piece)  // and others are told
	}
	d.o.Take(h.at(), a.id, int(min(a.of, 1<<30)))
	h.grant(d)
	h.rouse(h.e.now + meterEvery)
}

// grant takes over what may be sent, and begins to send what is granted for the first time.
func (h *hybrid) grant(d *desk) {
	grants, next := d.o.Grants(h.at())
	for _, g := range grants {
		a := d.byID[g.ID]
		a.granted += int64(g.Bytes)
		if a.flow != none {
			continue
		}
		if !h.send(a) {
			h.over(d, a, false)
			continue
		}
		for int(a.flow) >= len(h.begun) {
			h.begun = append(h.begun, nil)
		}
		h.begun[a.flow] = a
	}
	if !next.IsZero() {
		h.rouse(h.e.now + int64(next.Sub(h.at())))
	}
}

// send begins to send what an ask is for, and reports whether that is still of use.
func (h *hybrid) send(a *ask) bool {
	if !a.help {
		unset(h.e.row(h.e.taken, a.node), a.piece)
		a.flow = h.e.begin(a.desk, a.node, a.piece)
		return true
	}
	g := h.e.other(a.node, a.piece)
	if g == none || !h.e.split(a.desk, g) {
		return false
	}
	a.flow = h.e.nodes[a.node].firstIn
	return true
}

// late returns the flow to node i that will take longest, if a block of it would be here
// much sooner from its origin (R6), or none.
func (h *hybrid) late(i int32, barred []uint64) int32 {
	o := &h.e.nodes[h.user(i).home]
	here := h.trip + per(block, 1e9, max(o.up/int64(o.nOut+1), 1))
	best, latest := int32(none), max(h.e.worth(), here+here/2)
	if h.e.nodes[i].full() {
		return none
	}
	for g := h.e.nodes[i].firstIn; g != none; g = h.e.flows[g].nextIn {
		f := &h.e.flows[g]
		if f.from >= h.e.origins && f.end-h.e.now > latest && f.left > 2*block && (barred == nil || !bit(barred, f.piece)) {
			best, latest = g, f.end-h.e.now
		}
	}
	return best
}

// opened implements hook.
func (h *hybrid) opened(i int32) { h.rise(i, h.e.now) }

// ended implements hook.
func (h *hybrid) ended(f *flow, id int32, whole bool) {
	a := h.begun[id]
	d := h.desks[a.desk]
	if whole {
		h.account(d, a, f.size)
	} else if !a.help {
		unset(h.e.row(h.e.seen, a.node), a.piece)
	}
	h.over(d, a, whole)
	h.grant(d)
	h.rise(a.node, h.e.now)
}

// over forgets a request.
func (h *hybrid) over(d *desk, a *ask, whole bool) {
	d.o.Done(h.at(), a.id, whole)
	delete(d.byID, a.id)
	k := slices.Index(d.asks, a)
	d.asks = slices.Delete(d.asks, k, k+1)
	h.user(a.node).under--
}

// withdraw gives up requests that wait for their turn.
func (h *hybrid) withdraw(d *desk, which func(*ask) bool) {
	for _, a := range slices.Clone(d.asks) {
		if a.flow == none && which(a) {
			if !a.help {
				unset(h.e.row(h.e.taken, a.node), a.piece)
				unset(h.e.row(h.e.seen, a.node), a.piece)
			}
			h.over(d, a, false)
		}
	}
}

// account tells admit what has gone out, as far as that was granted.
func (h *hybrid) account(d *desk, a *ask, sent int64) {
	for a.granted > 0 && a.sent < sent {
		n := min(sent-a.sent, a.granted)
		d.o.Sent(h.at(), a.id, int(n))
		a.sent += n
		a.granted = 0
		if left := a.of - a.sent; left > 0 {
			d.o.Take(h.at(), a.id, int(min(left, 1<<30)))
			h.grant(d)
		}
	}
}

// rouse has the desks looked after at t, unless that is done before.
func (h *hybrid) rouse(t int64) {
	if t < h.wake {
		h.wake = t
		h.e.at(t, tickDesks)
	}
}

// tickDesks tells admit what has gone out, and looks at the model. It is done as often as
// a run with so many requests can afford.
func (h *hybrid) tickDesks() {
	if h.e.now < h.wake {
		return
	}
	h.wake = forever
	under := 0
	for _, d := range h.desks {
		if !d.alive {
			continue
		}
		for _, a := range slices.Clone(d.asks) {
			if a.flow != none {
				v := &h.e.flows[a.flow]
				h.account(d, a, v.size-v.left+per(v.rate, max(h.e.now-v.since, 0), 1e9))
			}
		}
		h.grant(d)
		under += len(d.asks)
		if h.e.now >= d.ticked+modelEvery {
			d.ticked = h.e.now
			h.follow(d, len(d.o.Tick(h.at())) > 0)
		}
	}
	switch {
	case under > 200:
		h.rouse(h.e.now + modelEvery)
	case under > 0:
		h.rouse(h.e.now + meterEvery)
	}
}
