package transfer

import (
	"errors"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// retryFull is how often a full device is tried again.
const retryFull = 2 * time.Second

// write is a block to be stored or, without one, a piece all of whose blocks
// stand before it in the queue and that is to be verified.
type write struct {
	block  *block
	piece  int
	leaves []content.Hash // of the piece; nil: hash what is stored
	sum    *content.SHA1  // of the piece; nil: hash what is stored
}

// writeQueue is the queue between the owner and the disk worker. Put never waits:
// blocks in it are bounded by the budget, and verifications by the pieces that
// had all their blocks in it.
type writeQueue struct {
	mu   sync.Mutex // guards the fields below
	cond sync.Cond
	q    []write
	end  bool
}

func newWriteQueue() *writeQueue {
	d := &writeQueue{}
	d.cond.L = &d.mu
	return d
}

func (d *writeQueue) put(w write) {
	d.mu.Lock()
	d.q = append(d.q, w)
	d.mu.Unlock()
	d.cond.Signal()
}

// take waits for work and swaps queues; nil means the end.
func (d *writeQueue) take(buf []write) []write {
	clear(buf)
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.q) == 0 && !d.end {
		d.cond.Wait()
	}
	if d.end {
		return nil
	}
	q := d.q
	d.q = buf[:0]
	return q
}

// stop makes the worker end; what is queued is forgotten, since nothing of it
// was verified.
func (d *writeQueue) stop() {
	d.mu.Lock()
	d.end = true
	d.mu.Unlock()
	d.cond.Broadcast()
}

// writeBehind is the disk worker: it stores blocks in the order they were
// accepted and passes pieces on to the hash workers once they are written.
func (t *Transfer) writeBehind() {
	defer t.wg.Done()
	var buf []write
	for {
		buf = t.disk.take(buf)
		if buf == nil {
			return
		}
		for i := range buf {
			w := &buf[i]
			if w.block == nil {
				t.verifyLater(*w)
				continue
			}
			err := t.whenRoom(func() error {
				return t.store.WriteAt(w.block.data[:w.block.n], w.block.piece, w.block.begin)
			})
			t.budget.put(w.block)
			w.block = nil
			if t.ctx.Err() != nil {
				return
			}
			if err != nil && !errors.Is(err, fault.Invalid) { // verified meanwhile: not needed
				t.mail.put(event{kind: evWriteError, err: err})
				return
			}
		}
	}
}

// whenRoom calls f until it fails for another reason than a full device, telling
// the owner when it begins and ceases to wait.
func (t *Transfer) whenRoom(f func() error) error {
	err := f()
	if !errors.Is(err, fault.Full) {
		return err
	}
	t.mail.put(event{kind: evFull, err: err})
	timer := time.NewTimer(retryFull)
	defer timer.Stop()
	for errors.Is(err, fault.Full) {
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			return fault.Wrap(fault.Closed, t.ctx.Err())
		}
		err = f()
		timer.Reset(retryFull)
	}
	t.mail.put(event{kind: evRoom})
	return err
}

// full is called by the owner when somebody waits for room, or ceases to.
func (t *Transfer) full(waiting bool, err error) {
	if waiting {
		t.waiting++
		t.fullErr = err
	} else {
		t.waiting--
	}
	paused := t.waiting > 0
	if paused == t.paused {
		return
	}
	t.paused = paused
	t.budget.setOpen(paused)
	if paused {
		t.log.Warn("no room on the device: paused", "err", err)
	} else {
		t.fullErr = nil
		t.log.Info("room on the device again: going on")
	}
	if t.sw != nil {
		t.sw.Pause(t.now, paused)
	}
}
