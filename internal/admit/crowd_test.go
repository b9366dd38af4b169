package admit

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// crowd is a world around an Origin: browsers, nodes that pass pieces on, connections that die.
type crowd struct {
	t      *testing.T
	o      *Origin
	rng    *rand.Rand
	now    time.Time
	events timeline
	seq    int
	wake   time.Time // when Grants is to be called again
	on     map[ID]func(n int)
	sends  []sent
	pieces int
	size   int64
	nodes  []*node
	left   int   // clients that are not done
	gone   []int // by piece: how often it went to nodes whole
	early  int   // pieces that left twice before all had left once
}

type sent struct {
	at time.Time
	n  int
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type timeline []event

func (q timeline) Len() int { return len(q) }
func (q timeline) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q timeline) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timeline) Push(x any)   { *q = append(*q, x.(event)) }

func (q *timeline) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

var theShare = content.Hash{1}

func newCrowd(t *testing.T, seed uint64, cfg Config, pieces int, pieceLen int64) *crowd {
	rng := rand.New(rand.NewPCG(seed, 7))
	cfg.Rand = rng
	return &crowd{
		t: t, o: New(cfg), rng: rng, now: time.Unix(1e9, 0), on: map[ID]func(int){},
		pieces: pieces, size: int64(pieces) * pieceLen, gone: make([]int, pieces),
	}
}

func (c *crowd) after(d time.Duration, do func()) {
	c.seq++
	heap.Push(&c.events, event{c.now.Add(d), c.seq, do})
}

// between draws a time.
func (c *crowd) between(a, b time.Duration) time.Duration {
	return a + time.Duration(c.rng.Int64N(int64(b-a)))
}

func (c *crowd) pump() {
	grants, next := c.o.Grants(c.now)
	for _, g := range grants {
		if g.Bytes <= 0 || g.Bytes > freely {
			c.t.Fatalf("a grant of %d bytes", g.Bytes)
		}
		c.on[g.ID](g.Bytes)
	}
	if !next.IsZero() && (c.wake.Before(c.now) || next.Before(c.wake) || c.wake.Equal(c.now)) {
		if !next.After(c.now) {
			c.t.Fatal("to be asked again at once")
		}
		c.wake = next
		c.after(next.Sub(c.now), c.pump)
	}
}

// run lets time pass until all are done, or for at most d.
func (c *crowd) run(d time.Duration) time.Duration {
	begin := c.now
	for (c.left > 0 || len(c.on) > 0) && c.events.Len() > 0 {
		e := heap.Pop(&c.events).(event)
		if e.at.Sub(begin) > d {
			break
		}
		c.now = e.at
		e.do()
		c.pump()
	}
	return c.now.Sub(begin)
}

// fetch asks for content and takes it at rate bytes per second. dies is how likely the
// connection is to break in each chunk. over is told what came; elsewhere, if it may be.
func (c *crowd) fetch(q Request, rate, dies float64, over func(n int64, whole bool), elsewhere func(Verdict)) {
	v := c.o.Ask(c.now, q)
	if v.ID == 0 {
		if elsewhere == nil {
			c.t.Fatal("a browser was pointed elsewhere")
		}
		elsewhere(v)
		return
	}
	got := int64(0)
	end := func(whole bool) {
		delete(c.on, v.ID)
		c.o.Done(c.now, v.ID, whole)
		over(got, whole)
	}
	take := func() { c.o.Take(c.now, v.ID, int(min(q.Bytes-got, 256<<10))) }
	c.on[v.ID] = func(n int) {
		broken := c.rng.Float64() < dies
		if broken {
			n = c.rng.IntN(n + 1)
		}
		c.after(time.Duration(float64(n)/rate*1e9), func() {
			c.sends = append(c.sends, sent{c.now, n})
			c.o.Sent(c.now, v.ID, n)
			got += int64(n)
			switch {
			case broken:
				end(false)
			case got >= q.Bytes:
				end(true)
			default:
				take()
			}
		})
	}
	c.after(0, take)
}

