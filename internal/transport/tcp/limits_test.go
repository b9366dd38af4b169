package tcp

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/peer"
)

// fill admits connections of the given kind until one is refused, and returns
// how many there were, what gives them back, and why.
func fill(a *admission, finished bool, addr func(i int) string, id func(i int) peer.ID) (n int, undo func(), why error) {
	var all []func()
	undo = func() {
		for _, f := range all {
			f()
		}
	}
	for ; n < 1000; n++ {
		ip := netip.MustParseAddr(addr(n))
		var done func()
		if finished {
			done, why = a.finish(ip, id(n))
		} else {
			done, why = a.start(ip)
		}
		if why != nil {
			return n, undo, why
		}
		all = append(all, done)
	}
	return n, undo, nil
}

func one(s string) func(int) string { return func(int) string { return s } }

func each(addrs ...string) func(int) string {
	return func(i int) string { return addrs[i%len(addrs)] }
}

func nobody(int) peer.ID { return peer.ID{} }

// in48 walks through the /56 networks of one /48.
func in48(i int) string {
	b := netip.MustParseAddr("2a00:1:2::1").As16()
	b[6] = byte(i)
	return netip.AddrFrom16(b).String()
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name     string
		finished bool
		addr     func(int) string
		id       func(int) peer.ID
		want     int
		why      error
	}{
		{"unfinished from one global address", false, one("8.8.8.8"), nobody, 16, errPerAddr},
		{"unfinished from one global address in two notations", false, each("8.8.8.8", "::ffff:8.8.8.8"), nobody, 16, errPerAddr},
		{"unfinished from loopback", false, one("127.0.0.1"), nobody, 128, errUnfinished},
		{"unfinished from a private address", false, one("192.168.1.7"), nobody, 128, errUnfinished},
		{"anonymous from one global IPv4", true, one("8.8.8.8"), nobody, 8, errPerNet},
		{"anonymous from one /56", true, each("2a00:1:2:300::1", "2a00:1:2:3ff::9"), nobody, 8, errPerNet},
		{"anonymous from one /48", true, in48, nobody, 64, errPerNet},
		{"anonymous from loopback", true, one("127.0.0.1"), nobody, 256, errConns},
		{"one identity from everywhere", true, in48, func(int) peer.ID { return peer.ID{1} }, 4, errPerIdentity},
		{"many identities behind one address", true, one("8.8.8.8"), func(i int) peer.ID { return peer.ID{1, byte(i), byte(i >> 8)} }, 256, errConns},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAdmission(Limits{}.orDefaults())
			for range 2 { // the second time shows that everything was given back
				n, undo, why := fill(a, tt.finished, tt.addr, tt.id)
				if n != tt.want || !errors.Is(why, tt.why) {
					t.Errorf("%d admitted, then %v; want %d, %v", n, why, tt.want, tt.why)
				}
				undo()
			}
			if a.unfinished != 0 || a.conns != 0 || len(a.addrs) != 0 || len(a.nets) != 0 || len(a.ids) != 0 {
				t.Errorf("left over: %+v", a)
			}
		})
	}
}

// Whatever comes and goes, no count passes its limit and nothing is forgotten.
func TestLimitsHoldUnderChurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Unfinished: 6, UnfinishedPerAddr: 3, Conns: 8, PerNet: 2, PerSite: 3, PerIdentity: 2}.orDefaults()
		a := newAdmission(limits)
		addrs := []string{"8.8.8.8", "9.9.9.9", "127.0.0.1", "2a00:1:2:300::1", "2a00:1:2:400::1", "2a00:1:2:500::1"}
		var live []func()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			addr := netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "addr"))
			var done func()
			var err error
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				done, err = a.start(addr)
			case 1:
				done, err = a.finish(addr, peer.ID{byte(rapid.IntRange(0, 2).Draw(t, "id"))})
			default:
				if len(live) > 0 {
					i := rapid.IntRange(0, len(live)-1).Draw(t, "who")
					live[i]()
					live = append(live[:i], live[i+1:]...)
				}
				continue
			}
			if err == nil {
				live = append(live, done)
			}
			check(t, a)
		}
		if len(live) != a.unfinished+a.conns {
			t.Fatalf("%d live, %d and %d counted", len(live), a.unfinished, a.conns)
		}
	})
}

func check(t *rapid.T, a *admission) {
	l := a.limits
	if a.unfinished > l.Unfinished || a.conns > l.Conns {
		t.Fatalf("%d unfinished, %d connections", a.unfinished, a.conns)
	}
	for addr, n := range a.addrs {
		if n < 1 || n > l.UnfinishedPerAddr {
			t.Fatalf("%d unfinished of %v", n, addr)
		}
	}
	for net, n := range a.nets {
		limit := l.PerNet
		if net.Bits() == 48 {
			limit = l.PerSite
		}
		if n < 1 || n > limit {
			t.Fatalf("%d of %v", n, net)
		}
	}
	for id, n := range a.ids {
		if n < 1 || n > l.PerIdentity {
			t.Fatalf("%d of %v", n, id)
		}
	}
}
