package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/wire"
)

// guard is a transport.Guard whose capabilities are "may NODE until TIME VERSION",
// and whose denials are "not NODE".
type guard struct {
	mu     sync.Mutex
	mine   string
	denied map[string]bool
	passed [][]byte // by OnDocument
}

func capability(id peer.ID, until time.Time) string {
	return fmt.Sprintf("may %s until %s", id.Short(), until.UTC().Format(time.RFC3339))
}

func (g *guard) Present() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return []byte(g.mine)
}

func (g *guard) set(doc string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mine = doc
}

func (g *guard) Check(node peer.ID, doc []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	name, until, ok := strings.Cut(strings.TrimPrefix(string(doc), "may "), " until ")
	at, err := time.Parse(time.RFC3339, until)
	switch {
	case !ok || err != nil:
		return fault.Errorf(fault.Refused, "no capability")
	case name != node.Short():
		return fault.Errorf(fault.Refused, "for another node")
	case time.Now().After(at):
		return fault.Errorf(fault.Refused, "expired")
	case g.denied[name]:
		return fault.Errorf(fault.Refused, "revoked")
	}
	return nil
}

// learn takes a document as package node does, and returns whether it was new.
func (g *guard) learn(doc []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passed = append(g.passed, bytes.Clone(doc))
	name, ok := strings.CutPrefix(string(doc), "not ")
	if !ok || g.denied[name] {
		return false
	}
	if g.denied == nil {
		g.denied = map[string]bool{}
	}
	g.denied[name] = true
	return true
}

// guarded starts a node of a network share that may take part for a while; zero:
// it has no capability.
func (w *world) guarded(tor *metainfo.Torrent, s *memory, d time.Duration) (*node, *guard) {
	g := &guard{}
	if d != 0 {
		g.mine = capability(w.net.Host(w.addr()).ID(), time.Now().Add(d))
	}
	var n *node
	n = w.prepare(tor, s, with(linkShare(tor, 7, true), func(cfg *Config) {
		cfg.Audience, cfg.Guard = peer.Network, g
		cfg.OnDocument = func(doc []byte) {
			if g.learn(doc) {
				n.Spread(doc)
			}
		}
	}))
	n.run()
	return n, g
}

func TestAdmitAsksForACapability(t *testing.T) {
	key, id := content.SHA1{1}, peer.ID{5}
	now := time.Now()
	good := capability(id, now.Add(time.Hour))
	for _, c := range []struct {
		name     string
		audience peer.Audience
		guard    *guard
		shown    string
		ok       bool
	}{
		{"a link without a guard asks for nothing", peer.Link, nil, "", true},
		{"a link with a guard and the right capability", peer.Link, &guard{}, good, true},
		{"a link with a guard and none", peer.Link, &guard{}, "", false},
		{"a network share and the right capability", peer.Network, &guard{}, good, true},
		{"a network share without a guard", peer.Network, nil, good, false},
		{"no capability", peer.Network, &guard{}, "", false},
		{"a changed one", peer.Network, &guard{}, "May" + good[3:], false},
		{"an expired one", peer.Network, &guard{}, capability(id, now.Add(-time.Hour)), false},
		{"another node's", peer.Network, &guard{}, capability(peer.ID{6}, now.Add(time.Hour)), false},
		{"a revoked one", peer.Network, &guard{denied: map[string]bool{id.Short(): true}}, good, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := share{audience: c.audience, keys: []content.SHA1{key}, self: [20]byte{9}}
			if c.guard != nil {
				s.guard = c.guard
			}
			nc := fakeConn{audience: c.audience, key: key, id: id, shown: []byte(c.shown)}
			err := admit(nc, wire.Handshake{Key: key, PeerID: [20]byte{1}}, s)
			if c.ok != (err == nil) || (err != nil && !errors.Is(err, fault.Refused)) {
				t.Errorf("admit = %v", err)
			}
		})
	}
}

func TestANetworkShareIsGivenToWhoMayHaveIt(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		seed, _ := w.guarded(tor, fullMemory(tor.Manifest, files), time.Hour)
		got, _ := w.guarded(tor, nil, time.Hour)
		none, _ := w.guarded(tor, nil, 0)
		late, _ := w.guarded(tor, nil, -time.Hour)
		for _, n := range []*node{got, none, late} {
			n.AddPeers("server", seed.at())
		}
		got.finishes(10 * time.Second)
		<-time.After(time.Minute)
		for name, n := range map[string]*node{"no capability": none, "an expired one": late} {
			s := n.Status()
			if s.FromPeers != 0 || len(s.Peers) != 0 {
				t.Errorf("with %s: %d bytes, %d peers", name, s.FromPeers, len(s.Peers))
			}
			if !errors.Is(s.Refusal, fault.Refused) {
				t.Errorf("with %s: refusal %v", name, s.Refusal)
			}
		}
	})
}

// slowly makes a node send at that many bytes per second.
func (n *node) slowly(perSecond int) { n.host.SetRates(int64(perSecond), 0) }

