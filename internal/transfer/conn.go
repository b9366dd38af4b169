package transfer

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/swarm"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// conn is one connection. Its first fields never change, the last belong to the
// owner.
type conn struct {
	id   swarm.ConnID
	nc   transport.Conn
	hs   wire.Handshake // the other side's
	key  peer.Key
	v2   bool // hash requests were agreed (BEP 52)
	near bool // on our local network

	rd     *wire.Reader
	blocks func(int) []byte // where rd puts payload; set by the reader

	ctx    context.Context // ends when the connection is closed
	cancel context.CancelFunc
	out    outbox

	lastRecv atomic.Int64 // when the last whole message came, Unix nanoseconds
	lastSent atomic.Int64 // when the last Write returned
	writing  atomic.Int64 // when the Write in progress began; 0: none
	written  atomic.Int64 // bytes all Writes took
	bulk     atomic.Bool  // the Write in progress carries payload

	// owner's fields

	since    time.Time
	gone     bool
	joined   bool          // the swarm knows it
	told     bool          // our have-none went out before the metadata was known
	ctl      []byte        // messages of this turn
	serve    []swarm.Block // payload of this turn
	dirty    bool          // ctl or serve hold something
	entry    *entry        // in the address book; nil: no address to dial is known
	early    early         // what it said before the swarm was there
	mapped   bool          // a bitfield, have-all or have-none came
	seed     bool          // it has everything
	ext      wire.ExtHandshake
	extDone  bool
	client   string
	uploads  bool // it only uploads (BEP 21)
	accepted int64
	sentTo   int64
	strikes  int // useless messages of this minute
	minute   time.Time

	metaAsked int // metadata pieces asked for and not answered
	metaFails int // those it did not answer
	metaServe int // metadata pieces we sent
	metaWait  time.Time
	pex       pexState
	asks      []hashAsk
	hashWait  time.Time // no hash requests before
	hashFails int       // those it did not answer
	answering int       // its hash requests in work
	leafBytes float64   // that may still be hashed to answer them
	leafAt    time.Time // when leafBytes was computed
	slow      slowMark
	papers
	rtt, best time.Duration
}

// fast reports whether the Fast extension was agreed: we always offer it.
func (c *conn) fast() bool { return c.hs.Fast() }

// listenAddr returns where the peer listens, as far as we know.
func (c *conn) listenAddr() (netip.AddrPort, bool) {
	if c.nc.Outgoing() {
		return c.nc.Remote(), true
	}
	if c.ext.Port == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(c.nc.Remote().Addr().Unmap(), c.ext.Port), true
}

// read is a connection's reader: it decodes messages and takes payload into
// pooled blocks.
func (t *Transfer) read(c *conn) {
	defer t.wg.Done()
	var pending *block
	c.blocks = func(n int) []byte { // n is at most content.BlockSize
		pending = t.budget.get()
		pending.n = n
		return pending.data[:n]
	}
	var r *relay
	deliver := func(e event) bool {
		if r == nil && e.block != nil && t.hashing.Load() {
			r = newRelay()
			t.wg.Add(1)
			go t.hashArrivals(r)
		}
		if r == nil {
			return t.mail.putWait(e)
		}
		r.put(e)
		return true
	}
	err := t.readAll(c, &pending, deliver)
	t.budget.put(pending)
	deliver(event{kind: evGone, c: c, err: err})
	if r != nil {
		r.end()
	}
}

func (t *Transfer) readAll(c *conn, pending **block, deliver func(event) bool) error {
	var m wire.Message
	for {
		if err := c.rd.Read(&m); err != nil {
			return err
		}
		c.lastRecv.Store(time.Now().UnixNano())
		e := event{kind: evMessage, c: c, msg: m}
		if m.ID == wire.Piece {
			e.block, *pending = *pending, nil
			e.msg.Payload = nil
			if err := waitAll(c.ctx, t.cfg.Down, e.block.n); err != nil {
				t.budget.put(e.block)
				return err
			}
		} else {
			e.msg.Payload = append([]byte(nil), m.Payload...)
			e.msg.Hashes = append([]content.Hash(nil), m.Hashes...)
		}
		if !deliver(e) {
			t.budget.put(e.block)
			return context.Canceled
		}
	}
}

// hangUp ends the connection; closing TLS may take a moment, so it is done aside.
func (t *Transfer) hangUp(c *conn) {
	c.cancel()
	c.out.close()
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		_ = c.nc.Close()
	}()
}

// outbox is what the owner hands to a connection's writer. It is bounded: by
// maxControl, beyond which the connection is dropped, and by the window the
// swarm keeps.
type outbox struct {
	wake chan struct{} // has room for one

	mu     sync.Mutex // guards the fields below
	ctl    []byte
	blocks []swarm.Block
	closed bool
}

// maxControl bounds the bytes of control messages waiting for one connection.
const maxControl = 1 << 20

// add hands over and reports whether there was room.
func (o *outbox) add(ctl []byte, serve []swarm.Block) bool {
	o.mu.Lock()
	ok := len(o.ctl)+len(ctl) <= maxControl+content.MaxPieces/8
	if ok {
		o.ctl = append(o.ctl, ctl...)
		o.blocks = append(o.blocks, serve...)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return ok
}

// take moves all control bytes and up to max blocks into the given buffers.
func (o *outbox) take(ctl []byte, serve []swarm.Block, max int) ([]byte, []swarm.Block, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ctl = append(ctl[:0], o.ctl...)
	o.ctl = o.ctl[:0]
	if cap(o.ctl) > 64<<10 {
		o.ctl = nil
	}
	n := min(len(o.blocks), max)
	serve = append(serve[:0], o.blocks[:n]...)
	o.blocks = append(o.blocks[:0], o.blocks[n:]...)
	return ctl, serve, !o.closed
}

// waiting returns the control bytes not yet taken.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.ctl)
}

func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
