package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transfer"
	"tandem/internal/transport"
)

// maxFresh bounds the denials that wait to be passed on.
const maxFresh = 64

// maxRead bounds the documents whose meaning is remembered.
const maxRead = 1024

// guard judges what peers of one share show, and holds what we show ourselves.
type guard struct {
	a     *authority
	terms capability.Terms
	self  peer.ID

	mu    sync.Mutex                       // guards the fields below
	doc   []byte                           // ours; nil: none yet
	own   capability.Capability            // what doc says
	fresh [][]byte                         // denials to be passed on
	news  chan struct{}                    // holds one when there is anything new
	read  map[string]capability.Capability // documents that were read, by their text
}

var _ transport.Guard = (*guard)(nil)

// newGuard makes the guard of a share. It is told of denials until end.
func (n *Node) newGuard(server peer.ID, share content.Hash, audience peer.Audience) *guard {
	g := &guard{
		a: n.authority(server), self: n.ID(), news: make(chan struct{}, 1), read: map[string]capability.Capability{},
		terms: capability.Terms{Server: server, Share: share, Audience: audience},
	}
	g.a.mu.Lock()
	g.a.guards[g] = struct{}{}
	g.a.mu.Unlock()
	return g
}

// contract returns g as transports take it: nil for none.
func (g *guard) contract() transport.Guard {
	if g == nil {
		return nil
	}
	return g
}

// end ends that it is told of denials; nil has nothing to end.
func (g *guard) end() {
	if g == nil {
		return
	}
	g.a.mu.Lock()
	delete(g.a.guards, g)
	g.a.mu.Unlock()
	g.a.save()
}

// Present implements transport.Guard.
func (g *guard) Present() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.doc
}

// Check implements transport.Guard.
func (g *guard) Check(node peer.ID, doc []byte) error {
	return g.judge(node, doc)
}

// judge is Check for any node, ourselves too. That it was issued is the server's word on the time, whatever
// else is wrong with a document.
func (g *guard) judge(node peer.ID, doc []byte) error {
	c, ok := g.parsed(doc)
	if !ok {
		_, err := g.terms.Check(node, doc, capability.Fetch, g.a.now(), nil)
		return err
	}
	return g.terms.Allow(c, node, capability.Fetch, g.a.now(), g.a.of(c.Source))
}

// parsed returns what a document that the server really signed says. Documents are judged again every second,
// their signatures not.
func (g *guard) parsed(doc []byte) (capability.Capability, bool) {
	if len(doc) > capability.MaxSize {
		return capability.Capability{}, false
	}
	key := string(doc)
	g.mu.Lock()
	c, ok := g.read[key]
	g.mu.Unlock()
	if ok {
		return c, true
	}
	v, err := capability.Parse(doc, g.a.server)
	if c, ok = v.(capability.Capability); err != nil || !ok {
		return c, false
	}
	g.a.reaches(c.Issued)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.read) >= maxRead {
		clear(g.read)
	}
	g.read[key] = c
	return c, true
}

// remembers reports whether parsed has read doc.
func (g *guard) remembers(doc []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.read[string(doc)]
	return ok
}

// accept makes doc ours if it is newer than what we have and really is for this share and node. The error says
// why not; a document that is no newer is none.
func (g *guard) accept(doc []byte) (changed bool, err error) {
	if len(doc) == 0 {
		return false, nil
	}
	v, err := g.a.take(doc)
	if err != nil {
		return false, err
	}
	c, ok := v.(capability.Capability)
	switch {
	case !ok:
		return false, fault.Errorf(fault.Invalid, "a denial in place of a capability")
	case c.Share != g.terms.Share:
		return false, fault.Errorf(fault.Refused, "capability %w", capability.OtherShare)
	case !c.Node.IsZero() && c.Node != g.self:
		return false, fault.Errorf(fault.Refused, "capability %w", capability.OtherNode)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.doc != nil && !c.NotAfter.After(g.own.NotAfter) && !c.Issued.After(g.own.Issued) {
		return false, nil
	}
	g.doc, g.own = slices.Clone(doc), c
	g.wake()
	return true, nil
}

// told is that the server has taken something back. The authority's lock is held.
func (g *guard) told(doc []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.fresh) < maxFresh {
		g.fresh = append(g.fresh, doc)
	}
	g.wake()
}

func (g *guard) wake() {
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// take returns the denials to be passed on.
func (g *guard) take() [][]byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.fresh
	g.fresh = nil
	return list
}

// permission says how our own stands: nil while it holds. The error has a capability.Reason in its chain.
func (g *guard) permission() error { return g.judge(g.self, g.Present()) }

// until returns when ours runs out; zero: there is none.
func (g *guard) until() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.own.NotAfter
}

// overheard takes over what a peer passed on. It is called by who owns the transfer, which has had the sender
// judged by it: a capability has been read then, and its signature is not checked again.
func (g *guard) overheard(doc []byte) {
	if g.remembers(doc) {
		return
	}
	if _, err := g.a.take(doc); err != nil {
		g.a.log.Debug("document of a peer", "err", err)
	}
}

// spreadMost is how many denials a transfer passes on to who connects later.
const spreadMost = 32

// heed passes on what the server takes back and what it renews, writes it down, and ends the item when
// its own permission was taken back.
func (it *Item) heed(ctx context.Context, t *transfer.Transfer) {
	g := it.guard
	for _, doc := range g.a.documents(spreadMost) {
		t.Spread(doc)
	}
	for {
		fresh := g.take()
		for _, doc := range fresh {
			t.Spread(doc)
		}
		g.a.save()
		if len(fresh) > 0 {
			pause(ctx, graceTime)
		}
		t.Spread(nil)
		if err := g.permission(); errors.Is(err, capability.Revoked) {
			it.fail(fmt.Errorf("%w: %w", ErrRevoked, err))
			return
		}
		select {
		case <-g.news:
		case <-ctx.Done():
			return
		}
	}
}

// pause returns after d, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
}
