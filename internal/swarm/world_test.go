package swarm_test

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/swarm"
)

// world is a block-level simulation in virtual time. Real Swarm machines are
// joined by links on which blocks flow like a fluid: every connection with
// something to send gets its max-min fair share of the sender's uplink and the
// receiver's downlink. Messages other than blocks take no room, only time.
type world struct {
	geo     *flat
	rand    *rand.Rand
	latency time.Duration
	kernel  int // bytes a socket takes beyond what the machine counts as unsent

	now    time.Duration
	moved  time.Duration // flows are up to date as of then
	seq    int
	events eventHeap
	nodes  []*node
	flows  []*flow // with something to send
	stale  bool    // rates must be worked out again
	nextID swarm.ConnID

	held    []int         // per piece: receivers that have it
	out     int           // pieces some receiver has
	outAt   time.Duration // when all were out
	rejects int
	leaves  bool                       // whether leaf hashes are to be had
	fault   func(string)               // an invariant is broken
	asked   map[question]time.Duration // requests without an answer, since when
	apart   func(a, b *node) bool      // whether a partition keeps two nodes apart
	tandem  bool                       // whether nodes tell each other what they fetch
	lans    []*lan
}

type question struct {
	to    *end
	block swarm.Block
}

// flat is a Geometry of one file.
type flat struct{ total, piece int }

func (g *flat) NumPieces() int       { return (g.total + g.piece - 1) / g.piece }
func (g *flat) PieceSize(i int) int  { return min(g.piece, g.total-i*g.piece) }
func (g *flat) PaddedSize(i int) int { return g.PieceSize(i) }
func (g *flat) NumBlocks(i int) int {
	return (g.PieceSize(i) + content.BlockSize - 1) / content.BlockSize
}

func (g *flat) BlockLen(i, b int) int {
	return min(content.BlockSize, g.PieceSize(i)-b*content.BlockSize)
}

// node is a machine with its links and its store.
type node struct {
	w        *world
	id       int
	key      peer.Key
	up, down link
	lan      *lan // nil: none
	cfg      swarm.Config
	sw       *swarm.Swarm // nil: a server
	srv      *server
	ends     map[swarm.ConnID]*end
	links    []*end // the same, in order
	dead     bool
	verified *content.Bitfield
	bad      map[[2]int]bool // blocks stored with wrong bytes
	banned   map[peer.Key]bool
	seed     bool

	poison   float64 // share of blocks sent with wrong bytes
	freeload bool    // never unchokes anybody
	silent   bool    // unchokes and never answers a request

	done    time.Duration // 0 while incomplete
	sent    int64
	actions []swarm.Action
}

// end is one end of a connection.
type end struct {
	node   *node
	id     swarm.ConnID
	fast   bool
	other  *end
	flow   flow
	closed bool
}

type parcel struct {
	block swarm.Block
	bad   bool
}

// flow is what an end sends.
type flow struct {
	end    *end
	path   []*link // what it goes through, the sender's uplink first
	queue  []parcel
	left   float64 // of the first, bytes
	bytes  int     // of the whole queue
	told   int     // parcels for which Sent was called
	rate   float64
	index  int // in world.flows, -1 when idle
	frozen bool
}

type kind uint8

const (
	evAction kind = iota
	evBlock
	evTick
	evVerify
	evJudge
	evSent
	evClose
	evCall
)

