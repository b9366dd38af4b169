package bound

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"tandem/internal/lab"
)

const never = time.Duration(math.MaxInt64)

// For returns the bound for a complete scenario.
//
// Of what a scenario has besides links it counts what is sure to take capacity away:
// free-riders give nothing, poisoners neither (and nobody waits for them), those that
// cannot be reached wait for those that can. Where it is drawn who that is, the draw that
// leaves most is taken. A kill counts where it makes finishing impossible, and by those
// who need not finish any more; it is not counted that the rest is slower after it, since
// what is under way and not yet verified when it comes would have to be known. The copies
// that a hybrid's server may give do not bound: it gives more when nobody else can (see
// Copies).
//
// Last is a whole number of nanoseconds below the bound or equal to it.
func For(s lab.Scenario, m lab.Model) lab.Bound {
	use := newCase(s, m, s.Payload)
	b := lab.Bound{
		Streaming: finite(use.streaming()),
		Crossover: finite(Crossover(use.origin, use.slowest)),
		Stable:    finite(use.stable(s.Stay)),
	}
	if m != lab.ClientServer {
		b.Offload = use.offload(s, m)
		b.Rounds = use.rounds()
	}
	if why := use.hopeless(s); why != "" {
		b.Last, b.Raw, b.Name, b.Why = never, never, use.plainName(), why
		return b
	}
	t := use.worst()
	b.Last, b.Name, b.Why = span(t.seconds), t.name, t.why
	b.Raw = span(newCase(s, m, 1).worst().seconds)
	if b.Last == never { // a link that carries nothing
		b.Raw = never
	}
	return b
}

// usecase is what the formulas look at, in bytes of content and seconds.
type usecase struct {
	model         lab.Model
	size, piece   float64
	count         int     // origins
	origin        float64 // all of them
	n             float64 // receivers that have to finish
	slowest       float64 // downlink of those
	uplinks, top  float64 // of those who give: sum, greatest
	equal         bool    // all receivers' uplinks are alike
	hidden        float64 // receivers that have to finish and cannot be reached
	toHidden      float64 // uplinks of those who can be reached
	killed, total int     // receivers
}

func newCase(s lab.Scenario, m lab.Model, payload float64) usecase {
	total := s.N()
	c := usecase{
		model: m, size: float64(s.Size), piece: float64(s.Piece), total: total,
		count: max(s.Origin.Count, 1),
	}
	c.origin = Origins(float64(s.Origin.Up)*payload, c.count)
	bad, idle, hidden := part(s.Hostile.Poisoners, total), part(s.Hostile.FreeRiders, total), part(s.Hostile.Unreachable, total)
	c.killed = killed(s, total)
	gone := min(bad+c.killed, total)
	c.n = float64(total - gone)

	// Who need not finish is whoever has the slowest downlink.
	c.slowest = payload * least(s.Receivers, gone)
	if m == lab.ClientServer {
		return c
	}
	give := min(bad+idle, total)
	c.uplinks, c.top = greatest(s.Receivers, total-give)
	c.toHidden, _ = greatest(s.Receivers, min(total-give, total-hidden))
	c.uplinks, c.top, c.toHidden = c.uplinks*payload, c.top*payload, c.toHidden*payload
	c.hidden = max(float64(hidden-gone), 0)
	c.equal = give == 0 && c.top*float64(total) == c.uplinks
	return c
}

// part is a share of n, rounded, as the simulator draws it.
func part(share float64, n int) int { return min(max(int(share*float64(n)+0.5), 0), n) }

// killed is how many receivers kills take at most: of all, where fewer may be left.
func killed(s lab.Scenario, n int) int {
	k := 0
	for _, kill := range s.Kills {
		if kill.Who == "peers" && kill.At < 1 {
			k += int(math.Ceil(kill.Share * float64(n)))
		}
	}
	return min(k, n)
}

// least returns the slowest downlink after the skip slowest receivers.
func least(groups []lab.Group, skip int) float64 {
	list := slices.SortedFunc(slices.Values(groups), func(a, b lab.Group) int { return cmp.Compare(a.Down, b.Down) })
	for _, g := range list {
		if skip -= g.Count; skip < 0 {
			return float64(g.Down)
		}
	}
	return 0
}

