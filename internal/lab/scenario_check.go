package lab

import (
	"fmt"
	"math"
	"time"

	"tandem/internal/fault"
	"tandem/internal/units"
)

// Limits of a scenario: what lies outside is a slip of the pen, or more than the worlds
// can count.
const (
	MaxSize      units.Size = 1 << 50 // 1 PiB
	MaxBytes                = 1 << 62 // size x receivers
	MaxReceivers            = 10_000_000
	MaxOrigins              = 64
	MinRate      units.Rate = 1 << 10
	MaxRate      units.Rate = 1e12
	MinPiece     units.Size = 16 << 10 // a block
	MaxPiece     units.Size = 16 << 20 // the largest that the product reads
	MaxRepeats              = 1000
	MaxSpan                 = Duration(10 * 365 * 24 * time.Hour)
	MaxLatency              = Duration(time.Minute)
	maxMTTF                 = 10 * MaxSpan
	maxGroups               = 1000
	maxKills                = 100
	maxPrice                = 1e6
)

// spot is where in a scenario something is wrong.
type spot struct {
	table string // "" at the top
	index int    // from 1 in a list of tables; 0: there is one
	key   string
}

func (at spot) String() string {
	s := at.key
	if at.table != "" {
		s = at.table + "." + s
	}
	if at.index > 1 {
		s += fmt.Sprintf(" (the %s)", ordinal(at.index))
	}
	return s
}

func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}

// wrong is a value out of its limits. Read tells where it stands.
type wrong struct {
	at   spot
	what string
}

func (w *wrong) Error() string { return w.at.String() + ": " + w.what }

// checker keeps the first thing that is wrong.
type checker struct{ first *wrong }

func (c *checker) say(at spot, format string, args ...any) {
	if c.first == nil {
		c.first = &wrong{at, fmt.Sprintf(format, args...)}
	}
}

func (c *checker) err() error {
	if c.first == nil {
		return nil
	}
	return fault.Wrap(fault.Invalid, c.first)
}

func (c *checker) size(at spot, v, least, most units.Size, example string) {
	if v < least || v > most {
		c.say(at, "%d bytes is not between %s and %s: write it as in %q", int64(v), units.Bytes(int64(least)), units.Bytes(int64(most)), example)
	}
}

func (c *checker) rate(at spot, v, least units.Rate, example string) {
	if v < least || v > MaxRate {
		c.say(at, "%d bytes per second is not between %s and 1 TB per second: write it as in %q", int64(v), units.Bytes(int64(least)), example)
	}
}

func (c *checker) count(at spot, v, least, most int) {
	if v < least || v > most {
		c.say(at, "%d is not between %d and %d", v, least, most)
	}
}

func (c *checker) number(at spot, v, least, most float64) {
	if !(v >= least && v <= most) { // also NaN
		c.say(at, "%g is not between %g and %g", v, least, most)
	}
}

func (c *checker) span(at spot, v, least, most Duration) {
	if v < least || v > most {
		c.say(at, "%s is not between %s and %s", v, least, most)
	}
}

func (s *Scenario) check() error {
	c := new(checker)
	c.size(spot{key: "size"}, s.Size, 1, MaxSize, "64MiB")
	s.checkPiece(c)
	s.checkNodes(c)
	s.checkTime(c)
	s.checkKills(c)
	share := func(key string, v float64) { c.number(spot{table: "hostile", key: key}, v, 0, 1) }
	share("poisoners", s.Hostile.Poisoners)
	share("free_riders", s.Hostile.FreeRiders)
	share("unreachable", s.Hostile.Unreachable)
	if sum := s.Hostile.Poisoners + s.Hostile.FreeRiders; sum > 1 {
		c.say(spot{table: "hostile", key: "free_riders"}, "poisoners and free-riders together are %g of the receivers: at most 1", sum)
	}
	if !(s.Payload > 0 && s.Payload <= 1) {
		c.say(spot{key: "payload"}, "%g is no share of a link: above 0 and at most 1, and %.3f on Ethernet", s.Payload, DefaultPayload)
	}
	s.checkMoney(c)
	c.span(spot{table: "needs", key: "deadline"}, s.Needs.Deadline, 0, MaxSpan)
	c.span(spot{table: "needs", key: "revocation"}, s.Needs.Revocation, 0, MaxSpan)
	if a := s.Needs.Availability; !(a >= 0 && a < 1) {
		c.say(spot{table: "needs", key: "availability"}, "%g is no probability that can be had: at least 0 and below 1, as in 0.999", a)
	}
	s.checkChoice(c)
	return c.err()
}

func (s *Scenario) checkPiece(c *checker) {
	if p := s.Piece; p < MinPiece || p > MaxPiece || p&(p-1) != 0 {
		c.say(spot{key: "piece"}, "%d bytes is no power of two between 16KiB and 16MiB: leave it out for the product's rule, which is %s here",
			int64(p), units.Bytes(int64(pieceRule(max(1, min(s.Size, MaxSize))))))
	}
}

