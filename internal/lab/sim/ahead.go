package sim

import "math/bits"

// A run of very many nodes waits for memory: an event touches some forty places all over
// hundreds of megabytes, one after the other, since each says where the next is. So what
// is about to happen is looked through shortly before, for many events at a time and one
// step for all of them before the next step: then a processor has many of these places
// brought at once. Nothing is changed by it, and so nothing comes out differently.

// ahead is how many events are looked through at a time, at most.
const ahead = 128

// foreseen is the highest level of files that are looked through: in those above there is
// what happens in some seconds, before which much will be added.
const foreseen = 3

// far is from how many nodes on it pays.
const far = 20_000

// scout is scratch space for what is about to happen.
type scout struct {
	soon   []event
	known  int64 // events before are in soon, or were
	crowd  int   // of the heap so many are not known, where very many events are at one moment
	ends   [ahead]end
	n      int
	beyond uint64 // nobody reads it: it has what was looked at be needed
}

// end is the end of a flow, as far as it is foreseen.
type end struct {
	from, to, next int32
	out, in        int32 // flows beside
}

// gather notes the events of one file, and of those behind it on the same level, as long
// as they are few.
func (q *queue) gather(level int, digit uint8) {
	span := int64(1) << (8 * level)
	first := q.base &^ (span<<8 - 1)
	for d := int(digit); d < 256; d++ {
		if q.some[level][d/64]>>(d%64) == 0 { // nothing until the next word
			d |= 63
			continue
		}
		d += bits.TrailingZeros64(q.some[level][d/64] >> (d % 64))
		n := len(q.soon.soon)
		for head := q.files[level][d]; head != none; head = q.chunks[head].next {
			c := &q.chunks[head]
			if len(q.soon.soon)+int(c.n) > ahead {
				q.soon.soon = q.soon.soon[:n]
				return
			}
			q.soon.soon = append(q.soon.soon, c.events[:c.n]...)
		}
		q.soon.known = first + int64(d+1)*span
	}
}

// gatherHeap notes those that will be taken next from a heap of very many. There are so
// many only where they are at one moment, and then they are taken from the end.
func (q *queue) gatherHeap() {
	if n := len(q.next); q.soon.crowd > 0 && q.soon.crowd >= n {
		q.soon.crowd = max(n-ahead, 0)
		q.soon.soon = append(q.soon.soon[:0], q.next[q.soon.crowd:]...)
	}
}

// foresee goes through what is about to happen.
func (e *engine) foresee() {
	s := e.queue.soon
	e.queue.gatherHeap()
	if len(s.soon) == 0 {
		return
	}
	s.n = 0
	for _, v := range s.soon {
		if v.kind != flowEnds {
			continue
		}
		if f := &e.flows[v.arg]; f.end == v.at {
			s.ends[s.n] = end{from: f.from, to: f.to, next: none}
			s.n++
		}
	}
	s.soon = s.soon[:0]
	list := s.ends[:s.n]
	sum := e.senders(list)
	sum += e.receivers(list)
	s.beyond += sum
}

// senders looks through the ends of flows, and who will be served next.
func (e *engine) senders(list []end) uint64 {
	sum := uint64(0)
	for k := range list {
		v := &list[k]
		v.out, v.in = e.nodes[v.from].firstOut, e.nodes[v.to].firstIn
		sum += e.lines.touch(v.from) + e.have[int(v.from)*e.words] + e.have[int(v.to)*e.words] + e.taken[int(v.to)*e.words]
	}
	for k := range list {
		v := &list[k]
		offer, next := e.have[int(v.from)*e.words], int32(none)
		for _, i := range e.lines.of[v.from].Waiting() {
			if e.taken[int(i)*e.words]|^offer != ^uint64(0) && next < 0 {
				next = i
			}
		}
		v.next = next
		if v.out != none {
			sum += uint64(e.flows[v.out].nextOut)
		}
		if v.in != none {
			sum += uint64(e.flows[v.in].nextIn)
		}
	}
	return sum
}

// receivers looks through what those who will be served next go by.
func (e *engine) receivers(list []end) uint64 {
	sum := uint64(0)
	for k := range list {
		if v := &list[k]; v.next != none {
			v.in = e.nodes[v.next].firstIn
			sum += e.lines.touch(v.next)
		}
	}
	for k := range list {
		v := &list[k]
		if v.next == none {
			continue
		}
		row := e.lines.of[v.next].All()
		for _, j := range row[:min(len(row), sampled)] {
			sum += e.have[int(j)*e.words]
		}
		if v.in != none {
			sum += uint64(e.flows[v.in].prevIn)
		}
	}
	return sum
}

// touch reads where the line of node i is, without waiting for what says so.
func (l *lines) touch(i int32) uint64 {
	at := l.first + int(i)*l.wide
	return uint64(len(l.of[i].All())) + uint64(l.places[at]) + uint64(l.places[at+l.wide-1])
}
