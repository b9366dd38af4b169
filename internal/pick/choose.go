package pick

import (
	"math/bits"
	"time"
)

// How many pieces one choice looks at before it settles for any open piece:
// in one count and in all. Only swarms of thousands of pieces get there.
const (
	lookOne = 1024
	lookAll = 4096
)

// dryFor is how long a peer whose open pieces are all avoided is left alone.
const dryFor = 250 * time.Millisecond

// Rarest returns the open piece of the peer that the fewest peers announced,
// ties broken at random, or false if there is none that is not avoided. With
// very many pieces, of which the peer has few, it may return any open one.
func (p *Picker) Rarest(q *Peer, now time.Duration) (int, bool) {
	if p.Opens(q) == 0 || q.dry > now {
		return 0, false
	}
	k := 0
	if !q.full {
		k = 1 // what is counted 0 times is with full peers only
	}
	runs := len(p.start) - 1
	switch {
	case q.spareNear && p.near.full > 0 || q.spareAll && p.seeds > 0:
		runs = 0
	case q.spareAll:
		runs = 1
	}
	budget := lookAll
	for ; k < runs && budget > 0; k++ {
		lo, n := int(p.start[k]), int(p.start[k+1]-p.start[k])
		if n == 0 {
			continue
		}
		look := min(n, lookOne, budget)
		budget -= look
		i := p.rand.IntN(n)
		for range look {
			piece := int(p.order[lo+i])
			if q.Has(piece) && !q.Avoids(piece, now) && !p.Bars(q, piece) {
				return piece, true
			}
			if i++; i == n {
				i = 0
			}
		}
	}
	if runs > 0 && (budget == 0 || len(p.order) > lookOne) {
		if piece, ok := p.any(q, now); ok {
			return piece, true
		}
	}
	q.dry = now + dryFor
	return 0, false
}

// RarestFrom is Rarest, except that next is chosen where it is no less rare than
// what Rarest would choose.
func (p *Picker) RarestFrom(q *Peer, next int, now time.Duration) (int, bool) {
	piece, ok := p.Rarest(q, now)
	if !ok || next >= p.n || p.pos[next] < 0 || p.weight[next] > p.weight[piece] {
		return piece, ok
	}
	if !q.Has(next) || q.Avoids(next, now) || p.Bars(q, next) {
		return piece, ok
	}
	return next, true
}

// FirstFrom returns the first open piece of the peer that is not avoided, at or after
// from and then from the start, or false.
func (p *Picker) FirstFrom(q *Peer, from int, now time.Duration) (int, bool) {
	if p.Opens(q) == 0 {
		return 0, false
	}
	from = min(max(from, 0), p.n-1)
	for i := range len(p.open) + 1 {
		w := (from/64 + i) % len(p.open)
		word := p.open[w]
		switch i {
		case 0:
			word &= ^uint64(0) << (from % 64)
		case len(p.open):
			word &^= ^uint64(0) << (from % 64)
		}
		for ; word != 0; word &= word - 1 {
			piece := w*64 + bits.TrailingZeros64(word)
			if q.Has(piece) && !q.Avoids(piece, now) && !p.Bars(q, piece) {
				return piece, true
			}
		}
	}
	return 0, false
}

// any returns some open piece of the peer, 64 at a look.
func (p *Picker) any(q *Peer, now time.Duration) (int, bool) {
	w := p.rand.IntN(len(p.open))
	for range p.open {
		word := p.open[w]
		if !q.full {
			word &= q.have[w]
		}
		if q.spareNear && p.near.some != nil {
			word &^= p.near.some[w]
		}
		for ; word != 0; word &= word - 1 {
			piece := w*64 + bits.TrailingZeros64(word)
			if !q.Avoids(piece, now) && !p.Bars(q, piece) {
				return piece, true
			}
		}
		if w++; w == len(p.open) {
			w = 0
		}
	}
	return 0, false
}

// FirstOpen returns the first of pieces that is open, announced by the peer and not
// avoided, or false.
func (p *Picker) FirstOpen(q *Peer, pieces []int, now time.Duration) (int, bool) {
	for _, piece := range pieces {
		if p.pos[piece] >= 0 && q.Has(piece) && !q.Avoids(piece, now) {
			return piece, true
		}
	}
	return 0, false
}
