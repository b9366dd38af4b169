package transfer

import (
	"crypto/sha1"
	"hash"
	"sync/atomic"

	"tandem/internal/content"
)

// hashBatch is how many events a hasher works on at once: enough for its two
// halves to pay, few enough for the owner not to wait.
const hashBatch = 16

// hasher computes what can be known of a connection's blocks as they arrive: the
// leaf hash of each (v2), and the SHA-1 of a piece whose blocks come in order
// (v1), so that nothing has to be read back. Of hybrid content both are computed
// at the same time.
type hasher struct {
	m    *content.Manifest
	run  run
	runs *atomic.Int64 // of the transfer, so that none is taken for another

	work, done chan []event // to and from the half that does SHA-1; nil: no such half
}

// run is a piece that arrives in order on one connection.
type run struct {
	id    int64 // 0: none
	piece int
	next  int // bytes hashed
	sum   hash.Hash
}

// newHasher is called once m is known; runs counts those of all hashers of a
// transfer. End releases the hasher.
func newHasher(m *content.Manifest, runs *atomic.Int64) *hasher {
	h := &hasher{m: m, runs: runs}
	if m.HasV1 {
		h.run.sum = sha1.New()
	}
	if m.HasV1 && m.HasV2 {
		h.work, h.done = make(chan []event), make(chan []event)
		go h.half()
	}
	return h
}

// half is the other goroutine of a hybrid's hasher, which waits for it.
func (h *hasher) half() {
	for batch := range h.work {
		h.follow(batch)
		h.done <- batch
	}
	close(h.done)
}

func (h *hasher) end() {
	if h.work != nil {
		close(h.work)
		<-h.done
	}
}

// hash hashes the blocks among events.
func (h *hasher) hash(events []event) {
	both := h.work != nil && len(events) > 1
	switch {
	case both:
		h.work <- events
	case h.m.HasV1:
		h.follow(events)
	}
	if h.m.HasV2 {
		for i := range events {
			if b := events[i].block; b != nil {
				b.leaf = content.LeafHash(b.data[:b.n])
			}
		}
	}
	if both {
		<-h.done
	}
}

// follow feeds the blocks among events to the running SHA-1.
func (h *hasher) follow(events []event) {
	for i := range events {
		if b := events[i].block; b != nil {
			b.run, b.whole = 0, false
			h.block(int(events[i].msg.Index), int(events[i].msg.Begin), b)
		}
	}
}

// block takes a block that a peer says is at begin of piece.
func (h *hasher) block(piece, begin int, b *block) {
	r := &h.run
	if begin == 0 && piece < h.m.NumPieces() {
		r.id, r.piece, r.next = h.runs.Add(1), piece, 0
		r.sum.Reset()
	}
	if r.id == 0 || piece != r.piece || begin != r.next {
		return
	}
	size := h.m.PieceSize(piece)
	if r.next+b.n > size {
		return
	}
	r.sum.Write(b.data[:b.n])
	r.next += b.n
	b.run = r.id
	if r.next < size {
		return
	}
	for pad := h.m.PaddedSize(piece) - size; pad > 0; pad -= len(padding) {
		r.sum.Write(padding[:min(pad, len(padding))])
	}
	r.sum.Sum(b.sum[:0])
	b.whole, r.id = true, 0
}

// padding is what v1 hashes have behind the end of a hybrid's files.
var padding [16 << 10]byte

// arrival is what the owner knows of the SHA-1 of a piece being fetched: it need
// not be read back once every block of it was accepted from one run.
type arrival struct {
	run    int64 // of all blocks so far; 0: of several
	blocks int   // accepted from it
	whole  bool  // sum is that of the run
	sum    content.SHA1
}

// note adds an accepted block.
func (a *arrival) note(b *block) {
	switch {
	case b.begin == 0:
		*a = arrival{run: b.run, blocks: 1}
	case a.run != b.run:
		a.run = 0
	default:
		a.blocks++
	}
	if b.whole && a.run == b.run {
		a.whole, a.sum = true, b.sum
	}
}

// whole1 returns the SHA-1 of a piece of n blocks, nil if it has to be read.
func (a *arrival) whole1(n int) *content.SHA1 {
	if a == nil || a.run == 0 || a.blocks != n || !a.whole {
		return nil
	}
	sum := a.sum
	return &sum
}
