package lan

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
)

// listener notes what is announced on the wire, and when.
type listener struct {
	log []string
	raw [][]byte
}

// listen reads the IPv4 group until stop is called.
func (w *wire) listen() (l *listener, stop func()) {
	l = new(listener)
	p := w.plug(group4, netip.MustParseAddrPort("10.0.0.200:6771"))
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxPacket)
		for {
			n, _, err := p.Read(buf)
			if err != nil {
				return
			}
			a, err := parseAnnounce(buf[:n])
			if err != nil {
				l.log = append(l.log, err.Error())
				continue
			}
			l.raw = append(l.raw, slices.Clone(buf[:n]))
			l.log = append(l.log, fmt.Sprintf("%v port %d, %d keys", time.Since(start).Round(time.Second), a.port, len(a.keys)))
		}
	}()
	return l, func() {
		p.Close()
		<-done
	}
}

// run joins s on l for d and returns what was found.
func run(l *LAN, s discover.Swarm, d time.Duration) (found []discover.Found) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for f := range l.Join(ctx, s) {
		found = append(found, f)
	}
	return found
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("announced\n%q\nwant\n%q", got, want)
	}
}

func TestAnnouncesAreFewAndRegular(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		heard, stop := w.listen()
		l := w.node()
		wake := make(chan struct{}, 1000)
		for range cap(wake) {
			wake <- struct{}{} // asking all the time makes no difference
		}
		if found := run(l, discover.Swarm{Port: 7, Wake: wake}, 12*time.Minute); len(found) != 0 {
			t.Fatalf("found itself: %v", found)
		}
		l.Close()
		stop()
		expect(t, heard.log, "0s port 7, 1 keys", "1m0s port 7, 1 keys", "6m0s port 7, 1 keys", "11m0s port 7, 1 keys")
	})
}

func TestManyKeysShareAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		heard, stop := w.listen()
		l := w.node()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		const n = 30
		for i := range byte(n) {
			go func() {
				for range l.Join(ctx, discover.Swarm{Port: 7, Key: content.SHA1{i}}) {
				}
				done <- struct{}{}
			}()
		}
		<-time.After(90 * time.Second)
		cancel()
		for range n {
			<-done
		}
		l.Close()
		stop()
		if len(heard.log) > 6 { // two rounds, of two datagrams each; the first key went alone
			t.Fatalf("%d announces: %q", len(heard.log), heard.log)
		}
		for _, b := range heard.raw {
			if len(b) > maxAnnounce {
				t.Fatalf("announce of %d bytes", len(b))
			}
		}
	})
}

func TestNewcomersAreAnsweredWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		heard, stop := w.listen()
		l := w.node()
		newcomers := w.plug(group4, netip.MustParseAddrPort("10.0.0.100:6771"))
		go func() {
			<-time.After(5 * time.Second)
			for port := range uint16(1000) { // all at once
				newcomers.Send(announce{port: 1000 + port, keys: []content.SHA1{{}}}.appendTo(nil, group4))
			}
		}()
		found := run(l, discover.Swarm{Port: 7}, 30*time.Second)
		l.Close()
		stop()
		if len(found) == 0 || len(found) > feedSize {
			t.Fatalf("found %d", len(found))
		}
		ours := 0
		for _, s := range heard.log {
			if s == "0s port 7, 1 keys" || s == "5s port 7, 1 keys" {
				ours++
			}
		}
		if ours != 2 {
			t.Fatalf("%d announces of ours: %q", ours, heard.log)
		}
	})
}

func TestStrangersFromTheInternetArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		l := w.node()
		outside := w.plug(group4, netip.MustParseAddrPort("8.8.8.8:6771"))
		inside := w.plug(group4, netip.MustParseAddrPort("10.0.0.77:6771"))
		go func() {
			<-time.After(time.Second)
			for _, p := range []*plug{outside, inside} {
				p.Send(announce{port: 5, keys: []content.SHA1{{}}}.appendTo(nil, group4))
				p.Send([]byte("BT-SEARCH * HTTP/1.1\r\n\xff\xfe"))
			}
		}()
		found := run(l, discover.Swarm{}, 10*time.Second)
		l.Close()
		if len(found) != 1 || found[0] != (discover.Found{Addr: netip.MustParseAddrPort("10.0.0.77:5"), Source: "lan"}) {
			t.Fatalf("found %v", found)
		}
	})
}

func TestWithoutMulticastErrSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		l := w.node()
		works := l.listen
		tries := 0
		l.listen = func(ctx context.Context, group string) (conn, error) {
			if tries++; tries <= 4 {
				return nil, fault.Errorf(fault.Unreachable, "no interface takes part in %s", group)
			}
			return works(ctx, group)
		}
		if found := run(l, discover.Swarm{Port: 7}, 10*time.Second); len(found) != 0 {
			t.Fatalf("found %v", found)
		}
		if err := l.Err(); !errors.Is(err, fault.Unreachable) {
			t.Fatalf("Err is %v", err)
		}
		run(l, discover.Swarm{Port: 7}, 3*time.Minute) // it is tried again
		if err := l.Err(); err != nil {
			t.Fatalf("Err is %v", err)
		}
		l.Close()
	})
}

// The real sockets open and close; whether this machine has an interface that
// can multicast does not matter.
func TestRealSocketsDoNoHarm(t *testing.T) {
	l := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range l.Join(ctx, discover.Swarm{Port: 7}) {
		}
	}()
	for _, group := range []string{group4, group6} {
		c, err := listen(ctx, group)
		if err != nil {
			if !errors.Is(err, fault.Unreachable) {
				t.Errorf("%s: kind %v: %v", group, fault.KindOf(err), err)
			}
			continue
		}
		if c.Group() != group || c.Near(netip.MustParseAddr("203.0.113.1")) {
			t.Errorf("%s: %v", group, c)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: close: %v", group, err)
		}
	}
	cancel()
	<-done
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
