package mem

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipe is one direction of a connection.
type pipe struct {
	up, down *wire // of the sender, of the receiver
	latency  time.Duration
	window   int

	mu      sync.Mutex // guards the fields below
	changed chan struct{}
	waiting int
	queue   []chunk // written and not yet read
	queued  int     // bytes in queue
	left    int     // chunks of queue that had left the sender when last counted
	pending int     // bytes of the others
	acked   uint64  // bytes that had arrived when last counted
	counted int     // chunks of queue that are in acked
	cut     bool

	writerDone bool  // writer closed: the reader gets the rest, then io.EOF
	readerDone bool  // reader closed: writes fail
	broken     error // for both sides, at once

	readBy, writeBy time.Time // deadlines
}

// chunk is a segment on its way.
type chunk struct {
	data    []byte // what is left of it
	size    int
	sent    time.Time // has left the sender's link
	arrives time.Time
}

func newPipe(from, to *Host, cut bool) *pipe {
	return &pipe{
		up: &from.up, down: &to.down, latency: from.net.latency, window: from.net.window,
		changed: make(chan struct{}), cut: cut,
	}
}

// wake tells everyone who waits to look again. The caller holds mu.
func (p *pipe) wake() {
	if p.waiting > 0 {
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// wait gives up mu until something changes or until, unless that is zero. The
// caller holds mu and holds it again afterwards.
func (p *pipe) wait(until time.Time) {
	ch := p.changed
	p.waiting++
	p.mu.Unlock()
	if until.IsZero() {
		<-ch
	} else {
		t := time.NewTimer(time.Until(until))
		select {
		case <-ch:
		case <-t.C:
		}
		t.Stop()
	}
	p.mu.Lock()
	p.waiting--
}

// earliest returns the earlier of two times, zero meaning never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func expired(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		now := time.Now()
		switch {
		case p.readerDone:
			return 0, net.ErrClosed
		case p.broken != nil:
			return 0, p.broken
		case expired(p.readBy, now):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		}
		if n := p.take(b, now); n > 0 {
			p.wake()
			return n, nil
		}
		if p.writerDone && len(p.queue) == 0 && !p.cut {
			return 0, io.EOF
		}
		until := p.readBy
		if len(p.queue) > 0 && !p.cut {
			until = earliest(until, p.queue[0].arrives)
		}
		p.wait(until)
	}
}

// take copies what has arrived. The caller holds mu.
func (p *pipe) take(b []byte, now time.Time) (n int) {
	p.count(now)
	p.unsent(now) // what has arrived has left
	for n < len(b) && p.counted > 0 {
		c := &p.queue[0]
		m := copy(b[n:], c.data)
		c.data = c.data[m:]
		n += m
		if len(c.data) == 0 {
			p.queue[0] = chunk{}
			p.queue = p.queue[1:]
			p.counted--
			p.left--
		}
	}
	p.queued -= n
	return n
}

// count moves the mark of what has arrived. The caller holds mu.
func (p *pipe) count(now time.Time) {
	if p.cut {
		return
	}
	for p.counted < len(p.queue) && !p.queue[p.counted].arrives.After(now) {
		p.acked += uint64(p.queue[p.counted].size)
		p.counted++
	}
}

func (p *pipe) write(b []byte) (sent int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		now := time.Now()
		switch {
		case p.writerDone:
			return sent, net.ErrClosed
		case p.broken != nil:
			return sent, p.broken
		case p.readerDone:
			return sent, syscall.EPIPE
		case expired(p.writeBy, now):
			return sent, os.ErrDeadlineExceeded
		case len(b) == 0:
			return sent, nil
		}
		n := min(len(b), segment, p.window-p.queued)
		unsent, next := p.unsent(now)
		if n <= 0 || unsent >= maxUnsent {
			until := p.writeBy
			if n > 0 {
				until = earliest(until, next)
			}
			p.wait(until)
			continue
		}
		gone := p.up.pass(now, n)
		// Both links are booked as of now. Booking the receiver's from when
		// the bytes leave would keep others out of it in between; this way
		// it may run over its rate by what is unsent, no more.
		there := p.down.pass(now, n)
		if there.Before(gone) {
			there = gone
		}
		p.queue = append(p.queue, chunk{append([]byte(nil), b[:n]...), n, gone, there.Add(p.latency)})
		p.queued += n
		p.pending += n
		b, sent = b[n:], sent+n
		p.wake()
	}
}

// unsent counts the bytes still on the sender's side, and tells when the next
// of them leave. The caller holds mu.
func (p *pipe) unsent(now time.Time) (bytes int, next time.Time) {
	for ; p.left < len(p.queue); p.left++ {
		c := &p.queue[p.left]
		if c.sent.After(now) {
			return p.pending, c.sent
		}
		p.pending -= c.size
	}
	return p.pending, time.Time{}
}

// flight returns the bytes written that have not arrived, as of the last count. The
// caller holds mu.
func (p *pipe) flight() (bytes int) {
	for _, c := range p.queue[p.counted:] {
		bytes += c.size
	}
	return bytes
}

// drop forgets what is under way. The caller holds mu.
func (p *pipe) drop() {
	p.queue, p.queued, p.counted, p.left, p.pending = nil, 0, 0, 0, 0
}

func (p *pipe) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(time.Now())
	p.cut = cut
	p.wake()
}

// closeWrite ends the stream after what was written.
func (p *pipe) closeWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writerDone = true
	p.wake()
}

// closeRead drops what was not read.
func (p *pipe) closeRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readerDone = true
	p.drop()
	p.wake()
}

// reset ends both sides at once, with what was under way lost.
func (p *pipe) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = syscall.ECONNRESET
	p.drop()
	p.wake()
}

func (p *pipe) setReadDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readBy = t
	p.wake()
}

func (p *pipe) setWriteDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeBy = t
	p.wake()
}
