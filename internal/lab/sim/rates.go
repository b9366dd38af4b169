package sim

import "math/bits"

// flow is one piece, or the rest or a part of one, on its way.
type flow struct {
	from, to, piece  int32
	nextOut, prevOut int32
	nextIn, prevIn   int32
	rate             int64 // bytes per second
	size             int64 // bytes that it is to bring
	left             int64 // of them at since
	since            int64 // may lie ahead: requests are on their way
	part             bool  // others bring of the same piece, or did
	end              int64 // when the last byte leaves; forever with rate 0
}

// Rates are max-min fair at both ends of a flow as far as these can see: a new flow
// gets what an equal share of the sender's uplink and of the receiver's downlink allow,
// others are cut down to their share where room is needed, and what is set free is
// given to the flows beside. No sum of rates ever exceeds a link.

// side is one end of flows: those that leave a node, or those that come.
type side bool

const (
	outgoing side = false
	incoming side = true
)

// of returns a node's capacity, its first flow and how many it has.
func (e *engine) of(i int32, s side) (capacity int64, first, n int32) {
	v := &e.nodes[i]
	if s == incoming {
		return v.down, v.firstIn, v.nIn
	}
	return v.up, v.firstOut, v.nOut
}

// used returns how much of a node's capacity is in use.
func (v *node) used(s side) int64 {
	if s == incoming {
		return v.in
	}
	return v.out
}

// after returns the flow behind f on a side.
func (f *flow) after(s side) int32 {
	if s == incoming {
		return f.nextIn
	}
	return f.nextOut
}

// fair returns what flow f, which has nothing now, may have at node i without others falling below their equal
// share: more where they take less.
func (e *engine) fair(i int32, s side, f int32) int64 {
	capacity, first, n := e.of(i, s)
	switch used := e.nodes[i].used(s); {
	case n <= 1:
		return capacity
	case n == 2:
		return capacity - min(used, capacity-capacity/2)
	}
	level := capacity / int64(n)
	for {
		kept, above := int64(0), int64(1) // f is above
		for g := first; g != none; g = e.flows[g].after(s) {
			switch r := e.flows[g].rate; {
			case g == f:
			case r <= level:
				kept += r
			default:
				above++
			}
		}
		next := (capacity - kept) / above
		if next <= level {
			return level
		}
		level = next
	}
}

// trim cuts the flows of node i beside f so that they take no more than most together:
// the largest first, down to the same level.
func (e *engine) trim(i int32, s side, f int32, most int64) {
	_, first, n := e.of(i, s)
	sum := int64(0)
	for g := first; g != none; g = e.flows[g].after(s) {
		if g != f {
			sum += e.flows[g].rate
		}
	}
	if sum <= most {
		return
	}
	level := most / int64(n-1)
	for {
		kept, above := int64(0), int64(0)
		for g := first; g != none; g = e.flows[g].after(s) {
			if r := e.flows[g].rate; g == f {
				continue
			} else if r <= level {
				kept += r
			} else {
				above++
			}
		}
		if above == 0 {
			break
		}
		next := (most - kept) / above
		if next <= level {
			break
		}
		level = next
	}
	for g := first; g != none; g = e.flows[g].after(s) {
		if v := &e.flows[g]; g != f && v.rate > level {
			e.setRate(g, level)
			if s == incoming && e.stirred < stirs {
				e.stirred++
				e.poke(v.from) // it has room again
			}
		}
	}
}

// settle gives flow f what it may have, and takes it from others where they have more
// than their share.
func (e *engine) settle(f int32) {
	v := &e.flows[f]
	a, b, had := &e.nodes[v.from], &e.nodes[v.to], v.rate
	a.out -= had
	b.in -= had
	v.rate = 0
	rate := b.down // if the sender has as much left, its other flows need not be looked at
	if a.up-a.out < rate {
		rate = e.fair(v.from, outgoing, f)
	}
	if b.down-b.in < rate {
		rate = min(rate, e.fair(v.to, incoming, f))
	}
	if a.up-a.out < rate {
		e.trim(v.from, outgoing, f, a.up-rate)
	}
	if b.down-b.in < rate {
		e.trim(v.to, incoming, f, b.down-rate)
	}
	v.rate = had
	a.out += had
	b.in += had
	e.setRate(f, rate)
}

// setRate changes a flow's rate, and so when it ends.
func (e *engine) setRate(f int32, rate int64) {
	v := &e.flows[f]
	if v.rate == rate {
		return
	}
	e.advance(v)
	e.meter(v.from)
	e.nodes[v.from].out += rate - v.rate
	e.nodes[v.to].in += rate - v.rate
	v.rate = rate
	e.file(f)
}