func (s *Scenario) checkNodes(c *checker) {
	o := func(key string) spot { return spot{table: "origin", key: key} }
	c.count(o("count"), s.Origin.Count, 1, MaxOrigins)
	c.rate(o("up"), s.Origin.Up, MinRate, "40Mbit")
	if v := s.Origin.Copies; v != 0 {
		c.number(o("copies"), v, 1, MaxReceivers)
	}
	c.span(o("mttf"), s.Origin.MTTF, Duration(time.Second), maxMTTF)
	c.span(o("mttr"), s.Origin.MTTR, Duration(time.Millisecond), MaxSpan)
	if len(s.Receivers) == 0 {
		c.say(spot{key: "receivers"}, "nobody receives: add a table [[receivers]] with count, up and down")
	}
	if n := len(s.Receivers); n > maxGroups {
		c.say(spot{key: "receivers"}, "%d groups, at most %d", n, maxGroups)
		return
	}
	n := 0
	for i, g := range s.Receivers {
		at := func(key string) spot { return spot{"receivers", i + 1, key} }
		c.count(at("count"), g.Count, 1, MaxReceivers)
		if g.Up != 0 {
			c.rate(at("up"), g.Up, MinRate, "20Mbit")
		}
		c.rate(at("down"), g.Down, MinRate, "100Mbit")
		if n += g.Count; n > MaxReceivers {
			c.say(at("count"), "%d receivers together, at most %d", n, MaxReceivers)
		}
	}
	if n > 0 && int64(s.Size) > MaxBytes/int64(n) {
		c.say(spot{key: "size"}, "%s to each of %d receivers is more than can be counted: at most %s together",
			units.Bytes(int64(s.Size)), n, units.Bytes(MaxBytes))
	}
}

func (s *Scenario) checkTime(c *checker) {
	at := spot{table: "arrivals", key: "rate"}
	switch a := s.Arrivals; a.Kind {
	case Flash:
		if a.Rate != 0 {
			c.say(at, `a rate goes with kind = "poisson"; with "flash" all start at once`)
		}
	case Poisson:
		if !(a.Rate > 0 && a.Rate <= 1e9) {
			c.say(at, "%g arrivals per second is not above 0 and at most 1e9", a.Rate)
		} else if float64(s.N())/a.Rate > time.Duration(MaxSpan).Seconds() {
			c.say(at, "at %g arrivals per second %d receivers take more than 10 years to arrive", a.Rate, s.N())
		}
	default:
		c.say(spot{table: "arrivals", key: "kind"}, "%q is neither %q nor %q", a.Kind, Flash, Poisson)
	}
	switch st := s.Stay; {
	case st.Kind == StayFor:
		c.span(spot{table: "stay", key: "for"}, st.For, Duration(time.Millisecond), MaxSpan)
	case st.Kind != StayLeave && st.Kind != StayEnd:
		c.say(spot{table: "stay", key: "kind"}, "%q is not one of %q, %q and %q", st.Kind, StayLeave, StayFor, StayEnd)
	case st.For != 0:
		c.say(spot{table: "stay", key: "for"}, `a time goes with kind = "for", not with %q`, st.Kind)
	}
	if e := s.Sessions; e.Mean != 0 || e.Away != 0 || e.Shape != 0 {
		c.span(spot{table: "sessions", key: "mean"}, e.Mean, Duration(time.Second), MaxSpan)
		c.number(spot{table: "sessions", key: "shape"}, e.Shape, 0.1, 10)
		c.span(spot{table: "sessions", key: "away"}, e.Away, 0, MaxSpan)
	}
	c.span(spot{key: "latency"}, s.Latency, Duration(time.Microsecond), MaxLatency)
}

func (s *Scenario) checkKills(c *checker) {
	if n := len(s.Kills); n > maxKills {
		c.say(spot{key: "kill"}, "%d kills, at most %d", n, maxKills)
		return
	}
	before := 0.
	for i, k := range s.Kills {
		at := func(key string) spot { return spot{"kill", i + 1, key} }
		if k.Who != KillOrigin && k.Who != KillPeers {
			c.say(at("who"), "%q is neither %q nor %q", k.Who, KillOrigin, KillPeers)
		}
		if !(k.Share > 0 && k.Share <= 1) {
			c.say(at("share"), "%g is not above 0 and at most 1", k.Share)
		}
		c.number(at("at"), k.At, 0, 1)
		if k.At < before {
			c.say(at("at"), "%g comes before the kill at %g: put them in order", k.At, before)
		}
		before = k.At
	}
}

func (s *Scenario) checkMoney(c *checker) {
	price := func(key string, v float64) { c.number(spot{table: "prices", key: key}, v, 0, maxPrice) }
	price("egress", s.Prices.Egress)
	price("peer", s.Prices.Peer)
	price("server", s.Prices.Server)
	price("storage", s.Prices.Storage)
	price("staff", s.Prices.Staff)
}

func (s *Scenario) checkChoice(c *checker) {
	seen := make(map[string]bool)
	once := func(key, v string, known func(string) bool, names string) {
		switch {
		case !known(v):
			c.say(spot{key: key}, "%q is none of %s", v, names)
		case seen[key+v]:
			c.say(spot{key: key}, "%q stands there twice", v)
		}
		seen[key+v] = true
	}
	for _, m := range s.Models {
		once("models", string(m), func(v string) bool { _, err := ParseModel(v); return err == nil }, listed(Models()))
	}
	for _, w := range s.Worlds {
		once("worlds", string(w), func(v string) bool { _, err := ParsePlace(v); return err == nil }, listed(Places()))
	}
	c.count(spot{key: "repeats"}, s.Repeats, 1, MaxRepeats)
	if s.Seed > math.MaxInt64-MaxRepeats {
		c.say(spot{key: "seed"}, "%d is more than TOML can write", s.Seed)
	}
}
