package sim

import (
	"errors"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// Below the limit what has piled up goes away, and above it grows.
func TestDriftHasTheSignOfTheory(t *testing.T) {
	for _, c := range []struct {
		name  string
		load  Load
		grows bool
	}{
		{"client-server below u_s/F", Load{Model: lab.ClientServer, Arrivals: 0.7}, false},
		{"client-server above u_s/F", Load{Model: lab.ClientServer, Arrivals: 1.4}, true},
		{"a swarm whose peers leave, below u_s/c", Load{Model: lab.PeerToPeer, Arrivals: 0.7}, false},
		{"a swarm whose peers leave, above u_s/c", Load{Model: lab.PeerToPeer, Arrivals: 1.4}, true},
		{"a swarm whose peers stay for one piece more, above u_s/c", Load{Model: lab.PeerToPeer, Arrivals: 1.4, OneMore: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.load.Services, c.load.Backlog = 120, 40
			for c.load.Seed = range 2 {
				d, err := Drift(t.Context(), c.load)
				if err != nil {
					t.Fatal(err)
				}
				if grows := d.After > d.Before; grows != c.grows || d.Before != 40 || d.Came < 60 {
					t.Errorf("seed %d: from %d to %d with %d that came", c.load.Seed, d.Before, d.After, d.Came)
				}
			}
		})
	}
}

func TestDriftOfNothing(t *testing.T) {
	for _, l := range []Load{
		{Model: lab.Hybrid, Arrivals: 1},
		{Model: lab.PeerToPeer},
		{Model: lab.ClientServer, Arrivals: -1},
		{Model: lab.ClientServer, Arrivals: 1, Services: 1 << 40},
	} {
		if _, err := Drift(t.Context(), l); !errors.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}
