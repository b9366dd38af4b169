package lab

import (
	"math"
	"slices"
)

// Rows on what nodes are, give, keep and say to each other.

func (t *sheet) roles() {
	t.say("roles", roles(), neither)
	t.main(metric{"receivers that gave as well as took", "%", neither, simOrReal(func(r *Result) (float64, bool) {
		list := receivers(r)
		both := 0
		for _, n := range list {
			if n.Gave > 0 && n.Took > 0 {
				both++
			}
		}
		return percentage(float64(both), float64(len(list))), len(list) > 0
	}), nil}, metric{"what a receiver gave, of what it took", "%", neither, simOrReal(func(r *Result) (float64, bool) {
		var shares []float64
		for _, n := range receivers(r) {
			if n.Took > 0 {
				shares = append(shares, percentage(float64(n.Gave), float64(n.Took)))
			}
		}
		return Quantile(shares, 0.5), len(shares) > 0
	}), nil})
	t.say("whose loss stops it", losses(), neither)
}

func (t *sheet) sharing() {
	t.one(metric{"upload that can serve", "B/s", higher, nil, nil}, Analytic, func(m Model) (float64, bool) {
		return t.capacity(m), true
	})
	t.main(
		metric{"a receiver gives", "B", neither, func(r *Result) (float64, bool) {
			_, ok := moved(r)
			return float64(r.FromPeers) / float64(max(r.N, 1)), ok
		}, nil},
		metric{"a receiver works, CPU-seconds", "", neither, func(r *Result) (float64, bool) {
			return use(r).PeerCPU / float64(max(r.N, 1)), r.Use != nil
		}, nil},
		metric{"inequality of what nodes give (Gini)", "", neither, simOrReal(func(r *Result) (float64, bool) {
			_, ok := moved(r)
			return r.Gini, ok
		}), nil},
	)
}

// capacity is the upload that a model can use for content, in bytes a second.
func (t *sheet) capacity(m Model) float64 {
	v := float64(t.s.Origin.Up) * float64(max(t.s.Origin.Count, 1))
	if m != ClientServer {
		for _, g := range t.s.Receivers {
			v += float64(g.Up) * float64(g.Count)
		}
	}
	if t.s.Payload > 0 {
		v *= t.s.Payload
	}
	return v
}

func (t *sheet) storage() {
	t.say("who serves it", places(), neither)
	halfway := func(r *Result) (Copies, bool) {
		for _, c := range r.Copies {
			if c.At >= r.Last/2 {
				return c, true
			}
		}
		return Copies{}, false
	}
	t.main(
		metric{"copies of a piece halfway", "", neither, func(r *Result) (float64, bool) {
			c, ok := halfway(r)
			return c.Mean, ok
		}, nil},
		metric{"copies of the rarest piece halfway", "", neither, func(r *Result) (float64, bool) {
			c, ok := halfway(r)
			return float64(c.Min), ok
		}, nil},
		metric{"one copy is out after", "s", lower, func(r *Result) (float64, bool) {
			return r.OneOut.Seconds(), r.OneOut > 0
		}, nil},
	)
	// Whose disks serve others: of N receivers that stay all, of N that leave or are
	// never asked none.
	t.one(metric{"inequality of what nodes store for others (Gini)", "", lower, nil, nil}, Analytic, func(m Model) (float64, bool) {
		n, k := t.s.N(), max(t.s.Origin.Count, 1)
		held := make([]float64, k, k+1)
		for i := range held {
			held[i] = 1
		}
		if m != ClientServer && t.s.Stay.Kind != StayLeave {
			return 0, n > 0
		}
		return float64(n) / float64(n+len(held)), n > 0
	})
}

func (t *sheet) communication() {
	t.main(metric{"bytes that come from the origin", "%", lower, func(r *Result) (float64, bool) {
		all, ok := moved(r)
		return percentage(float64(r.FromOrigin), all), ok
	}, nil}, metric{"pairs of receivers that exchange directly", "", neither, simOrReal(func(r *Result) (float64, bool) {
		pairs := map[[2]int]bool{}
		for _, p := range r.Pairs {
			if p.Bytes > 0 && !origin(r, p.From) && !origin(r, p.To) {
				pairs[[2]int{min(p.From, p.To), max(p.From, p.To)}] = true
			}
		}
		return float64(len(pairs)), len(r.Pairs) > 0
	}), nil})
	t.one(metric{"round trips to find who has it, at most", "", lower, nil, nil}, Analytic, func(m Model) (float64, bool) {
		if m != PeerToPeer {
			return 1, true // a request to the server; a join answers with peers
		}
		// A DHT of the swarm's own nodes: Kademlia halves the distance each round. On the
		// local network one announcement does; the BitTorrent DHT is larger.
		return math.Ceil(math.Log2(float64(max(t.s.N()+max(t.s.Origin.Count, 1), 2)))), true
	})
	t.say("how nodes find each other", finding(), neither)
}

func origin(r *Result, node int) bool {
	return node < 0 || node >= len(r.Nodes) || r.Nodes[node].Origin
}

func (t *sheet) flexibility() {
	t.one(metric{"a receiver that joins adds upload of", "B/s", higher, nil, nil}, Analytic, func(m Model) (float64, bool) {
		n := t.s.N()
		if m == ClientServer || n == 0 {
			return 0, n > 0
		}
		one := *t
		one.s.Origin.Up = 0
		return one.capacity(m) / float64(n), true
	})
	t.say("another source", moreSources(), neither)
	t.say("a receiver that leaves", leaving(), neither)
	t.say("other content under the same link", changing(), neither)
}

func (t *sheet) uses() {
	t.say("right for", uses(), neither)
	t.say("shipped scenarios", shippedFor(), neither)
}

// use is what a real run cost the machine; nothing for others.
func use(r *Result) Use {
	if r.Use == nil {
		return Use{}
	}
	return *r.Use
}

// increasing returns the points of a sweep that have a value, by their number of
// receivers.
func (t *sheet) increasing(m Model, p Place) (n, v []float64) {
	for _, vary := range Varied(t.results, Sweep, p, m) {
		group := Finished(Select(t.results, Sweep, p, m, vary))
		if s := Summarise(group, func(r *Result) float64 { return r.Last.Seconds() }); vary > 0 && s.Median > 0 {
			n, v = append(n, vary), append(v, s.Median)
		}
	}
	return slices.Clip(n), slices.Clip(v)
}
