package admit

import (
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// elsewhere decides whether a node is pointed to others, or to a later time.
func (o *Origin) elsewhere(now time.Time, c *client, s *share, m *member, q Request) (v Verdict, _ bool) {
	if !m.refused.IsZero() && now.Sub(m.refused) > Patience {
		return v, false
	}
	others := false
	for p := q.First; p <= q.Last && !others; p++ {
		others = s.held(p, m) || s.taken(p, m, now)
	}
	wait := o.wait(now, c)
	switch {
	case others && s.guards(now):
		v.After = o.guardLasts(s)
	case others && o.cfg.Copies > 0 && float64(s.spent+q.Bytes) > o.cfg.Copies*float64(s.size):
		v.After = guardTurn
	case others && (wait > longWait || o.overMonth()):
		v.After = o.turnOf(now, c, wait, q.Bytes)
	case wait > tooLong && !due(now, c):
		// Nobody else can help, so that it is only a matter of when.
		v.After = o.turnOf(now, c, wait, q.Bytes)
		v.Taken = content.FullBitfield(s.pieces)
		return v, true
	default:
		return v, false
	}
	v.Taken = s.unavailable(m, now)
	v.Holders = s.holders(m, q, o.cfg.Rand.IntN(max(len(s.order), 1)))
	return v, true
}

// guardLasts estimates until when the guard holds: as long as it takes to send what has not left.
func (o *Origin) guardLasts(s *share) time.Duration {
	rate := o.rate()
	if rate == 0 {
		rate = o.known()
	}
	if rate == 0 {
		return guardTurn / 2
	}
	missing := float64(s.pieces-s.gone.Count()) / float64(s.pieces) * float64(s.size)
	return min(max(seconds(missing/rate), leastTurn), guardTurn)
}

// due reports whether c comes back when it was told to.
func due(now time.Time, c *client) bool {
	return !c.turn.IsZero() && now.Add(leastTurn).After(c.turn)
}

// turnOf returns when c is to come back: when those before it have been served, spread so that the
// budget is used and no more. Who comes before its turn is told the same again.
func (o *Origin) turnOf(now time.Time, c *client, wait time.Duration, bytes int64) time.Duration {
	if c.turn.IsZero() || due(now, c) {
		at := now.Add(max(wait-longWait, 0))
		if o.turn.After(at) {
			at = o.turn
		}
		if rate := o.rate(); rate > 0 {
			o.turn = at.Add(seconds(float64(max(bytes, Chunk)) / rate))
		}
		if last := now.Add(mostTurn); o.turn.After(last) { // many are told the same
			o.turn = last
		}
		c.turn = at
	}
	return min(max(c.turn.Sub(now), leastTurn), mostTurn)
}

// unavailable returns the pieces that m should get from others.
func (s *share) unavailable(m *member, now time.Time) *content.Bitfield {
	b := content.NewBitfield(s.pieces)
	for p := range s.pieces {
		if s.held(p, m) || s.taken(p, m, now) {
			b.Set(p)
		}
	}
	return b
}

// holders names nodes other than m that have some of the pieces asked for, from a place in the order
// on, so that not all are sent to the same.
func (s *share) holders(m *member, q Request, from int) []peer.ID {
	var list []peer.ID
	for i := range s.order {
		id := s.order[(from+i)%len(s.order)]
		n := s.nodes[id]
		if n == m || !n.away.IsZero() {
			continue
		}
		has := n.whole
		if !has && n.got != nil {
			p := n.got.Next(q.First)
			has = p >= 0 && p <= q.Last
		}
		if has {
			if list = append(list, id); len(list) == named {
				break
			}
		}
	}
	return list
}