func TestServiceEndsWithTheCapability(t *testing.T) {
	files := testFiles(4 << 20)
	for _, c := range []struct {
		name string
		end  func(seed, got *node, sg, gg *guard)
	}{
		{"it expires", func(_, _ *node, _, _ *guard) {}},
		{"the node that serves learns that it is revoked", func(seed, got *node, sg, _ *guard) {
			sg.learn([]byte("not " + got.host.ID().Short()))
			seed.Spread([]byte("not " + got.host.ID().Short()))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				seed, sg := w.guarded(tor, fullMemory(tor.Manifest, files), time.Hour)
				seed.slowly(100_000)
				got, gg := w.guarded(tor, nil, 10*time.Second)
				got.AddPeers("server", seed.at())
				<-time.After(5 * time.Second)
				if got.Status().FromPeers == 0 {
					t.Fatal("nothing came while it was valid")
				}
				c.end(seed, got, sg, gg)
				<-time.After(7 * time.Second)
				n := got.Status().FromPeers
				if len(seed.Status().Peers) != 0 {
					t.Error("still connected")
				}
				<-time.After(time.Minute)
				if got.Status().FromPeers != n {
					t.Error("still served")
				}
			})
		})
	}
}

func TestARenewedCapabilityIsShown(t *testing.T) {
	files := testFiles(4 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		seed, sg := w.guarded(tor, fullMemory(tor.Manifest, files), time.Hour)
		seed.slowly(100_000)
		got, gg := w.guarded(tor, nil, 10*time.Second)
		got.AddPeers("server", seed.at())
		<-time.After(5 * time.Second)
		gg.set(capability(got.host.ID(), time.Now().Add(time.Hour)))
		got.Spread(nil)
		began := seed.Status().Peers
		got.finishes(2 * time.Minute)
		if s := seed.Status().Peers; len(began) != 1 || len(s) > 1 || (len(s) == 1 && s[0].Conn != began[0].Conn) {
			t.Error("the connection did not last")
		}
		sg.mu.Lock()
		defer sg.mu.Unlock()
		if n := len(sg.passed); n == 0 || n > 2 {
			t.Errorf("%d documents came, want the first capability at most and the renewed one", n)
		}
	})
}

// A denial that one node learns reaches the others, those that come later too, and
// does not go round in circles.
func TestADenialIsPassedOn(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		var all []*node
		var guards []*guard
		for range 4 {
			n, g := w.guarded(tor, nil, time.Hour)
			for _, p := range all {
				n.AddPeers("server", p.at())
			}
			all, guards = append(all, n), append(guards, g)
		}
		<-time.After(5 * time.Second)
		out := all[3]
		if n := len(all[0].Status().Peers); n != 3 {
			t.Fatalf("%d peers", n)
		}
		denial := []byte("not " + out.host.ID().Short())
		guards[0].learn(denial)
		all[0].Spread(denial)
		all[0].Spread(denial)
		<-time.After(2 * time.Second)
		for i, n := range all[:3] {
			if p := n.Status().Peers; len(p) != 2 {
				t.Errorf("node %d has %d peers", i, len(p))
			}
		}
		late, g := w.guarded(tor, nil, time.Hour)
		late.AddPeers("server", out.at(), all[1].at())
		<-time.After(5 * time.Second)
		for _, p := range late.Status().Peers {
			if p.Key.ID == out.host.ID() {
				t.Error("who came later serves it all the same")
			}
		}
		for i, g := range append(guards, g) {
			g.mu.Lock()
			if n := len(g.passed); n > 12 {
				t.Errorf("node %d was told %d times", i, n)
			}
			g.mu.Unlock()
		}
	})
}

func TestFloodsOfDocumentsAndNotices(t *testing.T) {
	files := testFiles(1 << 20)
	doc := func(i int) wire.Message {
		return wire.Message{ID: wire.Extended, Ext: wire.ExtDocument, Payload: fmt.Appendf(nil, "document %d", i)}
	}
	notice := func(piece int, on bool) wire.Message {
		return wire.Message{ID: wire.Extended, Ext: wire.ExtFetching, Payload: wire.AppendFetching(nil, &wire.Fetching{Piece: piece, On: on})}
	}
	long := wire.Message{ID: wire.Extended, Ext: wire.ExtDocument, Payload: make([]byte, wire.MaxDocument+1)}
	for _, c := range []struct {
		name   string
		n      int
		msg    func(i int) wire.Message
		closed bool
	}{
		{"a few documents", 50, doc, false},
		{"hundreds of documents", 500, doc, false},
		{"thousands of documents", 2000, doc, true},
		{"a document that is too long", 1, func(int) wire.Message { return long }, true},
		{"a notice of a piece there is not", 1, func(int) wire.Message { return notice(32, true) }, true},
		{"notices of all pieces", 64, func(i int) wire.Message { return notice(i%32, i < 32) }, false},
		{"notices without end", maxNotice + 100, func(i int) wire.Message { return notice(i%32, i%2 == 0) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				g := &guard{}
				passed := 0
				n := w.start(tor, nil, with(linkShare(tor, 7, true), func(cfg *Config) {
					cfg.Guard, cfg.OnDocument = g, func([]byte) { passed++ }
				}))
				h := w.net.Host(w.addr())
				mine := &guard{mine: capability(h.ID(), time.Now().Add(time.Hour))}
				g.set(capability(n.host.ID(), time.Now().Add(time.Hour)))
				r := w.dialGuarded(h, n, mine)
				var all []wire.Message
				for i := range c.n {
					all = append(all, c.msg(i))
				}
				r.send(append([]wire.Message{extHello(0)}, all...)...)
				if r.closed(2*time.Second) != c.closed {
					t.Errorf("closed: %v", !c.closed)
				}
				n.cancel()
				<-n.ended
				if passed > docBurst+3*docRate {
					t.Errorf("%d documents were passed on", passed)
				}
			})
		})
	}
}
