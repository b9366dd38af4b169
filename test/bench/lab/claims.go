package main

import (
	"fmt"
	"math"
	"strings"

	"tandem/internal/lab"
	"tandem/internal/lab/bound"
	"tandem/internal/units"
)

// claim is one thing that textbooks say. Its answer stands here; answers are checked
// against the figures each time they are made, and one that they do not bear out is an
// error.
type claim struct {
	says   string
	answer string   // "True", "False", "It depends"
	from   []string // names of commands
	// figures says what bears the answer out, or holds not.
	figures func(c compared) (text string, holds bool)
}

// text is the claim's section.
func (c claim) text(got compared) (string, error) {
	figures, holds := c.figures(got)
	if !holds {
		return "", fmt.Errorf("%q is answered %q, which the figures do not bear out: %s", c.says, c.answer, figures)
	}
	var from []string
	for _, k := range commands() {
		for _, name := range c.from {
			if k.name == name {
				from = append(from, "`"+k.String()+"`")
			}
		}
	}
	return fmt.Sprintf("**%s.** %s (%s)\n", c.answer, figures, strings.Join(from, ", ")), nil
}

// claims are the thirteen, in the order of the page.
func claims() []claim {
	return []claim{
		{"an overloaded server is a bottleneck", "True", []string{"home"}, bottleneck},
		{"a server is a single point of failure", "True", []string{"home", "stay"}, single},
		{"adding servers adds capacity, at a cost", "True", []string{"home"}, moreServers},
		{"which of the two scales better", "It depends", []string{"home", "few"}, scales},
		{"each new peer adds bandwidth, storage and processing power", "It depends", []string{"home", "stay"}, adds},
		{"client-server costs more to set up and run", "It depends", []string{"release", "classroom"}, costs},
		{"client-server is easier to secure", "True", []string{"hostile"}, secure},
		{"client-server is more stable, peer-to-peer survives more", "It depends", []string{"home", "disaster"}, survives},
		{"a server's performance is steady, peers' varies", "It depends", []string{"home", "hostile"}, steady},
		{"roles change per request", "True", []string{"home"}, roles},
		{"data is central, or spread over all", "True", []string{"stay"}, spreadOut},
		{"traffic goes through the server, or directly", "True", []string{"home"}, traffic},
		{"the choice depends on control, scale and fault tolerance", "True", []string{"home", "archive", "disaster"}, choice},
	}
}

// sims returns the simulated runs of a purpose and model with a variation.
func (c compared) sims(name string, p lab.Purpose, m lab.Model, vary float64) []*lab.Result {
	return lab.Select(c[name].Results, p, lab.InSim, m, vary)
}

// labelled returns the simulated runs of a purpose and model with a label.
func (c compared) labelled(name string, p lab.Purpose, m lab.Model, label string) (list []*lab.Result) {
	for _, r := range c[name].Results {
		if r.Run.Place == lab.InSim && r.Run.Purpose == p && r.Run.Model == m && r.Run.Label == label && r.Void == "" {
			list = append(list, r)
		}
	}
	return list
}

// mid is the median of a figure over runs, NaN without runs.
func mid(list []*lab.Result, of func(*lab.Result) float64) float64 {
	var all []float64
	for _, r := range list {
		all = append(all, of(r))
	}
	if len(all) == 0 {
		return math.NaN()
	}
	return lab.Quantile(all, 0.5)
}

func lastOf(r *lab.Result) float64 { return r.Last.Seconds() }
func doneOf(r *lab.Result) float64 { return float64(r.Done) / float64(max(r.N, 1)) }

// originShare is the part of all bytes that the origin gave.
func originShare(r *lab.Result) float64 {
	return float64(r.FromOrigin) / max(float64(r.FromOrigin+r.FromPeers), 1)
}

// main is the median of a figure of the scenario as it stands.
func (c compared) main(name string, m lab.Model, of func(*lab.Result) float64) float64 {
	return mid(c.sims(name, lab.Main, m, 0), of)
}

