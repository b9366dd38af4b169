package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/swarm"
	"tandem/internal/wire"
)

// maxBurst is how many blocks a writer joins into one Write.
const maxBurst = 8

// frame is a block with its header, as it goes out.
const frame = 13 + content.BlockSize

var bursts = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10+maxBurst*frame)
	return &b
}}

// write is a connection's writer. Control messages overtake payload that was
// not yet handed to the socket. A buffer is held only while there is payload to
// send, so that idle connections cost nothing.
func (t *Transfer) write(c *conn) {
	defer t.wg.Done()
	err := t.writeAll(c)
	t.mail.put(event{kind: evGone, c: c, err: err})
}

func (t *Transfer) writeAll(c *conn) error {
	var (
		ctl   []byte
		serve []swarm.Block
		ok    bool
	)
	for {
		ctl, serve, ok = c.out.take(ctl, serve, t.burst())
		if !ok {
			return context.Canceled
		}
		if len(ctl) == 0 && len(serve) == 0 {
			select {
			case <-c.out.wake:
			case <-c.ctx.Done():
				return c.ctx.Err()
			}
			continue
		}
		if err := t.send(c, ctl, serve); err != nil {
			return err
		}
		if cap(ctl) > 64<<10 {
			ctl = nil
		}
	}
}

// send writes control bytes and blocks, as many as the limits allow at once.
func (t *Transfer) send(c *conn, ctl []byte, serve []swarm.Block) error {
	if len(serve) == 0 {
		return c.put(ctl, 0)
	}
	bp := bursts.Get().(*[]byte)
	defer bursts.Put(bp)
	buf, payload := append((*bp)[:0], ctl...), 0
	flush := func() error {
		if len(buf) == 0 {
			return nil
		}
		err := c.put(buf, payload)
		if err == nil && payload > 0 {
			t.mail.put(event{kind: evSent, c: c, n: payload})
			if err = t.drain(c); err == nil {
				t.mail.put(event{kind: evLeft, c: c, n: payload})
			}
		}
		buf, payload = buf[:0], 0
		return err
	}
	for _, b := range serve {
		if d := reserveAll(time.Now(), t.cfg.Up, b.Length); d > 0 {
			if err := flush(); err != nil {
				return err
			}
			if err := t.idle(c, d); err != nil {
				return err
			}
		}
		var err error
		if buf, err = t.appendBlock(buf, b); err != nil {
			t.mail.put(event{kind: evUnread, c: c, piece: b.Piece, err: err, body: b})
			continue
		}
		payload += b.Length
	}
	*bp = buf[:0]
	return flush()
}

// appendBlock appends the piece message of b, read from the store.
func (t *Transfer) appendBlock(buf []byte, b swarm.Block) ([]byte, error) {
	start := len(buf)
	buf = wire.AppendPieceHeader(buf, uint32(b.Piece), uint32(b.Begin), uint32(b.Length))
	at := len(buf)
	if need := at + b.Length; need <= cap(buf) {
		buf = buf[:need]
	} else {
		buf = append(buf, make([]byte, b.Length)...)
	}
	if err := t.store.ReadAt(buf[at:], b.Piece, b.Begin); err != nil {
		return buf[:start], err
	}
	return buf, nil
}

// idle waits for d, as an upload limit asks, and sends control messages meanwhile.
func (t *Transfer) idle(c *conn, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-c.out.wake:
			ctl, _, ok := c.out.take(nil, nil, 0)
			if !ok {
				return context.Canceled
			}
			if len(ctl) > 0 {
				if err := c.put(ctl, 0); err != nil {
					return err
				}
			}
		}
	}
}

// put writes p, of which payload bytes are content. How long that may take is
// judged by the owner (see slow.go), not by a deadline: a slow link is no fault.
func (c *conn) put(p []byte, payload int) error {
	c.bulk.Store(payload > 0)
	c.writing.Store(time.Now().UnixNano())
	n, err := c.nc.Write(p)
	c.written.Add(int64(n))
	c.lastSent.Store(time.Now().UnixNano())
	c.writing.Store(0)
	return err
}

// unread handles a block that the store could not read.
func (t *Transfer) unread(e event) {
	switch {
	case errors.Is(e.err, fault.Closed):
		return
	case errors.Is(e.err, fault.Changed), errors.Is(e.err, fault.Permission):
		t.fail(e.err)
		return
	}
	t.log.Warn("a piece can no longer be read", "piece", e.piece, "err", e.err)
	if t.have.Has(e.piece) {
		if err := t.store.Forget(e.piece); err != nil {
			t.log.Warn("forget piece", "piece", e.piece, "err", err)
		}
		t.lost(e.piece)
	}
	b := e.body.(swarm.Block)
	if !e.c.gone {
		// the swarm counts it as handed over: give its window back
		t.sw.Sent(t.now, e.c.id, b.Length)
		if e.c.fast() {
			t.reject(e.c, b)
		}
	}
}
