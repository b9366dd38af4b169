// Package discovertest is the contract of discover.Finder as tests. Every
// driver runs it.
package discovertest

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
	"unicode"

	"tandem/internal/content"
	"tandem/internal/discover"
)

// Patience is how long a test waits for what must happen.
const Patience = 15 * time.Second

// withdrawal is how long a Join may take to end, with room for a slow machine.
const withdrawal = 2*time.Second + 3*time.Second

// Driver is what the suite needs to know of a driver.
type Driver struct {
	// Network makes an empty network and returns a function that adds a node
	// to it. Nodes are closed by the suite.
	Network func(t *testing.T) func(t *testing.T) discover.Finder
	Source  string // of what is found
	// Withdraws says that who has left is not found any more.
	Withdraws bool
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Driver)
	}{
		{"two nodes of a swarm find each other", findEachOther},
		{"nodes of different swarms do not meet", keysApart},
		{"who only looks finds and is not found", onlyLook},
		{"who has left is not found", withdraw},
		{"a Join ends with its context", endsWithContext},
		{"a Join ends when its consumer stops", endsWithConsumer},
		{"a Join ends when the Finder is closed", endsWithClose},
		{"two Joins of one Finder do not disturb each other", twoJoins},
		{"the name is fit for a terminal", name},
		{"a wake that is closed or asks too often does no harm", badWake},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, d) })
	}
}

// Search is a Join running in the background.
type Search struct {
	Found chan discover.Found
	Done  chan struct{}
	Stop  context.CancelFunc
	wake  chan struct{}
}

// Start joins in the background; the end of the test ends it.
func Start(t *testing.T, f discover.Finder, s discover.Swarm) *Search {
	ctx, cancel := context.WithCancel(context.Background())
	se := &Search{Found: make(chan discover.Found, 1024), Done: make(chan struct{}), Stop: cancel, wake: make(chan struct{}, 1)}
	if s.Wake == nil {
		s.Wake = se.wake
	}
	go func() {
		defer close(se.Done)
		for found := range f.Join(ctx, s) {
			select {
			case se.Found <- found:
			default:
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-se.Done
	})
	return se
}

// Swarm returns one of a random key at port.
func Swarm(port uint16) discover.Swarm {
	var s discover.Swarm
	for i := range s.Key {
		s.Key[i] = byte(rand.IntN(256))
	}
	return member(s.Key, port)
}

func member(key content.SHA1, port uint16) discover.Swarm {
	s := discover.Swarm{Key: key, Port: port}
	copy(s.PeerID[:], "-TD0000-")
	for i := 8; i < len(s.PeerID); i++ {
		s.PeerID[i] = byte(rand.IntN(256))
	}
	s.Stats = func() discover.Stats { return discover.Stats{Left: 1} }
	return s
}

// Port waits until an address with port is found, asking for early rounds: it
// is not known which node announced first.
func (se *Search) Port(t *testing.T, d Driver, port uint16) {
	t.Helper()
	if !se.within(t, d, port, Patience) {
		t.Fatalf("port %d was not found", port)
	}
}

// within is Port with a limit, and reports whether the port was found.
func (se *Search) within(t *testing.T, d Driver, port uint16, limit time.Duration) bool {
	t.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			select {
			case se.wake <- struct{}{}:
			default:
			}
		case f := <-se.Found:
			if f.Source != d.Source {
				t.Fatalf("source is %q", f.Source)
			}
			if !discover.MayDial(f.Addr, f.Global) {
				t.Fatalf("%v must not be dialled", f)
			}
			if f.Addr.Port() == port {
				return true
			}
		case <-se.Done:
			t.Fatal("Join ended by itself")
		case <-timeout.C:
			return false
		}
	}
}

// None checks that no address with port has been found so far.
func (se *Search) None(t *testing.T, port uint16) {
	t.Helper()
	for {
		select {
		case f := <-se.Found:
			if f.Addr.Port() == port {
				t.Fatalf("found %v", f.Addr)
			}
		default:
			return
		}
	}
}

func (se *Search) ended(t *testing.T) {
	t.Helper()
	select {
	case <-se.Done:
	case <-time.After(withdrawal):
		t.Fatal("Join has not ended")
	}
}

