package transporttest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// Authority is a server that signs capabilities for one share, at one moment.
type Authority struct {
	Key   ed25519.PrivateKey
	Terms capability.Terms
	Now   time.Time
}

// NewAuthority makes one whose key is made from seed.
func NewAuthority(seed byte, audience peer.Audience) *Authority {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return &Authority{
		Key: key,
		Terms: capability.Terms{
			Server: peer.ID(key.Public().(ed25519.PublicKey)), Share: content.Hash{1, 31: 1}, Audience: audience,
		},
		Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
}

// Capability is what node gets: a day, both rights.
func (a *Authority) Capability(node peer.ID) capability.Capability {
	return capability.Capability{
		Server: a.Terms.Server, Share: a.Terms.Share, Node: node, Rights: capability.Fetch | capability.Serve,
		Source: sourceOf(node), Issued: a.Now.Add(-time.Hour), NotAfter: a.Now.Add(23 * time.Hour),
	}
}

// sourceOf is another one for each node, so that each can be revoked by itself.
func sourceOf(node peer.ID) (s capability.Source) {
	copy(s[:], node[:])
	return s
}

// Sign returns the document.
func (a *Authority) Sign(t testing.TB, c capability.Capability) []byte {
	t.Helper()
	doc, err := c.Sign(a.Key)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Guard returns one that shows doc and has heard of denials.
func (a *Authority) Guard(doc []byte, denials ...capability.Denial) *Guard {
	return &Guard{a, doc, denials}
}

// Guard implements transport.Guard.
type Guard struct {
	a       *Authority
	doc     []byte
	denials []capability.Denial
}

// Present implements transport.Guard.
func (g *Guard) Present() []byte { return g.doc }

// Check implements transport.Guard.
func (g *Guard) Check(node peer.ID, doc []byte) error {
	_, err := g.a.Terms.Check(node, doc, capability.Fetch|capability.Serve, g.a.Now, slices.Values(g.denials))
	return err
}

// Paper is a state that what a node shows can be in.
type Paper struct {
	Name string
	// Reason is what is wrong with it; zero: it is right.
	Reason capability.Reason
	// Doc makes it for node.
	Doc func(t testing.TB, a *Authority, node peer.ID) []byte
}

// Papers returns every state, the right one last.
func Papers() []Paper {
	change := func(f func(c *capability.Capability)) func(testing.TB, *Authority, peer.ID) []byte {
		return func(t testing.TB, a *Authority, node peer.ID) []byte {
			c := a.Capability(node)
			f(&c)
			return a.Sign(t, c)
		}
	}
	return []Paper{
		{"no capability", capability.Missing, func(testing.TB, *Authority, peer.ID) []byte { return nil }},
		{"noise", capability.Forged, func(testing.TB, *Authority, peer.ID) []byte { return bytes.Repeat([]byte{7}, 300) }},
		{"one with a changed byte", capability.Forged, func(t testing.TB, a *Authority, node peer.ID) []byte {
			doc := a.Sign(t, a.Capability(node))
			doc[len(doc)/2] ^= 1
			return doc
		}},
		{"one of another server", capability.Forged, func(t testing.TB, a *Authority, node peer.ID) []byte {
			evil := NewAuthority(0x66, a.Terms.Audience)
			return evil.Sign(t, evil.Capability(node))
		}},
		{"an expired one", capability.Expired, change(func(c *capability.Capability) { c.NotAfter = c.Issued.Add(time.Minute) })},
		{"one from tomorrow", capability.NotYet, change(func(c *capability.Capability) {
			c.Issued, c.NotAfter = c.Issued.Add(25*time.Hour), c.NotAfter.Add(25*time.Hour)
		})},
		{"one of another node", capability.OtherNode, change(func(c *capability.Capability) { c.Node[3]++ })},
		{"one for another share", capability.OtherShare, change(func(c *capability.Capability) { c.Share[3]++ })},
		{"one that lets it fetch only", capability.NoRight, change(func(c *capability.Capability) { c.Rights = capability.Fetch })},
		{"a revoked one", capability.Revoked, change(func(c *capability.Capability) { c.Source = RevokedSource() })},
		{"the right one", 0, change(func(*capability.Capability) {})},
	}
}

// RevokedSource is one that Revocation takes back.
func RevokedSource() capability.Source { return capability.Source{0xde, 0xad} }

// Revocation returns what guards must have heard of for Papers to be refused.
func (a *Authority) Revocation() capability.Denial {
	return capability.Denial{Server: a.Terms.Server, Source: RevokedSource(), Issued: a.Now, NotAfter: a.Now.Add(24 * time.Hour)}
}

// guardRuns are what a guard changes, for both audiences that may have one.
func guardRuns(t *testing.T, rig func(t *testing.T) Rig) {
	if r := rig(t); r.Target.Audience != peer.Link {
		return
	}
	for _, audience := range []peer.Audience{peer.Link, peer.Network} {
		for _, tt := range []struct {
			name string
			run  func(*testing.T, *guardRig)
		}{
			{"both sides see what the other showed", testShown},
			{"who dials without the right capability is refused, and told why if it may know", testDialerIsRefused},
			{"who listens without the right capability is refused", testListenerIsRefused},
		} {
			t.Run("audience "+audience.String()+": "+tt.name, func(t *testing.T) {
				checkLeaks(t)
				tt.run(t, newGuardRig(t, rig(t), audience))
			})
		}
	}
	for _, tt := range []struct {
		name string
		run  func(*testing.T, *guardRig)
	}{
		{"who asks for capabilities and who does not do not meet", testHalfGuarded},
		{"a share of one audience is not reached as one of the other", testOtherAudience},
		{"a share of audience network is not served without a guard", testNetworkNeedsGuard},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			tt.run(t, newGuardRig(t, rig(t), peer.Network))
		})
	}
}

