package pick

import "time"

// nearby counts, for each piece, the near peers that have it or fetch it.
type nearby struct {
	full  int      // near peers with full set
	count []uint16 // made with the first near peer
	some  []uint64 // bit set of what is counted
}

func (b *nearby) add(piece int) {
	if b.count[piece]++; b.count[piece] == 1 {
		b.some[piece>>6] |= 1 << (piece & 63)
	}
}

func (b *nearby) remove(piece int) {
	if b.count[piece]--; b.count[piece] == 0 {
		b.some[piece>>6] &^= 1 << (piece & 63)
	}
}

func (b *nearby) has(piece int) bool {
	return b.full > 0 || b.some != nil && has(b.some, piece)
}

// SetNear says whether the peer is near: whether what it has and fetches is left
// to it by those that Limit tells to.
func (p *Picker) SetNear(q *Peer, near bool) {
	if q.near == near {
		return
	}
	q.near = near
	if p.near.count == nil {
		p.near.count = make([]uint16, p.n)
		p.near.some = make([]uint64, len(p.need))
	}
	change, d := p.near.add, 1
	if !near {
		change, d = p.near.remove, -1
	}
	for _, n := range q.notices {
		change(n.piece)
	}
	if q.full {
		p.near.full += d
		return
	}
	for i := range p.n {
		if has(q.have, i) {
			change(i)
		}
	}
}

// limits say which pieces a source is not asked for.
type limits struct {
	spareNear bool // what a near peer has or fetches
	spareAll  bool // what any peer has or fetches
}

// Limit says that the source is not to be asked for what a near peer has or
// fetches, or what any peer does.
func (p *Picker) Limit(q *Peer, near, all bool) {
	l := limits{near, all}
	if q.limits != l {
		q.limits, q.dry = l, 0
	}
}

// Bars reports whether the limits of a source keep piece from being asked of it.
func (p *Picker) Bars(q *Peer, piece int) bool {
	if q.limits == (limits{}) {
		return false
	}
	return q.spareNear && p.near.has(piece) || q.spareAll && (p.seeds > 0 || p.weight[piece] > 0)
}

// notice is a piece that a peer says it is fetching.
type notice struct {
	piece int
	at    time.Duration
}

// A notice counts for this long, and so many of one peer do: a piece that takes
// longer, or a peer that claims more, should not keep others from fetching.
const (
	noticeTime = 30 * time.Second
	maxNotices = 1024
)

// Fetching notes that the peer is fetching piece. What it has announced or said
// before changes nothing.
func (p *Picker) Fetching(q *Peer, piece int, now time.Duration) {
	if q.Has(piece) || len(q.notices) == maxNotices || q.notice(piece) >= 0 {
		return
	}
	q.notices = append(q.notices, notice{piece, now})
	p.heavier(piece)
	if q.near {
		p.near.add(piece)
	}
}

// Fetched notes that the peer is no longer fetching piece.
func (p *Picker) Fetched(q *Peer, piece int) {
	i := q.notice(piece)
	if i < 0 {
		return
	}
	q.notices = append(q.notices[:i], q.notices[i+1:]...)
	p.lighter(piece)
	if q.near {
		p.near.remove(piece)
	}
}

// ExpireNotices ends what the peer said too long ago.
func (p *Picker) ExpireNotices(q *Peer, now time.Duration) {
	for len(q.notices) > 0 && q.notices[0].at+noticeTime <= now {
		p.Fetched(q, q.notices[0].piece)
	}
}

func (q *Peer) notice(piece int) int {
	for i, n := range q.notices {
		if n.piece == piece {
			return i
		}
	}
	return -1
}