// browser takes size bytes and comes back when it is cut.
func (c *crowd) browser(i int, size int64, rate, dies float64, done func()) {
	c.left++
	q := Request{Client: Client{Addr: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}}
	var ask func()
	ask = func() {
		q.Bytes = size
		c.fetch(q, rate, dies, func(n int64, _ bool) {
			if size -= n; size > 0 {
				c.after(c.between(time.Millisecond, time.Second), ask)
				return
			}
			c.left--
			if done != nil {
				done()
			}
		}, nil)
	}
	c.after(c.between(1, time.Second), ask)
}

// node takes part in the swarm.
type node struct {
	c       *crowd
	id      peer.ID
	have    *content.Bitfield
	taken   *content.Bitfield
	until   time.Time
	selfish bool
	rate    float64
	dies    float64
	asking  map[int]bool
	finish  time.Duration
	over    bool
}

func (c *crowd) node(start time.Duration, rate, dies float64) *node {
	i := len(c.nodes)
	n := &node{
		c: c, id: peer.ID{1, byte(i >> 8), byte(i)}, have: content.NewBitfield(c.pieces), rate: rate, dies: dies,
		asking: map[int]bool{},
	}
	c.nodes = append(c.nodes, n)
	c.left++
	c.after(start, func() {
		n.report()
		n.work()
		n.work()
	})
	return n
}

func (n *node) report() {
	c := n.c
	have := c.size * int64(n.have.Count()) / int64(c.pieces)
	c.o.Join(c.now, theShare, Node{ID: n.id, Pieces: c.pieces, Size: c.size, Have: have, Total: c.size})
	if !n.over {
		c.after(5*time.Second, n.report)
	}
}

// get counts a piece.
func (n *node) get(p int) {
	if n.have.Set(p) && n.have.Full() && !n.over {
		n.over = true
		n.c.left--
		n.finish = n.c.now.Sub(time.Unix(1e9, 0))
		n.report()
	}
}

// work asks the origin for a few pieces in a row, at random where it begins.
func (n *node) work() {
	c := n.c
	if n.over {
		return
	}
	if c.now.After(n.until) {
		n.taken = nil
	}
	at, count := c.rng.IntN(c.pieces), 0
	for range c.pieces {
		if !n.have.Has(at) && !n.asking[at] && (n.taken == nil || !n.taken.Has(at)) {
			break
		}
		at = (at + 1) % c.pieces
	}
	for count < 4 && at+count < c.pieces && !n.have.Has(at+count) && !n.asking[at+count] && (n.taken == nil || !n.taken.Has(at+count)) {
		n.asking[at+count] = true
		count++
	}
	if count == 0 {
		c.after(max(n.until.Sub(c.now), 100*time.Millisecond), n.work)
		return
	}
	done := func() {
		for p := at; p < at+count; p++ {
			delete(n.asking, p)
		}
	}
	c.fetch(Request{
		Client: Client{Node: n.id}, Share: theShare, First: at, Last: at + count - 1, Bytes: int64(count) * c.size / int64(c.pieces),
	}, n.rate, n.dies, func(_ int64, whole bool) {
		done()
		for p := at; whole && p < at+count; p++ {
			if c.gone[p]++; c.gone[p] > 1 {
				for _, times := range c.gone {
					if times == 0 {
						c.early++
						break
					}
				}
			}
			n.get(p)
		}
		c.after(c.between(1, 20*time.Millisecond), n.work)
	}, func(v Verdict) {
		done()
		if v.After <= 0 || v.After > mostTurn || v.Taken == nil {
			c.t.Fatalf("elsewhere: %+v", v)
		}
		n.taken, n.until = v.Taken, c.now.Add(v.After)
		c.after(c.between(1, 20*time.Millisecond), n.work)
	})
}

