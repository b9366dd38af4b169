// Package admit decides what an origin sends to whom and when, so that it never
// melts: a budget holds, a crowd is shared out, and nobody gets an error.
//
// An Origin is a state machine that a driver tells what happens, each time with
// the time; it never blocks and reads no clock. A request for content is asked
// about once (Ask): a node that takes part in a swarm may be pointed elsewhere, to
// peers or to a later time; everybody else is served, perhaps slowly. What is
// served asks for each chunk (Take) and is told by Grants when it may go out.
//
// Rules. Guard (R5 of the strategy in docs/architecture.md): while some piece of a
// share has not left, one that has, or is being given, is not given to a second
// node. Budget: a token bucket over all content. Queue: start-time fair queueing
// between clients, by bytes (Goyal, Vin, Cheng 1996); differs: a node's request
// keeps its place for half a mebibyte, because whole pieces one after another
// are of more use to a swarm than many halves. Copies: what a crowd takes in all
// is bounded while its members hold the pieces. Month: past it what is sent
// comes down to a tenth. Nobody starves: who was pointed elsewhere for
// Patience and got nowhere is served.
//
// It is not safe for concurrent use.
package admit

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// Chunk is the most that is granted at a time while there is a budget. Without one a
// grant may be as long as freely.
const (
	Chunk  = 64 << 10
	freely = 256 << 10
)

// What the rules go by.
const (
	Patience  = 30 * time.Second // without progress, after which a node is served whatever the rules say
	CrowdGap  = 60 * time.Second // without a new node, after which a crowd is over
	Stall     = 10 * time.Second // without progress, after which a piece is no longer somebody's
	MaxNodes  = 2000             // nodes of one share; others are served as browsers are
	MaxShares = 4096

	longWait  = time.Second     // over it a node is pointed to who holds what it asks for
	tooLong   = 5 * time.Second // over it a node is told to come back for what nobody holds
	leastTurn = 250 * time.Millisecond
	mostTurn  = 10 * time.Second
	guardTurn = 2 * time.Second   // the most that the guard has a node wait
	expires   = 150 * time.Second // after which a node that was not heard of is gone
	awayFor   = 10 * time.Second  // after which a node that hung up is gone
	freshFor  = 2 * time.Second   // without anybody asking for a piece that has not left, the guard rests
	named     = 20                // holders named at a time

	nodeQuantum = 512 << 10 // bytes for which a node's request keeps its place
)

// Config is what an origin may spend. The zero value is no limit.
type Config struct {
	Rate   float64 // bytes of content per second
	Uplink float64 // bytes per second of the link, where it is known; 0: Rate, or what is measured
	Month  int64   // bytes per calendar month
	Conns  int     // answers with content at a time
	Copies float64 // of a share, to the nodes of one crowd
	Rand   *rand.Rand
}

// Client is to whom a fair share goes: a node by its ID, or an address.
type Client struct {
	Node peer.ID
	Addr netip.Addr
}

// ID names a request under way.
type ID int64

// Request is somebody asking for content. Share is set for a node that takes part in
// the share's swarm and takes Elsewhere for an answer.
type Request struct {
	Client      Client
	Share       content.Hash
	First, Last int   // pieces
	Bytes       int64 // of the answer; 0: not known
}

// Verdict is the answer to Ask: a request under way, or Elsewhere.
type Verdict struct {
	ID ID // 0: elsewhere

	Taken   *content.Bitfield // pieces not to be asked for before After has passed
	Holders []peer.ID         // that have some of the pieces asked for
	After   time.Duration
}

// Grant says that a request may send so many bytes now.
type Grant struct {
	ID    ID
	Bytes int
}

// Origin decides for one server.
type Origin struct {
	cfg    Config
	bucket bucket
	meter  meter
	spent  int64 // in this month

	last     ID
	requests map[ID]*request
	clients  map[Client]*client
	shares   map[content.Hash]*share
	swept    time.Time

	ready, door queue // with and without a slot
	slots       int   // in use
	plain       int   // requests under way of those whom no peer can help
	virtual     float64
	seq         int64
	ahead       int64     // bytes that stand in the queue before one who comes now
	turn        time.Time // when the next one told to come back is to come
}

// client is one of those that share the budget.
type client struct {
	key     Client
	under   int     // requests under way
	backlog int64   // bytes they still are to get
	finish  float64 // where its next place in the queue is at the earliest
	turn    time.Time
	seen    time.Time
}

// request is an answer under way.
type request struct {
	id          ID
	c           *client
	s           *share  // nil: a browser's
	m           *member // of s
	first, last int
	left        int64 // bytes to go; at least 1 while it is under way
	sent        int64
	asked       int64 // bytes in all
	want        int   // of the chunk that waits
	granted     int   // and not reported yet
	key         float64
	keeps       int // bytes for which it keeps its place
	seq         int64
	index       int // in its queue; -1: in none
	slot        bool
	moved       time.Time
}

// New returns an Origin.
func New(cfg Config) *Origin {
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(1, 2))
	}
	return &Origin{
		cfg: cfg, bucket: bucket{tokens: Chunk},
		requests: make(map[ID]*request), clients: make(map[Client]*client), shares: make(map[content.Hash]*share),
	}
}

// Spend says how much went out this month before, or that a new month has begun (0).
func (o *Origin) Spend(bytes int64) { o.spent = bytes }

