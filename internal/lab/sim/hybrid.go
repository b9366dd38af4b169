package sim

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"tandem/internal/admit"
	"tandem/internal/content"
	"tandem/internal/lab"
	"tandem/internal/peer"
)

// hybrid is the origins of the hybrid model, and what receivers make of their answers.
// Whom an origin serves, and when peers are worth it, package admit decides, driven here
// as origin.Gate drives it; what a receiver asks for and how it takes being pointed
// elsewhere is as in swarm and transfer. Between peers the engine goes on as ever.
//
// A node has up to two requests of one piece under way at an origin, which is what
// swarm's depth comes to where pieces have 128 KiB or more.
type hybrid struct {
	e     *engine
	desks []*desk
	users []user // by receiver
	begun []*ask // by flow
	size  int64
	trip  int64 // there and back
	swarm bool  // peers are used
	most  int   // members of a desk: admit.MaxNodes, in tests fewer
	wake  int64 // when the desks are looked after next; forever: nothing is to be done
}

// desk is one origin.
type desk struct {
	o       *admit.Origin
	alive   bool
	members int
	door    []int32 // receivers that found no room among members, in the order they came
	asks    []*ask  // under way, in the order they were taken
	byID    map[admit.ID]*ask
	ticked  int64 // when the model was looked at last
	swarm   bool  // what the model was then
	spare   bool
}

// user is a receiver as its origin sees it, and the other way round.
type user struct {
	home     int32
	here     bool
	member   bool
	finished bool
	under    int8     // requests that have not ended
	taken    []uint64 // pieces not to be asked for before until; nil: none
	until    int64
	rest     int64 // before which nothing is asked for at all
	diverted int   // answers in a row that pointed elsewhere
	wake     int64 // when a tick is due; forever: none is
	report   int64 // when it reports next
}

// ask is a request that an origin has taken.
type ask struct {
	id      admit.ID
	desk    int32
	node    int32
	piece   int32
	flow    int32 // none: it waits for its turn
	help    bool  // with a piece that a peer is late with
	sent    int64 // bytes that admit knows of
	granted int64 // and not sent yet
	of      int64
}

// Pace of the hybrid, as node and transfer have it.
const (
	atOnceAsked = 2
	reportEvery = int64(5 * time.Second)
	modelEvery  = int64(500 * time.Millisecond) // origin's tickEvery
	meterEvery  = int64(100 * time.Millisecond) // admit's meter
	mostAfter   = 30 * time.Second
	leastAfter  = 250 * time.Millisecond
	stormNamed  = 32 // answers elsewhere in a row, after which a node asks ever less often
	stormMost   = 15 * time.Second
	asksAtOnce  = 3
	tickDesks   = -1 // arg of the tick that is not a node's
)

// runHybrid makes a run of the hybrid model.
func runHybrid(ctx context.Context, r lab.Run) (*lab.Result, error) {
	return newHybrid(ctx, r).run(ctx)
}

func newHybrid(ctx context.Context, r lab.Run) *hybrid {
	e := newEngine(ctx, r)
	e.setup = setupTime(e.s)
	h := &hybrid{
		e: e, users: make([]user, e.people.len()), size: int64(r.Scenario.Size), trip: 2 * int64(r.Scenario.Latency),
		wake: forever, most: admit.MaxNodes,
	}
	e.hook, e.swarm = h, false
	e.seen = slices.Clone(e.have)
	for k := range e.origins {
		cfg := admit.Config{Copies: r.Scenario.Origin.Copies, Rand: rand.New(rand.NewPCG(r.Seed, streamAdmit+uint64(k)<<32))}
		if r.Scenario.Payload >= 1 { // programs limit themselves: the server by its budget
			cfg.Rate = float64(r.Scenario.Origin.Up)
		}
		h.desks = append(h.desks, &desk{o: admit.New(cfg), alive: true, byID: make(map[admit.ID]*ask)})
	}
	return h
}

func (h *hybrid) run(ctx context.Context) (*lab.Result, error) {
	if len(h.users) > h.most*len(h.desks) {
		h.e.m.note("beyond %d nodes at a time an origin serves nobody in the simulator: the others have peers alone", h.most)
	}
	return h.e.run(ctx)
}

// at is a moment as admit takes it.
func (h *hybrid) at() time.Time { return time.Unix(1e9, 0).Add(time.Duration(h.e.now)) }

// theShare is the share that they all take part in.
var theShare = content.Hash{1}

func (h *hybrid) user(i int32) *user { return &h.users[i-h.e.origins] }