type event struct {
	at     time.Duration
	seq    int
	kind   kind
	to     *end
	node   *node
	sw     *swarm.Swarm // the run of the node it was meant for
	action swarm.Action
	bad    bool
	call   func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

func newWorld(seed uint64, total, piece int) *world {
	g := &flat{total, piece}
	return &world{
		geo: g, rand: rand.New(rand.NewPCG(seed, 1)), latency: time.Millisecond,
		held: make([]int, g.NumPieces()), leaves: true,
		fault: func(s string) { panic(s) },
		asked: make(map[question]time.Duration),
	}
}

func (w *world) push(d time.Duration, e event) {
	w.seq++
	e.at, e.seq = w.now+d, w.seq
	heap.Push(&w.events, e)
}

// after runs f at a time from now.
func (w *world) after(d time.Duration, f func()) { w.push(d, event{kind: evCall, call: f}) }

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (w *world) clock() time.Time { return start.Add(w.now) }

const mbit = 1e6 / 8

// add makes a node with rates in Mbit/s.
func (w *world) add(up, down float64, seed bool) *node {
	n := &node{
		w: w, id: len(w.nodes), up: link{cap: up * mbit}, down: link{cap: down * mbit}, seed: seed,
		key: peer.Key{ID: peer.ID{byte(len(w.nodes)), byte(len(w.nodes) >> 8), 1}},
		bad: make(map[[2]int]bool), banned: make(map[peer.Key]bool),
	}
	if seed {
		n.verified = content.FullBitfield(w.geo.NumPieces())
	} else {
		n.verified = content.NewBitfield(w.geo.NumPieces())
	}
	w.nodes = append(w.nodes, n)
	n.boot()
	return n
}

// boot starts the machine of a node, with what its store has.
func (n *node) boot() {
	cfg := n.cfg
	cfg.Geometry, cfg.Have = n.w.geo, n.verified.Clone()
	cfg.Rand = rand.New(rand.NewPCG(n.w.rand.Uint64(), 2))
	n.sw, n.dead = swarm.New(cfg), false
	n.ends, n.links = make(map[swarm.ConnID]*end), nil
	n.w.push(time.Duration(n.w.rand.IntN(int(swarm.TickEvery))), event{kind: evTick, node: n, sw: n.sw})
	n.pump()
}

// join connects two nodes.
func (w *world) join(a, b *node, fast bool) {
	if a.dead || b.dead || a.banned[b.key] || b.banned[a.key] {
		return
	}
	if w.apart != nil && w.apart(a, b) {
		return
	}
	x := w.wire(a, b, fast)
	for _, e := range []*end{x, x.other} {
		e.node.sw.Connect(w.clock(), e.id, swarm.Caps{
			Key: e.other.node.key, Fast: fast, V2: true,
			Outgoing: e == x, Tandem: w.tandem, Near: a.lan != nil && a.lan == b.lan,
		})
		e.node.sw.RTT(e.id, 2*w.latency)
	}
	a.pump()
	b.pump()
}

// wire makes the two ends of a connection and returns that of a.
func (w *world) wire(a, b *node, fast bool) *end {
	w.nextID++
	x := &end{node: a, id: w.nextID, fast: fast}
	y := &end{node: b, id: w.nextID, fast: fast, other: x}
	x.other = y
	for _, e := range []*end{x, y} {
		e.flow.index, e.flow.end, e.flow.path = -1, e, w.path(e.node, e.other.node)
		e.node.ends[e.id] = e
		e.node.links = append(e.node.links, e)
	}
	return x
}

// close ends a connection; both sides learn of it.
func (w *world) close(e *end) {
	if e.closed {
		return
	}
	for _, x := range []*end{e, e.other} {
		x.closed = true
		w.stop(&x.flow)
		w.push(w.latency, event{kind: evClose, to: x, node: x.node, sw: x.node.sw})
	}
}

// kill ends a node without a word.
func (n *node) kill() {
	for _, e := range n.links {
		n.w.close(e)
	}
	n.dead = true
}

// pump carries out what the machine wants.
func (n *node) pump() {
	if n.sw == nil {
		return
	}
	n.actions = n.sw.Actions(n.actions[:0])
	for _, a := range n.actions {
		n.do(a)
	}
}

func (n *node) do(a swarm.Action) {
	w := n.w
	switch a.Kind {
	case swarm.Verify:
		w.push(time.Millisecond, event{kind: evVerify, node: n, sw: n.sw, action: a})
		return
	case swarm.JudgeBlocks:
		w.push(4*w.latency, event{kind: evJudge, node: n, sw: n.sw, action: a})
		return
	case swarm.Complete:
		if n.done == 0 {
			n.done = w.now
		}
		return
	}
	e := n.ends[a.Conn]
	if e == nil || e.closed {
		return
	}
	switch a.Kind {
	case swarm.Ban, swarm.Drop:
		if a.Kind == swarm.Ban {
			n.banned[e.other.node.key] = true
			if e.other.node.poison == 0 {
				w.fault(fmt.Sprintf("node %d banned node %d, which is honest: %s", n.id, e.other.node.id, a.Text))
			}
		}
		w.close(e)
		return
	case swarm.Serve:
		if !n.verified.Has(a.Block.Piece) {
			w.fault(fmt.Sprintf("node %d serves piece %d, which it has not verified", n.id, a.Block.Piece))
		}
		if n.silent {
			return
		}
		w.send(e, parcel{a.Block, n.poison > 0 && w.rand.Float64() < n.poison})
		return
	case swarm.SendUnchoke:
		if n.freeload {
			return
		}
	case swarm.Announce:
		a.Have = a.Have.Clone()
	case swarm.SendRequest:
		w.asked[question{e.other, a.Block}] = w.now
	case swarm.SendReject:
		w.rejects++
	case swarm.SendCancel:
		delete(w.asked, question{e.other, a.Block})
	}
	w.push(w.latency, event{kind: evAction, to: e.other, node: e.other.node, sw: e.other.node.sw, action: a})
}

// deliver gives a message to the machine at the end of its way.
func (w *world) deliver(e *end, a swarm.Action) {
	if e.node.srv != nil {
		e.node.srv.deliver(e, a)
		return
	}
	sw, now := e.node.sw, w.clock()
	switch a.Kind {
	case swarm.Announce:
		sw.PeerBitfield(now, e.id, a.Have)
	case swarm.SendHave:
		sw.PeerHave(now, e.id, a.Block.Piece)
	case swarm.SendChoke, swarm.SendUnchoke:
		if a.Kind == swarm.SendChoke && !e.fast {
			for q := range w.asked {
				if q.to == e.other {
					delete(w.asked, q)
				}
			}
		}
		sw.PeerChoke(now, e.id, a.Kind == swarm.SendChoke)
	case swarm.SendInterest, swarm.SendNoInterest:
		sw.PeerInterest(now, e.id, a.Kind == swarm.SendInterest)
	case swarm.SendRequest:
		sw.PeerRequest(now, e.id, a.Block)
	case swarm.SendCancel:
		sw.PeerCancel(now, e.id, a.Block)
	case swarm.SendReject:
		delete(w.asked, question{e.other, a.Block})
		sw.PeerReject(now, e.id, a.Block)
	case swarm.SendFetching, swarm.SendFetched:
		sw.PeerFetching(now, e.id, a.Block.Piece, a.Kind == swarm.SendFetching)
	}
}

// verify answers Verify from the store.
func (n *node) verify(piece int) {
	ok := true
	for b := range n.w.geo.NumBlocks(piece) {
		ok = ok && !n.bad[[2]int{piece, b}]
	}
	if ok && n.verified.Set(piece) && !n.seed {
		if n.w.held[piece]++; n.w.held[piece] == 1 {
			if n.w.out++; n.w.out == len(n.w.held) {
				n.w.outAt = n.w.now
			}
		}
	}
	n.sw.PieceVerified(n.w.clock(), piece, ok)
}

func (n *node) judge(piece int) {
	var bad []int
	for b := range n.w.geo.NumBlocks(piece) {
		if n.bad[[2]int{piece, b}] {
			bad = append(bad, b)
		}
	}
	n.sw.BlocksJudged(n.w.clock(), piece, bad, n.w.leaves)
}

// step handles the next event and reports whether there was one before end.
func (w *world) step(until time.Duration) bool {
	next := time.Duration(math.MaxInt64)
	if len(w.events) > 0 {
		next = w.events[0].at
	}
	f, at := w.firstDone()
	if f != nil && at <= next {
		if at > until {
			return false
		}
		w.now = max(w.now, at)
		w.finish(f)
		return true
	}
	if next > until {
		return false
	}
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	w.handle(e)
	return true
}

func (w *world) handle(e event) {
	if e.kind == evCall {
		e.call()
		return
	}
	n := e.node
	if n.dead && e.kind != evClose || n.sw != e.sw || e.to != nil && e.to.closed && e.kind != evClose {
		return
	}
	switch e.kind {
	case evAction:
		w.deliver(e.to, e.action)
	case evBlock:
		w.arrive(e)
	case evSent:
		if n.sw == nil {
			return
		}
		n.sw.Sent(w.clock(), e.to.id, e.action.Block.Length)
	case evVerify:
		n.verify(e.action.Block.Piece)
	case evJudge:
		n.judge(e.action.Block.Piece)
	case evClose:
		delete(n.ends, e.to.id)
		if n.srv != nil {
			n.srv.left(e.to)
			return
		}
		n.sw.Disconnect(w.clock(), e.to.id)
	case evTick:
		n.sw.Tick(w.clock())
		w.push(swarm.TickEvery, event{kind: evTick, node: n, sw: n.sw})
	}
	n.pump()
}

func (w *world) arrive(e event) {
	n, b := e.node, e.action.Block
	delete(w.asked, question{e.to.other, b})
	if n.sw.PeerBlock(w.clock(), e.to.id, b) {
		at := [2]int{b.Piece, b.Begin / content.BlockSize}
		if e.bad {
			n.bad[at] = true
		} else {
			delete(n.bad, at)
		}
	}
}

// run goes on until stop says so or the time is up.
func (w *world) run(until time.Duration, stop func() bool) {
	for !stop() && w.step(until) {
	}
}

// finished returns a function that reports whether all these nodes are done.
func finished(nodes []*node) func() bool {
	i := 0
	return func() bool {
		for i < len(nodes) && (nodes[i].done > 0 || nodes[i].dead) {
			i++
		}
		return i == len(nodes)
	}
}