func add(t *testing.T, node func(*testing.T) discover.Finder) discover.Finder {
	f := node(t)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func findEachOther(t *testing.T, d Driver) {
	node := d.Network(t)
	first, second := add(t, node), add(t, node)
	s := Swarm(1001)
	a := Start(t, first, s)
	b := Start(t, second, member(s.Key, 1002))
	b.Port(t, d, 1001)
	a.Port(t, d, 1002)
	if err := second.Err(); err != nil {
		t.Fatalf("Err after a round that worked: %v", err)
	}
}

func keysApart(t *testing.T, d Driver) {
	node := d.Network(t)
	s := Swarm(1101)
	Start(t, add(t, node), Swarm(1102))
	Start(t, add(t, node), s)
	se := Start(t, add(t, node), member(s.Key, 1103))
	se.Port(t, d, 1101)
	se.None(t, 1102)
}

func onlyLook(t *testing.T, d Driver) {
	node := d.Network(t)
	s := Swarm(1201)
	looker := Start(t, add(t, node), member(s.Key, 0))
	// Not every driver can ask without announcing (lan cannot): those hear
	// who announces from then on.
	for tries := 0; ; tries++ {
		Start(t, add(t, node), member(s.Key, 1201))
		if looker.within(t, d, 1201, time.Second) {
			break
		}
		if tries == 10 {
			t.Fatal("port 1201 was not found")
		}
	}
	late := Start(t, add(t, node), member(s.Key, 1202))
	late.Port(t, d, 1201)
	late.None(t, 0)
}

func withdraw(t *testing.T, d Driver) {
	if !d.Withdraws {
		return // the announcement lapses; there is nothing to hold the driver to
	}
	node := d.Network(t)
	s := Swarm(1301)
	gone := Start(t, add(t, node), s)
	stays := Start(t, add(t, node), member(s.Key, 1302))
	stays.Port(t, d, 1301)
	gone.Stop()
	gone.ended(t)
	late := Start(t, add(t, node), member(s.Key, 1303))
	late.Port(t, d, 1302)
	late.None(t, 1301)
}

func endsWithContext(t *testing.T, d Driver) {
	se := Start(t, add(t, d.Network(t)), Swarm(1401))
	se.Stop()
	se.ended(t)
}

func endsWithConsumer(t *testing.T, d Driver) {
	node := d.Network(t)
	s := Swarm(1501)
	Start(t, add(t, node), s)
	f := add(t, node)
	done := make(chan bool, 1)
	other := member(s.Key, 1502)
	wake := make(chan struct{})
	other.Wake = wake
	defer close(wake)
	go func() {
		found := false
		for range f.Join(context.Background(), other) {
			found = true
			break
		}
		done <- found
	}()
	timeout := time.NewTimer(Patience + withdrawal)
	defer timeout.Stop()
	for {
		select {
		case wake <- struct{}{}:
		case found := <-done:
			if !found {
				t.Fatal("Join ended by itself")
			}
			return
		case <-timeout.C:
			t.Fatal("Join has not ended")
		}
	}
}

func endsWithClose(t *testing.T, d Driver) {
	f := add(t, d.Network(t))
	se := Start(t, f, Swarm(1601))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	se.ended(t)
	Start(t, f, Swarm(1602)).ended(t) // a Join after Close ends too
}

func twoJoins(t *testing.T, d Driver) {
	node := d.Network(t)
	f := add(t, node)
	s1, s2 := Swarm(1701), Swarm(1701)
	one := Start(t, f, s1)
	Start(t, f, s2)
	one.Stop()
	one.ended(t)
	Start(t, add(t, node), member(s2.Key, 1702)).Port(t, d, 1701)
}

func name(t *testing.T, d Driver) {
	n := add(t, d.Network(t)).Name()
	if n == "" {
		t.Fatal("no name")
	}
	for _, r := range n {
		if !unicode.IsPrint(r) {
			t.Fatalf("name %q", n)
		}
	}
}

func badWake(t *testing.T, d Driver) {
	node := d.Network(t)
	s := Swarm(1801)
	wake := make(chan struct{}, 100)
	for range cap(wake) {
		wake <- struct{}{}
	}
	close(wake)
	s.Wake = wake
	Start(t, add(t, node), s)
	Start(t, add(t, node), member(s.Key, 1802)).Port(t, d, 1801)
}
