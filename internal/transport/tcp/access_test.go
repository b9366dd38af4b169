package tcp_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent/mse"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/tlspeer"
	"tandem/internal/transport/transporttest"
)

// These tests let every kind of connection ask for shares of every audience, with every state of ticket and
// capability. Who may have a share gets its canary; nobody else sees a canary, on the wire or after TLS, nor anything
// but a refusal.

// offer is a share that a listener serves.
type offer struct {
	name   string
	key    content.SHA1
	canary string
	share  transport.Share          // zero for a public one
	a      *transporttest.Authority // nil: holding the secret is enough
}

// offers are one of each audience, and links of both kinds.
func offers(t *testing.T, server peer.ID) []offer {
	all := []offer{
		{name: "public", key: content.SHA1{1, 1}, share: transport.Share{Audience: peer.Public}},
		{name: "link", key: content.SHA1{2, 2}, share: transport.Share{Audience: peer.Link, Secret: transport.Secret{2}}},
		{name: "link of a server", key: content.SHA1{3, 3}, share: transport.Share{Audience: peer.Link, Secret: transport.Secret{3}}},
		{name: "network", key: content.SHA1{4, 4}, share: transport.Share{Audience: peer.Network}},
	}
	for i := range all {
		o := &all[i]
		o.canary = "CANARY OF THE SHARE " + strings.ToUpper(o.name) + "!"
		if i < 2 {
			continue
		}
		o.a = transporttest.NewAuthority(0x11, o.share.Audience)
		if o.share.Audience == peer.Network {
			o.share.Secret = capability.NetworkSecret(o.a.Terms.Server, o.a.Terms.Share)
		}
		o.share.Guard = o.a.Guard(o.a.Sign(t, o.a.Capability(server)), o.a.Revocation())
	}
	return all
}

// serveCanaries gives everybody who is let in what an engine would give: the share that the handshake names, if the
// connection was admitted for its audience. It returns the address.
func serveCanaries(t *testing.T, n *tcp.Network, all []offer) string {
	shares := &transporttest.Shares{Shares: map[content.SHA1]transport.Share{}}
	for _, o := range all {
		if o.share.Audience == peer.Public {
			shares.Public = append(shares.Public, o.key)
		} else {
			shares.Shares[o.key] = o.share
		}
	}
	l, err := n.Listen(t.Context(), "127.0.0.1:0", shares)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serveCanary(c, all)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func serveCanary(c transport.Conn, all []offer) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	hs := make([]byte, 68)
	if _, err := io.ReadFull(c, hs); err != nil {
		return
	}
	for _, o := range all {
		if o.share.Audience == c.Audience() && bytes.Equal(hs[28:48], o.key[:]) && (c.Key() == o.key || c.Key().IsZero()) {
			_, _ = io.WriteString(c, o.canary)
		}
	}
	_, _ = io.Copy(io.Discard, c) // so that nothing unread turns the close into a reset
}

// judgeHeard compares what somebody heard with what it may hear: want, after TLS, and of canaries that of o at most.
func judgeHeard(t *testing.T, name string, all []offer, got heard, want string) {
	t.Helper()
	if string(got.plain) != want {
		t.Errorf("%s: heard %q, want %q", name, got.plain, want)
	}
	for _, o := range all {
		allowed := strings.HasSuffix(want, o.canary)
		if bytes.Contains(got.plain, []byte(o.canary)) != allowed {
			t.Errorf("%s: the canary of %s", name, o.name)
		}
		if o.share.Audience != peer.Public && bytes.Contains(got.wire, []byte(o.canary)) {
			t.Errorf("%s: the canary of %s in the clear", name, o.name)
		}
	}
}

func accessRig(t *testing.T) ([]offer, string) {
	id := identity(t)
	all := offers(t, id.ID())
	return all, serveCanaries(t, tcp.New(tcp.Config{
		TLS: &tlspeer.Config{Identity: id}, Limits: tcp.Limits{PerIdentity: 100},
	}), all)
}

// What a server says of a capability over a link, whose secret the other side has proven, and over the network, where
// it has proven nothing yet.
var told = map[string][2]byte{
	"no hello with one": {3, 1}, "no capability": {3, 1}, "noise": {4, 1}, "one with a changed byte": {4, 1},
	"one of another server": {4, 1}, "an expired one": {5, 5}, "one from tomorrow": {6, 6}, "one of another node": {7, 7},
	"one for another share": {8, 8}, "one that lets it fetch only": {9, 9}, "a revoked one": {10, 10}, "the right one": {0, 0},
}

func TestAccessByTLS(t *testing.T) {
	checkLeaks(t)
	all, addr := accessRig(t)
	s := newStranger(t)
	papers := append(transporttest.Papers(), transporttest.Paper{Name: "no hello with one", Reason: capability.Missing})
	for _, o := range all {
		for ticket, secret := range map[string][32]byte{"no": {0xff}, "another's": other(all, o), "the right": o.share.Secret} {
			right := o.share.Audience != peer.Public && secret == o.share.Secret
			for _, p := range papers {
				authority := o.a
				if authority == nil {
					authority = transporttest.NewAuthority(0x11, peer.Link)
				}
				a := ask{key: o.key, secret: secret, network: o.share.Audience == peer.Network}
				if p.Doc != nil {
					a.guarded, a.doc = true, p.Doc(t, authority, s.id)
				}
				name := fmt.Sprintf("TLS for %s, %s ticket, %s", o.name, ticket, p.Name)
				got, err := s.call(addr, a)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				judgeTLS(t, name, all, o, got, a.guarded, right, p)
			}
		}
	}
}

