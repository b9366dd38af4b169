package tlspeer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/transporttest"
)

var link = transport.Target{Audience: peer.Link, Key: content.SHA1{8}, Secret: transport.Secret{5}}

func checkLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func identity(t *testing.T) *Identity {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// tube is a TCP connection: TLS needs one that buffers.
func tube(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// outcome is what one side made of a connection.
type outcome struct {
	s   *Session
	err error
}

// server answers on c, in a goroutine that has ended when the outcome is there.
func server(t *testing.T, c net.Conn, id *Identity, shares transport.Shares) <-chan outcome {
	t.Helper()
	cfg := &Config{Identity: id}
	done := make(chan outcome, 1)
	go func() {
		s, err := Server(t.Context(), c, cfg, shares, nil)
		done <- outcome{s, err}
	}()
	return done
}

func shares() *transporttest.Shares { return transporttest.SharesOf(link) }

func TestBothSidesLearnEachOther(t *testing.T) {
	checkLeaks(t)
	a, b := tube(t)
	alice, bob := identity(t), identity(t)
	done := server(t, b, bob, shares())
	to := link
	to.Want = bob.ID()
	s, err := Client(t.Context(), a, &Config{Identity: alice}, to)
	if err != nil {
		t.Fatal(err)
	}
	o := <-done
	if o.err != nil {
		t.Fatal(o.err)
	}
	if s.Peer != bob.ID() || o.s.Peer != alice.ID() || s.Key != link.Key || o.s.Key != link.Key {
		t.Fatalf("client sees %v, server sees %v", s.Peer, o.s.Peer)
	}
}

func TestClientRefusesServer(t *testing.T) {
	tests := []struct {
		name   string
		server func(t *testing.T, c net.Conn) error // what the other side does
		want   fault.Kind
	}{
		{"that does not know the share", func(t *testing.T, c net.Conn) error {
			return (<-server(t, c, identity(t), &transporttest.Shares{})).err
		}, fault.Refused},
		{"that has another secret", func(t *testing.T, c net.Conn) error {
			return (<-server(t, c, identity(t), &transporttest.Shares{
				Link: map[content.SHA1]transport.Secret{link.Key: {6}},
			})).err
		}, fault.Refused},
		{"that says ready without the secret", func(t *testing.T, c net.Conn) error {
			return impostor(t, c, func(hello) []byte { return appendReady(nil, ready{Proof: proof{1}}) })
		}, fault.Refused},
		{"that sends the client's proof back", func(t *testing.T, c net.Conn) error {
			return impostor(t, c, func(h hello) []byte { return appendReady(nil, ready{Proof: h.Proof}) })
		}, fault.Refused},
		{"that answers with something else", func(t *testing.T, c net.Conn) error {
			return impostor(t, c, func(hello) []byte { return []byte{0, 3, 9, 9, 9} })
		}, fault.Protocol},
		{"that announces an endless frame", func(t *testing.T, c net.Conn) error {
			return impostor(t, c, func(hello) []byte { return []byte{0xff, 0xff, 2} })
		}, fault.Protocol},
		{"that closes instead of answering", func(t *testing.T, c net.Conn) error {
			return impostor(t, c, func(hello) []byte { return nil })
		}, fault.Protocol},
		{"that is this node itself", nil, fault.Refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			a, b := tube(t)
			me := identity(t)
			done := make(chan error, 1)
			go func() {
				if tt.server == nil {
					done <- (<-server(t, b, me, shares())).err
					return
				}
				done <- tt.server(t, b)
			}()
			_, err := Client(t.Context(), a, &Config{Identity: me}, link)
			if !errors.Is(err, tt.want) {
				t.Errorf("client = %v, want %v", err, tt.want)
			}
			_ = a.Close()
			<-done
		})
	}
}

// impostor speaks TLS as a node does, and then says what it likes.
func impostor(t *testing.T, c net.Conn, say func(hello) []byte) error {
	conn := tls.Server(c, (&Config{Identity: identity(t)}).tlsConfig(peer.ID{}))
	defer conn.Close()
	b, err := readFrame(conn)
	if err != nil {
		return err
	}
	h, err := parseHello(b)
	if err != nil {
		return err
	}
	_, err = conn.Write(say(h))
	return err
}

// leafOf makes a certificate for any kind of key.
func leafOf(t *testing.T, key crypto.Signer, pad int) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: string(bytes.Repeat([]byte("x"), pad))},
		NotAfter:     time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// The server must turn all of these away in the TLS handshake, before it reads
