// Package transporttest is the contract that every driver of package transport
// passes.
package transporttest

import (
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// Shares is what a listener serves. It is not changed while in use.
type Shares struct {
	Public []content.SHA1
	Link   map[content.SHA1]transport.Secret
	// Shares are those of Link with more to them, and those of audience network.
	Shares map[content.SHA1]transport.Share
}

// PublicKeys implements transport.Shares.
func (s *Shares) PublicKeys() iter.Seq[content.SHA1] { return slices.Values(s.Public) }

// Share implements transport.Shares.
func (s *Shares) Share(key content.SHA1) (transport.Share, bool) {
	if share, ok := s.Shares[key]; ok {
		return share, true
	}
	secret, ok := s.Link[key]
	return transport.Share{Secret: secret, Audience: peer.Link}, ok
}

// Rig is two networks that reach each other, and one way of connecting them.
type Rig struct {
	Dialer, Listener transport.Network
	// DialerID and ListenerID are what a link connection shows.
	DialerID, ListenerID peer.ID
	Addr                 string // to listen at; its address is local
	// Target is what a dial asks for, but for its address.
	Target transport.Target
	// Preface is what a dialer must write first to be accepted. May be empty.
	Preface string
	Path    transport.Path
	// KeyIn says that the accepting side knows the key, KeyOut the dialing one.
	KeyIn, KeyOut bool
}

// SharesOf returns shares that serve to and something else besides.
func SharesOf(to transport.Target) *Shares {
	other := content.SHA1{1, 2, 3}
	s := &Shares{
		Public: []content.SHA1{other},
		Link:   map[content.SHA1]transport.Secret{other: {9}},
	}
	if to.Audience == peer.Link {
		s.Link[to.Key] = to.Secret
	} else {
		s.Public = append(s.Public, to.Key)
	}
	return s
}

// Run runs the suite. rig makes a fresh Rig.
func Run(t *testing.T, rig func(t *testing.T) Rig) {
	tests := []struct {
		name string
		run  func(*testing.T, Rig)
	}{
		{"both sides agree on who, for what and how", testFacts},
		{"bytes arrive in order both ways at once", testStream},
		{"several buffers arrive as one stream and are consumed", testBuffers},
		{"what was written before a close arrives, then the end", testClose},
		{"a deadline wakes a read and may be lifted", testReadDeadline},
		{"a close wakes a read on the same side", testCloseWakes},
		{"a sender is held back while nobody reads", testBackpressure},
		{"the meter follows what was acknowledged", testMeter},
		{"nobody listening is unreachable", testNobody},
		{"a taken port is busy", testBusy},
		{"a nonsense address is invalid", testInvalid},
		{"a cancelled dial is closed, not made", testCancelled},
		{"accepted connections outlive their listener", testOutlive},
		{"closing a listener wakes Accept", testCloseListener},
		{"a global source may not lead into a local network", testGlobal},
		{"many dials at once are all accepted", testMany},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			tt.run(t, rig(t))
		})
	}
	linkRuns(t, rig)
	guardRuns(t, rig)
}

// linkRuns are the refusals of link connections.
func linkRuns(t *testing.T, rig func(t *testing.T) Rig) {
	if r := rig(t); r.Target.Audience != peer.Link {
		return
	}
	tests := []struct {
		name   string
		change func(*transport.Target)
	}{
		{"a wrong secret is refused", func(to *transport.Target) { to.Secret[31] ^= 1 }},
		{"an unknown key is refused", func(to *transport.Target) { to.Key[0] ^= 1 }},
		{"the key of another share is refused", func(to *transport.Target) { to.Key = content.SHA1{1, 2, 3} }},
		{"another identity than wanted is refused", func(to *transport.Target) { to.Want[5] ^= 1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			r := rig(t)
			l := listen(t, r)
			to := target(r, l)
			tt.change(&to)
			if c, err := r.Dialer.Dial(t.Context(), to); !errors.Is(err, fault.Refused) {
				t.Fatalf("dial = %v, %v, want refused", c, err)
			}
			// The next one accepted is the honest one.
			out, in := pair(t, r, l)
			if in.Remote() != addrOf(t, out) {
				t.Fatal("the refused connection was accepted")
			}
		})
	}
}

func listen(t *testing.T, r Rig) transport.Listener {
	t.Helper()
	l, err := r.Listener.Listen(t.Context(), r.Addr, SharesOf(r.Target))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func target(r Rig, l transport.Listener) transport.Target {
	to := r.Target
	to.Addr = l.Addr()
	return to
}

// pair connects. Both sides are closed with the test.
func pair(t *testing.T, r Rig, l transport.Listener) (out, in transport.Conn) {
	t.Helper()
	out, err := r.Dialer.Dial(t.Context(), target(r, l))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, r.Preface); err != nil {
		t.Fatal(err)
	}
	in, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close(); _ = in.Close() })
	got := make([]byte, len(r.Preface))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != r.Preface {
		t.Fatalf("first bytes = %q, %v", got, err)
	}
	return out, in
}

