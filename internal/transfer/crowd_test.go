package transfer

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	admission "tandem/internal/admit"
	"tandem/internal/metainfo"
)

// crowd is a server with the real admission and an uplink that is shared by what it
// sends.
type crowd struct {
	w     *world
	tor   *metainfo.Torrent
	data  []byte
	rate  float64 // bytes per second of the uplink
	nodes []*node

	mu      sync.Mutex // guards the fields below
	o       *admission.Origin
	free    time.Time // when the uplink has sent what was given to it
	sent    int64
	granted map[admission.ID]chan int
}

func newCrowd(w *world, tor *metainfo.Torrent, data []byte, cfg admission.Config) *crowd {
	cfg.Rand = rand.New(rand.NewPCG(1, 4))
	return &crowd{w: w, tor: tor, data: data, rate: cfg.Uplink, o: admission.New(cfg), granted: map[admission.ID]chan int{}}
}

// add makes a node that fetches from the server and the others.
func (c *crowd) add(up int, more ...func(*Config)) *node {
	o := &admitted{c: c}
	n := c.w.prepare(c.tor, nil, with(append(more, linkShare(c.tor, 7, true), from(o))...))
	n.slowly(up)
	o.n = n
	c.nodes = append(c.nodes, n)
	return n
}

// start runs the nodes, which know each other.
func (c *crowd) start() {
	var addrs []netip.AddrPort
	for _, n := range c.nodes {
		n.run()
		addrs = append(addrs, n.at())
	}
	for i, n := range c.nodes {
		n.AddPeers("server", slices.Delete(slices.Clone(addrs), i, i+1)...)
	}
	c.join()
	c.w.every(200*time.Millisecond, c.join)
}

// join has every node take part, as package node does.
func (c *crowd) join() {
	for _, n := range c.nodes {
		s := n.Status().Swarm
		c.mu.Lock()
		c.o.Join(time.Now(), c.tor.Manifest.InfoHash2, admission.Node{
			ID: n.host.ID(), Pieces: c.tor.Manifest.NumPieces(), Size: int64(len(c.data)), Have: s.Bytes, Total: int64(len(c.data)),
		})
		use, spare := c.o.Model(time.Now(), c.tor.Manifest.InfoHash2)
		c.mu.Unlock()
		n.UseSwarm(use)
		n.SpareOrigin(spare)
	}
}

// pump hands out what may be sent now; c.mu is held.
func (c *crowd) pump() {
	grants, next := c.o.Grants(time.Now())
	for _, g := range grants {
		c.granted[g.ID] <- g.Bytes
	}
	if !next.IsZero() {
		time.AfterFunc(time.Until(next), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.pump()
		})
	}
}

// send waits until the uplink has sent n bytes.
func (c *crowd) send(ctx context.Context, n int) error {
	c.mu.Lock()
	now := time.Now()
	if c.free.Before(now) {
		c.free = now
	}
	c.free = c.free.Add(time.Duration(float64(n) / c.rate * float64(time.Second)))
	c.sent += int64(n)
	timer := time.NewTimer(c.free.Sub(now))
	c.mu.Unlock()
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admitted is the server as one node sees it.
type admitted struct {
	c *crowd
	n *node
}

func (a *admitted) Name() string { return "files.example" }
func (a *admitted) Near() bool   { return false }
func (a *admitted) Torrent(context.Context) (*metainfo.Torrent, error) {
	return a.c.tor, nil
}

func (a *admitted) Open(ctx context.Context, s Span) (*Stream, error) {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.o.Ask(time.Now(), admission.Request{
		Client: admission.Client{Node: a.n.host.ID()}, Share: c.tor.Manifest.InfoHash2, First: s.First, Last: s.Last, Bytes: s.Len,
	})
	if v.ID != 0 {
		c.granted[v.ID] = make(chan int, 1)
		return &Stream{ReadCloser: &pass{c: c, ctx: ctx, id: v.ID, r: bytes.NewReader(c.data[s.Off:][:s.Len])}}, nil
	}
	e := &Elsewhere{Taken: v.Taken, After: v.After}
	for _, id := range v.Holders {
		i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.host.ID() == id })
		e.Peers = append(e.Peers, c.nodes[i].at())
	}
	return nil, e
}