// other is the secret of another link than o.
func other(all []offer, o offer) [32]byte {
	if o.key == all[1].key {
		return all[2].share.Secret
	}
	return all[1].share.Secret
}

func judgeTLS(t *testing.T, name string, all []offer, o offer, got heard, guarded, right bool, p transporttest.Paper) {
	t.Helper()
	if !right {
		judgeHeard(t, name, all, got, "\x00\x02\x03\x01")
		return
	}
	if say := told[p.Name]; o.a != nil && p.Reason != 0 {
		reason := say[0]
		if o.share.Audience == peer.Network {
			reason = say[1]
		}
		if reason == 0 {
			t.Errorf("%s: nobody said what is to be heard", name)
		}
		judgeHeard(t, name, all, got, "\x00\x02\x03"+string([]byte{reason}))
		return
	}
	// READY, with the server's own capability for who showed one, and then what is shared.
	ready := 2 + 1 + 32
	if guarded {
		ready += 2
		if o.a != nil {
			ready += len(o.share.Guard.Present())
		}
	}
	if len(got.plain) < ready {
		t.Errorf("%s: heard %x", name, got.plain)
		return
	}
	judgeHeard(t, name, all, got, string(got.plain[:ready])+o.canary)
}

// What is neither TLS nor public opens nothing but public shares, whatever it brings.
func TestAccessByOtherProtocols(t *testing.T) {
	checkLeaks(t)
	all, addr := accessRig(t)
	s := newStranger(t)
	for _, o := range all {
		doc := []byte(nil)
		if o.a != nil {
			doc = o.a.Sign(t, o.a.Capability(s.id))
		}
		for kind, call := range map[string]func() (heard, error){
			"plain BitTorrent":     func() (heard, error) { return s.plain(addr, append(handshake(o.key), doc...)) },
			"plain, secret as key": func() (heard, error) { return s.plain(addr, handshake(content.SHA1(o.share.Secret[:20]))) },
			"encrypted BitTorrent": func() (heard, error) { return s.mse(addr, o.key, doc) },
			"HTTP": func() (heard, error) {
				return s.plain(addr, fmt.Appendf(nil, "GET /s/%x HTTP/1.1\r\nTandem: %x\r\n\r\n", o.key, doc))
			},
			"HTTP over TLS":          func() (heard, error) { return s.https(addr) },
			"a hello without TLS":    func() (heard, error) { return s.plain(addr, frame(4, []byte{1}, o.key[:], make([]byte, 34))) },
			"TLS, then no hello":     func() (heard, error) { return s.silent(addr, handshake(o.key)) },
			"TLS, then an odd frame": func() (heard, error) { return s.silent(addr, frame(5, o.key[:], doc)) },
		} {
			got, err := call()
			if err != nil {
				t.Errorf("%s for %s: %v", kind, o.name, err)
				continue
			}
			want := ""
			if o.share.Audience == peer.Public && (kind == "plain BitTorrent" || kind == "encrypted BitTorrent") {
				want = o.canary
			}
			judgeHeard(t, kind+" for "+o.name, all, got, want)
		}
	}
}

// plain sends b and no more.
func (s *stranger) plain(addr string, b []byte) (heard, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return heard{}, err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := raw.Write(b); err != nil {
		return heard{}, err
	}
	_ = raw.(*net.TCPConn).CloseWrite()
	all, err := io.ReadAll(raw)
	// What does not look like anything else is taken for an encrypted handshake, and answered with a public key and
	// noise: nothing that tells of a share.
	if b[0] != 0x13 && b[0] != 'G' {
		return heard{wire: all}, closed(err)
	}
	return heard{all, all}, closed(err)
}

// mse opens with the encrypted handshake. Who does not know a key of the listener hears noise.
func (s *stranger) mse(addr string, key content.SHA1, doc []byte) (heard, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return heard{}, err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	tapped := &tap{Conn: raw}
	rw, _, err := mse.InitiateHandshake(tapped, key[:], append(handshake(key), doc...), mse.AllSupportedCrypto)
	if err != nil {
		return heard{wire: tapped.read()}, closed(err)
	}
	_ = raw.(*net.TCPConn).CloseWrite()
	plain, err := io.ReadAll(rw)
	return heard{tapped.read(), plain}, closed(err)
}

// https is what a browser would try.
func (s *stranger) https(addr string) (heard, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return heard{}, err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	tapped := &tap{Conn: raw}
	cfg := s.config()
	cfg.NextProtos = []string{"h2", "http/1.1"}
	c := tls.Client(tapped, cfg)
	if err := c.Handshake(); err == nil {
		return heard{}, fault.Errorf(fault.Other, "the handshake worked")
	}
	return heard{wire: tapped.read()}, nil
}

// silent finishes TLS and says something that is no hello.
func (s *stranger) silent(addr string, b []byte) (heard, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return heard{}, err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	tapped := &tap{Conn: raw}
	c := tls.Client(tapped, s.config())
	if _, err := c.Write(b); err != nil {
		return heard{}, err
	}
	plain, err := io.ReadAll(c)
	return heard{tapped.read(), plain}, closed(err)
}
