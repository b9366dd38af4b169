package transfer

import (
	"sync"

	"tandem/internal/content"
	"tandem/internal/wire"
)

// eventKind says what an event tells the owner.
type eventKind uint8

const (
	evMessage     eventKind = iota + 1 // msg came from c; for a piece message block holds the data
	evGone                             // c's reader or writer ended with err
	evSent                             // the socket of c took n payload bytes
	evLeft                             // and no longer holds much of them
	evUnread                           // msg (a request) of c could not be read from the store: err
	evDialed                           // body is a dialed
	evIncoming                         // body is an incoming
	evFound                            // body is a discover.Found
	evPeers                            // body is a named
	evPrepared                         // body is a prepared
	evWriteError                       // the store cannot be written: err, fatal
	evFull                             // somebody waits for room on the device: err
	evRoom                             // and no longer waits
	evVerified                         // piece was hashed and committed, or not: err
	evChecked                          // the same for a suspect piece
	evAnswer                           // msg answers a hash request of c
	evRoots                            // the computed piece layers were checked: err
	evFinished                         // the store has finished: err
	evStatus                           // body is a chan Status
	evStreamed                         // block is the next block of body, a *stretch
	evStretch                          // body, a *stretch, has ended with err
	evTorrent                          // body is an originTorrent
	evUseSwarm                         // body is a bool
	evSpareOrigin                      // body is a bool
	evOrigins                          // body is a []Origin
	evSpread                           // body is a []byte
)

// event is what the other goroutines tell the owner.
type event struct {
	kind  eventKind
	piece int
	n     int
	c     *conn
	block *block
	err   error
	body  any
	msg   wire.Message
}

// Limits on what connection readers may have waiting. Blocks do not count: they
// have a budget of their own.
const (
	maxEvents     = 2048
	maxEventBytes = 4 << 20
)

// mailbox carries events to the owner.
//
// No deadlock can come from it: the owner only takes, and never waits for
// anybody. Readers (or their hashers, see relay) wait while too much is in it, and
// only for the owner.
// Everybody else never waits; what they put is bounded elsewhere: two reports of
// each writer at a time, workers by the budget of blocks or one result for each
// job the owner gave, dials by maxDialing, strangers by maxWaiting.
type mailbox struct {
	wake chan struct{} // has room for one; receives after a put

	mu     sync.Mutex // guards the fields below
	room   sync.Cond
	q      []event
	bytes  int // of messages in q
	closed bool
}

func newMailbox() *mailbox {
	m := &mailbox{wake: make(chan struct{}, 1)}
	m.room.L = &m.mu
	return m
}

// put adds e and reports whether the owner will see it.
func (m *mailbox) put(e event) bool { return m.add(e, false) }

// putWait is put for readers, who wait for room.
func (m *mailbox) putWait(e event) bool { return m.add(e, true) }

func (m *mailbox) add(e event, wait bool) bool {
	m.mu.Lock()
	for wait && (len(m.q) >= maxEvents || m.bytes >= maxEventBytes) && !m.closed {
		m.room.Wait()
	}
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.q = append(m.q, e)
	m.bytes += len(e.msg.Payload) + len(e.msg.Hashes)*len(content.Hash{})
	first := len(m.q) == 1
	m.mu.Unlock()
	if first {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take returns what has come, and keeps the empty buf for what will.
func (m *mailbox) take(buf []event) []event {
	clear(buf)
	m.mu.Lock()
	q := m.q
	m.q = buf[:0]
	if len(q) >= maxEvents || m.bytes >= maxEventBytes {
		m.room.Broadcast()
	}
	m.bytes = 0
	m.mu.Unlock()
	return q
}

// close makes every later put fail and returns what nobody has taken.
func (m *mailbox) close() []event {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.room.Broadcast()
	q := m.q
	m.q = nil
	return q
}

// block is one block of payload on its way from a reader to the disk.
type block struct {
	n     int          // bytes of data
	leaf  content.Hash // of data, for v2 content
	run   int64        // of the hasher, for v1 content; 0: out of order
	whole bool         // it ends its run, and sum is that of the piece
	sum   content.SHA1
	owed  bool // a token of the budget is to be given back
	data  [content.BlockSize]byte
	piece int
	begin int
}

var blocks = sync.Pool{New: func() any { return new(block) }}

// maxBuffered bounds the blocks read and not yet written: 16 MiB.
const maxBuffered = 16 << 20 / content.BlockSize

// budget bounds the blocks between readers and the disk. A reader waits for a
// token before it reads a block; the disk worker, which never waits for the
// owner or a reader, gives it back when the block is written. While the device
// is full nothing is written, so the budget opens: blocks then go to the owner
// without a token and are dropped there.
type budget struct {
	mu   sync.Mutex // guards the fields below
	cond sync.Cond
	free int
	open bool
}

func newBudget() *budget {
	b := &budget{free: maxBuffered}
	b.cond.L = &b.mu
	return b
}

func (b *budget) get() *block {
	b.mu.Lock()
	for b.free == 0 && !b.open {
		b.cond.Wait()
	}
	owed := b.free > 0
	if owed {
		b.free--
	}
	b.mu.Unlock()
	k := blocks.Get().(*block)
	k.owed = owed
	return k
}

func (b *budget) put(k *block) {
	if k == nil {
		return
	}
	owed := k.owed
	blocks.Put(k)
	if !owed {
		return
	}
	b.mu.Lock()
	b.free++
	b.mu.Unlock()
	b.cond.Signal()
}

// setOpen opens or closes the budget.
func (b *budget) setOpen(open bool) {
	b.mu.Lock()
	b.open = open
	b.mu.Unlock()
	b.cond.Broadcast()
}

// scarce reports whether readers wait for the disk, or are about to.
func (b *budget) scarce() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free < maxBuffered/8
}