// a hello or tells anything.
func TestServerRefusesCertificate(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(t *testing.T, c *tls.Config)
	}{
		{"none at all", func(_ *testing.T, c *tls.Config) { c.Certificates = nil }},
		{"RSA", func(t *testing.T, c *tls.Config) { c.Certificates[0] = leafOf(t, rsaKey, 1) }},
		{"ECDSA", func(t *testing.T, c *tls.Config) { c.Certificates[0] = leafOf(t, ecKey, 1) }},
		{"oversized", func(t *testing.T, c *tls.Config) {
			c.Certificates[0] = leafOf(t, identity(t).key, 9<<10)
		}},
		{"two of them", func(t *testing.T, c *tls.Config) {
			leaf := &c.Certificates[0]
			leaf.Certificate = append(leaf.Certificate, identity(t).leaf.Certificate[0])
		}},
		{"somebody else's, whose key the client does not hold", func(t *testing.T, c *tls.Config) {
			c.Certificates[0].Certificate = identity(t).leaf.Certificate
		}},
		{"fine, but TLS 1.2", func(_ *testing.T, c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		}},
		{"fine, but no protocol named", func(_ *testing.T, c *tls.Config) { c.NextProtos = nil }},
		{"fine, but for HTTP", func(_ *testing.T, c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			a, b := tube(t)
			done := server(t, b, identity(t), shares())
			cfg := (&Config{Identity: identity(t)}).tlsConfig(peer.ID{})
			cfg.VerifyConnection = nil
			tt.change(t, cfg)
			conn := tls.Client(a, cfg)
			// A client of TLS 1.3 is done before the server has judged it.
			_ = conn.Handshake()
			if o := <-done; o.err == nil || !strings.Contains(o.err.Error(), "TLS handshake") {
				t.Errorf("server = %v, want the TLS handshake to fail", o.err)
			}
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("server sent %d bytes, %v", n, err)
			}
		})
	}
}

// The same, seen from the other side.
func TestClientRefusesCertificate(t *testing.T) {
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(t *testing.T, c *tls.Config)
	}{
		{"ECDSA", func(t *testing.T, c *tls.Config) { c.Certificates[0] = leafOf(t, ecKey, 1) }},
		{"oversized", func(t *testing.T, c *tls.Config) { c.Certificates[0] = leafOf(t, identity(t).key, 9<<10) }},
		{"another than wanted", func(t *testing.T, c *tls.Config) { c.Certificates[0] = identity(t).leaf }},
		{"the wanted one, without its key", func(t *testing.T, c *tls.Config) {
			c.Certificates[0].PrivateKey = identity(t).key
		}},
		{"fine, but no protocol named", func(_ *testing.T, c *tls.Config) { c.NextProtos = nil }},
		{"fine, but TLS 1.2", func(_ *testing.T, c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			a, b := tube(t)
			wanted := identity(t)
			cfg := (&Config{Identity: wanted}).tlsConfig(peer.ID{})
			cfg.VerifyConnection = nil
			tt.change(t, cfg)
			read := make(chan int, 1)
			go func() {
				conn := tls.Server(b, cfg)
				n, _ := io.Copy(io.Discard, conn)
				_ = b.Close()
				read <- int(n)
			}()
			to := link
			to.Want = wanted.ID()
			_, err := Client(t.Context(), a, &Config{Identity: identity(t)}, to)
			if err == nil || !strings.Contains(err.Error(), "TLS handshake") {
				t.Errorf("client = %v, want the TLS handshake to fail", err)
			}
			if n := <-read; n != 0 {
				t.Errorf("client sent %d bytes to whom it refused", n)
			}
		})
	}
}

// Somebody in the middle who relays between two TLS sessions of its own has
// the wrong exporter on both.
func TestRelayIsRefused(t *testing.T) {
	checkLeaks(t)
	a, am := tube(t)
	bm, b := tube(t)
	done := server(t, b, identity(t), shares())
	mallory := &Config{Identity: identity(t)}
	go func() {
		near := tls.Server(am, mallory.tlsConfig(peer.ID{}))
		far := tls.Client(bm, mallory.tlsConfig(peer.ID{}))
		go func() {
			_, _ = io.Copy(near, far)
			_ = am.Close()
		}()
		_, _ = io.Copy(far, near)
		_ = bm.Close()
	}()
	if _, err := Client(t.Context(), a, &Config{Identity: identity(t)}, link); !errors.Is(err, fault.Refused) {
		t.Errorf("client = %v, want refused", err)
	}
	if o := <-done; !errors.Is(o.err, fault.Refused) {
		t.Errorf("server = %v, want refused", o.err)
	}
}

// An unknown key and a wrong secret must look the same from outside.
func TestRefusalsAreAlike(t *testing.T) {
	answer := func(s transport.Shares) []byte {
		a, b := tube(t)
		done := server(t, b, identity(t), s)
		conn := tls.Client(a, (&Config{Identity: identity(t)}).tlsConfig(peer.ID{}))
		if _, err := conn.Write(appendHello(nil, hello{Key: link.Key})); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
		<-done
		return all
	}
	unknown, wrong := answer(&transporttest.Shares{}), answer(shares())
	if !bytes.Equal(unknown, wrong) || !bytes.Equal(wrong, []byte{0, 2, 3, 1}) {
		t.Fatalf("unknown key gets %x, wrong proof gets %x", unknown, wrong)
	}
}

