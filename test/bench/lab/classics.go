package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/internal/lab/sim"
	"tandem/internal/units"
	"tandem/test/bench/page"
)

// classics repeats what textbooks and papers say, in the simulator.
func classics(ctx context.Context) (*page.Figures, error) {
	f := &page.Figures{
		Head: []string{"result", "case", "simulated", "by formula", "ratio"},
		Note: "Simulated; the same on every machine. Rates are of content. Times are of the last receiver.",
	}
	for _, part := range []func(context.Context, *page.Figures) error{growth, crossing, equal, limits} {
		if err := part(ctx, f); err != nil {
			return f, err
		}
	}
	return f, nil
}

// classic is n receivers of 16 MiB; content can use whole links.
func classic(n int, origin, up, down float64) lab.Scenario {
	return scene(lab.Scenario{
		Size: 16 << 20, Payload: 1, Origin: lab.Origin{Up: units.Rate(origin * mbit)},
		Receivers: []lab.Group{{Count: n, Up: units.Rate(up * mbit), Down: units.Rate(down * mbit)}},
	})
}

// timed is a simulated time beside its bound.
func timed(ctx context.Context, f *page.Figures, result, what string, s lab.Scenario, m lab.Model) (float64, error) {
	r, err := simulate(ctx, s, m, 1)
	if err != nil {
		return 0, err
	}
	b := bound.For(s, m).Last
	f.Add(result, what, seconds(r.Last)+" s", seconds(b)+" s", fmt.Sprintf("%.3f", r.Last.Seconds()/b.Seconds()))
	return r.Last.Seconds(), nil
}

// growth: client-server time grows linearly with N, peer-to-peer flattens towards F/u.
func growth(ctx context.Context, f *page.Figures) error {
	for _, m := range []lab.Model{lab.ClientServer, lab.PeerToPeer} {
		var ns, ts []float64
		for _, n := range []int{10, 30, 100, 300, 1000, 10_000} {
			t, err := timed(ctx, f, "time against N", fmt.Sprintf("%s, N=%d, u_s = 4u", m, n), classic(n, 40, 10, 100), m)
			if err != nil {
				return err
			}
			if n >= 100 {
				ns, ts = append(ns, float64(n)), append(ts, t)
			}
		}
		slope := 0.0 // F/u does not depend on N
		if m == lab.ClientServer {
			slope = 1
		}
		f.Add("time against N", fmt.Sprintf("%s: slope of log T by log N from 100 to 10,000", m), fmt.Sprintf("%.3f", bound.Slope(ns, ts)), fmt.Sprintf("%.0f", slope), "")
	}
	fu := (16 << 20) / (10 * mbit)
	f.Add("time against N", "peer-to-peer: F/u", "", fmt.Sprintf("%.2f s", fu), "")
	return nil
}

// crossing: up to u_s/d_min receivers peers cannot help.
func crossing(ctx context.Context, f *page.Figures) error {
	const origin, down = 100, 10
	for _, n := range []int{5, 10, 20, 40} {
		s := classic(n, origin, 5, down)
		var t [2]time.Duration
		for i, m := range []lab.Model{lab.ClientServer, lab.PeerToPeer} {
			r, err := simulate(ctx, s, m, 1)
			if err != nil {
				return err
			}
			t[i] = r.Last
		}
		by := bound.For(s, lab.ClientServer).Last.Seconds() / bound.For(s, lab.PeerToPeer).Last.Seconds()
		got := t[0].Seconds() / t[1].Seconds()
		f.Add("crossover", fmt.Sprintf("client-server / peer-to-peer, N=%d, u_s/d_min = %d", n, origin/down), fmt.Sprintf("%.3f", got), fmt.Sprintf("%.3f", by), fmt.Sprintf("%.3f", got/by))
	}
	return nil
}

// equal: with the origin given all uplinks together client-server meets or beats
// peer-to-peer.
func equal(ctx context.Context, f *page.Figures) error {
	for _, n := range []int{10, 100} {
		peers := classic(n, 40, 10, 100)
		server := classic(n, 40+10*float64(n), 10, 100)
		p, err := simulate(ctx, peers, lab.PeerToPeer, 1)
		if err != nil {
			return err
		}
		c, err := simulate(ctx, server, lab.ClientServer, 1)
		if err != nil {
			return err
		}
		by := bound.For(server, lab.ClientServer).Last.Seconds() / bound.For(peers, lab.PeerToPeer).Last.Seconds()
		got := c.Last.Seconds() / p.Last.Seconds()
		f.Add("equal total capacity", fmt.Sprintf("client-server / peer-to-peer, N=%d", n), fmt.Sprintf("%.3f", got), fmt.Sprintf("%.3f", by), fmt.Sprintf("%.3f", got/by))
	}
	return nil
}

// limits: a server sustains u_s/F arrivals a second. A swarm whose peers leave at once
// sustains u_s/c, and any number if they stay for one piece more. Near the limit a backlog
// moves too slowly to be seen, so each is asked at 0.7 and 1.4 times it, from the state
// where everybody lacks the same piece, by the sign of the drift.
func limits(ctx context.Context, f *page.Figures) error {
	const services, seeds = 1000, 10
	for _, c := range []struct {
		load sim.Load
		what string
	}{
		{sim.Load{Model: lab.ClientServer, Arrivals: 0.7}, "0.7 u_s/F arrivals at a server"},
		{sim.Load{Model: lab.ClientServer, Arrivals: 1.4}, "1.4 u_s/F arrivals at a server"},
		{sim.Load{Model: lab.PeerToPeer, Arrivals: 0.7}, "0.7 u_s/c arrivals in a swarm, leave at once"},
		{sim.Load{Model: lab.PeerToPeer, Arrivals: 1.4}, "1.4 u_s/c arrivals in a swarm, leave at once"},
		{sim.Load{Model: lab.PeerToPeer, Arrivals: 1.4, OneMore: true}, "1.4 u_s/c arrivals in a swarm, stay for one piece more"},
	} {
		least, most, grew := math.Inf(1), math.Inf(-1), 0
		for seed := range uint64(seeds) {
			c.load.Seed, c.load.Services = seed, services
			d, err := sim.Drift(ctx, c.load)
			if err != nil {
				return err
			}
			by := float64(d.After - d.Before)
			least, most = min(least, by), max(most, by)
			if by > 0 {
				grew++
			}
		}
		by := "goes away"
		switch {
		case c.load.Arrivals > 1 && c.load.Model == lab.ClientServer: // all share its link, so that much of what it gives is in files not yet whole
			by = fmt.Sprintf("grows, in a service by at least %.1f", c.load.Arrivals-1)
		case c.load.Arrivals > 1 && !c.load.OneMore:
			by = fmt.Sprintf("grows, in a service by %.1f", c.load.Arrivals-1)
		}
		f.Add("limit of arrivals", fmt.Sprintf("%s: a backlog of 100 after %d services", c.what, services),
			fmt.Sprintf("grows in %d of %d seeds, in a service by %+.2f to %+.2f", grew, seeds, least/services, most/services), by, "")
	}
	return nil
}
