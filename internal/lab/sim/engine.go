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
	hook    hook // nil: origins are seeders
	swarm   bool // whether peers serve each other
	origins int32

	now   int64 // nanoseconds since the first receiver's start
	moved int64 // when content moved last

	pieces int32
	words  int32
	size   int64 // of a piece
	tail   int64 // of the last

	nodes []node
	have  []uint64 // words per node: verified
	seen  []uint64 // have, and what the node says it fetches from an origin; the same slice where nobody says
	taken []uint64 // have, and what is being fetched
	live  []int32  // per piece: receivers online that have it
	mesh  mesh

	flows []flow
	spare int32 // first of the free flows
	going int   // flows under way
	queue queue
	fifo  ring // pieces that have left their sender
	pull  pick.Pull
	todo  []int32 // nodes to serve before the next event
}

// node is a machine with its links, in bytes of content per second.
type node struct {
	up, down   int64
	out, in    int64 // of these in use
	firstOut   int32 // flow, or none
	firstIn    int32
	nOut, nIn  int32
	got        int32 // pieces verified
	orphan     int32 // first record of a piece begun and not finished, or none
	sessions   int32 // times it has come
	state      state
	marks      mark
	todo       bool // in engine.todo
	turnedAway bool // a sender passed it by since its downlink was full
}

type state uint8

const (
	absent state = iota // not come yet, or away
	online
	gone // for good
)

const none = -1

// flow is one piece, or the rest or a part of one, on its way.
type flow struct {
	from, to, piece  int32
	nextOut, prevOut int32
	nextIn, prevIn   int32
	rate             int64 // bytes per second
	size             int64 // bytes that it is to bring
	left             int64 // of them at since
	since            int64 // may lie ahead: requests are on their way
	end              int64 // when the last byte leaves; forever with rate 0
}

// hook is an origin that decides by itself whom it serves: the hybrid's. The engine
// then starts no flow of an origin's. Calls come in the order of events; a hook may call
// begin, cut, at and useSwarm from each of them.
type hook interface {
	// start is called once, before the first event.
	start()
	// joined says that receiver's node i has come, or come back, and is ready to ask.
	joined(i int32)
	// left says that i is gone: it left, is away for a while, or was killed. Its flows
	// were cut before (ended was called).
	left(i int32)
	// arrived says that i has verified a piece, whoever gave it. The last one too.
	arrived(i, piece, from int32)
	// ended says that a flow from an origin is over. whole: its last byte has left.
	ended(f *flow, id int32, whole bool)
	// killed says that origin o is dead. Its flows were cut before.
	killed(o int32)
	// tick is called at a time that was asked for with at.
	tick(arg int32)
}

// begin starts to send piece to node to, which must not be fetching it (see wants).
// It returns the flow's number, which is used again after ended.
func (e *engine) begin(from, to, piece int32) int32 { return none }

// cut ends a flow before its time. What has come of the piece is kept by the receiver.
func (e *engine) cut(f int32) {}

// at asks for hook.tick(arg) at time t.
func (e *engine) at(t int64, arg int32) {}

// wants returns the rarest of the pieces that node i lacks, does not fetch and are not
// in barred (words, nil: none), as an origin would be asked for; none if there is none.
func (e *engine) wants(i int32, barred []uint64) int32 { return none }

// useSwarm says whether peers serve each other from now on. What is under way goes on.
func (e *engine) useSwarm(on bool) {}

func runSwarm(ctx context.Context, r lab.Run) (*lab.Result, error) { return nil, nil }
