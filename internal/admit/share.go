package admit

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// share is what is known of one content and the nodes that take part in its swarm.
type share struct {
	pieces int
	size   int64
	nodes  map[peer.ID]*member
	order  []peer.ID // of nodes, as they came
	under  int       // requests under way

	gone   *content.Bitfield // pieces that have left, or whom a node held when the crowd began
	out    []uint16          // nodes that were given a piece, those with all left out
	full   int               // nodes with all
	giving map[int]*request  // by piece: to whom it is being given
	spent  int64             // bytes that went, or are going, to nodes of this crowd
	fresh  time.Time         // when a piece that had not left was last asked for
	joined time.Time         // when the last node came
	looked time.Time         // at who is still there

	model model
}

// member is a node of a swarm.
type member struct {
	got     *content.Bitfield // pieces that it was given; nil: none, or all
	whole   bool              // it has said that it has all
	have    int64
	total   int64
	heard   time.Time
	away    time.Time // when it hung up; zero: it did not
	dropped bool      // it is in nodes no more
	refused time.Time // since when it was pointed elsewhere and got nowhere; zero: it was not
}

// Node is what a node says as it takes part in a swarm, and the geometry of the content.
type Node struct {
	ID          peer.ID
	Pieces      int
	Size        int64
	Have, Total int64 // bytes verified, and in all
}

// Join says that a node takes part in a swarm, or still does.
func (o *Origin) Join(now time.Time, hash content.Hash, n Node) {
	if n.Pieces <= 0 || n.ID.IsZero() {
		return
	}
	o.sweep(now)
	s := o.shares[hash]
	if s == nil || s.pieces != n.Pieces {
		if s == nil && len(o.shares) >= MaxShares {
			return
		}
		if s != nil && s.under > 0 { // of two geometries one is wrong; what is under way goes by the first
			return
		}
		s = &share{
			pieces: n.Pieces, size: n.Size, nodes: make(map[peer.ID]*member),
			gone: content.NewBitfield(n.Pieces), out: make([]uint16, n.Pieces), giving: make(map[int]*request),
			model: model{told: true},
		}
		o.shares[hash] = s
	}
	s.expire(now)
	m := s.nodes[n.ID]
	if m == nil {
		if len(s.nodes) >= MaxNodes {
			return
		}
		m = new(member)
		s.nodes[n.ID] = m
		s.order = append(s.order, n.ID)
		s.come(now)
	}
	if n.Have > m.have {
		m.refused = time.Time{}
	}
	m.have, m.total, m.heard, m.away = n.Have, n.Total, now, time.Time{}
	if whole := n.Total > 0 && n.Have >= n.Total; whole != m.whole {
		s.forget(m)
		m.whole = whole
		if whole {
			s.full++
		}
	}
	o.judge(s, now)
}

// Away says that a node hung up: it is gone unless it is heard of again soon.
func (o *Origin) Away(now time.Time, hash content.Hash, node peer.ID) {
	if s := o.shares[hash]; s != nil {
		if m := s.nodes[node]; m != nil && m.away.IsZero() {
			m.away = now
		}
	}
}

// Leave says that a node takes no part any more.
func (o *Origin) Leave(now time.Time, hash content.Hash, node peer.ID) {
	if s := o.shares[hash]; s != nil {
		if m := s.nodes[node]; m != nil {
			m.away = now.Add(-awayFor)
			s.looked = time.Time{}
			s.expire(now)
			o.judge(s, now)
		}
	}
}

// come notes that a node has come. The first one after a while begins a new crowd.
func (s *share) come(now time.Time) {
	if now.Sub(s.joined) > CrowdGap {
		s.spent = 0
		for p, n := range s.out {
			if n == 0 && s.full == 0 {
				s.gone.Clear(p)
			} else {
				s.gone.Set(p)
			}
		}
		s.fresh = now
	}
	s.joined = now
}

// forget takes back that m holds what it does.
func (s *share) forget(m *member) {
	if m.whole {
		s.full--
	}
	m.whole = false
	if m.got == nil {
		return
	}
	for p := m.got.Next(0); p >= 0; p = m.got.Next(p + 1) {
		s.out[p]--
	}
	m.got = nil
}

// expire drops nodes that are gone, at most once a second.
func (s *share) expire(now time.Time) {
	if now.Sub(s.looked) < time.Second && !now.Before(s.looked) {
		return
	}
	s.looked = now
	keep := s.order[:0]
	for _, id := range s.order {
		m := s.nodes[id]
		if now.Sub(m.heard) < expires && (m.away.IsZero() || now.Sub(m.away) < awayFor) {
			keep = append(keep, id)
			continue
		}
		s.forget(m)
		m.dropped = true
		delete(s.nodes, id)
	}
	s.order = keep
}

// memberOf returns the share and the node of a request, nil when it is none of a swarm's.
func (o *Origin) memberOf(q Request, now time.Time) (*share, *member) {
	if q.Share.IsZero() || q.Client.Node.IsZero() {
		return nil, nil
	}
	s := o.shares[q.Share]
	if s == nil || q.First < 0 || q.Last < q.First || q.Last >= s.pieces {
		return nil, nil
	}
	// Who asks for few bytes cannot keep many pieces from others.
	if int64(q.Last-q.First-1)*(s.size/int64(s.pieces)) > q.Bytes {
		return nil, nil
	}
	s.expire(now)
	m := s.nodes[q.Client.Node]
	if m == nil {
		return nil, nil
	}
	return s, m
}

// held reports whether somebody else than m holds piece p.
func (s *share) held(p int, m *member) bool {
	n := s.full + int(s.out[p])
	if m.whole || m.got != nil && m.got.Has(p) {
		n--
	}
	return n > 0
}

// taken reports whether piece p is being given to somebody else than m, who takes it.
func (s *share) taken(p int, m *member, now time.Time) bool {
	r := s.giving[p]
	if r == nil || r.m == m {
		return false
	}
	// While the request waits for its turn it is not the node that is late.
	return r.want > 0 || now.Sub(r.moved) < Stall
}

// guards reports whether pieces are to leave once before any leaves twice. It rests when nobody asks for
// those that have not left: all have them, perhaps.
func (s *share) guards(now time.Time) bool {
	if s.gone.Full() || s.full > 0 {
		return false
	}
	if now.Sub(s.fresh) < freshFor {
		return true
	}
	for p, r := range s.giving {
		if !s.gone.Has(p) && (r.want > 0 || now.Sub(r.moved) < Stall) {
			return true
		}
	}
	return false
}

// give notes that a request's pieces are being given.
func (s *share) give(r *request, now time.Time) {
	s.under++
	s.spent += r.asked
	for p := r.first; p <= r.last; p++ {
		s.giving[p] = r
		if !s.gone.Has(p) {
			s.fresh = now
		}
	}
}

// given notes what came of it.
func (s *share) given(r *request, whole bool, now time.Time) {
	s.under--
	s.spent -= max(r.asked-r.sent, 0)
	for p := r.first; p <= r.last; p++ {
		if s.giving[p] == r {
			delete(s.giving, p)
		}
		if !s.gone.Has(p) {
			s.fresh = now
		}
		if !whole {
			continue
		}
		s.gone.Set(p)
		if r.m.dropped || r.m.whole {
			continue
		}
		if r.m.got == nil {
			r.m.got = content.NewBitfield(s.pieces)
		}
		if r.m.got.Set(p) {
			s.out[p]++
		}
	}
}