// greatest returns the sum of the n greatest uplinks, and the greatest.
func greatest(groups []lab.Group, n int) (sum, top float64) {
	list := slices.SortedFunc(slices.Values(groups), func(a, b lab.Group) int { return cmp.Compare(b.Up, a.Up) })
	for _, g := range list {
		k := min(n, g.Count)
		if k > 0 {
			top = max(top, float64(g.Up))
		}
		sum += float64(k) * float64(g.Up)
		n -= k
	}
	return sum, top
}

// term is one lower bound.
type term struct {
	name    string
	seconds float64
	why     string
}

// worst returns the greatest lower bound; of equals, the simplest.
func (c usecase) worst() term {
	up := "the origin's upload"
	if c.count > 1 {
		up = fmt.Sprintf("the upload of %d origins", c.count)
	}
	slow := "the slowest download"
	if c.model == lab.ClientServer {
		return longest(term{"B1", over(c.size, c.slowest), slow}, term{"B1", over(c.n*c.size, c.origin), up + ", once for every receiver"})
	}
	return longest(
		term{"B2", over(c.size, c.slowest), slow},
		term{"B2", over(c.size, c.origin), up + ", one copy"},
		term{"B2", over(c.n*c.size, c.origin+c.uplinks), "all uploads together"},
		term{"B4", over(c.hidden*c.size, c.origin+c.toHidden), "the uploads of those who can be reached, for those who cannot"},
		term{"B6", Spread(c.size, c.piece, c.origin, c.top, c.n), "the last piece's way from the origin to everybody"},
	)
}

func longest(terms ...term) term {
	t := terms[0]
	for _, x := range terms[1:] {
		if x.seconds > t.seconds*(1+1e-12) {
			t = x
		}
	}
	return t
}

func (c usecase) plainName() string {
	if c.model == lab.ClientServer {
		return "B1"
	}
	return "B2"
}

// hopeless says why not everybody can finish, or "".
func (c usecase) hopeless(s lab.Scenario) string {
	switch {
	case c.n == 0 && c.killed >= c.total:
		return "all receivers are killed"
	case c.n == 0:
		return "no receiver is left to finish"
	case c.slowest <= 0:
		return "a receiver downloads nothing"
	}
	left := c.count
	for _, k := range s.Kills {
		if k.Who != "origin" || k.At >= 1 {
			continue
		}
		if left -= int(k.Share*float64(c.count) + 1e-9); left > 0 {
			continue
		}
		// Bytes are verified by the piece, so that one more may be there.
		there := k.At*float64(c.total)*c.size + c.piece
		switch {
		case c.uplinks <= 0 && there < c.n*c.size:
			return "the origin dies before everybody has everything, and nobody else gives"
		case there < c.size:
			return "the origin dies before one copy is out"
		}
	}
	if c.origin <= 0 {
		return "the origin uploads nothing"
	}
	return ""
}

func (c usecase) streaming() float64 { return Streaming(c.n, c.origin, c.uplinks, c.slowest) }

func (c usecase) stable(stay lab.Stay) float64 {
	seconds := 0.0
	switch {
	case c.model == lab.ClientServer || c.total == 0:
		return QueueLimit(c.size, c.origin)
	case stay.Kind == "end" && c.uplinks > 0:
		return math.Inf(1)
	case stay.Kind == "for":
		seconds = time.Duration(stay.For).Seconds()
	}
	return SwarmLimit(c.size, c.piece, c.origin, c.uplinks/float64(c.total), seconds)
}

// offload is the share that peers give. A hybrid's server that may give so many copies
// leaves them at least the rest.
func (c usecase) offload(s lab.Scenario, m lab.Model) float64 {
	share := Offload(c.n, c.origin, c.uplinks)
	if m == lab.Hybrid && s.Origin.Copies > 0 && c.uplinks > 0 && c.n >= 1 {
		share = max(share, 1-max(s.Origin.Copies, 1)/c.n)
	}
	return share
}

// rounds is B5 where it applies: everybody, the origin too, has the same uplink.
func (c usecase) rounds() time.Duration {
	if !c.equal || c.top != c.origin || c.piece <= 0 {
		return 0
	}
	return span(Rounds(int(math.Ceil(c.size/c.piece)), int(c.n), c.piece, c.top))
}

// span is a number of seconds, rounded down.
func span(seconds float64) time.Duration {
	ns := math.Floor(seconds * 1e9)
	if ns >= math.MaxInt64 || math.IsNaN(ns) {
		return never
	}
	return time.Duration(ns)
}

// finite keeps what JSON can hold: no limit is the greatest number there is.
func finite(x float64) float64 { return min(x, math.MaxFloat64) }
