package admit

import (
	"container/heap"
	"time"
)

// queue is requests that wait, the next one first.
type queue []*request

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].key != q[j].key {
		return q[i].key < q[j].key
	}
	return q[i].seq < q[j].seq
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	r := x.(*request)
	r.index = len(*q)
	*q = append(*q, r)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	r.index = -1
	return r
}

// enqueue gives a request with a chunk to send its place: the one it keeps, or the next of its client's.
func (o *Origin) enqueue(r *request) {
	if r.keeps <= 0 {
		r.keeps += Chunk
		if r.s != nil {
			r.keeps = int(min(nodeQuantum, max(r.left, int64(r.want))))
		}
		r.key = max(o.virtual, r.c.finish)
		r.c.finish = r.key + float64(r.keeps)
		o.seq++
		r.seq = o.seq
	}
	if r.slot || o.cfg.Conns <= 0 {
		heap.Push(&o.ready, r)
		return
	}
	heap.Push(&o.door, r)
}

// dequeue takes a request out of where it waits.
func (o *Origin) dequeue(r *request) {
	if r.index < 0 {
		return
	}
	if r.slot || o.cfg.Conns <= 0 {
		heap.Remove(&o.ready, r.index)
	} else {
		heap.Remove(&o.door, r.index)
	}
	r.want = 0
}

// Grants returns which requests may send, in order, and when to ask again; the zero time: not before
// something has happened.
func (o *Origin) Grants(now time.Time) (list []Grant, next time.Time) {
	for o.door.Len() > 0 && o.slots < o.cfg.Conns {
		r := heap.Pop(&o.door).(*request)
		r.slot = true
		o.slots++
		heap.Push(&o.ready, r)
	}
	rate := o.rate()
	o.bucket.fill(now, rate)
	for o.ready.Len() > 0 {
		r := o.ready[0]
		if rate > 0 { // it may not have been there when this was asked for
			r.want = min(r.want, Chunk)
		}
		if rate > 0 && o.bucket.tokens < float64(r.want) {
			return list, now.Add(seconds((float64(r.want)-o.bucket.tokens)/rate) + time.Microsecond)
		}
		heap.Pop(&o.ready)
		if rate > 0 {
			o.bucket.tokens -= float64(r.want)
		}
		r.granted = r.want
		r.keeps -= r.want
		r.want, r.moved = 0, now
		o.virtual = max(o.virtual, r.key)
		list = append(list, Grant{r.id, r.granted})
	}
	return list, time.Time{}
}

// bucket is what may be sent now. What it holds at most makes up for being asked late, and is what
// may go out over any time beside rate times that time.
type bucket struct {
	tokens float64
	most   float64
	at     time.Time
}

// late is how much later than it was to be an Origin may be asked without losing anything of a large budget.
const late = 50 * time.Millisecond

func (b *bucket) fill(now time.Time, rate float64) {
	b.most = 2*Chunk + rate*late.Seconds()
	if passed := now.Sub(b.at); passed > 0 && !b.at.IsZero() {
		b.tokens += rate * passed.Seconds()
	}
	b.tokens = min(b.tokens, b.most)
	if b.at.IsZero() || now.After(b.at) {
		b.at = now
	}
}

func (b *bucket) giveBack(n int) { b.tokens = min(b.tokens+float64(n), b.most) }
