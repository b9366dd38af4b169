package tcp_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/tlspeer"
	"tandem/internal/transport/transporttest"
)

// The other way round: who is dialed and may not have a share gets a hello and nothing else, whatever it answers.
func TestAccessByListening(t *testing.T) {
	checkLeaks(t)
	id := identity(t)
	from := tcp.New(tcp.Config{TLS: &tlspeer.Config{Identity: id}})
	s := newStranger(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, o := range offers(t, id.ID()) {
		if o.share.Audience == peer.Public {
			continue // nothing is enforced
		}
		authority := o.a
		if authority == nil {
			authority = transporttest.NewAuthority(0x11, peer.Link)
		}
		for _, p := range append(transporttest.Papers(), transporttest.Paper{Name: "no READY with one"}) {
			for ticket, secret := range map[string][32]byte{"no": {0xff}, "the right": o.share.Secret} {
				a := ask{secret: secret, network: o.share.Audience == peer.Network}
				if p.Doc != nil {
					a.guarded, a.doc = true, p.Doc(t, authority, s.id)
				}
				right := secret == o.share.Secret && p.Doc != nil && p.Reason == 0
				if o.a == nil { // a link without a server: no capability is asked for
					right = secret == o.share.Secret && !a.guarded
				}
				name := fmt.Sprintf("a listener of %s, %s ticket, %s", o.name, ticket, p.Name)
				offerTo(t, name, from, s, l, o, a, right)
			}
		}
	}
}

// offerTo dials the stranger, and gives it the canary if it is let to.
func offerTo(t *testing.T, name string, from *tcp.Network, s *stranger, l net.Listener, o offer, a ask, right bool) {
	t.Helper()
	type result struct {
		heard
		err error
	}
	done := make(chan result, 1)
	go func() {
		h, err := s.answer(l, a)
		done <- result{h, err}
	}()
	c, err := from.Dial(t.Context(), transport.Target{
		Addr: l.Addr().(*net.TCPAddr).AddrPort(), Audience: o.share.Audience, Key: o.key, Secret: o.share.Secret, Guard: o.share.Guard,
	})
	if err == nil {
		_, _ = io.WriteString(c, o.canary)
		_ = c.Close()
	}
	got := <-done
	if got.err != nil {
		t.Errorf("%s: %v", name, got.err)
	}
	if (err == nil) != right {
		t.Errorf("%s: dial = %v", name, err)
	}
	if len(got.plain) < 2 {
		t.Errorf("%s: no hello came", name)
		return
	}
	rest := got.plain[2+int(got.plain[0])<<8+int(got.plain[1]):]
	want := ""
	if right {
		want = o.canary
	}
	if string(rest) != want {
		t.Errorf("%s: after the hello came %q", name, rest)
	}
	if bytes.Contains(got.wire, []byte(o.canary)) {
		t.Errorf("%s: the canary in the clear", name)
	}
	// Not even what the share is called by its server is told to who holds no secret.
	if o.a != nil && bytes.Contains(got.plain, o.a.Terms.Share[:]) {
		t.Errorf("%s: the hello tells the info-hash", name)
	}
}
