package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"tandem/internal/lab"
)

// ten is scenario A of the study, smaller: 10 receivers, 20 up and 100 down, 40 at the
// origin, 16 MiB.
func ten(change func(*lab.Scenario)) lab.Scenario {
	s := swarmOf(16<<20, 32<<10, 40, receivers(10, 20, 100))
	if change != nil {
		change(&s)
	}
	return s
}

func TestSwarmUnderTrouble(t *testing.T) {
	size := int64(16 << 20)
	for _, c := range []struct {
		name   string
		change func(*lab.Scenario)
		holds  func(r *lab.Result, b2 float64) bool
	}{
		{
			"a seeder that dies before one copy is out leaves everybody without what is missing",
			func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.3}} },
			func(r *lab.Result, _ float64) bool {
				return r.Done == 0 && strings.HasPrefix(r.Incomplete, "the origin died with ") && r.Took-r.Killed[0] >= lab.Idle
			},
		},
		{
			"a seeder that dies when one copy is out is not missed",
			func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.68}} },
			func(r *lab.Result, b2 float64) bool { return r.Done == 10 && r.Last.Seconds() < 1.12*b2 },
		},
		{
			"a seeder that dies at the start gives nothing",
			func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0}} },
			func(r *lab.Result, _ float64) bool { return r.Done == 0 && r.FromOrigin == 0 && r.Incomplete != "" },
		},
		{
			"of two seeders one dies and the other goes on",
			func(s *lab.Scenario) {
				s.Origin.Count, s.Kills = 2, []lab.Kill{{Who: "origin", Share: 0.5, At: 0.1}}
			},
			func(r *lab.Result, _ float64) bool { return r.Done == 10 && r.Nodes[1].Gave > r.Nodes[0].Gave },
		},
		{
			"half of the peers die and the others finish",
			func(s *lab.Scenario) { s.Kills = []lab.Kill{{Who: "peers", Share: 0.5, At: 0.4}} },
			func(r *lab.Result, _ float64) bool { return r.Done == 5 && len(r.Killed) == 1 && r.Incomplete != "" },
		},
		{
			"peers that leave at once take their uplinks with them",
			func(s *lab.Scenario) { s.Stay.Kind = "leave" },
			func(r *lab.Result, b2 float64) bool { return r.Done == 10 && r.Last.Seconds() < 1.1*b2 },
		},
		{
			"poisoners are found out: nothing wrong is accepted, and little is sent for nothing",
			func(s *lab.Scenario) { s.Hostile.Poisoners = 0.2 },
			func(r *lab.Result, _ float64) bool {
				return r.N == 8 && r.Done == 8 && r.Accepted == 0 && r.Corrupt > 0 && r.Corrupt < 10*2*4*int64(32<<10)
			},
		},
		{
			"free-riders give nothing and are served, after others",
			func(s *lab.Scenario) { s.Hostile.FreeRiders = 0.3 },
			func(r *lab.Result, _ float64) bool {
				idle := 0
				for _, n := range r.Nodes[1:] {
					if n.Gave == 0 {
						idle++
					}
				}
				return r.Done == 10 && idle == 3
			},
		},
		{
			"receivers that nobody can dial get everything from those who can be dialled",
			func(s *lab.Scenario) { s.Hostile.Unreachable = 0.5 },
			func(r *lab.Result, b2 float64) bool { return r.Done == 10 && r.Last.Seconds() < 1.3*b2 },
		},
		{
			"receivers that come and go finish, and fetch little twice",
			func(s *lab.Scenario) {
				s.Sessions = lab.Sessions{Mean: lab.Duration(3 * time.Second), Shape: 0.6, Away: lab.Duration(time.Second)}
			},
			func(r *lab.Result, b2 float64) bool {
				return r.Done == 10 && r.Wasted > 0 && r.Wasted < size && r.Last.Seconds() > b2
			},
		},
		{
			"receivers that come one after the other are served as they come",
			func(s *lab.Scenario) { s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 0.05} },
			func(r *lab.Result, _ float64) bool { return r.Done == 10 && r.Median < 4*time.Second },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ten(c.change)
			r := swarmed(t, s, 3)
			if !c.holds(r, fluid(s)) {
				t.Errorf("%d of %d, last %v (%.3f of B2), median %v, killed %v, took %v, corrupt %d, wasted %d, origin %d: %q", r.Done, r.N,
					r.Last, r.Last.Seconds()/fluid(s), r.Median, r.Killed, r.Took, r.Corrupt, r.Wasted, r.FromOrigin, r.Incomplete)
			}
		})
	}
}

