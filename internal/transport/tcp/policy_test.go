package tcp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent/mse"
	"go.uber.org/goleak"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/tlspeer"
	"tandem/internal/transport/transporttest"
)

func checkLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// listen starts a node that serves the public and the link share.
func listen(t *testing.T, n transport.Network) transport.Listener {
	t.Helper()
	s := &transporttest.Shares{
		Public: []content.SHA1{{1}, {2}, public.Key, {3}},
		Link:   map[content.SHA1]transport.Secret{link.Key: link.Secret},
	}
	l, err := n.Listen(t.Context(), "127.0.0.1:0", s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// rawDial is a connection without any handshake.
func rawDial(t *testing.T, l transport.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// isClosed waits until the other side has closed c, which must have sent nothing.
func isClosed(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if n != 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("read %d bytes, %v, want a closed connection", n, err)
	}
}

func TestWhoIsTurnedAway(t *testing.T) {
	tests := []struct {
		name  string
		cfg   tcp.Config
		bytes string
	}{
		{"plain where encryption is required", tcp.Config{Encryption: transport.RequireMSE}, preface},
		{"encrypted where that is forbidden", tcp.Config{Encryption: transport.ForbidMSE}, strings.Repeat("\x80", 96)},
		{"a browser", tcp.Config{}, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"TLS where there is no identity", tcp.Config{}, "\x16\x03\x01\x00\x01\x01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			c := rawDial(t, listen(t, tcp.New(tt.cfg)))
			if _, err := io.WriteString(c, tt.bytes); err != nil {
				t.Fatal(err)
			}
			isClosed(t, c)
		})
	}
}

func TestBrowserOverTLSIsTurnedAway(t *testing.T) {
	checkLeaks(t)
	n, _ := network(t, tcp.Config{})
	c := rawDial(t, listen(t, n))
	err := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}).Handshake()
	if err == nil || !strings.Contains(err.Error(), "no application protocol") {
		t.Fatalf("handshake = %v", err)
	}
}

func TestHTTPIsHandedOverUnread(t *testing.T) {
	checkLeaks(t)
	got := make(chan string, 1)
	n := tcp.New(tcp.Config{HTTP: func(c net.Conn) {
		b := make([]byte, 5)
		_, _ = io.ReadFull(c, b)
		_ = c.Close()
		got <- string(b)
	}})
	c := rawDial(t, listen(t, n))
	if _, err := io.WriteString(c, "GET /"); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "GET /" {
		t.Fatalf("got %q", s)
	}
}

func TestDialKeepsThePolicy(t *testing.T) {
	anonymous := tcp.New(tcp.Config{})
	l := listen(t, anonymous)
	tests := []struct {
		name string
		from *tcp.Network
		to   transport.Target
		want fault.Kind
	}{
		{"no encrypted dial where that is forbidden", tcp.New(tcp.Config{Encryption: transport.ForbidMSE}), hidden, fault.Permission},
		{"no link without an identity", anonymous, link, fault.Permission},
		{"no audience, no dial", anonymous, transport.Target{Key: public.Key}, fault.Invalid},
		{"the audience that is to come", anonymous, transport.Target{Audience: peer.Network}, fault.Invalid},
	}
	for _, tt := range tests {
		tt.to.Addr = l.Addr()
		if _, err := tt.from.Dial(t.Context(), tt.to); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Other clients' encrypted handshakes against ours, as the side that answers.
func TestEncryptionChosen(t *testing.T) {
	tests := []struct {
		name     string
		policy   transport.Encryption
		key      content.SHA1
		provides mse.CryptoMethod
		want     mse.CryptoMethod // zero: refused
	}{
		{"in the clear when both are offered", transport.PreferPlain, public.Key, mse.AllSupportedCrypto, mse.CryptoMethodPlaintext},
		{"RC4 when only that is offered", transport.PreferPlain, public.Key, mse.CryptoMethodRC4, mse.CryptoMethodRC4},
		{"RC4 when encryption is required", transport.RequireMSE, public.Key, mse.AllSupportedCrypto, mse.CryptoMethodRC4},
		{"nothing when required and not offered", transport.RequireMSE, public.Key, mse.CryptoMethodPlaintext, 0},
		{"nothing for an unknown share", transport.PreferPlain, content.SHA1{99}, mse.AllSupportedCrypto, 0},
		{"nothing for a link share", transport.PreferPlain, link.Key, mse.AllSupportedCrypto, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			n, _ := network(t, tcp.Config{Encryption: tt.policy, Limits: tcp.Limits{Handshake: time.Second}})
			l := listen(t, n)
			c := rawDial(t, l)
			// The first message rides in the handshake.
			rw, method, err := mse.InitiateHandshake(c, tt.key[:], []byte("first "), tt.provides)
			if tt.want == 0 {
				if err == nil && method != 0 {
					t.Fatalf("accepted with method %d", method)
				}
				isClosed(t, c)
				return
			}
			if err != nil || method != tt.want {
				t.Fatalf("method %d, %v, want %d", method, err, tt.want)
			}
			in, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if _, err := io.WriteString(rw, "second"); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 12)
			if _, err := io.ReadFull(in, b); err != nil || string(b) != "first second" {
				t.Fatalf("read %q, %v", b, err)
			}
			if in.Key() != public.Key {
				t.Fatalf("key %x", in.Key())
			}
		})
	}
}

