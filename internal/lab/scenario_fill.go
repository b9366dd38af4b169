package lab

import (
	"slices"
	"time"

	"tandem/internal/content"
)

// What Complete puts where nothing is said.
const (
	DefaultPayload = 1448. / 1514 // Ethernet, MTU 1500, TCP timestamps
	DefaultLatency = Duration(time.Millisecond)
	DefaultShape   = 0.6 // of session lengths: measured ones lie between 0.34 and 0.82
	DefaultMTTF    = Duration(1000 * time.Hour)
	DefaultMTTR    = Duration(4 * time.Hour)
	DefaultRepeats = 3
	DefaultSeed    = 1
	// ManyReceivers is the number of receivers above which one repeat is the default:
	// chance averages out over so many.
	ManyReceivers = 100_000
)

// DefaultPrices returns what things cost in 2026: a large cloud's traffic (first 10 TB),
// a small server and storage.
func DefaultPrices() Prices {
	return Prices{Egress: 0.09, Server: 0.02, Storage: 0.023, said: true}
}

// Clone returns a copy of s that shares nothing with it.
func (s *Scenario) Clone() Scenario {
	c := *s
	c.Receivers = slices.Clone(s.Receivers)
	c.Kills = slices.Clone(s.Kills)
	c.Models = slices.Clone(s.Models)
	c.Worlds = slices.Clone(s.Worlds)
	return c
}

// Complete fills in the defaults and then checks every value. What it accepts it leaves
// as it is when called again, and what it refuses it does not change. Its error names the
// key, what is wrong with it and what to write; it is of kind fault.Invalid.
func (s *Scenario) Complete() error {
	c := s.Clone()
	c.fill()
	if err := c.check(); err != nil {
		return err
	}
	*s = c
	return nil
}

func (s *Scenario) fill() {
	zero(&s.Name, "unnamed")
	if s.Size > 0 && s.Piece == 0 {
		s.Piece = pieceRule(s.Size)
	}
	zero(&s.Origin.Count, 1)
	zero(&s.Origin.MTTF, DefaultMTTF)
	zero(&s.Origin.MTTR, DefaultMTTR)
	zero(&s.Arrivals.Kind, Flash)
	zero(&s.Stay.Kind, StayLeave)
	if s.Sessions.Mean != 0 {
		zero(&s.Sessions.Shape, DefaultShape)
	}
	for i := range s.Kills {
		zero(&s.Kills[i].Share, 1)
	}
	zero(&s.Latency, DefaultLatency)
	zero(&s.Payload, DefaultPayload)
	s.Prices.fill()
	if len(s.Models) == 0 {
		s.Models = Models()
	}
	if len(s.Worlds) == 0 {
		s.Worlds = Places()
	}
	if s.Repeats == 0 {
		s.Repeats = DefaultRepeats
		if s.N() > ManyReceivers {
			s.Repeats = 1
		}
	}
	zero(&s.Seed, DefaultSeed)
}

func (p *Prices) fill() {
	if p.said {
		return
	}
	usual := DefaultPrices()
	zero(&p.Egress, usual.Egress)
	zero(&p.Server, usual.Server)
	zero(&p.Storage, usual.Storage)
	p.said = true
}

// zero puts to where *v says nothing.
func zero[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

func pieceRule[T ~int64](size T) T { return T(content.PieceLength(int64(size))) }
