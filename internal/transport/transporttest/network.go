package transporttest

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

func addrOf(t *testing.T, c transport.Conn) netip.AddrPort {
	t.Helper()
	ap, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return ap
}

func testFacts(t *testing.T, r Rig) {
	l := listen(t, r)
	out, in := pair(t, r, l)
	if out.Remote() != l.Addr() || in.Remote() != addrOf(t, out) {
		t.Errorf("addresses: %v to %v, %v seen", addrOf(t, out), out.Remote(), in.Remote())
	}
	if !out.Outgoing() || in.Outgoing() {
		t.Error("direction is wrong")
	}
	var ids [2]peer.ID // anonymous
	if r.Target.Audience == peer.Link {
		ids = [2]peer.ID{r.ListenerID, r.DialerID}
	}
	for i, c := range []transport.Conn{out, in} {
		var key content.SHA1
		if known := [2]bool{r.KeyOut, r.KeyIn}[i]; known {
			key = r.Target.Key
		}
		if c.Audience() != r.Target.Audience || c.Path() != r.Path || c.Key() != key || c.Peer() != ids[i] {
			t.Errorf("side %d: audience %v, path %v, key %x, peer %v", i, c.Audience(), c.Path(), c.Key(), c.Peer())
		}
	}
}

func testNobody(t *testing.T, r Rig) {
	l := listen(t, r)
	to := target(r, l)
	_ = l.Close()
	if _, err := r.Dialer.Dial(t.Context(), to); !errors.Is(err, fault.Unreachable) {
		t.Fatalf("dial = %v, want unreachable", err)
	}
}

func testBusy(t *testing.T, r Rig) {
	l := listen(t, r)
	_, err := r.Listener.Listen(t.Context(), l.Addr().String(), SharesOf(r.Target))
	if !errors.Is(err, fault.Busy) {
		t.Fatalf("listen = %v, want busy", err)
	}
}

func testInvalid(t *testing.T, r Rig) {
	for _, addr := range []string{"", "nonsense", "1.2.3.4:-1", "127.0.0.1:99999"} {
		if l, err := r.Listener.Listen(t.Context(), addr, SharesOf(r.Target)); !errors.Is(err, fault.Invalid) {
			if err == nil {
				_ = l.Close()
			}
			t.Errorf("listen on %q = %v, want invalid", addr, err)
		}
	}
	if _, err := r.Dialer.Dial(t.Context(), transport.Target{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("dial to nothing = %v, want invalid", err)
	}
}

func testCancelled(t *testing.T, r Rig) {
	l := listen(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Dialer.Dial(ctx, target(r, l)); !errors.Is(err, fault.Closed) {
		t.Fatalf("dial = %v, want closed", err)
	}
}

func testOutlive(t *testing.T, r Rig) {
	l := listen(t, r)
	out, in := pair(t, r, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, fault.Closed) {
		t.Fatalf("accept = %v, want closed", err)
	}
	go func() { _, _ = io.WriteString(out, "still here") }()
	b := make([]byte, len("still here"))
	if _, err := io.ReadFull(in, b); err != nil {
		t.Fatal(err)
	}
}

func testCloseListener(t *testing.T, r Rig) {
	l := listen(t, r)
	done := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, fault.Closed) {
		t.Fatalf("accept = %v, want closed", err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
}

func testGlobal(t *testing.T, r Rig) {
	l := listen(t, r)
	to := target(r, l)
	to.Global = true
	if _, err := r.Dialer.Dial(t.Context(), to); !errors.Is(err, fault.Permission) {
		t.Fatalf("dial = %v, want permission", err)
	}
}

func testMany(t *testing.T, r Rig) {
	l := listen(t, r)
	// Within the limits on connections of one identity.
	const n = 4
	dialed := make(chan error, n)
	for range n {
		go func() {
			c, err := r.Dialer.Dial(t.Context(), target(r, l))
			if err == nil {
				_, err = io.WriteString(c, r.Preface)
				t.Cleanup(func() { _ = c.Close() })
			}
			dialed <- err
		}()
	}
	for range n {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	for range n {
		if err := <-dialed; err != nil {
			t.Error(err)
		}
	}
}

// checkLeaks fails the test if a goroutine outlives it and its cleanups. Call it
// first.
func checkLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}