// gossip lets pieces pass between nodes: each gives per second so many bytes.
func (c *crowd) gossip(up float64) {
	every := time.Duration(float64(c.size) / float64(c.pieces) / up * 1e9)
	for _, n := range c.nodes {
		var give func()
		give = func() {
			if to := c.nodes[c.rng.IntN(len(c.nodes))]; !n.selfish && !to.over {
				// what the other lacks, from anywhere on
				from := c.rng.IntN(c.pieces)
				for i := range c.pieces {
					if p := (from + i) % c.pieces; n.have.Has(p) && !to.have.Has(p) {
						to.get(p)
						break
					}
				}
			}
			c.after(every, give)
		}
		c.after(c.between(1, every), give)
	}
}

// copies returns how often the content went out to nodes and browsers.
func (c *crowd) copies() float64 {
	var sum int64
	for _, s := range c.sends {
		sum += int64(s.n)
	}
	return float64(sum) / float64(c.size)
}

// checkBudget holds every window of ten seconds against the promise.
func (c *crowd) checkBudget(rate float64) {
	c.t.Helper()
	const window = 10 * time.Second
	most := int64(1.02*rate*window.Seconds()) + 256<<10
	first, sum := 0, int64(0)
	for _, s := range c.sends {
		sum += int64(s.n)
		for s.at.Sub(c.sends[first].at) > window {
			sum -= int64(c.sends[first].n)
			first++
		}
		if sum > most {
			c.t.Fatalf("%d bytes in the 10 s before %v, more than %d", sum, s.at.Sub(time.Unix(1e9, 0)), most)
		}
	}
}

// Whatever a crowd does, the budget holds, and everybody is served in the end.
func TestBudgetHoldsInAnyCrowd(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			rate := float64(rng.IntN(2_000_000) + 100_000)
			cfg := Config{Rate: rate}
			if rng.IntN(2) == 0 {
				cfg.Conns = rng.IntN(8) + 2
			}
			if rng.IntN(2) == 0 {
				cfg.Copies = 1 + rng.Float64()
			}
			c := newCrowd(t, seed, cfg, rng.IntN(100)+1, 32<<10)
			dies := rng.Float64() * 0.1
			for i := range rng.IntN(20) {
				c.browser(i, rng.Int64N(1<<20)+1, rate*(0.1+rng.Float64()), dies, nil)
			}
			for range rng.IntN(40) {
				n := c.node(time.Duration(rng.Int64N(int64(20*time.Second))), rate*(0.2+rng.Float64()), dies)
				n.selfish = rng.IntN(3) == 0
			}
			c.gossip(100e3)
			took := c.run(time.Hour)
			if c.left > 0 {
				t.Fatalf("%d are not served after %v", c.left, took)
			}
			c.checkBudget(rate)
			if len(c.o.requests) != 0 || c.o.slots != 0 || c.o.Waiting() != 0 || c.o.ahead != 0 {
				t.Errorf("left behind: %d requests, %d slots, %d waiting, %d bytes ahead", len(c.o.requests), c.o.slots, c.o.Waiting(), c.o.ahead)
			}
		})
	}
}

// A flash crowd: 100 nodes, and a budget of which one copy takes a quarter of a minute.
func TestFlashCrowd(t *testing.T) {
	const rate = 625_000
	c := newCrowd(t, 1, Config{Rate: rate}, 256, 32<<10)
	for range 100 {
		c.node(c.between(0, time.Second), 2_500_000, 0)
	}
	c.gossip(625_000)
	took := c.run(time.Hour)
	c.checkBudget(rate)
	bound := float64(c.size) / rate
	t.Logf("%.1f s, %.2f of one copy's time; %.2f copies sent, %d pieces left twice early", took.Seconds(), took.Seconds()/bound, c.copies(), c.early)
	if c.left > 0 || took.Seconds() > 1.5*bound {
		t.Errorf("%d are not done after %v, one copy takes %.1f s", c.left, took, bound)
	}
	if c.early > c.pieces/50 {
		t.Errorf("%d pieces left twice before all had left once", c.early)
	}
}
