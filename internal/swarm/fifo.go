package swarm

// fifo is a queue that reuses its memory. Elements may be taken from the
// middle, cheapest near the front.
type fifo[T any] struct {
	buf  []T
	head int
}

func (q *fifo[T]) len() int { return len(q.buf) - q.head }

// at returns the i-th element from the front; it is valid until the next change.
func (q *fifo[T]) at(i int) *T { return &q.buf[q.head+i] }

func (q *fifo[T]) push(v T) {
	if q.head > 0 && len(q.buf) == cap(q.buf) {
		n := copy(q.buf, q.buf[q.head:])
		q.buf, q.head = q.buf[:n], 0
	}
	q.buf = append(q.buf, v)
}

// remove takes out the i-th element from the front.
func (q *fifo[T]) remove(i int) {
	copy(q.buf[q.head+1:q.head+i+1], q.buf[q.head:q.head+i])
	q.head++
	if q.head == len(q.buf) {
		q.clear()
	}
}

func (q *fifo[T]) clear() { q.buf, q.head = q.buf[:0], 0 }