// pass is a stream that was admitted.
type pass struct {
	c    *crowd
	ctx  context.Context
	id   admission.ID
	r    *bytes.Reader
	once sync.Once
}

func (p *pass) Read(b []byte) (int, error) {
	if p.r.Len() == 0 {
		return 0, io.EOF
	}
	p.c.mu.Lock()
	granted := p.c.granted[p.id]
	p.c.o.Take(time.Now(), p.id, min(len(b), p.r.Len()))
	p.c.pump()
	p.c.mu.Unlock()
	n := 0
	select {
	case n = <-granted:
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	}
	n, _ = p.r.Read(b[:min(n, len(b))])
	err := p.c.send(p.ctx, n)
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.o.Sent(time.Now(), p.id, n)
	return n, err
}

func (p *pass) Close() error {
	p.once.Do(func() {
		p.c.mu.Lock()
		defer p.c.mu.Unlock()
		p.c.o.Done(time.Now(), p.id, p.r.Len() == 0)
		delete(p.c.granted, p.id)
		p.c.pump()
	})
	return nil
}

// The engine and the admission together come near to what the uplinks allow.
func TestACrowdAtARealServerFinishesNearTheBound(t *testing.T) {
	const (
		size = 4 << 20
		us   = 1e6 // bytes per second
		ui   = 500_000
		many = 6
	)
	files := testFiles(size)
	for _, c := range []struct {
		name   string
		cfg    admission.Config
		bound  float64 // seconds
		copies float64
	}{
		{"no budget", admission.Config{Uplink: us}, many * size / (us + many*ui), 2.1},
		// What is on its way when the last is spent comes on top: up to two pieces for each.
		{"1.2 copies to spend", admission.Config{Uplink: us, Copies: 1.2}, (many - 1.2) * size / (many * ui), 1.45},
		{"a budget of half the uplink", admission.Config{Uplink: us, Rate: us / 2}, size / (us / 2), 1.4},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				s := newCrowd(w, tor, files[0], c.cfg)
				for range many {
					s.add(ui)
				}
				s.start()
				began := time.Now()
				for _, n := range s.nodes {
					n.finishes(5 * time.Minute)
					if n.originState().State == originAway {
						t.Error("somebody was not answered")
					}
				}
				took := time.Since(began).Seconds()
				t.Logf("%.2f of the bound, %.2f copies", took/c.bound, float64(s.sent)/size)
				if took > 1.3*c.bound {
					t.Errorf("took %.1f s, the bound is %.1f s", took, c.bound)
				}
				if copies := float64(s.sent) / size; copies > c.copies {
					t.Errorf("the server sent %.2f copies", copies)
				}
			})
		})
	}
}

// Two local networks, each behind one line, with the server outside of both: content
// crosses each line about once, in both directions together, and is passed on
// inside.
func TestContentEntersALANOnce(t *testing.T) {
	const size, each = 8 << 20, 4
	files := testFiles(size)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 64<<10, files, false)
		s := newCrowd(w, tor, files[0], admission.Config{Uplink: 5e6})
		var lans [2][]netip.Addr
		for i := range 2 * each {
			lans[i/each] = append(lans[i/each], netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}))
		}
		for i := range 2 * each {
			s.add(12_500_000, nearby(lans[i/each]...))
		}
		s.start()
		for _, n := range s.nodes {
			n.finishes(5 * time.Minute)
		}
		for i := range lans {
			var entered, inside int64
			for _, n := range s.nodes[i*each : (i+1)*each] {
				st := n.Status()
				entered += st.FromOrigin + st.FromPeers - st.FromLAN
				inside += st.FromLAN
			}
			if copies := float64(entered) / size; copies > 1.2 {
				t.Errorf("%.2f copies entered, %.2f were passed on inside", copies, float64(inside)/size)
			}
		}
	})
}