// slope is that of log T by log N over the sweep.
func (c compared) slope(name string, m lab.Model) float64 {
	var ns, ts []float64
	for _, n := range lab.Varied(c[name].Results, lab.Sweep, lab.InSim, m) {
		ns, ts = append(ns, n), append(ts, mid(c.sims(name, lab.Sweep, m, n), lastOf))
	}
	return bound.Slope(ns, ts)
}

func bottleneck(c compared) (string, bool) {
	ns := lab.Varied(c["home"].Results, lab.Sweep, lab.InSim, lab.ClientServer)
	if len(ns) < 2 {
		return "no sweep", false
	}
	few, many := ns[0], ns[len(ns)-1]
	a, b := mid(c.sims("home", lab.Sweep, lab.ClientServer, few), lastOf), mid(c.sims("home", lab.Sweep, lab.ClientServer, many), lastOf)
	slope := c.slope("home", lab.ClientServer)
	return fmt.Sprintf("N=%.0f takes %s until the last has the file, N=%.0f takes %s: time grows as N^%.2f.", few, sec(a), many, sec(b), slope), slope > 0.8
}

func single(c compared) (string, bool) {
	finish := func(name string, m lab.Model) float64 {
		return mid(c.labelled(name, lab.Survival, m, lab.LabelOneCopy), doneOf)
	}
	var text []string
	for _, m := range lab.Models() {
		text = append(text, fmt.Sprintf("%.0f %% with %s", 100*finish("home", m), m))
	}
	peers, both := finish("stay", lab.PeerToPeer), finish("stay", lab.Hybrid)
	return fmt.Sprintf("When the origin is killed with 1.2 copies out, %s finish: the last of ten finds nobody who has its last pieces, since who has everything leaves at once. If they stay, %.0f %% finish with peers and %.0f %% with both. Killed before one copy is out, the first sharer of a swarm is a single point of failure as well.",
			strings.Join(text, ", "), 100*peers, 100*both),
		finish("home", lab.ClientServer) < 0.5 && finish("home", lab.PeerToPeer) > 0.75 && peers == 1 && both == 1 && finish("stay", lab.ClientServer) < 0.5
}

func moreServers(c compared) (string, bool) {
	one := c.sims("home", lab.Origins, lab.ClientServer, 1)
	two, four := c.sims("home", lab.Origins, lab.ClientServer, 2), c.sims("home", lab.Origins, lab.ClientServer, 4)
	a, b, d := mid(one, lastOf), mid(two, lastOf), mid(four, lastOf)
	peers := c.main("home", lab.PeerToPeer, lastOf)
	hourly := c["home"].Scenario.Prices.Server
	return fmt.Sprintf("1, 2 and 4 servers: %s, %s, %s. Each costs %.2f $ an hour more, and the traffic costs the same. Ten peers with one origin need %s.", sec(a), sec(b), sec(d), hourly, sec(peers)),
		b < 0.7*a && d < 0.7*b
}

func scales(c compared) (string, bool) {
	cs, pp := c.slope("home", lab.ClientServer), c.slope("home", lab.PeerToPeer)
	a, b := c.main("few", lab.ClientServer, lastOf), c.main("few", lab.PeerToPeer, lastOf)
	cross := bound.For(c["few"].Scenario, lab.PeerToPeer).Crossover
	return fmt.Sprintf("Time grows as N^%.2f with a server and as N^%.2f with peers, so peers scale better where the origin's uplink binds. Up to u_s/d_min = %.0f receivers they cannot help: 8 receivers of a server with 1 Gbit/s have the file after %s, and from peers after %s.", cs, pp, cross, sec(a), sec(b)),
		pp < 0.5*cs && a <= b*1.02
}