func nodeID(i int32) peer.ID {
	id := peer.ID{1}
	binary.BigEndian.PutUint32(id[1:], uint32(i))
	return id
}

// start implements hook.
func (h *hybrid) start() {
	for i := range h.users {
		h.users[i].home, h.users[i].wake = int32(i%len(h.desks)), forever
	}
}

// joined implements hook.
func (h *hybrid) joined(i int32) {
	u := h.user(i)
	u.here, u.taken, u.rest, u.diverted = true, nil, 0, 0
	h.settle(i)
}

// settle has a node take part at its origin, or at another one where that is dead.
func (h *hybrid) settle(i int32) {
	u := h.user(i)
	for range h.desks {
		d := h.desks[u.home]
		if !d.alive {
			u.home = (u.home + 1) % int32(len(h.desks))
			continue
		}
		if d.members >= h.most {
			d.door = append(d.door, i)
			return
		}
		d.members++
		u.member = true
		h.tell(i)
		h.fill(i)
		return
	}
	h.useSwarm(true)
}

// tell is a node's report to its origin.
func (h *hybrid) tell(i int32) {
	u, d := h.user(i), h.desks[h.user(i).home]
	have := min(int64(h.e.nodes[i].got)*h.e.size, h.size)
	d.o.Join(h.at(), theShare, admit.Node{ID: nodeID(i), Pieces: int(h.e.pieces), Size: h.size, Have: have, Total: h.size})
	u.report = h.e.now + reportEvery
	h.follow(d, d.o.Changed(theShare))
	h.rise(i, u.report)
}

// follow takes over what an origin says of peers, if that has changed. They are used as
// soon as one origin says so, and when there is none.
func (h *hybrid) follow(d *desk, changed bool) {
	if !changed {
		return
	}
	d.swarm, d.spare = d.o.Model(h.at(), theShare)
	swarm, served := false, false
	for _, d := range h.desks {
		if d.alive {
			swarm, served = swarm || d.swarm, true
		}
	}
	h.useSwarm(swarm || !served)
}

func (h *hybrid) useSwarm(on bool) {
	if on != h.swarm {
		h.swarm = on
		h.e.useSwarm(on)
	}
}

// left implements hook.
func (h *hybrid) left(i int32) {
	u := h.user(i)
	u.here = false
	if !u.member {
		return
	}
	u.member = false
	d := h.desks[u.home]
	d.members--
	if !d.alive {
		return
	}
	h.withdraw(d, func(a *ask) bool { return a.node == i })
	if u.finished {
		d.o.Leave(h.at(), theShare, nodeID(i))
	} else {
		d.o.Away(h.at(), theShare, nodeID(i))
	}
	h.follow(d, d.o.Changed(theShare))
	for d.members < h.most && len(d.door) > 0 {
		next := d.door[0]
		d.door = d.door[1:]
		if n := h.user(next); n.here && !n.member && !n.finished {
			h.settle(next)
		}
	}
}

// arrived implements hook.
func (h *hybrid) arrived(i, _, _ int32) {
	u := h.user(i)
	if h.e.nodes[i].got == h.e.pieces {
		u.finished = true
		if u.member && h.desks[u.home].alive {
			h.tell(i)
		}
		return
	}
	if u.under < atOnceAsked {
		h.fill(i)
	}
}

// killed implements hook.
func (h *hybrid) killed(o int32) {
	h.desks[o].alive = false
	h.withdraw(h.desks[o], func(*ask) bool { return true })
	for k := range h.users {
		if u := &h.users[k]; u.home == o && u.here && !u.finished {
			u.member = false
			h.rise(int32(k)+h.e.origins, h.e.now+int64(redial))
		}
	}
	h.follow(h.desks[o], true)
}

// rise asks for a tick of node i at t, unless one comes before.
func (h *hybrid) rise(i int32, t int64) {
	if u := h.user(i); t < u.wake {
		u.wake = t
		h.e.at(t, i)
	}
}

// tick implements hook.
func (h *hybrid) tick(arg int32) {
	if arg == tickDesks {
		h.tickDesks()
		return
	}
	u := h.user(arg)
	if h.e.now < u.wake { // it was to come later, and then earlier
		return
	}
	u.wake = forever
	switch {
	case !u.here || u.finished && !u.member:
	case !u.member:
		h.settle(arg)
	case h.desks[u.home].alive:
		if h.e.now >= u.report {
			h.tell(arg)
		}
		h.fill(arg)
		h.rise(arg, u.report)
	}
}
