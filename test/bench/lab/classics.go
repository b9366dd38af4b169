package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tandem/internal/lab"
	"tandem/internal/lab/bound"
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
// sustains u_s/c, and any number if they stay for one piece more. Shown is how many are
// there and lack something when half have come, and when the last comes: above the limit
// it grows with them.
func limits(ctx context.Context, f *page.Figures) error {
	const up, origin, piece, size = 10 * mbit, 4 * mbit, 1 << 20, 4 << 20
	leave, more := lab.Stay{Kind: "leave"}, lab.Stay{Kind: "for", For: lab.Duration(time.Second)}
	for _, c := range []struct {
		m        lab.Model
		arrivals float64
		stay     lab.Stay
		what     string
	}{
		{lab.ClientServer, 0.7 * origin / size, leave, "0.7 u_s/F arrivals at a server"},
		{lab.ClientServer, 1.4 * origin / size, leave, "1.4 u_s/F arrivals at a server"},
		{lab.PeerToPeer, 0.7 * origin / piece, leave, "0.7 u_s/c arrivals in a swarm, leave at once"},
		{lab.PeerToPeer, 1.4 * origin / piece, leave, "1.4 u_s/c arrivals in a swarm, leave at once"},
		{lab.PeerToPeer, 1.4 * origin / piece, more, "1.4 u_s/c arrivals in a swarm, stay for a second (1.2 pieces more)"},
	} {
		s := scene(lab.Scenario{
			Size: size, Piece: piece, Payload: 1, Origin: lab.Origin{Up: origin},
			Receivers: []lab.Group{{Count: 4000, Up: up, Down: 100 * mbit}},
			Arrivals:  lab.Arrivals{Kind: "poisson", Rate: c.arrivals}, Stay: c.stay,
		})
		r, err := simulate(ctx, s, c.m, 1)
		if err != nil {
			return err
		}
		limit := bound.For(s, c.m).Stable
		by := "does not grow"
		if limit < c.arrivals { // who is not served at the limit's rate is left
			by = fmt.Sprintf("at least %.0f, %.0f", (1-limit/c.arrivals)*2000, (1-limit/c.arrivals)*4000)
		}
		half, all := present(r)
		f.Add("limit of arrivals", c.what+": present when 2,000 and 4,000 have come", fmt.Sprintf("%d, %d", half, all), by, "")
	}
	return nil
}

// present counts receivers that have come and not finished, when half and when all have
// come.
func present(r *lab.Result) (half, all int) {
	var starts []time.Duration
	for _, n := range r.Nodes {
		if !n.Origin {
			starts = append(starts, n.Start)
		}
	}
	slices.Sort(starts)
	at := func(t time.Duration) (k int) {
		for _, n := range r.Nodes {
			if !n.Origin && n.Start <= t && (n.Done == 0 || n.Start+n.Done > t) {
				k++
			}
		}
		return k
	}
	return at(starts[len(starts)/2]), at(starts[len(starts)-1])
}