// digest is of all that a run counts, in integers.
func digest(r *lab.Result) string {
	h := sha256.New()
	put := func(list ...int64) {
		for _, n := range list {
			_ = binary.Write(h, binary.BigEndian, n)
		}
	}
	put(int64(r.N), int64(r.Done), int64(r.Last), int64(r.Median), int64(r.P99), int64(r.First), int64(r.Took), int64(r.OneOut))
	put(r.FromOrigin, r.FromPeers, r.Wasted, r.Corrupt, r.Accepted)
	for _, n := range r.Nodes {
		put(n.Gave, n.Took, int64(n.Start), int64(n.First), int64(n.Done))
	}
	for _, p := range r.Pairs {
		put(int64(p.From), int64(p.To), p.Bytes)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// The same seed gives the same result on any machine: these were made on one.
func TestSameSeedSameResult(t *testing.T) {
	s := ten(func(s *lab.Scenario) {
		s.Size = 2<<20 + 5
		s.Receivers = append(s.Receivers, receivers(20, 5, 20), receivers(6, 30, 8))
		s.Hostile = lab.Mischief{Poisoners: 0.1, FreeRiders: 0.1, Unreachable: 0.2}
		s.Sessions = lab.Sessions{Mean: lab.Duration(10 * time.Second), Shape: 0.6, Away: lab.Duration(5 * time.Second)}
		s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 4}
		s.Kills = []lab.Kill{{Who: "origin", Share: 1, At: 0.8}, {Who: "peers", Share: 0.2, At: 0.5}}
		s.Stay = lab.Stay{Kind: "for", For: lab.Duration(2 * time.Second)}
	})
	for i, want := range []string{"a487db3f66e807d1", "a37264e034d28947", "e17a00544c4a94b1"} {
		seed := uint64(i + 1)
		if got := digest(swarmed(t, s, seed)); got != want {
			t.Errorf("seed %d: %s, want %s", seed, got, want)
		}
	}
}

func TestMergedPiecesAreToldOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		want  int64
		notes int
	}{
		{"a small crowd has the product's pieces", 2000, 1 << 20, 0},
		{"a hundred thousand have as many as can be simulated", 100_000, (1<<30 + 670) / 671, 1},
		{"more have 64", 100_001, 1 << 24, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := swarmOf(1<<30, 1<<20, 40, receivers(c.n, 20, 100))
			size, merged := merge(&s)
			if size != c.want || merged != (c.notes > 0) {
				t.Errorf("pieces of %d, merged: %v, want %d", size, merged, c.want)
			}
		})
	}
	e := newSwarm(swarmOf(1<<20, 1<<10, 40, receivers(100_001, 20, 100)), 1)
	if notes := strings.Join(e.m.notes, "; "); !strings.Contains(notes, "merged to 64") || !strings.Contains(notes, "connections") {
		t.Errorf("the result says %q", notes)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	told := 0.0
	r := lab.Run{Model: lab.PeerToPeer, Scenario: ten(nil), Seed: 1, Progress: func(done float64, _ string) {
		if told = done; done > 0.3 {
			cancel()
		}
	}}
	if _, err := (World{}).Run(ctx, r); !errors.Is(err, context.Canceled) || told > 0.5 {
		t.Errorf("at %.2f of the run: %v", told, err)
	}
}

func TestIncompleteScenariosAreRefused(t *testing.T) {
	for _, change := range []func(*lab.Scenario){
		func(s *lab.Scenario) { s.Receivers = nil },
		func(s *lab.Scenario) { s.Size = 0 },
		func(s *lab.Scenario) { s.Piece = 0 },
	} {
		if _, err := (World{}).Run(t.Context(), lab.Run{Model: lab.PeerToPeer, Scenario: ten(change)}); err == nil {
			t.Error("it was run")
		}
	}
}

// BenchmarkCrowd is a flash crowd that wants 64 pieces, for what a transfer costs with
// so many nodes.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkCrowd(b, n) })
	}
}

// BenchmarkMillion is BenchmarkCrowd with a million: under two minutes and 1 GiB.
func BenchmarkMillion(b *testing.B) { benchmarkCrowd(b, 1_000_000) }

func benchmarkCrowd(b *testing.B, n int) {
	s := swarmOf(64<<20, 1<<20, 40, receivers(n, 20, 100))
	s.Stay.Kind = "leave"
	var last float64
	for b.Loop() {
		r := swarmed(b, s, 1)
		if r.Done != n {
			b.Fatalf("%d of %d finish", r.Done, n)
		}
		last = r.Last.Seconds() / fluid(s)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n)/64, "us/transfer")
	b.ReportMetric(last, "last/B2")
	b.ReportMetric(0, "ns/op")
}
