package sim

import (
	"context"
	"math/rand/v2"

	"tandem/internal/lab"
	"tandem/internal/pick"
)

// engine is one run. Nodes are numbered: origins from 0, then receivers. Everything is
// in flat arrays, since a run may have a million nodes.
type engine struct {
	s       *lab.Scenario
	rand    *rand.Rand
	people  *people
	m       *measures
	pulse   *pulse
	hook    hook // nil: origins are seeders
	swarm   bool // whether peers serve each other
	asks    bool // whether receivers ask ahead of their turn
	origins int32

	now   int64 // nanoseconds since the first receiver's start
	moved int64 // when content moved last
	trip  int64 // one way
	lag   int64 // of a piece before it is sent; 0: it is under way after
	late  int64 // of a flow that begins now: until its requests have come

	pieces int32
	words  int
	size   int64 // of a piece
	tail   int64 // of the last

	nodes   []node
	have    []uint64 // words per node: verified
	seen    []uint64 // have, and what the node says it fetches from an origin; the same slice where nobody says
	taken   []uint64 // have, and what is being fetched
	whole   []uint64 // a bit per node: it has everything
	live    []int32  // per piece: receivers online that have it
	lines   lines
	uplinks []uplink // nil: they know their rates
	here    []int32  // receivers online
	place   []int32  // of each node in here
	guard   guard
	rest    []rest // pieces begun and given up

	flows   []flow
	spare   int32 // first of the free flows
	going   int   // flows under way
	queue   queue
	fifo    ring
	pull    pick.Pull
	todo    []int32  // nodes to serve before the next event
	stirred int      // rates cut in this event that were followed up
	open    []uint64 // scratch
	beside  []int32  // scratch

	come  int // receivers that have come, in the order of people
	setup int64
	off   int // receivers that are away and will be back
	asked int // times that the hook asked for and that have not come
	kills []lab.Kill
	alive int32 // origins
}

// node is a machine with its links, in bytes of content per second. It is as long as a
// line of the processor's cache.
type node struct {
	up, down   int64
	out, in    int64 // of these in use
	firstOut   int32 // flow, or none
	firstIn    int32
	nOut, nIn  int32
	got        int32  // pieces verified
	rest       int32  // first of its pieces begun and given up, or none
	sessions   uint32 // times it has come
	state      nodeState
	marks      mark
	todo       bool // in engine.todo
	turnedAway bool // a sender passed it by, since its downlink was full
}

type nodeState uint8

const (
	isAway nodeState = iota // not come yet, or away
	isHere
	isGone // for good
)

const none = -1

// hook is an origin that decides by itself whom it serves: the hybrid's. The engine
// then starts no flow of an origin's. Calls come in the order of events; a hook may call
// begin, cut, at, wants and useSwarm from each of them.
type hook interface {
	// start is called once, before the first event.
	start()
	// joined says that node i, a receiver, has come or come back, and is ready to ask.
	joined(i int32)
	// left says that i is gone: it left, is away for a while, or was killed. Its flows
	// were cut before.
	left(i int32)
	// arrived says that i has verified a piece, whoever gave it, or that it has found
	// one bad and may fetch it again.
	arrived(i, piece, from int32)
	// ended says that a flow from an origin is over, before it is forgotten. whole: its
	// last byte has left, and arrived will follow.
	ended(f *flow, id int32, whole bool)
	// killed says that origin o is dead. Its flows were cut before.
	killed(o int32)
	// opened says that a piece that i was fetching is free again.
	opened(i int32)
	// tick is called at a time that was asked for with at.
	tick(arg int32)
}

// task is what an event is for.
type task int32

const (
	flowEnds   task = iota
	comes           // the next of people, and those with it
	leaves          // stayed long enough
	goesOff         // its session ends
	comesAgain      // after having been away
	ticks
)

