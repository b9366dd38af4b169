package swarm

import "time"

// spared is what keeps a source from being asked, to leave things to others: near
// before far, and a costly origin last.
type spared struct {
	costly  bool
	loose   bool          // the others bring nothing: no limits until they do
	busy    time.Duration // when something was last outstanding
	turn    int           // of an origin: the piece after the one asked for last
	inOrder bool          // of an origin: pieces are asked for as they follow each other
}

// idleTime is how long a source with nothing to do keeps to its limits while those
// it leaves the pieces to bring next to nothing.
const idleTime = 3 * time.Second

// Those that are left the pieces bring next to nothing when all together are
// slower than this part of what the source brought, or than the least rate.
const (
	slowPart = 0.25
	slowRate = 4 << 10 // bytes per second
)

// limit works out what each source is asked for, after connections or what is
// known of them changed. A near origin counts as a near peer that has everything,
// unless it is to be spared itself.
func (s *Swarm) limit() {
	s.nears = 0
	for _, c := range s.list {
		if c.caps.Near && !c.costly {
			s.nears++
		}
	}
	for _, c := range s.list {
		far := s.nears > 0 && !c.caps.Near
		if c.origin {
			s.picker.SetNear(c.peer, c.caps.Near && !c.costly)
		}
		c.distant = c.origin || far
		s.picker.Limit(c.peer, far && !c.loose, c.costly && !c.loose)
	}
}

// Costly says whether an origin is to be asked only for what no connected peer
// has or fetches.
func (s *Swarm) Costly(now time.Time, id ConnID, costly bool) {
	c := s.at(now, id)
	if c == nil || !c.origin || c.costly == costly {
		return
	}
	c.costly, c.loose = costly, false
	s.limit()
	s.fillAll()
}

// tickSpared lets go of limits that keep a source idle while nothing comes from
// those it makes room for, and keeps to them again once something does.
func (s *Swarm) tickSpared() {
	changed := false
	for _, c := range s.list {
		if c.out.len() > 0 {
			c.busy = s.now
		}
		far := s.nears > 0 && !c.caps.Near
		if !far && !c.costly {
			if c.loose {
				c.loose, changed = false, true
			}
			continue
		}
		switch {
		case c.loose:
			if !s.slow(c) {
				c.loose, changed = false, true
			}
		case s.now-c.busy > idleTime && s.mayAsk(c) && s.slow(c):
			c.loose, changed = true, true
		}
	}
	if changed {
		s.limit()
	}
}

// slow reports whether those that c leaves pieces to bring next to nothing.
func (s *Swarm) slow(c *conn) bool {
	rate := 0.0
	for _, o := range s.list {
		if o != c && (c.costly && !o.origin || !c.costly && o.caps.Near) {
			rate += o.rate.Get(s.now)
		}
	}
	if c.costly {
		return rate < slowRate
	}
	return rate < max(slowPart*c.steady, slowRate)
}
