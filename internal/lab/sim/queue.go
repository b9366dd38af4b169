package sim

import "math/bits"

// event is something to happen at a time.
type event struct {
	at   int64
	kind task
	arg  int32
}

// queue holds what is to happen, by time. It is a radix queue (after Ahuja, Mehlhorn,
// Orlin and Tarjan): times never go back, so an event is filed by the highest byte in
// which its time differs from the present, and filed anew, lower, when that byte comes.
// What comes next is a small heap. An event moves a few times in all, always to the end
// of something, which is what a million nodes need; a heap of all of them is not.
type queue struct {
	next    []event // a binary heap: all before horizon
	horizon int64
	base    int64 // when the events in the heap begin: files go by it
	files   [8][256]int32
	some    [8][4]uint64 // which of files are not empty
	chunks  []chunk
	free    int32 // first of the free chunks
	n       int
	soon    *scout // nil: nobody wants to know
}

// chunk is part of a file.
type chunk struct {
	events [62]event
	n      int32
	next   int32 // or none
}

// dump is up to how many events are put into the heap at a time.
const dump = 48

// newQueue returns a queue with room for the events of n nodes.
func newQueue(n int) queue {
	q := queue{free: none, chunks: large(make([]chunk, 0, n/16))}
	for l := range q.files {
		for d := range q.files[l] {
			q.files[l][d] = none
		}
	}
	return q
}

// push adds an event, not earlier than what was popped last.
func (q *queue) push(e event) {
	q.n++
	if e.at < q.horizon {
		q.add(e)
		return
	}
	q.file(e)
}

// file puts an event into its file.
func (q *queue) file(e event) {
	level := 0
	if diff := uint64(e.at ^ q.base); diff != 0 {
		level = (bits.Len64(diff) - 1) / 8
	}
	digit := uint8(e.at >> (8 * level))
	head := q.files[level][digit]
	if head == none || q.chunks[head].n == int32(len(q.chunks[head].events)) {
		head = q.chunk(head)
		q.files[level][digit] = head
		q.some[level][digit/64] |= 1 << (digit % 64)
	}
	c := &q.chunks[head]
	c.events[c.n] = e
	c.n++
}

// chunk returns an empty chunk before next.
func (q *queue) chunk(next int32) int32 {
	i := q.free
	if i == none {
		i = int32(len(q.chunks))
		q.chunks = append(q.chunks, chunk{})
	} else {
		q.free = q.chunks[i].next
	}
	q.chunks[i].n, q.chunks[i].next = 0, next
	return i
}

// peek returns when the next event is; forever if there is none.
func (q *queue) peek() int64 {
	if len(q.next) == 0 && !q.refill() {
		return forever
	}
	return q.next[0].at
}

// pop takes the next event, of which there must be one.
func (q *queue) pop() event {
	if len(q.next) == 0 {
		q.refill()
	}
	e := q.next[0]
	last := len(q.next) - 1
	moved := q.next[last]
	q.next = q.next[:last]
	q.n--
	if last > 0 {
		q.sink(moved)
	}
	return e
}

// refill moves the earliest events into the heap and reports whether there were any.
func (q *queue) refill() bool {
	for {
		level, digit, ok := q.first()
		if !ok {
			return false
		}
		span := int64(1) << (8 * level)
		q.base = q.base&^(span<<8-1) | int64(digit)<<(8*level)
		if q.soon != nil && level <= foreseen && q.base >= q.soon.known {
			q.gather(level, digit)
		}
		head := q.files[level][digit]
		q.files[level][digit] = none
		q.some[level][digit/64] &^= 1 << (digit % 64)
		whole := level == 0 || q.chunks[head].next == none && q.chunks[head].n <= dump
		if whole {
			q.horizon = q.base + span
		}
		for head != none {
			c := head
			for k := range q.chunks[c].n {
				if e := q.chunks[c].events[k]; whole {
					q.add(e)
				} else {
					q.file(e)
				}
			}
			head = q.chunks[c].next
			q.chunks[c].next, q.free = q.free, c
		}
		if whole {
			if q.soon != nil && len(q.next) > ahead {
				q.soon.crowd = len(q.next)
			}
			return true
		}
	}
}

// first returns the first file that is not empty.
func (q *queue) first() (level int, digit uint8, ok bool) {
	for l := range q.some {
		for w, set := range q.some[l] {
			if set != 0 {
				return l, uint8(w*64 + bits.TrailingZeros64(set)), true
			}
		}
	}
	return 0, 0, false
}

// add puts an event into the heap.
func (q *queue) add(e event) {
	i := len(q.next)
	q.next = append(q.next, e)
	for i > 0 {
		up := (i - 1) / 2
		if q.next[up].at <= e.at {
			break
		}
		q.next[i] = q.next[up]
		i = up
	}
	q.next[i] = e
}

// sink puts an event into the heap from the top.
func (q *queue) sink(e event) {
	i := 0
	for {
		down := 2*i + 1
		if down >= len(q.next) {
			break
		}
		if down+1 < len(q.next) && q.next[down+1].at < q.next[down].at {
			down++
		}
		if e.at <= q.next[down].at {
			break
		}
		q.next[i] = q.next[down]
		i = down
	}
	q.next[i] = e
}

// parcel is a part of a piece, or all of it, that has left its sender.
type parcel struct {
	at              int64
	from, to, piece int32
	session         uint32 // of the receiver
	bytes           int64
	last            bool // nothing else of the piece is on its way
}

// ring holds parcels. All have the same time to go, so they come in order.
type ring struct {
	list []parcel // a power of two
	head int
	n    int
}

func (r *ring) push(p parcel) {
	if r.n == len(r.list) {
		list := make([]parcel, max(2*len(r.list), 64))
		for i := range r.n {
			list[i] = r.list[(r.head+i)&(len(r.list)-1)]
		}
		r.list, r.head = list, 0
	}
	r.list[(r.head+r.n)&(len(r.list)-1)] = p
	r.n++
}

// peek returns when the next parcel is there; forever if there is none.
func (r *ring) peek() int64 {
	if r.n == 0 {
		return forever
	}
	return r.list[r.head].at
}

func (r *ring) pop() parcel {
	p := r.list[r.head]
	r.head = (r.head + 1) & (len(r.list) - 1)
	r.n--
	return p
}
