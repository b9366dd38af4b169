package tracker

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

// script is a tracker made of a function; it notes what it was told and when.
type script struct {
	start time.Time
	reply func(u *url.URL, r request) (reply, error)

	mu  sync.Mutex // guards the field below
	log []string
}

func (s *script) announce(ctx context.Context, u *url.URL, r request, id string, emit func(discover.Found)) (reply, error) {
	s.mu.Lock()
	s.log = append(s.log, fmt.Sprintf("%v %s %s%s", time.Since(s.start).Round(time.Second), u.Host, eventNames[r.Event], id))
	s.mu.Unlock()
	if ctx.Err() != nil {
		return reply{}, ctx.Err()
	}
	return s.reply(u, r)
}

// play joins s for d and returns what the trackers were told.
func play(t *testing.T, tiers [][]string, d time.Duration, s discover.Swarm, answer func(u *url.URL, r request) (reply, error)) (*Client, []string) {
	t.Helper()
	c, err := New(tiers, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sc := &script{start: time.Now(), reply: answer}
	c.announce = sc.announce
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for range c.Join(ctx, s) {
	}
	return c, sc.log
}

func expect(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("announces\n%q\nwant\n%q", got, want)
	}
}

func half(*url.URL, request) (reply, error) { return reply{interval: 30 * time.Minute}, nil }

var one = [][]string{{"http://a"}}

func TestAnnouncesAreRegular(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log := play(t, one, 65*time.Minute, discover.Swarm{Port: 1}, half)
		expect(t, log, []string{"0s a started", "30m0s a ", "1h0m0s a ", "1h5m0s a stopped"})
	})
}

func TestWakesBringAnnouncesForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		go func() {
			defer close(wake)
			for range 60 {
				wake <- struct{}{}
				<-time.After(time.Second)
			}
		}()
		_, log := play(t, one, 2*time.Minute, discover.Swarm{Port: 1, Wake: wake}, half)
		expect(t, log, []string{"0s a started", "5s a ", "15s a ", "35s a ", "1m15s a ", "2m0s a stopped"})
	})
}

func TestCompletionIsToldAtOnceAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left atomic.Int64
		left.Store(100)
		wake := make(chan struct{}, 1)
		for _, at := range []time.Duration{2 * time.Second, 3 * time.Second} {
			defer time.AfterFunc(at, func() { left.Store(0); wake <- struct{}{} }).Stop()
		}
		s := discover.Swarm{Port: 1, Wake: wake, Stats: func() discover.Stats { return discover.Stats{Left: left.Load()} }}
		_, log := play(t, one, 20*time.Second, s, half)
		expect(t, log, []string{"0s a started", "2s a completed", "7s a ", "20s a stopped"})
	})
}

func TestASeedDoesNotComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := discover.Swarm{Port: 1, Stats: func() discover.Stats { return discover.Stats{} }}
		_, log := play(t, one, 31*time.Minute, s, half)
		expect(t, log, []string{"0s a started", "30m0s a ", "31m0s a stopped"})
	})
}

func TestWhoOnlyLooksDoesNotWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log := play(t, one, time.Minute, discover.Swarm{}, half)
		expect(t, log, []string{"0s a started"})
	})
}

func TestADeadTrackerIsTriedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := play(t, one, time.Hour, discover.Swarm{Port: 1}, func(*url.URL, request) (reply, error) {
			return reply{}, fault.Errorf(fault.Timeout, "dead")
		})
		if len(log) < 8 || len(log) > 12 {
			t.Fatalf("%d announces: %q", len(log), log)
		}
		if c.Err() == nil || c.Err().Error() != "announce to http://a: dead" {
			t.Fatal(c.Err())
		}
	})
}

func TestTheTrackerThatWorksMovesToTheFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := [][]string{{"http://a", "http://b", "http://c"}}
		c, log := play(t, tier, 61*time.Minute, discover.Swarm{Port: 1}, func(u *url.URL, r request) (reply, error) {
			if u.Host != "b" {
				return reply{}, fault.Errorf(fault.Timeout, "dead")
			}
			return half(u, r)
		})
		n := slices.Index(log, "0s b started")
		if n < 0 {
			t.Fatalf("%q", log)
		}
		expect(t, log[n:], []string{"0s b started", "30m0s b ", "1h0m0s b ", "1h1m0s b stopped"})
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
	})
}

func TestTiersDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := play(t, [][]string{{"http://a"}, {"udp://b:1"}}, time.Second, discover.Swarm{Port: 1}, func(u *url.URL, r request) (reply, error) {
			if u.Host == "a" {
				<-time.After(time.Minute)
				return reply{}, fault.Errorf(fault.Timeout, "dead")
			}
			return half(u, r)
		})
		if !slices.Contains(log, "0s b:1 started") || !slices.Contains(log, "1s b:1 stopped") {
			t.Fatalf("%q", log)
		}
		if c.Err() != nil {
			t.Fatal("one tier works, Err is", c.Err())
		}
	})
}

func TestTheTrackerIDIsSentBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log := play(t, one, 31*time.Minute, discover.Swarm{Port: 1}, func(*url.URL, request) (reply, error) {
			return reply{trackerID: "ID"}, nil
		})
		expect(t, log, []string{"0s a started", "30m0s a ID", "31m0s a stoppedID"})
	})
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		name  string
		tiers [][]string
		want  string // name of the client, or "" for an error of kind fault.Invalid
	}{
		{"other schemes are skipped", [][]string{{"wss://x"}, {"ftp://y", "udp://a:1"}}, "tracker udp://a:1"},
		{"the path is not shown, it may hold a passkey", [][]string{{"https://a/secret/announce?k=v"}}, "tracker https://a"},
		{"several trackers are counted", [][]string{{"http://a"}, {"http://b"}}, "tracker http://a and 1 more"},
		{"nothing is an error", nil, ""},
		{"only other schemes are an error", [][]string{{"file:///etc/passwd"}}, ""},
		{"udp needs a port", [][]string{{"udp://a"}}, ""},
		{"a host is needed", [][]string{{"http:///announce"}}, ""},
		{"control characters are an error", [][]string{{"http://a\x1b[2J"}}, ""},
		{"a URL of 3,000 bytes is an error", [][]string{{"http://" + string(make([]byte, 3000))}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, err := New(c.tiers, Options{})
			switch {
			case c.want == "" && (err == nil || fault.KindOf(err) != fault.Invalid || err.Error() != discover.Printable(err.Error(), 1000)):
				t.Fatalf("error %v", err)
			case c.want != "" && (err != nil || cl.Name() != c.want):
				t.Fatalf("%v, %v", cl, err)
			}
		})
	}
}
