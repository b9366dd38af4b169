package lab

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCost(t *testing.T) {
	base := Scenario{
		Size: 1e9, Origin: Origin{Count: 1},
		Prices: Prices{Egress: 0.09, Peer: 0.01, Server: 0.02, Storage: 0.73},
	}
	for _, c := range []struct {
		name            string
		change          func(*Scenario)
		model           Model
		origin, peer    int64
		took            time.Duration
		operator, peers float64
	}{
		{"a server pays for every byte it sends, for its hours and for storage", nil, ClientServer, 10e9, 0, time.Hour, 0.9 + 0.02 + 0.001, 0},
		{"the first sharer pays for bytes and for no server", nil, PeerToPeer, 1e9, 9e9, time.Hour, 0.09, 0.09},
		{"the hybrid's server pays for what it sends, peers for the rest", nil, Hybrid, 1e9, 9e9, time.Hour, 0.09 + 0.02 + 0.001, 0.09},
		{"every server costs", func(s *Scenario) { s.Origin.Count = 4 }, ClientServer, 0, 0, time.Hour, 4 * 0.021, 0},
		{"staff is paid for each step of setting up", func(s *Scenario) { s.Prices.Staff = 60 }, ClientServer, 0, 0, 0, 6 * 5, 0},
		{"peer-to-peer has one step", func(s *Scenario) { s.Prices.Staff = 60 }, PeerToPeer, 0, 0, 0, 5, 0},
		{"what never ends costs its bytes only", nil, ClientServer, 1e9, 0, math.MaxInt64, 0.09, 0},
		{"nothing moved costs nothing", nil, Hybrid, 0, 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := base
			if c.change != nil {
				c.change(&s)
			}
			operator, peers := Cost(s, c.model, c.origin, c.peer, c.took)
			if math.Abs(operator-c.operator) > 1e-9 || math.Abs(peers-c.peers) > 1e-9 {
				t.Fatalf("operator $%.6f, peers $%.6f; want %.6f and %.6f", operator, peers, c.operator, c.peers)
			}
		})
	}
}

func TestMovingBytesToPeersMovesTheirCost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Float64Range(0.001, 1).Draw(t, "price")
		s := Scenario{Size: 1e9, Prices: Prices{Egress: price, Peer: price}}
		all := rapid.Int64Range(1, 1e12).Draw(t, "bytes")
		moved := rapid.Int64Range(0, all).Draw(t, "moved")
		a, _ := Cost(s, Hybrid, all, 0, time.Hour)
		o, p := Cost(s, Hybrid, all-moved, moved, time.Hour)
		if math.Abs(a-o-p) > 1e-9*(1+a) {
			t.Fatalf("at one price %g stays %g + %g", a, o, p)
		}
	})
}
