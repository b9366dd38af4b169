package transfer

import "sync"

// maxRelayed bounds the events between a reader and its hasher.
const maxRelayed = 64

// relay carries a connection's events, in order, from its reader to a hasher
// that hashes their blocks, so that receiving and hashing take place at the same
// time. Events change hands by the batch: a wake-up for each would cost as much
// as the hop saves. It exists once payload has come; other connections do
// without.
type relay struct {
	mu    sync.Mutex // guards the fields below
	moved sync.Cond
	q     []event
	ended bool
}

func newRelay() *relay {
	r := &relay{}
	r.moved.L = &r.mu
	return r
}

// put waits for room. It is the reader's.
func (r *relay) put(e event) {
	r.mu.Lock()
	for len(r.q) >= maxRelayed {
		r.moved.Wait()
	}
	r.q = append(r.q, e)
	first := len(r.q) == 1
	r.mu.Unlock()
	if first {
		r.moved.Signal()
	}
}

// end says that nothing follows.
func (r *relay) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.moved.Signal()
}

// take waits for events and returns all there are, none at the end. It keeps the
// empty buf.
func (r *relay) take(buf []event) []event {
	clear(buf)
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.q) == 0 && !r.ended {
		r.moved.Wait()
	}
	q := r.q
	r.q = buf[:0]
	if len(q) >= maxRelayed {
		r.moved.Signal()
	}
	return q
}

// hashArrivals is a connection's hasher. It waits for the owner alone, and goes
// on until the reader has ended, whose last event it passes on.
func (t *Transfer) hashArrivals(r *relay) {
	defer t.wg.Done()
	h := newHasher(t.manifest, &t.runs)
	var buf []event
	for {
		buf = r.take(buf)
		if len(buf) == 0 {
			return
		}
		for i := range buf {
			e := &buf[i]
			if e.block != nil {
				h.hash(int(e.msg.Index), int(e.msg.Begin), e.block)
			}
			if !t.mail.putWait(*e) {
				t.budget.put(e.block)
			}
		}
	}
}
