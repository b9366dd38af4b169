package admit

import (
	"time"

	"tandem/internal/content"
)

// The crossover between a server alone and a swarm.
const (
	atLimit   = 0.85             // of the uplink, from which on it is taken for the limit
	fewFor    = 10 * time.Second // fewer than two take: the crowd is gone
	calmFor   = 5 * time.Second  // the budget does not bind any more
	activeFor = 15 * time.Second // after which a node that was not heard of takes nothing
)

// model is how the nodes of a share are to get it.
type model struct {
	swarm, spare bool
	few, calm    time.Time // since when; zero: it is not so
	told         bool      // Tick or Changed has reported it since it changed
}

// Model says how the nodes of a share are to get it now: swarm, that peers are worth connecting
// to; spare, that the server is to be asked only for what no peer has.
func (o *Origin) Model(now time.Time, hash content.Hash) (swarm, spare bool) {
	s := o.shares[hash]
	if s == nil {
		return false, false
	}
	o.judge(s, now)
	return s.model.swarm, s.model.spare
}

// Tick looks at all shares, and returns those whose model has changed since the last Tick.
func (o *Origin) Tick(now time.Time) (changed []content.Hash) {
	o.sweep(now)
	for hash, s := range o.shares {
		o.judge(s, now)
		if s.tell() {
			changed = append(changed, hash)
		}
	}
	return changed
}

// Changed reports whether the model of one share has changed since Tick or Changed last said so.
func (o *Origin) Changed(hash content.Hash) bool {
	s := o.shares[hash]
	return s != nil && s.tell()
}

func (s *share) tell() bool {
	was := s.model.told
	s.model.told = true
	return !was
}

// judge decides the model of a share. It becomes a swarm when two or more take and the server gives all it can, or
// nobody knows what it can; or when the budget binds and somebody can help. It stays one
// until the crowd is gone: that the server has less to do is the swarm's work.
func (o *Origin) judge(s *share, now time.Time) {
	active := 0 // two count as many: with a crowd of thousands not all are looked at for each that reports
	for _, m := range s.nodes {
		if !m.whole && m.away.IsZero() && now.Sub(m.heard) < activeFor {
			if active++; active == 2 {
				break
			}
		}
	}
	m := s.model
	binds := active > 0 && (len(s.nodes) > 1 || s.full > 0) && o.binds(s, now)
	known := o.known()
	switch full := known == 0 || o.meter.rate(now) >= atLimit*known; {
	case binds || active >= 2 && full:
		m.swarm, m.few = true, time.Time{}
	case active >= 2:
		m.few = time.Time{}
	case m.few.IsZero():
		m.few = now
	case now.Sub(m.few) >= fewFor:
		m.swarm = false
	}
	switch {
	case binds && o.scarce():
		m.spare, m.calm = true, time.Time{}
	case m.calm.IsZero():
		m.calm = now
	case now.Sub(m.calm) >= calmFor:
		m.spare = false
	}
	m.spare = m.spare && m.swarm
	m.told = m.told && m.swarm == s.model.swarm && m.spare == s.model.spare
	s.model = m
}

// binds reports whether the budget is what those of a share wait for.
func (o *Origin) binds(s *share, now time.Time) bool {
	return o.overMonth() || o.door.Len() > 0 || o.wait(now, &client{}) > longWait ||
		o.cfg.Copies > 0 && float64(s.spent) >= o.cfg.Copies*float64(s.size)
}

// scarce reports whether what a node is given is lacking to somebody: later, where bytes
// are counted, or now, where somebody waits whom no peer can help. A rate alone is not
// used up: a server that spared itself would make all of them wait longer.
func (o *Origin) scarce() bool { return o.overMonth() || o.cfg.Copies > 0 || o.plain > 0 }

// known returns what is known of the uplink, in bytes per second; 0: nothing.
func (o *Origin) known() float64 {
	switch {
	case o.cfg.Uplink > 0 && (o.cfg.Rate == 0 || o.cfg.Uplink < o.cfg.Rate):
		return o.cfg.Uplink
	case o.cfg.Rate > 0:
		return o.cfg.Rate
	}
	return o.meter.best
}

const (
	slot  = 100 * time.Millisecond
	slots = 10 // in the second that rates are taken over
	// What a system's buffers take at once at the beginning is not what the link carries.
	settle = 2 * time.Second
	soon   = 300 * time.Millisecond // after which there is a rate
)

// meter measures what goes out.
type meter struct {
	in   [slots + 1]int64 // bytes by time slot; the one of at is still filling
	at   time.Time        // beginning of that slot
	next int
	busy time.Time // since when something has been under way without a break; zero: nothing is
	best float64   // bytes per second, over any second of a time in which something was
}

func (m *meter) add(now time.Time, n int) {
	m.advance(now)
	if m.busy.IsZero() {
		m.busy = now
	}
	m.in[m.next] += int64(n)
	if now.Sub(m.busy) >= settle+slot*slots {
		m.best = max(m.best, m.rate(now))
	}
}

func (m *meter) idle() { m.busy = time.Time{} }

// advance begins new slots up to now.
func (m *meter) advance(now time.Time) {
	if m.at.IsZero() || now.Sub(m.at) > 2*slots*slot || now.Before(m.at) {
		m.in, m.at = [slots + 1]int64{}, now
		return
	}
	for now.Sub(m.at) >= slot {
		m.at = m.at.Add(slot)
		m.next = (m.next + 1) % len(m.in)
		m.in[m.next] = 0
	}
}

// rate returns bytes per second over the last second, or over the time since something went out at all.
func (m *meter) rate(now time.Time) float64 {
	m.advance(now)
	over := slots*slot + now.Sub(m.at)
	if !m.busy.IsZero() && now.Sub(m.busy) < over {
		over = now.Sub(m.busy)
	}
	if over < soon {
		return 0
	}
	var sum int64
	for _, n := range m.in {
		sum += n
	}
	return float64(sum) / over.Seconds()
}
