package tlspeer

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/transporttest"
)

// The frames with capabilities, to the byte: docs/protocol/link.md. Computed apart from this
// code, with Python's hmac and cryptography's AESGCM.
func TestGuardedWireFormat(t *testing.T) {
	vectors := map[peer.Audience][2]string{
		peer.Link:    {"00520401aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa7bffc870663e0f5f9e5eff3e6233b7d7397c4a1dc3857e4a7553595df301f5c7001afa37bc2eb8638724c9cf051287e272ba1ebb7153d656255ed7b5", "002d05f563a085215292c79bd5d4fba71058a613e4facee9696379feab807cf49d3d20000a6120646f63756d656e74"},
		peer.Network: {"00520401aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa739a48f10cc31e899e94ceafebe731312b81c3f1a1ba52611531dccf1aef3738001afa37bc2eb8638724c9cf051287e272ba1ebb7153d656255ed7b5", "002d05296fe2b072eaa2a786a1981899c20a1327269f1506751d51576238fcbde1421f000a6120646f63756d656e74"},
	}
	doc := []byte("a document")
	for audience, want := range vectors {
		b := bond{
			transport.Secret(bytes.Repeat([]byte{0x11}, 32)), audience, bytes.Repeat([]byte{0x44}, 32),
			peer.ID(bytes.Repeat([]byte{0x22}, 32)), peer.ID(bytes.Repeat([]byte{0x33}, 32)),
		}
		h := b.hello(content.SHA1(bytes.Repeat([]byte{0xaa}, 20)), true, doc)
		if got := hex.EncodeToString(appendHello(nil, h)); got != want[0] {
			t.Errorf("hello for %v:\n got %s\nwant %s", audience, got, want[0])
		}
		if got := hex.EncodeToString(appendReady(nil, b.ready(true, doc))); got != want[1] {
			t.Errorf("READY for %v:\n got %s\nwant %s", audience, got, want[1])
		}
		if got, err := b.open(h.Sealed); err != nil || !bytes.Equal(got, doc) {
			t.Errorf("opened: %q, %v", got, err)
		}
	}
}

// guarded is a share with its guards for two nodes.
type guarded struct {
	a      *transporttest.Authority
	to     transport.Target
	shares *transporttest.Shares
}

func guard(t *testing.T, audience peer.Audience, client, server peer.ID) guarded {
	a := transporttest.NewAuthority(0x11, audience)
	to := transport.Target{Audience: audience, Key: content.SHA1{8}, Secret: transport.Secret{5}}
	to.Guard = a.Guard(a.Sign(t, a.Capability(client)))
	return guarded{a, to, &transporttest.Shares{Shares: map[content.SHA1]transport.Share{
		to.Key: {Secret: to.Secret, Audience: audience, Guard: a.Guard(a.Sign(t, a.Capability(server)))},
	}}}
}

