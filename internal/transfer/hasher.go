package transfer

import (
	"crypto/sha1"
	"hash"
	"sync/atomic"

	"tandem/internal/content"
)

// hasher computes what can be known of a connection's blocks as they arrive: the
// leaf hash of each (v2), or the SHA-1 of a piece whose blocks come in order (v1),
// so that it need not be read back. The SHA-1 of hybrid content is left to the
// hash workers: reading a piece back costs less than waiting for a second hash.
type hasher struct {
	m    *content.Manifest
	run  run
	runs *atomic.Int64 // of the transfer, so that none is taken for another
}

// run is a piece that arrives in order on one connection.
type run struct {
	id    int64 // 0: none
	piece int
	next  int // bytes hashed
	sum   hash.Hash
}

// newHasher is called once m is known; runs counts those of all hashers of a
// transfer.
func newHasher(m *content.Manifest, runs *atomic.Int64) *hasher {
	h := &hasher{m: m, runs: runs}
	h.run.sum = sha1.New()
	return h
}

// hash hashes b, which a peer says is at begin of piece.
func (h *hasher) hash(piece, begin int, b *block) {
	b.run, b.whole = 0, false
	if h.m.HasV2 {
		b.leaf = content.LeafHash(b.data[:b.n])
		return
	}
	h.follow(piece, begin, b)
}

// follow feeds b to the running SHA-1 if it is next.
func (h *hasher) follow(piece, begin int, b *block) {
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
	r.sum.Sum(b.sum[:0])
	b.whole, r.id = true, 0
}

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