// advance counts what a flow has brought until now.
func (e *engine) advance(v *flow) {
	if d := e.now - v.since; d > 0 {
		v.left = max(v.left-per(v.rate, d, 1e9), 0)
		v.since = e.now
	}
}

// file puts the end of a flow into the queue.
func (e *engine) file(f int32) {
	v := &e.flows[f]
	if v.rate <= 0 {
		v.end = forever
		return
	}
	v.end = v.since + per(v.left, 1e9, v.rate) + 1
	e.queue.push(event{v.end, flowEnds, f})
}

// per returns a*b/c, all positive, or forever if that is more.
func per(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return forever / 4
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, forever/4))
}

// link makes a flow and puts it into the lists of its ends.
func (e *engine) link(from, to, piece int32) int32 {
	f := e.spare
	if f == none {
		f = int32(len(e.flows))
		e.flows = append(e.flows, flow{})
	} else {
		e.spare = e.flows[f].nextOut
	}
	a, b := &e.nodes[from], &e.nodes[to]
	e.flows[f] = flow{
		from: from, to: to, piece: piece, nextOut: a.firstOut, prevOut: none, nextIn: b.firstIn, prevIn: none,
		since: e.now + e.late + e.lag, end: forever,
	}
	if a.firstOut != none {
		e.flows[a.firstOut].prevOut = f
	}
	if b.firstIn != none {
		e.flows[b.firstIn].prevIn = f
	}
	a.firstOut, b.firstIn = f, f
	a.nOut++
	b.nIn++
	e.going++
	return f
}

// unlink forgets a flow, and gives what it had to those beside it.
func (e *engine) unlink(f int32) {
	v := &e.flows[f]
	a, b := &e.nodes[v.from], &e.nodes[v.to]
	wasFull := b.full()
	e.meter(v.from)
	a.out -= v.rate
	b.in -= v.rate
	if v.prevOut != none {
		e.flows[v.prevOut].nextOut = v.nextOut
	} else {
		a.firstOut = v.nextOut
	}
	if v.nextOut != none {
		e.flows[v.nextOut].prevOut = v.prevOut
	}
	if v.prevIn != none {
		e.flows[v.prevIn].nextIn = v.nextIn
	} else {
		b.firstIn = v.nextIn
	}
	if v.nextIn != none {
		e.flows[v.nextIn].prevIn = v.prevIn
	}
	a.nOut--
	b.nIn--
	e.going--
	to := v.to
	v.rate, v.end, v.nextOut = 0, none, e.spare
	e.spare = f
	if wasFull {
		e.spread(to, incoming)
	}
	if !b.turnedAway {
		return
	}
	b.turnedAway = false
	if b.nIn <= 1 {
		e.wake(to)
		return
	}
	line := e.lines.of[to].All() // a few will do: it has others
	for k := range min(len(line), wakes) {
		e.poke(line[(int(f)+k)%len(line)])
	}
}

// stirs is how many senders at most are looked at again, in one event, since a rate of
// theirs was cut: what that sets free moves on from node to node ever smaller, and need
// not be followed to its end.
const stirs = 32

// few is up to how many flows at one end are settled one by one.
const few = 8

// wakes is how many of those that passed a receiver by look at it again, while it has
// others.
const wakes = 4

// full reports whether next to nothing is left of a node's downlink.
func (v *node) full() bool { return v.down-v.in <= v.down/32 }

// spent reports whether next to nothing is left of a node's uplink.
func (v *node) spent() bool { return v.up-v.out <= v.up/32 }

// spread gives what is left of a node's link to its flows. Where there are few each is
// settled; where there are many each gets an equal part of what is left, if its other
// end has as much.
func (e *engine) spread(i int32, s side) {
	capacity, first, n := e.of(i, s)
	left := capacity - e.nodes[i].used(s)
	if n == 0 || left <= capacity/64 {
		return
	}
	for g := first; g != none; g = e.flows[g].after(s) {
		f := &e.flows[g]
		room := e.nodes[f.from].up - e.nodes[f.from].out
		if s == outgoing {
			room = e.nodes[f.to].down - e.nodes[f.to].in
		}
		if n <= few {
			if s == incoming || room > 0 {
				e.settle(g)
			}
			continue
		}
		if add := min(left/int64(n), room); add > f.rate/16 {
			e.setRate(g, f.rate+add)
		}
	}
}