// Who takes the place of a peer, knowing a swarm key from the DHT but no secret, gets a
// document that it cannot read.
func TestDocumentIsForHoldersOfTheSecret(t *testing.T) {
	checkLeaks(t)
	alice, bob := identity(t), identity(t)
	g := guard(t, peer.Link, alice.ID(), bob.ID())
	a, b := tube(t)
	var got hello
	done := make(chan error, 1)
	go func() {
		done <- impostor(t, b, func(h hello) []byte {
			got = h
			return appendRefuse(nil, transport.NotShared)
		})
	}()
	if _, err := Client(t.Context(), a, &Config{Identity: alice}, g.to); !errors.Is(err, fault.Refused) {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	doc := g.to.Guard.Present()
	if !got.Guarded || len(got.Sealed) != len(doc)+16 {
		t.Fatalf("sealed: %d bytes", len(got.Sealed))
	}
	for _, part := range [][]byte{g.a.Terms.Share[:8], g.a.Terms.Server[:8]} {
		if !bytes.Contains(doc, part) || bytes.Contains(got.Sealed, part) {
			t.Error("the hello names the share or its server")
		}
	}
	for _, secret := range []transport.Secret{{}, {6}} {
		if _, err := (bond{secret, peer.Link, nil, alice.ID(), bob.ID()}).open(got.Sealed); err == nil {
			t.Error("opened without the secret")
		}
	}
}

// A capability that was seen on one connection does not open another: its frame is bound to
// the TLS session.
func TestGuardedHelloIsNotReplayed(t *testing.T) {
	checkLeaks(t)
	alice, bob, mallory := identity(t), identity(t), identity(t)
	g := guard(t, peer.Network, alice.ID(), bob.ID())
	// Mallory is asked by Alice, and says word for word to Bob what she said.
	a, b := tube(t)
	frames := make(chan []byte, 1)
	go func() {
		_ = impostor(t, b, func(h hello) []byte {
			frames <- appendHello(nil, h)
			return appendRefuse(nil, transport.NotShared)
		})
	}()
	if _, err := Client(t.Context(), a, &Config{Identity: alice}, g.to); err == nil {
		t.Fatal("an impostor was accepted")
	}
	c, d := tube(t)
	done := server(t, d, bob, g.shares)
	conn := tls.Client(c, (&Config{Identity: mallory}).tlsConfig(peer.ID{}))
	if _, err := conn.Write(<-frames); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	if o := <-done; !errors.Is(o.err, fault.Refused) || !bytes.Equal(answer, []byte{0, 2, 3, 1}) {
		t.Errorf("server = %v, answer %x", o.err, answer)
	}
}

// Nor does it help to know everything that is not secret, and to own a node: the capability is
// another's.
func TestStolenCapabilityIsRefused(t *testing.T) {
	checkLeaks(t)
	alice, bob, mallory := identity(t), identity(t), identity(t)
	g := guard(t, peer.Network, alice.ID(), bob.ID())
	a, b := tube(t)
	done := server(t, b, bob, g.shares)
	_, err := Client(t.Context(), a, &Config{Identity: mallory}, g.to) // shows Alice's
	if o := <-done; !errors.Is(o.err, capability.OtherNode) || !errors.Is(err, capability.OtherNode) {
		t.Errorf("client = %v, server = %v", err, o.err)
	}
}

// What a client is told when the kind of the answer does not fit its hello.
func TestAnswerOfAnotherKindIsRefused(t *testing.T) {
	alice, bob := identity(t), identity(t)
	g := guard(t, peer.Link, alice.ID(), bob.ID())
	unguarded := g.to
	unguarded.Guard = nil
	for _, tt := range []struct {
		name   string
		to     transport.Target
		answer ready
		want   fault.Kind
	}{
		{"a READY without a capability", g.to, ready{}, fault.Protocol},
		{"a READY with one that nobody asked for", unguarded, ready{Guarded: true}, fault.Protocol},
		{"a READY with a capability and no proof", g.to, ready{Guarded: true, Doc: g.to.Guard.Present()}, fault.Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			a, b := tube(t)
			done := make(chan error, 1)
			go func() { done <- impostor(t, b, func(hello) []byte { return appendReady(nil, tt.answer) }) }()
			if _, err := Client(t.Context(), a, &Config{Identity: alice}, tt.to); fault.KindOf(err) != tt.want {
				t.Errorf("client = %v, want %v", err, tt.want)
			}
			<-done
		})
	}
}

// The old hello gets nothing of a guarded share, though it holds the secret.
func TestHelloWithoutCapability(t *testing.T) {
	for audience, want := range map[peer.Audience]transport.Refusal{
		peer.Link: transport.NeedsCapability, peer.Network: transport.NotShared,
	} {
		checkLeaks(t)
		alice, bob := identity(t), identity(t)
		g := guard(t, audience, alice.ID(), bob.ID())
		a, b := tube(t)
		done := server(t, b, bob, g.shares)
		conn := tls.Client(a, (&Config{Identity: alice}).tlsConfig(peer.ID{}))
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		_, exporter, err := bind(conn)
		if err != nil {
			t.Fatal(err)
		}
		h := bond{g.to.Secret, audience, exporter, alice.ID(), bob.ID()}.hello(g.to.Key, false, nil)
		if _, err := conn.Write(appendHello(nil, h)); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn)
		if o := <-done; !errors.Is(o.err, capability.Missing) || !bytes.Equal(answer, appendRefuse(nil, want)) {
			t.Errorf("%v: server = %v, answer %x", audience, o.err, answer)
		}
	}
}

// A guard that shows too much is silent rather than a broken frame.
func TestOversizedDocumentIsNotSent(t *testing.T) {
	b := bond{exporter: []byte{1}}
	big := make([]byte, capability.MaxSize+1)
	for _, frame := range [][]byte{appendHello(nil, b.hello(content.SHA1{1}, true, big)), appendReady(nil, b.ready(true, big))} {
		if len(frame) > 2+maxFrame || len(frame) > len(big) {
			t.Errorf("frame of %d bytes", len(frame))
		}
	}
}