func adds(c compared) (string, bool) {
	given := func(r *lab.Result) float64 { return float64(r.FromPeers) / float64(max(r.N, 1)) }
	leave, stay := c.main("home", lab.PeerToPeer, given), c.main("stay", lab.PeerToPeer, given)
	text := fmt.Sprintf("A receiver gives %s on the mean if it leaves at once and %s if it stays, of %s that it takes; and a copy, as long as it is there.",
		units.Bytes(int64(leave)), units.Bytes(int64(stay)), units.Bytes(int64(c["home"].Scenario.Size)))
	if runs := lab.Select(c["home"].Results, lab.Main, lab.InReal, lab.PeerToPeer, 0); len(runs) > 0 {
		cpu := mid(runs, func(r *lab.Result) float64 {
			if r.Use == nil {
				return 0
			}
			return r.Use.PeerCPU / float64(r.N)
		})
		text += fmt.Sprintf(" It spends %.2f CPU-seconds on that (measured).", cpu)
	}
	return text + " One behind a slow uplink, or that gives nothing, adds demand and no capacity.", leave > 0 && stay >= leave*0.98
}

func costs(c compared) (string, bool) {
	money := func(name string, m lab.Model, peer float64) (operator, all float64) {
		s := c[name].Scenario
		list := c.sims(name, lab.Main, m, 0)
		if len(list) == 0 {
			return math.NaN(), math.NaN()
		}
		s.Prices.Peer = peer
		r := list[0]
		operator, peers := lab.Cost(s, m, r.FromOrigin, r.FromPeers, r.Took)
		return operator, operator + peers
	}
	egress := c["release"].Scenario.Prices.Egress
	cs, _ := money("release", lab.ClientServer, 0)
	pp, ppAll := money("release", lab.PeerToPeer, egress)
	hy, hyAll := money("release", lab.Hybrid, egress)
	room, _ := money("classroom", lab.ClientServer, 0)
	return fmt.Sprintf("The operator of a release to 10,000 sites pays %s with a server, %s with peers and %s with both; in a classroom, where bytes cost nothing, %s. Peers move the cost to those who upload, at whatever a gigabyte costs them: at the operator's %s all together pay %s with peers and %s with both.",
			dollars(cs), dollars(pp), dollars(hy), dollars(room), dollars(egress), dollars(ppAll), dollars(hyAll)),
		cs > hy && cs > pp && room < 1 && ppAll > 0.95*cs && hyAll > 0.95*cs
}

// dollars writes an amount, with cents while they count.
func dollars(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.2f $", x)
	}
	return fmt.Sprintf("%.0f $", x)
}

func secure(c compared) (string, bool) {
	accepted, unasked := int64(0), int64(0)
	for _, r := range c["hostile"].Results {
		accepted, unasked = accepted+r.Accepted, unasked+r.Unasked
	}
	corrupt := c.main("hostile", lab.PeerToPeer, func(r *lab.Result) float64 { return float64(r.Corrupt) })
	clean := c.main("hostile", lab.ClientServer, func(r *lab.Result) float64 { return float64(r.Corrupt) })
	e := map[lab.Model]lab.Estimate{}
	for _, x := range bound.Estimate(c["hostile"].Scenario) {
		e[x.Model] = x
	}
	return fmt.Sprintf("Access ends after %s with a server, after at most %s with both (a node that nobody reaches), never with a ticket alone; only a server has every download on record. Poisoners sent %s in the swarm and %s through the server. But wrong bytes accepted: %d in every model, since every byte is checked by hash; and a server sees the content in the clear and must be trusted with it.",
			e[lab.ClientServer].Revocation, e[lab.Hybrid].Revocation, units.Bytes(int64(corrupt)), units.Bytes(int64(clean)), accepted),
		accepted == 0 && unasked == 0 && corrupt > clean
}

