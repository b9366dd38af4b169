package tcp_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/fault"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
)

// openings are how a connection can begin and then say no more.
var openings = []string{
	"", "\x13", preface[:19], "\x16", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PROPF", "\x80\x81\x82",
}

// knock connects to a listener that may turn it away at once: then it is nil.
func knock(t *testing.T, l transport.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// N13: a thousand connections that say nothing, or not enough, are gone soon,
// and so is everything that was kept for them.
func TestFloodOfSilenceLeavesNothing(t *testing.T) {
	checkLeaks(t)
	n, _ := network(t, tcp.Config{Limits: tcp.Limits{Handshake: 300 * time.Millisecond}})
	l := listen(t, n)
	baseline := goleak.IgnoreCurrent()
	var conns []net.Conn
	for i := range 1000 {
		c := knock(t, l)
		if c == nil {
			continue
		}
		_, _ = io.WriteString(c, openings[i%len(openings)]) // may be closed already
		conns = append(conns, c)
	}
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		// What looks like an encrypted handshake gets our public key.
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("still open")
		}
	}
	goleak.VerifyNone(t, baseline)
	// An honest one is served as if nothing had been.
	go func() {
		c, err := l.Accept()
		if err == nil {
			_ = c.Close()
		}
	}()
	from, _ := network(t, tcp.Config{})
	to := link
	to.Addr = l.Addr()
	c, err := from.Dial(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestSlowHandshakesDoNotBlockOthers(t *testing.T) {
	checkLeaks(t)
	n, _ := network(t, tcp.Config{Limits: tcp.Limits{Handshake: time.Hour}})
	l := listen(t, n)
	for i := range 120 {
		c := rawDial(t, l)
		_, _ = io.WriteString(c, openings[i%len(openings)])
	}
	from, _ := network(t, tcp.Config{})
	for _, to := range []transport.Target{hidden, link} {
		to.Addr = l.Addr()
		c, err := from.Dial(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if in.Audience() != to.Audience {
			t.Fatalf("accepted for %v", in.Audience())
		}
	}
}

// Bytes one at a time do not buy time either.
func TestDripIsCut(t *testing.T) {
	checkLeaks(t)
	n := tcp.New(tcp.Config{Limits: tcp.Limits{Handshake: 100 * time.Millisecond}})
	l := listen(t, n)
	c := rawDial(t, l)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for range tick.C { // a public key of 96 bytes would take a second
		if _, err := c.Write([]byte{0x80}); err != nil {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("still open")
		}
	}
}

func TestPlacesAreGivenBack(t *testing.T) {
	checkLeaks(t)
	n, _ := network(t, tcp.Config{Limits: tcp.Limits{Conns: 2}})
	l := listen(t, n)
	from := tcp.New(tcp.Config{})
	to := hidden
	to.Addr = l.Addr()
	connect := func() (out, in transport.Conn) {
		t.Helper()
		out, err := from.Dial(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = out.Close() })
		in, err = l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = in.Close() })
		return out, in
	}
	_, first := connect()
	connect()
	if c := knock(t, l); c != nil {
		isClosed(t, c)
	}
	_ = first.Close()
	_ = first.Close() // counts once
	connect()
	if c := knock(t, l); c != nil {
		isClosed(t, c)
	}
}

func TestFifthConnectionOfOneIdentityIsRefused(t *testing.T) {
	checkLeaks(t)
	n, _ := network(t, tcp.Config{})
	l := listen(t, n)
	from, _ := network(t, tcp.Config{})
	to := link
	to.Addr = l.Addr()
	var ins []transport.Conn
	dial := func() error {
		c, err := from.Dial(t.Context(), to)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = c.Close() })
		in, err := l.Accept()
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = in.Close() })
		ins = append(ins, in)
		return nil
	}
	for range 4 {
		if err := dial(); err != nil {
			t.Fatal(err)
		}
	}
	if err := dial(); !errors.Is(err, fault.Refused) {
		t.Fatalf("fifth = %v, want refused", err)
	}
	_ = ins[2].Close()
	if err := dial(); err != nil {
		t.Fatalf("after one left: %v", err)
	}
}

// Closing must not wait for a peer that does not read.
func TestCloseDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	checkLeaks(t)
	for _, tt := range []struct {
		target  transport.Target
		preface string
	}{{public, preface}, {hidden, ""}, {link, ""}} {
		out, _ := connect(t, tcp.Config{}, tt.target, tt.preface)
		_ = out.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for b := make([]byte, 1<<20); ; {
			if _, err := out.Write(b); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				break
			}
		}
		start := time.Now()
		_ = out.Close()
		if took := time.Since(start); took > time.Second {
			t.Errorf("%v: close took %v", out.Path(), took)
		}
	}
}
