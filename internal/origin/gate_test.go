package origin

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
)

func browserAt(n byte) Asked {
	return Asked{Remote: netip.AddrFrom4([4]byte{192, 0, 2, n}), Bytes: 1 << 30}
}

// let returns a browser's pass.
func let(t *testing.T, g *Gate, a Asked) *Pass {
	t.Helper()
	p, e := g.Admit(a)
	if e != nil {
		t.Fatalf("a browser is pointed elsewhere: %+v", e)
	}
	return p
}

func noWait() {}

// Three clients share what the budget gives in a while, and no more goes out.
func TestGateKeepsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		g := NewGate(nil, Budget{Rate: rate}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var all sync.WaitGroup
		var got [3]int64
		var waits atomic.Int64
		for i := range got {
			all.Go(func() {
				p := let(t, g, browserAt(byte(i)))
				defer p.Close(false)
				for {
					n, err := p.Take(ctx, 1<<30, func() { waits.Add(1) })
					if err != nil {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						return
					}
					got[i] += n
					p.Sent(n)
				}
			})
		}
		all.Wait()
		sum := got[0] + got[1] + got[2]
		if sum > 20*rate+rate/20+128<<10 || sum < 20*rate-256<<10 {
			t.Errorf("%d bytes in 20 s", sum)
		}
		for _, n := range got {
			if n < sum/3-128<<10 {
				t.Errorf("shares %v", got)
			}
		}
		if g.Waiting() != 0 || waits.Load() == 0 {
			t.Errorf("%d wait, %d have waited", g.Waiting(), waits.Load())
		}
	})
}

func TestPassAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(nil, Budget{Conns: 1}, nil)
		first, second := let(t, g, browserAt(1)), let(t, g, browserAt(2))
		n, err := first.Take(t.Context(), 10, noWait)
		if n != 10 || err != nil {
			t.Fatal(n, err)
		}
		// The second gets the first one's place.
		took := make(chan error, 1)
		go func() {
			_, err := second.Take(t.Context(), 10, noWait)
			took <- err
		}()
		synctest.Wait()
		if g.Waiting() != 1 {
			t.Error("two at a time")
		}
		first.Close(false)
		first.Close(true)
		ok(t, <-took)
		second.Close(true)
		if _, err := first.Take(t.Context(), 10, noWait); fault.KindOf(err) != fault.Closed {
			t.Errorf("a pass that was closed: %v", err)
		}
		first.Sent(10)
		if g.origin.Spent() != 0 {
			t.Error("bytes of a pass that was closed are counted")
		}
	})
}

// Instances add up what they send in a month, a failure to write is made up for, and the next month is
// another.
func TestMonthIsCountedByAllInstances(t *testing.T) {
	d := newDesk(t)
	now := time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	a, b := NewGate(d.Server, Budget{Month: 1000}, clock), NewGate(d.Server, Budget{Month: 1000}, clock)
	send := func(g *Gate, n int64) {
		t.Helper()
		p := let(t, g, Asked{Bytes: n})
		got, err := p.Take(d.ctx, n, noWait)
		ok(t, err)
		p.Sent(got)
		p.Close(true)
		if got != n {
			t.Fatalf("%d of %d bytes", got, n)
		}
	}
	spent := func(what string, wantA, wantB int64) {
		t.Helper()
		if a, b := a.origin.Spent(), b.origin.Spent(); a != wantA || b != wantB {
			t.Errorf("%s: %d and %d bytes, want %d and %d", what, a, b, wantA, wantB)
		}
	}
	send(a, 100)
	a.saveMonth(d.ctx)
	send(b, 50)
	b.saveMonth(d.ctx)
	a.saveMonth(d.ctx)
	spent("both", 150, 150)
	ended, cancel := context.WithCancel(d.ctx)
	cancel()
	send(a, 7)
	a.saveMonth(ended)
	a.saveMonth(d.ctx)
	b.saveMonth(d.ctx)
	spent("after a failure", 157, 157)
	// A new instance begins where they are.
	c := NewGate(d.Server, Budget{Month: 1000}, clock)
	c.saveMonth(d.ctx)
	if c.origin.Spent() != 157 {
		t.Errorf("a new one begins with %d", c.origin.Spent())
	}
	now = now.Add(2 * time.Hour)
	a.saveMonth(d.ctx)
	b.saveMonth(d.ctx)
	spent("in December", 0, 0)
	send(a, 5)
	a.saveMonth(d.ctx)
	b.saveMonth(d.ctx)
	spent("then", 5, 5)
}

// Run writes down what was sent at the end, and ends.
func TestGateRunsUntilItsEnd(t *testing.T) {
	d := newDesk(t)
	g := NewGate(d.Server, Budget{Month: 1 << 40}, nil)
	ctx, cancel := context.WithCancel(d.ctx)
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	p := let(t, g, browserAt(1))
	n, err := p.Take(ctx, 123, noWait)
	ok(t, err)
	p.Sent(n)
	p.Close(true)
	cancel()
	ok(t, <-ended)
	next := NewGate(d.Server, Budget{Month: 1 << 40}, nil)
	next.saveMonth(d.ctx)
	if got := next.origin.Spent(); got != 123 {
		t.Errorf("%d bytes are written down", got)
	}
}

// Of a share that nobody joined here nothing is known; its nodes are served.
func TestNodesOfAShareThatIsNotHere(t *testing.T) {
	d := newDesk(t)
	g := NewGate(d.Server, Budget{}, nil)
	r := SwarmRequest{Node: [32]byte{1}, Total: 10}
	if swarm, spare := g.Joined(content.Hash{5}, r); swarm || spare {
		t.Error("it has a model")
	}
	g.Away(content.Hash{5}, r.Node)
	a := browserAt(1)
	a.Node, a.Share = r.Node, content.Hash{5}
	let(t, g, a).Close(false)
}