// Spent returns the bytes that went out since the month began.
func (o *Origin) Spent() int64 { return o.spent }

// Waiting returns how many requests wait for their turn.
func (o *Origin) Waiting() int { return o.ready.Len() + o.door.Len() }

// overMonth reports whether the month's bytes are used up.
func (o *Origin) overMonth() bool { return o.cfg.Month > 0 && o.spent >= o.cfg.Month }

// rate returns bytes per second that may go out now, 0: any. Past the month's bytes it is a
// tenth of what it was, since somebody always has to be served: to those whom
// no peer can help.
func (o *Origin) rate() float64 {
	if !o.overMonth() {
		return o.cfg.Rate
	}
	const least, usual = 16 << 10, 1 << 20
	r := o.cfg.Rate
	if r == 0 {
		r = o.known()
	}
	if r == 0 {
		r = usual
	}
	return max(r/10, least)
}

// Ask decides about a request. One that is under way is to be ended with Done.
func (o *Origin) Ask(now time.Time, q Request) Verdict {
	o.sweep(now)
	s, m := o.memberOf(q, now)
	if m == nil {
		q.Client.Node = peer.ID{} // whoever it says it is
	}
	c := o.clients[q.Client]
	if c == nil {
		c = &client{key: q.Client}
		o.clients[q.Client] = c
	}
	c.seen = now
	if m != nil {
		m.heard = now
		if v, no := o.elsewhere(now, c, s, m, q); no {
			if m.refused.IsZero() {
				m.refused = now
			}
			return v
		}
		m.refused = time.Time{}
	}
	o.last++
	r := &request{
		id: o.last, c: c, s: s, m: m, first: q.First, last: q.Last, asked: q.Bytes,
		left: max(q.Bytes, 1), index: -1, moved: now,
	}
	o.requests[r.id] = r
	c.under++
	c.turn = time.Time{}
	o.owe(c, r.left)
	if s != nil {
		s.give(r, now)
	} else {
		o.plain++
	}
	return Verdict{ID: r.id}
}

// owe changes what a client still is to get.
func (o *Origin) owe(c *client, n int64) {
	most := int64(Chunk)
	if !c.key.Node.IsZero() {
		most = nodeQuantum
	}
	o.ahead -= min(c.backlog, most)
	c.backlog = max(c.backlog+n, 0)
	o.ahead += min(c.backlog, most)
}

// wait returns how long c's next bytes would wait for those of others.
func (o *Origin) wait(now time.Time, c *client) time.Duration {
	rate := o.rate()
	if rate == 0 {
		return 0
	}
	o.bucket.fill(now, rate)
	own := int64(Chunk)
	if !c.key.Node.IsZero() {
		own = nodeQuantum
	}
	before := float64(o.ahead-min(c.backlog, own)) - o.bucket.tokens
	return seconds(max(before, 0) / rate)
}

// Take says that a request has n bytes that it could send. Grants says when it may.
func (o *Origin) Take(now time.Time, id ID, n int) {
	r := o.requests[id]
	if r == nil || r.want > 0 || n <= 0 {
		return
	}
	most := freely
	if o.rate() > 0 {
		most = Chunk
	}
	r.want, r.moved = min(n, most), now
	o.enqueue(r)
}

// Sent says that of what was granted to a request n bytes went out, and that the rest did not and will not.
func (o *Origin) Sent(now time.Time, id ID, n int) {
	r := o.requests[id]
	if r == nil {
		return
	}
	n = min(n, r.granted)
	o.bucket.giveBack(r.granted - n)
	r.granted = 0
	if n <= 0 {
		return
	}
	r.sent += int64(n)
	r.moved = now
	o.spent += int64(n)
	o.meter.add(now, n)
	if r.m != nil {
		r.m.heard = now
	}
	less := min(int64(n), r.left-1)
	r.left -= less
	o.owe(r.c, -less)
}

// Done ends a request; whole says that all of it went out.
func (o *Origin) Done(now time.Time, id ID, whole bool) {
	r := o.requests[id]
	if r == nil {
		return
	}
	o.Sent(now, id, 0)
	delete(o.requests, id)
	o.dequeue(r)
	if r.slot {
		o.slots--
	}
	r.c.finish -= float64(r.keeps) // of its place it did not need so much
	r.c.under--
	o.owe(r.c, -r.left)
	if r.s != nil {
		r.s.given(r, whole, now)
	} else {
		o.plain--
	}
	if len(o.requests) == 0 {
		o.meter.idle()
	}
}

// sweep forgets who has not been heard of, now and then.
func (o *Origin) sweep(now time.Time) {
	if now.Sub(o.swept) < mostTurn && !now.Before(o.swept) {
		return
	}
	o.swept = now
	for key, c := range o.clients {
		if c.under == 0 && now.Sub(c.seen) > CrowdGap {
			delete(o.clients, key)
		}
	}
	for hash, s := range o.shares {
		s.expire(now)
		if len(s.nodes) == 0 && s.under == 0 && now.Sub(s.joined) > CrowdGap {
			delete(o.shares, hash)
		}
	}
}

func seconds(s float64) time.Duration {
	const most = 1e9 // some thirty years: more does not fit
	return time.Duration(min(s, most) * float64(time.Second))
}