// Tickets are off on both sides. Were they on, a session of one node would not
// pass for another's: VerifyConnection judges resumed sessions too.
func TestWrongKeyFailsOnResumption(t *testing.T) {
	real, evil, me := identity(t), identity(t), identity(t)
	scfg := (&Config{Identity: evil}).tlsConfig(peer.ID{})
	scfg.SessionTicketsDisabled = false
	cache := tls.NewLRUClientSessionCache(4)
	connect := func(want peer.ID) (*tls.Conn, error) {
		a, b := tube(t)
		go func() {
			conn := tls.Server(b, scfg)
			_, _ = conn.Write([]byte("x"))
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}()
		ccfg := (&Config{Identity: me}).tlsConfig(want)
		ccfg.ServerName = "node" // the cache's key
		ccfg.SessionTicketsDisabled = false
		ccfg.ClientSessionCache = cache
		conn := tls.Client(a, ccfg)
		_, err := io.ReadFull(conn, make([]byte, 1)) // takes the ticket in
		t.Cleanup(func() { _ = conn.Close() })
		return conn, err
	}
	if _, err := connect(evil.ID()); err != nil {
		t.Fatal(err)
	}
	again, err := connect(evil.ID())
	if err != nil || !again.ConnectionState().DidResume {
		t.Fatalf("the test does not resume: %v", err)
	}
	if _, err := connect(real.ID()); !errors.Is(err, fault.Refused) {
		t.Fatalf("resumed as another: %v", err)
	}
}

func TestNoTicketsAreIssued(t *testing.T) {
	bob, cache := identity(t), tls.NewLRUClientSessionCache(4)
	for range 2 {
		a, b := tube(t)
		done := server(t, b, bob, shares())
		cfg := (&Config{Identity: identity(t)}).tlsConfig(bob.ID())
		cfg.ServerName, cfg.SessionTicketsDisabled, cfg.ClientSessionCache = "node", false, cache
		conn := tls.Client(a, cfg)
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			t.Fatal("resumed")
		}
		_, _ = conn.Write(appendHello(nil, hello{}))
		if _, err := readFrame(conn); err != nil { // takes a ticket in, if there is one
			t.Fatal(err)
		}
		<-done
		if _, ok := cache.Get("node"); ok {
			t.Fatal("got a ticket")
		}
	}
}

// Bytes that keep coming do not buy time.
func TestDripIsCut(t *testing.T) {
	short := &Config{Identity: identity(t), Handshake: 50 * time.Millisecond, Ready: 50 * time.Millisecond}
	tests := []struct {
		name string
		open func(c net.Conn) io.Writer
	}{
		{"a TLS record without end", func(c net.Conn) io.Writer {
			_, _ = c.Write([]byte{0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc})
			return c
		}},
		{"a hello without end", func(c net.Conn) io.Writer {
			conn := tls.Client(c, (&Config{Identity: identity(t)}).tlsConfig(peer.ID{}))
			_, _ = conn.Write([]byte{0, 54, 1})
			return conn
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			a, b := tube(t)
			done := make(chan error, 1)
			go func() {
				_, err := Server(context.Background(), b, short, shares(), nil)
				done <- err
			}()
			w := tt.open(a)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case err := <-done:
					if !errors.Is(err, fault.Timeout) {
						t.Fatalf("server = %v, want a timeout", err)
					}
					return
				case <-tick.C:
					if i < 40 { // fewer than the hello has bytes
						_, _ = w.Write([]byte{1})
					}
				}
			}
		})
	}
}

func TestCancelEndsTheHandshake(t *testing.T) {
	checkLeaks(t)
	for _, who := range []string{"client", "server"} {
		a, b := tube(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			cfg := &Config{Identity: identity(t)}
			if who == "client" {
				_, err := Client(ctx, a, cfg, link)
				done <- err
				return
			}
			_, err := Server(ctx, b, cfg, shares(), nil)
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, fault.Closed) {
			t.Errorf("%s = %v, want closed", who, err)
		}
	}
}

func TestAdmitMayRefuseWhoHasProvenTheSecret(t *testing.T) {
	checkLeaks(t)
	a, b := tube(t)
	alice := identity(t)
	var asked peer.ID
	done := make(chan error, 1)
	go func() {
		cfg := &Config{Identity: identity(t)}
		_, err := Server(t.Context(), b, cfg, shares(), func(id peer.ID) error {
			asked = id
			return errors.New("four of you are here")
		})
		done <- err
	}()
	_, err := Client(t.Context(), a, &Config{Identity: alice}, link)
	if serr := <-done; !errors.Is(err, fault.Refused) || !errors.Is(serr, fault.Refused) {
		t.Fatalf("client = %v, server = %v, want both refused", err, serr)
	}
	if asked != alice.ID() {
		t.Fatalf("asked about %v", asked)
	}
}