// guardRig is a Rig with the guards of both sides.
type guardRig struct {
	Rig
	a      *Authority
	guard  transport.Guard // the listener's
	shares *Shares
}

func newGuardRig(t *testing.T, r Rig, audience peer.Audience) *guardRig {
	a := NewAuthority(0x11, audience)
	r.Target.Audience = audience
	if audience == peer.Network {
		r.Target.Secret = capability.NetworkSecret(a.Terms.Server, a.Terms.Share)
	}
	g := &guardRig{Rig: r, a: a}
	g.Target.Guard = a.Guard(a.Sign(t, a.Capability(r.DialerID)), a.Revocation())
	g.serve(a.Guard(a.Sign(t, a.Capability(r.ListenerID)), a.Revocation()))
	return g
}

// serve makes the guard of listeners from now on; nil: none.
func (g *guardRig) serve(guard transport.Guard) {
	g.guard = guard
	g.shares = &Shares{Shares: map[content.SHA1]transport.Share{
		g.Target.Key: {Secret: g.Target.Secret, Audience: g.Target.Audience, Guard: guard},
	}}
}

// listen returns what is to be dialed, and what ends it.
func (g *guardRig) listen(t *testing.T) (to transport.Target, end func()) {
	t.Helper()
	l, err := g.Listener.Listen(t.Context(), g.Addr, g.shares)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan transport.Conn, 16)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	to = g.Target
	to.Addr = l.Addr()
	return to, func() {
		_ = l.Close()
		for c := range accepted {
			// Of whom the dialer refused nothing has come.
			if n, _ := io.Copy(io.Discard, c); n != 0 {
				t.Errorf("%d bytes came", n)
			}
			_ = c.Close()
		}
	}
}

// refused dials and wants a refusal for a reason that is known here; zero: for one that is not.
func (g *guardRig) refused(t *testing.T, to transport.Target, who string, want capability.Reason) {
	t.Helper()
	c, err := g.Dialer.Dial(t.Context(), to)
	if err == nil {
		_ = c.Close()
	}
	var got capability.Reason
	if errors.As(err, &got); !errors.Is(err, fault.Refused) || got != want {
		t.Errorf("%s: dial = %v, want refused, reason %d", who, err, want)
	}
}

// wrong yields the papers that are not right.
func wrong(yield func(Paper) bool) {
	for _, p := range Papers() {
		if p.Reason != 0 && !yield(p) {
			return
		}
	}
}

func testDialerIsRefused(t *testing.T, g *guardRig) {
	to, end := g.listen(t)
	defer end()
	for p := range wrong {
		to.Guard = g.a.Guard(p.Doc(t, g.a, g.DialerID))
		want := p.Reason
		if g.Target.Audience == peer.Network && !want.Signed() {
			want = 0
		}
		g.refused(t, to, p.Name, want)
	}
}

func testListenerIsRefused(t *testing.T, g *guardRig) {
	for p := range wrong {
		g.serve(g.a.Guard(p.Doc(t, g.a, g.ListenerID)))
		to, end := g.listen(t)
		g.refused(t, to, p.Name, p.Reason)
		end() // of one node there may be few connections at a time
	}
}

func testShown(t *testing.T, g *guardRig) {
	l, err := g.Listener.Listen(t.Context(), g.Addr, g.shares)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	out, in := pair(t, g.Rig, l)
	for _, tt := range []struct {
		c    transport.Conn
		from transport.Guard
		id   peer.ID
	}{{out, g.guard, g.ListenerID}, {in, g.Target.Guard, g.DialerID}} {
		if doc := tt.c.(transport.Guarded).Shown(); !bytes.Equal(doc, tt.from.Present()) {
			t.Errorf("%x was shown", doc)
		}
		if tt.c.Audience() != g.Target.Audience || tt.c.Key() != g.Target.Key || tt.c.Peer() != tt.id {
			t.Errorf("audience %v, key %x, peer %v", tt.c.Audience(), tt.c.Key(), tt.c.Peer())
		}
	}
}

func testHalfGuarded(t *testing.T, g *guardRig) {
	g.Target.Audience = peer.Link
	g.a.Terms.Audience = peer.Link
	g.serve(g.guard)
	to, end := g.listen(t)
	defer end()
	to.Guard = nil
	g.refused(t, to, "a dialer without a guard", capability.Missing)
	g.serve(nil)
	to, end2 := g.listen(t)
	defer end2()
	g.refused(t, to, "a listener without a guard", capability.Missing)
}

func testOtherAudience(t *testing.T, g *guardRig) {
	to, end := g.listen(t)
	defer end()
	to.Audience = peer.Link
	g.refused(t, to, "a link hello", 0)
}

func testNetworkNeedsGuard(t *testing.T, g *guardRig) {
	g.serve(nil)
	to, end := g.listen(t)
	defer end()
	g.refused(t, to, "a listener without a guard", 0)
	to.Guard = nil
	if c, err := g.Dialer.Dial(t.Context(), to); !errors.Is(err, fault.Invalid) {
		t.Errorf("dial = %v, %v, want invalid", c, err)
	}
}
