package portmap

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// router is a Gateway in memory; it notes what it was asked and when.
type router struct {
	start    time.Time
	external string
	granted  time.Duration
	fail     func() error // of Map; nil: works

	mu  sync.Mutex // guards the field below
	log []string
}

func (r *router) note(what, protocol string, port uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf("%v %s %s %d", time.Since(r.start).Round(time.Second), what, protocol, port))
}

func (r *router) Name() string { return "Router" }

func (r *router) Map(_ context.Context, protocol string, port uint16, _ time.Duration) (netip.AddrPort, time.Duration, error) {
	r.note("map", protocol, port)
	if r.fail != nil {
		if err := r.fail(); err != nil {
			return netip.AddrPort{}, 0, err
		}
	}
	var ext netip.AddrPort
	if r.external != "" {
		ext = netip.AddrPortFrom(netip.MustParseAddr(r.external), port)
	}
	return ext, r.granted, nil
}

func (r *router) Unmap(_ context.Context, protocol string, port uint16) error {
	r.note("unmap", protocol, port)
	return nil
}

// keepFor maps port 6881 for d on the routers that find returns, and returns
// the texts of all states.
func keepFor(d time.Duration, find func() []Gateway) (texts []string) {
	m := New(Options{
		Find:     func(context.Context) []Gateway { return find() },
		OnChange: func(s Status) { texts = append(texts, s.Text) },
	})
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	m.Map(ctx, 6881)
	return texts
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n%q\nwant\n%q", what, got, want)
	}
}

func TestMappingIsRenewedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &router{start: time.Now(), external: "203.0.113.5", granted: time.Hour}
		texts := keepFor(70*time.Minute, func() []Gateway { return []Gateway{r} })
		slices.Sort(r.log[len(r.log)-2:]) // both at once
		expect(t, "asked", r.log,
			"0s map tcp 6881", "0s map udp 6881", "30m0s map tcp 6881", "30m0s map udp 6881",
			"1h0m0s map tcp 6881", "1h0m0s map udp 6881", "1h10m0s unmap tcp 6881", "1h10m0s unmap udp 6881")
		expect(t, "states", texts, "asking the router", "mapped by Router as 203.0.113.5:6881", "removed")
	})
}

func TestShortAndEndlessLeases(t *testing.T) {
	for granted, want := range map[time.Duration]time.Duration{
		0:                30 * time.Minute, // for ever
		10 * time.Minute: 5 * time.Minute,
		time.Second:      time.Minute, // not a flood, whatever the router says
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &router{start: time.Now(), granted: granted}
			keepFor(want+time.Second, func() []Gateway { return []Gateway{r} })
			if again := fmt.Sprintf("%v map tcp 6881", want); len(r.log) != 6 || r.log[2] != again {
				t.Fatalf("granted %v: %q", granted, r.log)
			}
		})
	}
}

func TestWithoutRouterItIsSilentAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &router{start: time.Now(), granted: time.Hour}
		tries := 0
		texts := keepFor(10*time.Minute, func() []Gateway {
			if tries++; tries < 3 {
				return nil
			}
			return []Gateway{r}
		})
		expect(t, "states", texts, "asking the router", "no router answered (UPnP, NAT-PMP)", "mapped by Router", "removed")
		if r.log[0] != "3m0s map tcp 6881" {
			t.Fatalf("%q", r.log)
		}
	})
}

func TestTheNextRouterIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &router{start: time.Now(), fail: func() error { return fault.Errorf(fault.Refused, "not allowed") }}
		good := &router{start: time.Now(), external: "203.0.113.5", granted: time.Hour}
		texts := keepFor(time.Minute, func() []Gateway { return []Gateway{bad, good} })
		expect(t, "states", texts, "asking the router", "mapped by Router as 203.0.113.5:6881", "removed")
		texts = keepFor(time.Minute/2, func() []Gateway { return []Gateway{bad, bad} })
		expect(t, "states", texts, "asking the router",
			"Router did not map port 6881: not allowed; Router did not map port 6881: not allowed", "removed")
	})
}

func TestALostRouterIsLookedForAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &router{start: time.Now(), granted: time.Hour}
		r.fail = func() error {
			if d := time.Since(r.start); d > 20*time.Minute && d < 31*time.Minute {
				return fault.Errorf(fault.Timeout, "no answer")
			}
			return nil
		}
		texts := keepFor(40*time.Minute, func() []Gateway { return []Gateway{r} })
		expect(t, "states", texts, "asking the router", "mapped by Router", "Router did not map port 6881: no answer", "mapped by Router", "removed")
	})
}

func TestASecondRouterInFrontIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &router{start: time.Now(), external: "100.64.3.4", granted: time.Hour}
		texts := keepFor(time.Second, func() []Gateway { return []Gateway{r} })
		if len(texts) != 3 || !strings.Contains(texts[1], "100.64.3.4") || !strings.Contains(texts[1], "another router") {
			t.Fatalf("%q", texts)
		}
	})
}

func TestStatusBeforeMap(t *testing.T) {
	if s := New(Options{}).Status(); s.Mapped || s.Text != "not asked" {
		t.Fatalf("%+v", s)
	}
}