func survives(c compared) (string, bool) {
	share := func(m lab.Model) float64 { return c.main("disaster", m, doneOf) }
	wide := func(m lab.Model) float64 {
		list := c.sims("home", lab.Main, m, 0)
		sum := lab.Summarise(list, lastOf)
		return sum.Spread / sum.Mean
	}
	return fmt.Sprintf("Over repeats the time varies by %.2f %% (95 %% interval) with a server and by %.2f %% with peers: on equal links neither is unsteady, and where people come and go see 9. When the server is lost for good at half of the bytes, %.0f %% finish with it, %.0f %% with peers and %.0f %% with both.",
			100*wide(lab.ClientServer), 100*wide(lab.PeerToPeer), 100*share(lab.ClientServer), 100*share(lab.PeerToPeer), 100*share(lab.Hybrid)),
		share(lab.ClientServer) < share(lab.PeerToPeer)
}

func steady(c compared) (string, bool) {
	tail := func(r *lab.Result) float64 { return r.P99.Seconds() / max(r.Median.Seconds(), 1e-9) }
	a, b := c.main("home", lab.ClientServer, tail), c.main("home", lab.PeerToPeer, tail)
	d, e := c.main("hostile", lab.ClientServer, tail), c.main("hostile", lab.PeerToPeer, tail)
	return fmt.Sprintf("The slowest percent of ten equal homes takes %.2f x the median with a server, %.2f x with peers; where people come and go, %.2f x and %.2f x. A server's time is set by its size and by how many come, which is not steady either: see 1.", a, b, d, e),
		!math.IsNaN(a + b + d + e)
}

func roles(c compared) (string, bool) {
	both := func(m lab.Model) float64 {
		return c.main("home", m, func(r *lab.Result) float64 {
			n := 0.0
			for _, x := range r.Nodes {
				if !x.Origin && x.Gave > 0 && x.Took > 0 {
					n++
				}
			}
			return n / float64(max(r.N, 1))
		})
	}
	cs, pp, hy := both(lab.ClientServer), both(lab.PeerToPeer), both(lab.Hybrid)
	return fmt.Sprintf("%.0f %% of the receivers serve others while they fetch with peers, %.0f %% with both, and %.0f %% with a server.", 100*pp, 100*hy, 100*cs), pp > 0.5 && cs == 0
}

func spreadOut(c compared) (string, bool) {
	copies := func(r *lab.Result) float64 {
		if len(r.Copies) == 0 {
			return 0
		}
		return r.Copies[len(r.Copies)-1].Mean
	}
	gini := func(r *lab.Result) float64 { return r.Gini }
	a, b := c.main("stay", lab.ClientServer, gini), c.main("stay", lab.PeerToPeer, gini)
	return fmt.Sprintf("What nodes give is spread with a Gini coefficient of %.2f with a server (1: one gives all) and %.2f with peers. Copies exist at %.0f receivers either way; only peers serve from theirs.", a, b, c.main("stay", lab.PeerToPeer, copies)),
		a > b
}

func traffic(c compared) (string, bool) {
	share := func(m lab.Model) float64 { return c.main("home", m, originShare) }
	return fmt.Sprintf("Of all bytes %.0f %% leave the origin with a server, %.0f %% with peers, %.0f %% with both.", 100*share(lab.ClientServer), 100*share(lab.PeerToPeer), 100*share(lab.Hybrid)),
		share(lab.ClientServer) == 1 && share(lab.PeerToPeer) < 0.6
}

func choice(c compared) (string, bool) {
	name := func(k string) string {
		if m := c[k].Verdict.Model; m != "" {
			return string(m)
		}
		return "none"
	}
	a, b, d := name("home"), name("archive"), name("disaster")
	return fmt.Sprintf("Ten homes: %s. An archive with rare readers, whose access must be on record and end within a minute: %s. Maps that must outlive their server: %s.", a, b, d),
		b == string(lab.ClientServer) && d != string(lab.ClientServer)
}

func sec(s float64) string {
	if s >= 600 {
		return fmt.Sprintf("%.0f min", s/60)
	}
	return fmt.Sprintf("%.1f s", s)
}