// The same, as the side that opens.
func TestEncryptionOffered(t *testing.T) {
	tests := []struct {
		name   string
		policy transport.Encryption
		choose mse.CryptoMethod
		want   mse.CryptoMethod
		ok     bool
	}{
		{"both, taken in the clear", transport.PreferPlain, mse.CryptoMethodPlaintext, mse.AllSupportedCrypto, true},
		{"both, taken as RC4", transport.PreferPlain, mse.CryptoMethodRC4, mse.AllSupportedCrypto, true},
		{"RC4 only", transport.RequireMSE, mse.CryptoMethodRC4, mse.CryptoMethodRC4, true},
		{"RC4 only, answered in the clear", transport.RequireMSE, mse.CryptoMethodPlaintext, mse.CryptoMethodRC4, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			raw, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			offered := make(chan mse.CryptoMethod, 1)
			go func() {
				c, err := raw.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				_, _, _ = mse.ReceiveHandshake(context.Background(), c,
					func(try func([]byte) bool) { try(public.Key[:]) },
					func(m mse.CryptoMethod) mse.CryptoMethod { offered <- m; return tt.choose })
				_, _ = c.Read(make([]byte, 1))
			}()
			to := hidden
			to.Addr = raw.Addr().(*net.TCPAddr).AddrPort()
			c, err := tcp.New(tcp.Config{Encryption: tt.policy}).Dial(t.Context(), to)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, fault.Refused) {
				t.Errorf("dial = %v", err)
			}
			if err == nil {
				_ = c.Close()
			}
			if m := <-offered; m != tt.want {
				t.Errorf("offered %d, want %d", m, tt.want)
			}
		})
	}
}

// A client that is not told how long to wait does not wait for ever.
func TestDialToSilenceTimesOut(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	brief := 50 * time.Millisecond
	own := tcp.Config{
		Limits: tcp.Limits{Handshake: brief},
		TLS:    &tlspeer.Config{Identity: identity(t), Handshake: brief},
	}
	patient := tcp.Config{TLS: &tlspeer.Config{Identity: identity(t)}}
	for _, to := range []transport.Target{hidden, link} {
		checkLeaks(t)
		to.Addr = raw.Addr().(*net.TCPAddr).AddrPort()
		if _, err := tcp.New(own).Dial(t.Context(), to); !errors.Is(err, fault.Timeout) {
			t.Errorf("dial for %v = %v, want a timeout", to.Audience, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), brief)
		if _, err := tcp.New(patient).Dial(ctx, to); !errors.Is(err, fault.Timeout) {
			t.Errorf("dial with a deadline for %v = %v, want a timeout", to.Audience, err)
		}
		cancel()
	}
}
