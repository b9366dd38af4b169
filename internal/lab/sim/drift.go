package sim

import (
	"context"
	"math"
	"time"

	"tandem/internal/fault"
	"tandem/internal/lab"
)

// Load is a system with arrivals without an end, to be asked whether it keeps up. Time
// counts in services: what the origin takes to send what it must for each arrival if
// nobody else helps. In the client-server model that is the file, and the known limit is
// u_s/F arrivals per second. In a swarm whose peers leave at once it is one piece, the
// one that everybody lacks, and the limit is u_s/c (Hajek and Zhu 2011); where peers stay
// long enough to give one piece more there is none.
//
// Close to the limit a backlog moves too slowly to be seen, so it is asked far off, from
// the state that tells: everybody lacks the same piece.
type Load struct {
	Model    lab.Model // lab.ClientServer or lab.PeerToPeer
	Arrivals float64   // by the limit: 0.7 is below, 1.4 above
	OneMore  bool      // peers stay for about one piece more
	Services int       // how long, default 1000
	Backlog  int       // receivers at the start, default 100
	Seed     uint64
}

// Drifted is how many receivers lacked something at the beginning and at the end.
type Drifted struct {
	Before, After int
	Came          int // between
}

// PerService returns by how many receivers the backlog grew in one service.
func (d Drifted) PerService(services int) float64 {
	return float64(d.After-d.Before) / float64(max(services, 1))
}

// What a Load consists of. A peer's uplink is a quarter of the seeder's, so that not few
// peers but many make a swarm's upload, and downlinks are wide: a newcomer who happens to
// get the missing piece first gives it to next to nobody before it leaves.
const (
	loadPiece  = 1 << 20
	loadPieces = 8
	loadUp     = loadPiece // of the origin: one piece is one second
	loadPeerUp = loadUp / 4
	loadDown   = 400 * loadUp
)

// Drift runs a system under a load. Errors are the context's, and fault.Invalid for a
// load that is none.
func Drift(ctx context.Context, l Load) (Drifted, error) {
	if l.Services <= 0 {
		l.Services = 1000
	}
	if l.Backlog <= 0 {
		l.Backlog = 100
	}
	if !(l.Arrivals > 0 && l.Arrivals < 100) || l.Services > 1_000_000 || l.Backlog > 1_000_000 {
		return Drifted{}, fault.Errorf(fault.Invalid, "drift: %v times the limit from %d over %d services", l.Arrivals, l.Backlog, l.Services)
	}
	switch l.Model {
	case lab.ClientServer:
		return l.server(ctx)
	case lab.PeerToPeer:
		return l.swarm(ctx)
	}
	return Drifted{}, fault.Errorf(fault.Invalid, "drift: of the %q model no limit is known", l.Model)
}

// scenario returns the load as a scenario with somewhat more receivers than will come.
func (l Load) scenario(service float64) lab.Scenario {
	expected := l.Arrivals * float64(l.Services)
	s := lab.Scenario{
		Size: loadPiece * loadPieces, Piece: loadPiece, Payload: 1,
		Origin:   lab.Origin{Count: 1, Up: loadUp},
		Arrivals: lab.Arrivals{Kind: "poisson", Rate: l.Arrivals / service},
		Stay:     lab.Stay{Kind: "leave"},
		Receivers: []lab.Group{{
			Count: l.Backlog + int(expected+8*math.Sqrt(expected)) + 8, Up: loadPeerUp, Down: loadDown,
		}},
	}
	if l.OneMore {
		s.Stay = lab.Stay{Kind: "for", For: lab.Duration(2 * time.Second * loadPiece / loadPeerUp)}
	}
	return s
}

// crowdIn has the first of p be there from the start, and the others come from then on.
func crowdIn(p *people, backlog int) {
	_, shift := p.at(backlog)
	for k := range p.len() {
		i, at := p.at(k)
		p.start[i] = max(at-shift, 0)
		if k < backlog {
			p.start[i] = 0
		}
	}
}

func (l Load) run(service float64) lab.Run {
	s := l.scenario(service)
	return lab.Run{Purpose: lab.Main, Place: lab.InSim, Model: l.Model, Scenario: s, Seed: l.Seed}
}

func (l Load) server(ctx context.Context) (Drifted, error) {
	v := newServer(ctx, l.run(loadPieces))
	v.setup = 0
	crowdIn(v.p, l.Backlog)
	for k := range l.Backlog {
		i, _ := v.p.at(k)
		v.clients[i].lacks = float64(v.piece)
	}
	v.m.sample.next = forever
	until := int64(l.Services) * loadPieces * int64(time.Second)
	for {
		t := v.next()
		if t > until {
			break
		}
		if err := v.pulse.beat(float64(t) / float64(until)); err != nil {
			return Drifted{}, err
		}
		v.step(t)
	}
	return Drifted{l.Backlog, v.come - v.m.finished, v.come - l.Backlog}, nil
}

func (l Load) swarm(ctx context.Context) (Drifted, error) {
	e := newEngine(ctx, l.run(1))
	e.setup = 0
	crowdIn(e.people, l.Backlog)
	for k := range l.Backlog {
		i, _ := e.people.at(k)
		i += e.origins
		for _, row := range [...][]uint64{e.row(e.have, i), e.row(e.taken, i)} {
			fill(row, loadPieces)
			unset(row, 0)
		}
		e.nodes[i].got = loadPieces - 1
	}
	e.guard.begin(e)
	for p := int32(1); p < loadPieces; p++ {
		e.guard.place(e, p)
	}
	e.nextComes()
	until := int64(l.Services) * int64(time.Second)
	for {
		e.drain()
		at := min(e.queue.peek(), e.fifo.peek())
		if at > until {
			break
		}
		if err := e.pulse.beat(float64(at) / float64(until)); err != nil {
			return Drifted{}, err
		}
		e.advanceTo(at)
	}
	return Drifted{l.Backlog, e.come - e.m.finished, e.come - l.Backlog}, nil
}

// advanceTo has what is next happen, at that time.
func (e *engine) advanceTo(at int64) {
	e.now = at
	if e.fifo.peek() == at {
		e.arrive(e.fifo.pop())
		return
	}
	e.step(e.queue.pop())
}
