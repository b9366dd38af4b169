// Package pick decides which piece to fetch next from a peer.
//
// Algorithm: rarest first (BEP 3; Legout et al. 2006) with random ties over the
// pieces nobody has started. Differs: partial pieces are not preferred, they
// belong to the connection that started them (package swarm); peers that have
// everything are counted once for all pieces, so that a seed costs nothing; a
// piece that a peer says it is fetching counts as one it has (notices); origins,
// which have everything, are not counted.
//
// Pieces are kept in one array sorted by how many peers announced them or fetch
// them, with the bounds of each count, so that an announcement moves one element
// and a choice looks at the rarest pieces first.
package pick

import (
	"math/rand/v2"
)

// Picker counts announcements and knows which pieces may be started. It is
// not safe for concurrent use.
//
// A piece is needed (wanted, not verified), and if needed then open (nobody has
// started it) or not.
type Picker struct {
	rand *rand.Rand
	n    int

	peers   []*Peer // in order of joining
	seeds   int     // peers with full set, origins left out
	origins int

	count  []uint16 // per piece: peers without full that announced it
	weight []uint16 // count, and how many say that they fetch it
	need   []uint64 // bit set
	open   []uint64 // bit set, part of need
	needs  int      // members of need
	found  int      // open pieces with a count

	near nearby

	// order holds the open pieces sorted by weight; those that weigh k are
	// order[start[k]:start[k+1]]. pos is a piece's place in it, or -1.
	order []int32
	start []int32
	pos   []int32
}

// New returns a Picker over pieces 0..n-1, none of them needed.
func New(n int, r *rand.Rand) *Picker {
	p := &Picker{
		rand:   r,
		n:      n,
		count:  make([]uint16, n),
		weight: make([]uint16, n),
		need:   make([]uint64, (n+63)/64),
		open:   make([]uint64, (n+63)/64),
		start:  []int32{0, 0},
		pos:    make([]int32, n),
	}
	for i := range p.pos {
		p.pos[i] = -1
	}
	return p
}

// Count returns how many peers announced piece; origins are none.
func (p *Picker) Count(piece int) int { return p.seeds + int(p.count[piece]) }

// Needed returns the number of pieces needed.
func (p *Picker) Needed() int { return p.needs }

// Available returns the number of open pieces that some peer or origin has.
func (p *Picker) Available() int {
	if p.seeds+p.origins > 0 {
		return len(p.order)
	}
	return p.found
}

// Need makes piece needed and open.
func (p *Picker) Need(piece int) {
	if has(p.need, piece) {
		return
	}
	p.need[piece/64] |= 1 << (piece % 64)
	p.needs++
	for _, q := range p.peers {
		if !q.full && has(q.have, piece) {
			q.needs++
		}
	}
	p.Reopen(piece)
}

// Start says that somebody fetches piece now: it is no longer open.
func (p *Picker) Start(piece int) {
	if p.pos[piece] < 0 {
		return
	}
	p.open[piece/64] &^= 1 << (piece % 64)
	p.remove(int32(piece))
	for _, q := range p.peers {
		if !q.full && has(q.have, piece) {
			q.opens--
		}
	}
}

// Reopen takes back a Start: nothing of piece was fetched.
func (p *Picker) Reopen(piece int) {
	if p.pos[piece] >= 0 || !has(p.need, piece) {
		return
	}
	p.open[piece/64] |= 1 << (piece % 64)
	p.insert(int32(piece))
	for _, q := range p.peers {
		if q.full {
			q.dry = 0
		} else if has(q.have, piece) {
			q.opens++
			q.dry = 0
		}
	}
}

// Done says that piece is verified: it is no longer needed.
func (p *Picker) Done(piece int) {
	if !has(p.need, piece) {
		return
	}
	p.Start(piece)
	p.need[piece/64] &^= 1 << (piece % 64)
	p.needs--
	for _, q := range p.peers {
		if !q.full && has(q.have, piece) {
			q.needs--
		}
	}
}

// Copies returns how many whole copies the peers hold together: the smallest
// count, plus the share of pieces counted more often. It looks at every piece.
func (p *Picker) Copies() float64 {
	if p.n == 0 {
		return 0
	}
	least, above := p.count[0], 0
	for _, c := range p.count {
		least = min(least, c)
	}
	for _, c := range p.count {
		if c > least {
			above++
		}
	}
	return float64(p.seeds) + float64(least) + float64(above)/float64(p.n)
}

func has(set []uint64, i int) bool { return set[i>>6]>>(i&63)&1 != 0 }