// newEngine returns a run of a complete scenario, ready to go.
func newEngine(ctx context.Context, r lab.Run) *engine {
	s := &r.Scenario
	p := newPeople(s, r.Seed)
	piece, merged := merge(s)
	pieces := int32((int64(s.Size) + piece - 1) / piece)
	e := &engine{
		s: s, rand: rand.New(rand.NewPCG(r.Seed, streamEngine)), people: p, m: newMeasures(r, p, int(pieces)),
		pulse: &pulse{ctx: ctx, tell: r.Progress, what: string(r.Model)}, swarm: true,
		origins: int32(max(s.Origin.Count, 1)), trip: int64(s.Latency),
		pieces: pieces, words: (int(pieces) + 63) / 64, size: piece, tail: int64(s.Size) - int64(pieces-1)*piece,
		live: make([]int32, pieces), spare: none, queue: newQueue(p.len()), setup: peerSetup(s), kills: inOrder(s.Kills),
	}
	if merged {
		e.m.note("pieces are merged to %d of %d bytes in the simulator", pieces, piece)
	}
	e.alive = e.origins
	if p.len() > eager {
		e.lag = e.trip + int64(verify)
		e.m.note("above %d receivers the rarest piece is that among %d neighbours in the simulator", eager, sampled)
	}
	n := int(e.origins) + p.len()
	e.nodes, e.place = large(make([]node, n)), large(make([]int32, n))
	e.have, e.taken = large(make([]uint64, n*e.words)), large(make([]uint64, n*e.words))
	e.whole = make([]uint64, (n+63)/64)
	e.flows = large(make([]flow, 0, 3*n))
	e.seen = e.have
	e.open = make([]uint64, e.words)
	if n >= far {
		e.queue.soon = new(scout)
	}
	e.asks = !merged && n <= askers && piece <= askedAhead
	if !merged && n <= learners {
		e.uplinks = make([]uplink, n)
	}
	e.lines = newLines(n, int(e.origins), e.asks, e.m)
	framing := framed(s)
	for i := range e.nodes {
		v := &e.nodes[i]
		v.firstOut, v.firstIn, v.rest = none, none, none
		if k := i - int(e.origins); k >= 0 {
			v.up, v.down = int64(float64(p.up[k]*framing.up)), int64(float64(p.down[k]*framing.down))
			if p.marks != nil {
				v.marks = p.marks[k]
			}
			continue
		}
		v.up, v.down = int64(float64(usable(float64(s.Origin.Up), s.Payload)*framing.origin)), 0
		v.state, v.got = isHere, pieces
		set(e.whole, int32(i))
		fill(e.row(e.have, int32(i)), int(pieces))
		fill(e.row(e.taken, int32(i)), int(pieces))
	}
	return e
}

// eager is beyond how many receivers a piece is on its way before it is sent, and not
// after: a second event for each piece costs what a tenth of a run does.
const eager = 200_000

