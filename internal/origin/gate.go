package origin

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/admit"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// Budget is what a server may spend on sending content. The zero value is no limit.
type Budget struct {
	Rate   int64   // bytes per second
	Uplink int64   // bytes per second that the link carries, where that is known
	Month  int64   // bytes per calendar month (UTC)
	Conns  int     // answers with content at a time
	Copies float64 // of a share to the nodes of one crowd, while they have the pieces; at least 1
}

// Gate lets content out as package admit decides. There is one in a server's process; what goes out by
// others counts for the month alone.
type Gate struct {
	s      *Server
	budget Budget
	now    func() time.Time // with the monotonic clock
	log    *slog.Logger

	mu      sync.Mutex // guards the fields below
	origin  *admit.Origin
	waiting map[admit.ID]chan int // for what is granted; each has room for it
	timer   *time.Timer           // nil: not set
	month   monthly
}

// tickEvery is how often a Gate looks whether a crowd has come or gone.
const tickEvery = 500 * time.Millisecond

// NewGate returns a Gate for s. now is time.Now, or a test's; nil: time.Now.
func NewGate(s *Server, b Budget, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	g := &Gate{s: s, budget: b, now: now, log: slog.New(slog.DiscardHandler), waiting: make(map[admit.ID]chan int)}
	if s != nil {
		g.log = s.cfg.Log
	}
	seed := uint64(now().UnixNano()) // of which of many holders is named first, and nothing else
	g.origin = admit.New(admit.Config{
		Rate: float64(b.Rate), Uplink: float64(b.Uplink), Month: b.Month, Conns: b.Conns, Copies: b.Copies,
		Rand: rand.New(rand.NewPCG(seed, seed)),
	})
	return g
}

// Paced reports whether bytes go out no faster than a budget says.
func (g *Gate) Paced() bool { return g.budget.Rate > 0 || g.budget.Month > 0 }

// Run looks after the models of shares and the month's bytes until ctx ends. It returns nil.
func (g *Gate) Run(ctx context.Context) error {
	g.saveMonth(ctx)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	save := time.NewTicker(saveMonthEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
			g.saveMonth(ctx)
			cancel()
			return nil
		case <-save.C:
			g.saveMonth(ctx)
		case <-tick.C:
			g.mu.Lock()
			changed := g.origin.Tick(g.now())
			g.mu.Unlock()
			for _, crowd := range changed {
				g.s.SwarmChanged(crowd)
			}
		}
	}
}

// Elsewhere tells a node to fetch from peers, or later.
type Elsewhere struct {
	Peers []netip.AddrPort  // of nodes that hold what it asked for
	Taken *content.Bitfield // pieces not to be asked for before After has passed
	After time.Duration
}

// Asked is content that somebody wants to be sent.
type Asked struct {
	Remote      netip.Addr
	Node        peer.ID      // with Share: the node that asks; only one that has joined counts
	Share       content.Hash // zero: a browser's
	First, Last int          // pieces
	Bytes       int64        // of the answer, 0: not known
}

// Admit decides about an answer with content: a Pass, to be closed, or Elsewhere.
func (g *Gate) Admit(a Asked) (*Pass, *Elsewhere) {
	g.mu.Lock()
	v := g.origin.Ask(g.now(), admit.Request{
		Client: admit.Client{Node: a.Node, Addr: a.Remote}, Share: a.Share, First: a.First, Last: a.Last, Bytes: a.Bytes,
	})
	if v.ID != 0 {
		granted := make(chan int, 1)
		g.waiting[v.ID] = granted
		g.mu.Unlock()
		return &Pass{g: g, id: v.ID, granted: granted}, nil
	}
	g.mu.Unlock()
	return nil, &Elsewhere{Peers: g.s.SwarmAddrs(a.Share, v.Holders), Taken: v.Taken, After: v.After}
}

// Joined says that a node took part in the swarm of a crowd, and how it is to get the content. The request was allowed by
// JoinSwarm, which named the crowd.
func (g *Gate) Joined(crowd content.Hash, r SwarmRequest) (swarm, spare bool) {
	pieces, size, ok := g.s.SwarmShare(crowd)
	g.mu.Lock()
	now := g.now()
	switch {
	case r.Leave:
		g.origin.Leave(now, crowd, r.Node)
	case ok:
		g.origin.Join(now, crowd, admit.Node{ID: r.Node, Pieces: pieces, Size: size, Have: r.Have, Total: r.Total})
	}
	swarm, spare = g.origin.Model(now, crowd)
	changed := g.origin.Changed(crowd)
	g.mu.Unlock()
	if changed {
		g.s.SwarmChanged(crowd)
	}
	return swarm, spare
}

// Away says that a node hung up while it waited for news.
func (g *Gate) Away(crowd content.Hash, node peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.origin.Away(g.now(), crowd, node)
}

// Waiting returns how many answers wait for their turn.
func (g *Gate) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.origin.Waiting()
}

// pump hands out what is granted now, and comes back when more will be; g.mu is held.
func (g *Gate) pump() {
	now := g.now()
	grants, next := g.origin.Grants(now)
	for _, grant := range grants {
		g.waiting[grant.ID] <- grant.Bytes // it has room: nobody asks twice
	}
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	if !next.IsZero() {
		g.timer = time.AfterFunc(next.Sub(now), func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.pump()
		})
	}
}

// Pass is an answer with content that is allowed. One goroutine uses it.
type Pass struct {
	g       *Gate
	id      admit.ID
	granted chan int
}

// Ask asks to send some of n bytes, and returns how many may go now: the caller tells with Sent what became of them. 0: Wait
// tells when. The error is of kind fault.Closed.
func (p *Pass) Ask(n int64) (now int64, _ error) {
	p.g.mu.Lock()
	if p.g.waiting[p.id] == nil {
		p.g.mu.Unlock()
		return 0, fault.Errorf(fault.Closed, "send content: its pass was closed")
	}
	p.g.origin.Take(p.g.now(), p.id, int(min(n, 1<<30)))
	p.g.pump()
	p.g.mu.Unlock()
	select {
	case n := <-p.granted:
		return int64(n), nil
	default:
		return 0, nil
	}
}

// Wait waits for what Ask did not get. The error is what ended ctx.
func (p *Pass) Wait(ctx context.Context) (int64, error) {
	select {
	case n := <-p.granted:
		return int64(n), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// Take is Ask and, where that is needed, Wait, before which it calls wait.
func (p *Pass) Take(ctx context.Context, n int64, wait func()) (int64, error) {
	if now, err := p.Ask(n); now > 0 || err != nil {
		return now, err
	}
	wait()
	return p.Wait(ctx)
}

// Sent says that of what Ask or Wait allowed n bytes went out.
func (p *Pass) Sent(n int64) {
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	p.g.origin.Sent(p.g.now(), p.id, int(n))
}

// Close ends it; whole says that all that was asked for went out. It may be called again.
func (p *Pass) Close(whole bool) {
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	if p.g.waiting[p.id] == nil {
		return
	}
	delete(p.g.waiting, p.id)
	p.g.origin.Done(p.g.now(), p.id, whole)
	p.g.pump() // its slot, and what was granted and not sent, are somebody else's
}

// Drop closes a download of which nothing is to be sent, and which does not count as one.
func (d *Download) Drop() (closing error) {
	d.once.Do(func() {
		d.s.files.running.end(d.run)
		closing = d.Content.Close()
	})
	return closing
}
