package bound

import (
	"math"
	"time"

	"tandem/internal/lab"
)

// What the product reached on shaped links beyond the bound, where all uploads together
// were what bound: 10 receivers, docs/benchmarks.md (ten, hybrid-ten: 1.10 and 1.11 of
// the bound over whole links). A server's own uplink is filled up to the headers.
const reachedSwarm = 1.11 * 1448 / 1514

// What docs/security.md promises of a permission that is taken back: a server may answer
// from memory for a second; a node that nobody reaches goes on until its capability ends.
const (
	revokedByServer = time.Second
	capabilityLasts = 24 * time.Hour
)

// Estimate returns what each model promises for a complete scenario, by formula.
//
// Time is the bound, with what the product was measured to need beyond it where uploads
// bind, and with Poisson arrivals at least until the last has come (on the mean) and has
// been served as in steady state. Availability is the probability that who comes finds
// either an origin up (MTTF and MTTR, each independently) or the copies of other
// receivers: none if they leave at once, and see SelfSustained and Replicas otherwise.
func Estimate(s lab.Scenario) []lab.Estimate {
	origin := Replicas(OneServer(float64(s.Origin.MTTF), float64(s.Origin.MTTR)), max(s.Origin.Count, 1))
	var list []lab.Estimate
	for _, m := range lab.Models() {
		b := For(s, m)
		e := lab.Estimate{
			Model: m, Tag: lab.Analytic,
			Time:         likely(s, m, b),
			Availability: origin,
			Revocation:   revokedByServer,
			Audit:        m == lab.ClientServer, // peers pass on what no server sees
			Uploads:      m != lab.ClientServer,
			Server:       m != lab.PeerToPeer,
		}
		if m != lab.ClientServer {
			e.Availability = 1 - (1-origin)*(1-byPeers(s))
			e.Outlives = newCase(s, m, s.Payload).uplinks > 0
			e.Revocation = capabilityLasts
		}
		if m == lab.PeerToPeer {
			e.Revocation = never // a ticket without a server cannot be taken back
		}
		fromOrigin, fromPeers := split(s, m, b)
		e.Operator, e.Peers = lab.Cost(s, m, fromOrigin, fromPeers, e.Time)
		list = append(list, e)
	}
	return list
}

// likely is when the last receiver has it.
func likely(s lab.Scenario, m lab.Model, b lab.Bound) time.Duration {
	if b.Last == never {
		return never
	}
	c := newCase(s, m, s.Payload)
	t := b.Last.Seconds()
	if m != lab.ClientServer && t > over(c.size, c.slowest) && t > over(c.size, c.origin) {
		t *= reachedSwarm
	}
	if m == lab.Hybrid && s.Origin.Copies > 0 && c.uplinks > 0 {
		t = max(t, Copies(c.size, c.n, max(s.Origin.Copies, 1), c.uplinks)*reachedSwarm)
	}
	if s.Arrivals.Kind == "poisson" && s.Arrivals.Rate > 0 {
		t = max(t, (c.n-1)/s.Arrivals.Rate+c.steady(s))
	}
	return span(t)
}

// steady is the mean time of one receiver in steady state; where there is none (more
// arrive than are served) it adds nothing to the time that all take together.
func (c usecase) steady(s lab.Scenario) float64 {
	least := max(over(c.size, c.slowest), over(c.size, c.origin+c.uplinks))
	if c.model == lab.ClientServer || c.uplinks <= 0 {
		if t := SingleQueue(c.size, c.origin, s.Arrivals.Rate); !math.IsInf(t, 1) {
			return max(t, least)
		}
		return least
	}
	up := c.uplinks / float64(c.total) / c.size
	return max(least, HybridSteady(c.slowest/c.size, up, 1, c.origin/c.size, s.Arrivals.Rate))
}

// byPeers is the probability that receivers who have everything are there.
func byPeers(s lab.Scenario) float64 {
	if s.Stay.Kind != "end" && s.Stay.Kind != "for" {
		return 0
	}
	gives := newCase(s, lab.PeerToPeer, 1)
	if gives.uplinks <= 0 {
		return 0
	}
	// A receiver is a machine like any other: without sessions it is up as often as the
	// origin.
	each := OneServer(float64(s.Origin.MTTF), float64(s.Origin.MTTR))
	if s.Sessions.Mean > 0 && s.Sessions.Away > 0 {
		each = OneServer(float64(s.Sessions.Mean), float64(s.Sessions.Away))
	}
	if s.Arrivals.Kind != "poisson" {
		return Replicas(each, int(gives.n)-1) // a crowd: the others have it
	}
	if s.Stay.Kind == "for" {
		return SelfSustained(s.Arrivals.Rate, time.Duration(s.Stay.For).Seconds()*each)
	}
	return Replicas(each, int(gives.n)/2) // of those who come, half have come before, on the mean
}