// inOrder returns kills by when they are due.
func inOrder(kills []lab.Kill) []lab.Kill {
	list := append([]lab.Kill(nil), kills...)
	for i := range list {
		for j := i; j > 0 && list[j].At < list[j-1].At; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

// row returns a node's words.
func (e *engine) row(set []uint64, i int32) []uint64 {
	return set[int(i)*e.words : (int(i)+1)*e.words]
}

// bytes returns the size of a piece.
func (e *engine) bytes(piece int32) int64 {
	if piece == e.pieces-1 {
		return e.tail
	}
	return e.size
}

func fill(row []uint64, n int) {
	for i := range row {
		row[i] = ^uint64(0)
		if rest := n - i*64; rest < 64 {
			row[i] = 1<<rest - 1
		}
	}
}

func bit(row []uint64, i int32) bool { return row[i>>6]>>(i&63)&1 != 0 }
func set(row []uint64, i int32)      { row[i>>6] |= 1 << (i & 63) }
func unset(row []uint64, i int32)    { row[i>>6] &^= 1 << (i & 63) }

// run carries out the run.
func (e *engine) run(ctx context.Context) (*lab.Result, error) {
	e.pulse.ctx = ctx
	e.start()
	for e.happen() {
		if err := e.pulse.beat(e.done()); err != nil {
			return nil, err
		}
	}
	return e.result(), nil
}

// start files what is known to come.
func (e *engine) start() {
	if e.hook != nil {
		e.hook.start()
	}
	e.guard.begin(e)
	e.nextComes()
	e.killDue()
	e.drain()
}

// happen carries out the next event and what follows from it at once, and reports
// whether there was one before the run has ended.
func (e *engine) happen() bool {
	at := min(e.queue.peek(), e.fifo.peek())
	if e.queue.soon != nil {
		e.foresee()
	}
	if at == forever || e.m.finished == e.people.honest || e.over(at) {
		return false
	}
	e.now, e.stirred = at, 0
	if e.fifo.peek() == at {
		e.arrive(e.fifo.pop())
	} else {
		e.step(e.queue.pop())
	}
	e.drain()
	return true
}

// result returns what came of the run.
func (e *engine) result() *lab.Result {
	if e.m.finished == e.people.honest {
		return e.m.result(e.m.last, "")
	}
	return e.m.result(e.moved+int64(lab.Idle), e.why())
}

// over reports whether nothing has moved for so long that the run has ended, if
// nothing happens before at. Where receivers go and come back that is after many of
// their sessions: it is not worked out whether those who come back have what others
// lack, or stay long enough for a piece.
func (e *engine) over(at int64) bool {
	idle := at - e.moved
	if e.come < e.people.len() || idle <= int64(lab.Idle) {
		return false
	}
	if e.off > 0 || e.s.Sessions.Mean > 0 && e.going > 0 {
		return (idle-int64(lab.Idle))/sessionsIdle > int64(e.s.Sessions.Mean/2+e.s.Sessions.Away/2)
	}
	return e.going == 0 && e.fifo.n == 0
}

// sessionsIdle is after how many sessions in which nothing moved a run ends.
const sessionsIdle = 100

// done returns which part of the run is done, by what has been verified.
func (e *engine) done() float64 { return e.m.share() }

// step handles an event of the queue.
func (e *engine) step(v event) {
	switch v.kind {
	case flowEnds:
		if f := &e.flows[v.arg]; f.end == v.at { // else it was meant for another time
			e.late = 0
			e.end(v.arg)
		}
		return
	case comes:
		e.late = 2 * e.trip
		e.arrivals()
	case leaves:
		e.part(v.arg, isGone)
	case goesOff:
		e.goOff(v.arg)
	case comesAgain:
		e.late = 2 * e.trip
		e.off--
		e.enter(v.arg)
	case ticks:
		e.late = 0
		e.asked--
		e.hook.tick(v.arg)
	}
}

// drain serves whoever has room and perhaps somebody to serve.
func (e *engine) drain() {
	for len(e.todo) > 0 {
		j := e.todo[len(e.todo)-1]
		e.todo = e.todo[:len(e.todo)-1]
		e.nodes[j].todo = false
		e.serve(j)
	}
}

// poke has node j looked at before the next event.
func (e *engine) poke(j int32) {
	if v := &e.nodes[j]; !v.todo {
		v.todo = true
		e.todo = append(e.todo, j)
	}
}

// at asks for hook.tick(arg) at time t.
func (e *engine) at(t int64, arg int32) {
	e.asked++
	e.queue.push(event{max(t, e.now), ticks, arg})
}

// useSwarm says whether peers serve each other from now on. What is under way goes on.
func (e *engine) useSwarm(on bool) {
	if e.swarm == on {
		return
	}
	e.swarm = on
	if !on {
		e.takeBack()
		return
	}
	for _, i := range e.here {
		e.askAll(i)
		e.poke(i)
	}
}
