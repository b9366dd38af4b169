// Package pick decides which piece to fetch next from a peer.
//
// Algorithm: rarest first (BEP 3; Legout et al. 2006) with random ties over the
// pieces nobody has started. Differs: partial pieces are not preferred, they
// belong to the connection that started them (package swarm); peers that have
// everything are counted once for all pieces, so that a seed costs nothing.
//
// Pieces are kept in one array sorted by how many peers announced them, with the
// bounds of each count, so that an announcement moves one element and a choice
// looks at the rarest pieces first.
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

	peers []*Peer // in order of joining
	seeds int     // peers with full set

	count []uint16 // per piece: peers without full that announced it
	need  []uint64 // bit set
	open  []uint64 // bit set, part of need
	needs int      // members of need

	// order holds the open pieces sorted by count; those counted k times
	// are order[start[k]:start[k+1]]. pos is a piece's place in it, or -1.
	order []int32
	start []int32
	pos   []int32
}

// New returns a Picker over pieces 0..n-1, none of them needed.
func New(n int, r *rand.Rand) *Picker {
	p := &Picker{
		rand:  r,
		n:     n,
		count: make([]uint16, n),
		need:  make([]uint64, (n+63)/64),
		open:  make([]uint64, (n+63)/64),
		start: []int32{0, 0},
		pos:   make([]int32, n),
	}
	for i := range p.pos {
		p.pos[i] = -1
	}
	return p
}

// Count returns how many peers announced piece.
func (p *Picker) Count(piece int) int { return p.seeds + int(p.count[piece]) }

// Needed returns the number of pieces needed.
func (p *Picker) Needed() int { return p.needs }

// Available returns the number of open pieces that some peer has.
func (p *Picker) Available() int {
	if p.seeds > 0 {
		return len(p.order)
	}
	return len(p.order) - int(p.start[1])
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

// place puts piece at slot i of order.
func (p *Picker) place(i, piece int32) {
	p.order[i] = piece
	p.pos[piece] = i
}

// insert adds an open piece to its count's run by moving one element of every
// run above it.
func (p *Picker) insert(piece int32) {
	k := int(p.count[piece])
	p.grow(k)
	p.order = append(p.order, piece)
	hole := int32(len(p.order) - 1)
	top := len(p.start) - 1
	p.start[top]++
	for j := top - 1; j > k; j-- {
		first := p.start[j]
		if first != hole {
			p.place(hole, p.order[first])
		}
		hole = first
		p.start[j]++
	}
	p.place(hole, piece)
}

// remove is the reverse of insert.
func (p *Picker) remove(piece int32) {
	hole := p.pos[piece]
	p.pos[piece] = -1
	for j := int(p.count[piece]) + 1; j < len(p.start); j++ {
		p.start[j]--
		if last := p.start[j]; last != hole {
			p.place(hole, p.order[last])
			hole = last
		}
	}
	p.order = p.order[:len(p.order)-1]
}

// grow makes room for runs up to count k. start[len-1] is len(order).
func (p *Picker) grow(k int) {
	for len(p.start) < k+2 {
		p.start = append(p.start, int32(len(p.order)))
	}
}

func (p *Picker) increase(piece int) {
	k := int(p.count[piece])
	p.count[piece]++
	if i := p.pos[piece]; i >= 0 {
		p.grow(k + 1)
		p.start[k+1]--
		p.swap(i, p.start[k+1])
	}
}

func (p *Picker) decrease(piece int) {
	k := int(p.count[piece])
	p.count[piece]--
	if i := p.pos[piece]; i >= 0 {
		p.swap(i, p.start[k])
		p.start[k]++
	}
}

func (p *Picker) swap(i, j int32) {
	a, b := p.order[i], p.order[j]
	p.place(i, b)
	p.place(j, a)
}
