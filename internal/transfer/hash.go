package transfer

import (
	"errors"
	"runtime"
	"sync"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// job is work for a hash worker. Scratch is a buffer of its own for one piece.
type job func(scratch *[]byte)

// jobs is the queue of the hash workers. Put never waits. What is urgent (a
// piece just fetched, an answer a peer waits for) goes before the checking of
// what a crash left behind. Urgent jobs are bounded by the pieces in flight and
// by maxAnswers, the others are handed out one at a time by next.
type jobs struct {
	mu     sync.Mutex // guards the fields below
	cond   sync.Cond
	urgent []job
	next   func() job // returns nil when there is nothing left
	end    bool
}

func newJobs() *jobs {
	j := &jobs{}
	j.cond.L = &j.mu
	return j
}

func (j *jobs) put(f job) {
	j.mu.Lock()
	j.urgent = append(j.urgent, f)
	j.mu.Unlock()
	j.cond.Signal()
}

// background sets where jobs come from when nothing is urgent.
func (j *jobs) background(next func() job) {
	j.mu.Lock()
	j.next = next
	j.mu.Unlock()
	j.cond.Broadcast()
}

func (j *jobs) take() job {
	j.mu.Lock()
	defer j.mu.Unlock()
	for !j.end {
		if len(j.urgent) > 0 {
			f := j.urgent[0]
			j.urgent[0] = nil
			j.urgent = j.urgent[1:]
			return f
		}
		if j.next != nil {
			if f := j.next(); f != nil {
				return f
			}
			j.next = nil
		}
		j.cond.Wait()
	}
	return nil
}

func (j *jobs) stop() {
	j.mu.Lock()
	j.end = true
	j.mu.Unlock()
	j.cond.Broadcast()
}

// hashWorkers is how many run; one more does not help on one core.
func hashWorkers() int { return max(1, runtime.GOMAXPROCS(0)) }

// hash is a hash worker.
func (t *Transfer) hash() {
	defer t.wg.Done()
	var scratch []byte
	for {
		f := t.jobs.take()
		if f == nil {
			return
		}
		f(&scratch)
		if cap(scratch) > 4<<20 {
			scratch = nil
		}
	}
}

// errUnknown says that no hash of a piece is known yet.
var errUnknown = errors.New("its hash is not known yet")

// verifyLater hands a written piece to the hash workers.
func (t *Transfer) verifyLater(w write) {
	t.jobs.put(func(scratch *[]byte) {
		err := t.verify(w, scratch)
		if err == nil {
			err = t.whenRoom(func() error { return t.store.Commit(w.piece) })
		}
		t.mail.put(event{kind: evVerified, piece: w.piece, err: err})
	})
}

// verify checks a piece against every hash that is known of it. With leaves the
// SHA-256 was computed on arrival, with sum the SHA-1; otherwise, and for the
// SHA-1 of a hybrid, the piece is read back. The error is of kind fault.Corrupt or fault.Conflict, errUnknown, or
// the store's.
func (t *Transfer) verify(w write, scratch *[]byte) error {
	m, piece, leaves := t.manifest, w.piece, w.leaves
	switch {
	case w.sum != nil: // v1 alone
		if *w.sum != m.Pieces1[piece] {
			return fault.Errorf(fault.Corrupt, "piece %d: v1 hash mismatch", piece)
		}
	case m.HasV1 || leaves == nil:
		data := grow(scratch, m.PieceSize(piece))
		if err := t.store.ReadAt(data, piece, 0); err != nil {
			return err
		}
		if leaves == nil && m.HasV2 {
			leaves = content.Leaves(nil, data)
		}
		if m.HasV1 {
			if err := m.CheckV1(piece, data); err != nil {
				return t.blame(piece, leaves, err)
			}
		}
	}
	if !m.HasV2 {
		return nil
	}
	known, err := m.CheckLeaves(t.layers, piece, leaves)
	switch {
	case err != nil && m.HasV1:
		// the v1 hash fitted
		return fault.Errorf(fault.Conflict, "piece %d fits its v1 hash and not its v2 hash", piece)
	case err != nil:
		return err
	case !known && !m.HasV1:
		return errUnknown
	}
	return nil
}

// blame decides what a piece is that failed its v1 hash: a conflict if its v2
// hash fits, otherwise corrupt.
func (t *Transfer) blame(piece int, leaves []content.Hash, err error) error {
	if !t.manifest.HasV2 {
		return err
	}
	if known, err2 := t.manifest.CheckLeaves(t.layers, piece, leaves); known && err2 == nil {
		return fault.Errorf(fault.Conflict, "piece %d fits its v2 hash and not its v1 hash", piece)
	}
	return err
}

// grow returns *p with length n.
func grow(p *[]byte, n int) []byte {
	if cap(*p) < n {
		*p = make([]byte, n)
	}
	*p = (*p)[:n]
	return *p
}

// checkSuspects has the pieces in suspect hashed in the background, each
// committed when it is good and reported in any case.
func (t *Transfer) checkSuspects(suspect *content.Bitfield) {
	at := 0
	t.jobs.background(func() job {
		piece := suspect.Next(at)
		if piece < 0 {
			return nil
		}
		at = piece + 1
		return func(scratch *[]byte) { t.check(piece, scratch) }
	})
}

// check hashes one suspect piece.
func (t *Transfer) check(piece int, scratch *[]byte) {
	err := t.verify(write{piece: piece}, scratch)
	e := event{kind: evChecked, piece: piece}
	switch {
	case err == nil:
		err = t.whenRoom(func() error { return t.store.Commit(piece) })
	case errors.Is(err, errUnknown): // scratch holds the piece
		e.body = t.manifest.PieceRoot(piece, content.Leaves(nil, *scratch))
	}
	e.err = err
	t.mail.put(e)
}
