package main

import (
	"context"
	"fmt"
	"time"

	"tandem/internal/lab/real"
	"tandem/test/peers"
)

// scenario is one case of the benchmark.
type scenario struct {
	name    string
	title   string
	target  string
	bytes   int64
	seedUp  int64       // bit/s
	links   []real.Link // of the receivers
	killAt  float64     // seconds after the first receiver's start; 0: never
	stagger time.Duration
	only    []peers.Kind
	seeder  peers.Kind // who seeds; empty: the client that is measured
	repeats int        // at least
	run     func(context.Context, scenario, peers.Kind, string) ([]row, error)
}

func (s scenario) has(k peers.Kind) bool {
	for _, o := range s.only {
		if o == k {
			return true
		}
	}
	return len(s.only) == 0
}

// equal returns n receivers, 20 Mbit/s up and 100 down.
func equal(n int) []real.Link {
	links := make([]real.Link, n)
	for i := range links {
		links[i] = real.Link{Up: 20e6, Down: 100e6}
	}
	return links
}

// mixed returns n receivers with uplinks spread from 5 to 50 Mbit/s.
func mixed(n int) []real.Link {
	links := make([]real.Link, n)
	for i := range links {
		links[i] = real.Link{Up: 5e6 + int64(i)*45e6/int64(n-1), Down: 100e6}
	}
	return links
}

const mib = 1 << 20

func scenarios() []scenario {
	base := scenario{bytes: 64 * mib, seedUp: 40e6, run: runSwarm}
	with := func(name, title, target string, f func(*scenario)) scenario {
		s := base
		s.name, s.title, s.target = name, title, target
		f(&s)
		return s
	}
	fu := float64(64*mib*8) / 40e6
	fast := []peers.Kind{peers.Tandem, peers.Libtorrent, peers.Aria2}
	own := []peers.Kind{peers.Tandem}
	from := func(k peers.Kind) scenario {
		return with("from-"+string(k), fmt.Sprintf("%s seeds with 100 Mbit/s, 1 receiver with 100 down, 64 MiB", k), "not slower than the others", func(s *scenario) {
			s.links, s.seedUp, s.seeder = []real.Link{{Up: 20e6, Down: 100e6}}, 100e6, k
		})
	}
	return []scenario{
		with("ten", "1 seeder 40 Mbit/s, 10 receivers 20 up / 100 down, 64 MiB", "<= 1.12 x B2", func(s *scenario) { s.links = equal(10) }),
		with("twentyfour", "the same with 24 receivers", "<= 1.15 x B2", func(s *scenario) { s.links, s.only = equal(24), fast }),
		with("killed", "10 receivers, seeder killed 1.20 x F/u_s after the start", "all 10 complete", func(s *scenario) { s.links, s.killAt, s.only = equal(10), 1.20*fu, fast }),
		with("earliest", "10 receivers: the earliest kill that all survive", "printed", func(s *scenario) { s.links, s.only, s.run = equal(10), own, runEarliest }),
		with("mixed", "10 receivers with uplinks from 5 to 50 Mbit/s", "not slower than libtorrent", func(s *scenario) { s.links, s.only = mixed(10), fast[:2] }),
		with("joining", "10 receivers joining one by one, 2 s apart", "not slower than libtorrent", func(s *scenario) { s.links, s.stagger, s.only = equal(10), 2*time.Second, fast[:2] }),
		with("pair", "1 seeder, 1 receiver, unshaped, 1 GiB", "<= 0.6 x libtorrent's wall, <= its CPU", func(s *scenario) {
			s.links, s.seedUp, s.bytes, s.only = []real.Link{{Offload: true}}, 0, 1<<30, fast
			s.repeats = 3
		}),
		from(peers.Transmission), from(peers.Aria2), from(peers.Libtorrent),
		with("fifty", "one node serving 50 peers", "seeder <= 100 MB resident", func(s *scenario) {
			s.links, s.only, s.seedUp = equal(50), own, 100e6
			s.bytes = 32 * mib
		}),
		with("idle", "idle node", "<= 30 MB, <= 1 kB/s", func(s *scenario) { s.only, s.run = own, runIdle }),
		with("resume", "resume of a 10 GiB transfer after kill -9", "first request within 2 s", func(s *scenario) { s.only, s.run, s.bytes = own, runResume, 10<<30 }),
	}
}

// b2 is the fluid bound on the last finisher in seconds (Kumar & Ross 2006);
// zero when something is unshaped.
func (s scenario) b2() float64 {
	if s.seedUp == 0 || len(s.links) == 0 {
		return 0
	}
	bits := float64(s.bytes * 8)
	sum, slow := float64(s.seedUp), s.links[0].Down
	for _, l := range s.links {
		sum += float64(l.Up)
		slow = min(slow, l.Down)
	}
	return max(bits/float64(s.seedUp), bits/float64(slow), float64(len(s.links))*bits/sum)
}