// noise is n bytes that look random.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b) // never fails
	return b
}

func testStream(t *testing.T, r Rig) {
	out, in := pair(t, r, listen(t, r))
	const size = 3 << 20
	done := make(chan error, 4)
	send := func(c net.Conn, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for b := noise(seed, size); len(b) > 0; {
			n := min(len(b), 1+rng.IntN(100_000))
			if _, err := c.Write(b[:n]); err != nil {
				done <- err
				return
			}
			b = b[n:]
		}
		done <- nil
	}
	receive := func(c net.Conn, seed uint64) {
		h := sha256.New()
		if _, err := io.CopyN(h, c, size); err != nil {
			done <- err
			return
		}
		if [32]byte(h.Sum(nil)) != sha256.Sum256(noise(seed, size)) {
			done <- errors.New("other bytes arrived")
			return
		}
		done <- nil
	}
	go send(out, 1)
	go send(in, 2)
	go receive(in, 1)
	go receive(out, 2)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func testBuffers(t *testing.T, r Rig) {
	out, in := pair(t, r, listen(t, r))
	parts := []int{13, 16 << 10, 0, 13, 16 << 10, 1, 300_000, 5}
	var all []byte
	var bufs net.Buffers
	for i, n := range parts {
		b := noise(uint64(i), n)
		all = append(all, b...)
		bufs = append(bufs, b)
	}
	sent := make(chan error, 1)
	go func() {
		n, err := transport.WriteBuffers(out, &bufs)
		if err == nil && n != int64(len(all)) {
			err = io.ErrShortWrite
		}
		sent <- err
	}()
	got := make([]byte, len(all))
	if _, err := io.ReadFull(in, got); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if string(got) != string(all) {
		t.Fatal("other bytes arrived")
	}
	if len(bufs) != 0 {
		t.Fatalf("%d buffers left", len(bufs))
	}
}

func testClose(t *testing.T, r Rig) {
	out, in := pair(t, r, listen(t, r))
	want := noise(3, 100_000)
	go func() {
		_, _ = out.Write(want)
		_ = out.Close()
	}()
	got, err := io.ReadAll(in)
	if err != nil || string(got) != string(want) {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
}

func testReadDeadline(t *testing.T, r Rig) {
	out, in := pair(t, r, listen(t, r))
	if err := in.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var b [4]byte
	if _, err := in.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read = %v, want a timeout", err)
	}
	if err := in.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(in, b[:]); err != nil || string(b[:]) != "late" {
		t.Fatalf("read %q, %v", b, err)
	}
}

func testCloseWakes(t *testing.T, r Rig) {
	_, in := pair(t, r, listen(t, r))
	done := make(chan error, 1)
	go func() {
		_, err := in.Read(make([]byte, 1))
		done <- err
	}()
	_ = in.Close()
	if err := <-done; err == nil {
		t.Fatal("read of a closed connection worked")
	}
	if err := in.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
}

func testBackpressure(t *testing.T, r Rig) {
	out, in := pair(t, r, listen(t, r))
	if err := out.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	const limit = 64 << 20
	b := make([]byte, 1<<20)
	for sent := 0; ; {
		n, err := out.Write(b)
		if sent += n; sent > limit {
			t.Fatalf("%d bytes were taken and nobody reads", sent)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = in
}

func testMeter(t *testing.T, r Rig) {
	out, in := pair(t, r, listen(t, r))
	m, ok := out.(transport.Meter)
	if !ok {
		t.Fatal("no meter")
	}
	before, ok := m.Acked()
	if !ok { // this system does not say
		return
	}
	const size = 50_000
	go func() { _, _ = out.Write(make([]byte, size)) }()
	if _, err := io.ReadFull(in, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	// What has been read was acknowledged, or will be at once.
	for by := time.Now().Add(5 * time.Second); ; {
		after, _ := m.Acked()
		if after-before >= size {
			break
		}
		if time.Now().After(by) {
			t.Fatalf("%d of %d bytes acknowledged", after-before, size)
		}
	}
	if n, ok := m.Unsent(); !ok || n != 0 {
		t.Fatalf("unsent = %d, %v", n, ok)
	}
	if _, ok := m.RTT(); !ok {
		t.Fatal("no round trip")
	}
	if n, least, ok := m.Flight(); !ok || n != 0 || least > time.Second {
		t.Fatalf("flight = %d, %v, %v", n, least, ok)
	}
}
