package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"tandem/internal/lab"
)

// mark is what a receiver is besides its links.
type mark uint8

const (
	poisoner    mark = 1 << iota // sends wrong bytes
	freeRider                    // sends nothing
	unreachable                  // can dial, cannot be dialled
)

// What is drawn comes from a stream of its own for each purpose, so that more of one
// does not change the others: the same people come in every model.
const (
	streamArrivals uint64 = 0x61727276 + iota
	streamOrder
	streamMarks
	streamReach
	streamSessions
	streamKills
	streamAdmit
)

// people are the receivers of a run, in the order of their groups. All of it follows
// from the scenario and the seed.
type people struct {
	up, down []float64 // what content can use, bytes per second
	start    []int64   // nanoseconds
	marks    []mark    // nil: nobody is marked
	group    []int32   // index into the scenario's groups
	order    []int32   // receivers by start; nil: as they stand

	honest   int // receivers that are no poisoners: those that count
	seed     uint64
	sessions weibull
	away     float64 // mean, nanoseconds; 0: who goes does not come back
}

// newPeople draws the receivers of a scenario that is complete.
func newPeople(s *lab.Scenario, seed uint64) *people {
	n := s.N()
	p := &people{
		up: make([]float64, n), down: make([]float64, n), start: make([]int64, n), group: make([]int32, n),
		seed: seed, sessions: newWeibull(s.Sessions), away: float64(s.Sessions.Away),
	}
	i := 0
	for g, group := range s.Receivers {
		up, down := usable(float64(group.Up), s.Payload), usable(float64(group.Down), s.Payload)
		for range group.Count {
			p.up[i], p.down[i], p.group[i] = up, down, int32(g)
			i++
		}
	}
	p.arrive(s.Arrivals)
	p.brand(s.Hostile)
	p.honest = n
	for _, m := range p.marks {
		if m&poisoner != 0 {
			p.honest--
		}
	}
	return p
}

// usable returns what content can use of a link.
func usable(rate, payload float64) float64 { return float64(rate * payload) }

func (p *people) len() int { return len(p.start) }

// is reports whether receiver i is marked so.
func (p *people) is(i int32, m mark) bool { return p.marks != nil && p.marks[i]&m != 0 }

// arrive draws when receivers start. Of a Poisson process the first comes at 0, and who
// comes when does not depend on the group.
func (p *people) arrive(a lab.Arrivals) {
	if a.Kind != "poisson" || a.Rate <= 0 {
		return
	}
	p.order = shuffled(p.len(), p.seed, streamOrder)
	c := newComing(a.Rate, p.seed)
	for k, i := range p.order {
		if k > 0 {
			c.next()
		}
		p.start[i] = c.at
	}
}

// brand draws who is marked: so many as the shares say, rounded. Nobody is both a
// poisoner and a free-rider.
func (p *people) brand(h lab.Mischief) {
	n := p.len()
	bad, idle, hidden := part(h.Poisoners, n), part(h.FreeRiders, n), part(h.Unreachable, n)
	if bad+idle+hidden == 0 {
		return
	}
	p.marks = make([]mark, n)
	for k, i := range shuffled(n, p.seed, streamMarks)[:min(bad+idle, n)] {
		if k < bad {
			p.marks[i] |= poisoner
		} else {
			p.marks[i] |= freeRider
			p.up[i] = 0
		}
	}
	for _, i := range shuffled(n, p.seed, streamReach)[:hidden] {
		p.marks[i] |= unreachable
	}
}

// part returns a share of n, rounded.
func part(share float64, n int) int {
	return min(max(int(float64(share*float64(n))+0.5), 0), n)
}

// shuffled returns 0 to n-1 in an order drawn from a stream of the seed.
func shuffled(n int, seed, stream uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, stream))
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	r.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// at returns the k-th receiver to start, and when.
func (p *people) at(k int) (int32, int64) {
	i := int32(k)
	if p.order != nil {
		i = p.order[k]
	}
	return i, p.start[i]
}

// name names receiver i for people.
func (p *people) name(s *lab.Scenario, i int) string {
	group := s.Receivers[p.group[i]].Name
	if group == "" {
		group = "receiver"
	}
	return fmt.Sprintf("%s %d", group, i+1)
}

// session returns how long receiver i stays online the k-th time, in nanoseconds;
// forever when sessions do not end.
func (p *people) session(i int32, k int) int64 {
	if p.sessions.scale == 0 {
		return forever
	}
	return p.sessions.draw(mix(p.seed^streamSessions, uint64(i), uint64(2*k)))
}

// gone returns how long receiver i is away after its k-th session, or forever.
func (p *people) gone(i int32, k int) int64 {
	if p.away == 0 {
		return forever
	}
	return nanoseconds(float64(p.away * -ln(unit(mix(p.seed^streamSessions, uint64(i), uint64(2*k+1))))))
}

// forever is a time that does not come.
const forever = math.MaxInt64

// nanoseconds rounds a time, which may be too long to be one.
func nanoseconds(t float64) int64 {
	if t >= 1e18 { // thirty years
		return forever
	}
	return max(int64(t+0.5), 1)
}

// weibull draws session lengths.
type weibull struct {
	scale float64 // nanoseconds; 0: sessions do not end
	turn  float64 // 1/shape
}

func newWeibull(s lab.Sessions) weibull {
	if s.Mean <= 0 {
		return weibull{}
	}
	turn := 1 / s.Shape
	// Rounded to the microsecond: the gamma function may differ in its last bit from
	// machine to machine.
	micros := math.Round(float64(s.Mean) / math.Gamma(1+turn) / float64(time.Microsecond))
	return weibull{scale: max(micros, 1) * float64(time.Microsecond), turn: turn}
}

func (w weibull) draw(bits uint64) int64 {
	e := -ln(unit(bits)) // exponential, mean 1; at least 1e-16
	return nanoseconds(float64(w.scale * exp(float64(w.turn*ln(e)))))
}

// coming is a Poisson process of arrivals without an end.
type coming struct {
	mean float64 // nanoseconds between two
	seed uint64
	k    uint64
	at   int64 // of the last one
}

func newComing(perSecond float64, seed uint64) *coming {
	return &coming{mean: 1e9 / perSecond, seed: seed ^ streamArrivals}
}

// next returns when the next one comes.
func (c *coming) next() int64 {
	gap := nanoseconds(float64(c.mean * -ln(unit(mix(c.seed, c.k, 0)))))
	c.k++
	if gap > forever-c.at {
		c.at = forever
	} else {
		c.at += gap
	}
	return c.at
}

// victims draws whom the k-th kill takes of those there.
func victims(there []int32, share float64, seed uint64, k int) []int32 {
	r := rand.New(rand.NewPCG(seed, streamKills+uint64(k)<<32))
	r.Shuffle(len(there), func(i, j int) { there[i], there[j] = there[j], there[i] })
	return there[:part(share, len(there))]
}
