package pick

import (
	"time"

	"tandem/internal/content"
)

// Peer is what one connection announced.
type Peer struct {
	full   bool // announced everything at once: counted in Picker.seeds
	origin bool // full, and counted in Picker.origins instead
	near   bool // counted in Picker.near
	limits

	have  []uint64 // nil while full or nothing was announced
	n     int      // pieces announced
	needs int      // of these, needed (kept only while !full)
	opens int      // of these, open (kept only while !full)

	avoid      map[int32]time.Duration // piece to end of avoidance
	taken      *content.Bitfield       // also avoided, all until takenUntil
	takenUntil time.Duration
	notices    []notice
	dry        time.Duration // until then Rarest finds nothing
}

// Join adds a peer that has announced nothing.
func (p *Picker) Join() *Peer {
	q := &Peer{have: make([]uint64, len(p.need))}
	p.peers = append(p.peers, q)
	return q
}

// JoinOrigin adds a source that has everything and says nothing about how many
// copies there are among peers.
func (p *Picker) JoinOrigin() *Peer {
	q := &Peer{full: true, origin: true, n: p.n}
	p.peers = append(p.peers, q)
	p.origins++
	return q
}

// Leave takes a peer and what it announced out of the counts.
func (p *Picker) Leave(q *Peer) {
	p.SetNear(q, false)
	if q.origin {
		p.origins--
	} else {
		p.empty(q)
	}
	for i, o := range p.peers {
		if o == q {
			p.peers = append(p.peers[:i], p.peers[i+1:]...)
			return
		}
	}
}

// Have adds piece to what the peer announced and reports whether it was new.
func (p *Picker) Have(q *Peer, piece int) bool {
	if q.full || has(q.have, piece) {
		return false
	}
	q.have[piece/64] |= 1 << (piece % 64)
	q.n++
	p.increase(piece)
	if q.near {
		p.near.add(piece)
	}
	if len(q.notices) > 0 {
		p.Fetched(q, piece)
	}
	if has(p.need, piece) {
		q.needs++
	}
	if p.pos[piece] >= 0 {
		q.opens++
		q.dry = 0
	}
	return true
}

// Set replaces what the peer announced. An origin has everything, whatever is
// said of it.
func (p *Picker) Set(q *Peer, set *content.Bitfield) {
	if q.origin {
		return
	}
	p.empty(q)
	if set.Full() {
		q.full, q.have, q.n = true, nil, p.n
		p.seeds++
		if q.near {
			p.near.full++
		}
		return
	}
	for i := set.Next(0); i >= 0; i = set.Next(i + 1) {
		p.Have(q, i)
	}
}

// empty makes the peer one that has announced nothing.
func (p *Picker) empty(q *Peer) {
	for len(q.notices) > 0 {
		p.Fetched(q, q.notices[0].piece)
	}
	if q.full {
		p.seeds--
		if q.near {
			p.near.full--
		}
		q.have = make([]uint64, len(p.need))
	} else {
		for w, word := range q.have {
			for i := w * 64; word != 0; i, word = i+1, word>>1 {
				if word&1 != 0 {
					p.decrease(i)
					if q.near {
						p.near.remove(i)
					}
				}
			}
			q.have[w] = 0
		}
	}
	q.full, q.n, q.needs, q.opens, q.dry = false, 0, 0, 0, 0
}

// Has reports whether the peer announced piece.
func (q *Peer) Has(piece int) bool { return q.full || has(q.have, piece) }

// Len returns how many pieces the peer announced.
func (q *Peer) Len() int { return q.n }

// Needs returns how many of the peer's pieces are needed.
func (p *Picker) Needs(q *Peer) int {
	if q.full {
		return p.needs
	}
	return q.needs
}

// Opens returns how many of the peer's pieces are open.
func (p *Picker) Opens(q *Peer) int {
	if q.full {
		return len(p.order)
	}
	return q.opens
}

// Avoid keeps Rarest from choosing piece for this peer until the given time.
func (q *Peer) Avoid(piece int, until time.Duration) {
	if q.avoid == nil {
		q.avoid = make(map[int32]time.Duration)
	}
	q.avoid[int32(piece)] = until
}

// Taken keeps Rarest from choosing any of set for this peer until the given
// time. It replaces what was said before.
func (q *Peer) Taken(set *content.Bitfield, until time.Duration) {
	q.taken, q.takenUntil = set.Clone(), until
}

// Avoids reports whether piece is to be avoided now.
func (q *Peer) Avoids(piece int, now time.Duration) bool {
	if q.takenUntil > now && q.taken.Has(piece) {
		return true
	}
	if len(q.avoid) == 0 {
		return false
	}
	return q.avoid[int32(piece)] > now
}

// Expire forgets avoidances that are over and returns how many are left.
func (q *Peer) Expire(now time.Duration) int {
	for piece, until := range q.avoid {
		if until <= now {
			delete(q.avoid, piece)
			q.dry = 0
		}
	}
	if q.taken != nil && q.takenUntil <= now {
		q.taken, q.takenUntil, q.dry = nil, 0, 0
	}
	return len(q.avoid)
}
