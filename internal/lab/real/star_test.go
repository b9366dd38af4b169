//go:build linux

package real_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"tandem/internal/lab/real"
)

// star makes a star for a test. Without root it reports so, and under CI a
// missing right is a failure.
func star(t *testing.T) *real.Star {
	t.Helper()
	s, err := real.NewStar(t.Context())
	if err != nil {
		if os.Getenv("CI") == "" && os.Geteuid() != 0 {
			t.Skipf("needs root: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestShapedLinkCarriesItsRate(t *testing.T) {
	s, ctx := star(t), t.Context()
	a, err := s.Add(ctx, real.Link{Up: 40e6, Apart: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Add(ctx, real.Link{Down: 100e6})
	if err != nil {
		t.Fatal(err)
	}
	carryAt(t, "a 40 Mbit/s uplink", a, b, 5<<20, 30, 42) // 1.05 s
}

func TestTheMachinesCongestionControlDoesNotMatter(t *testing.T) {
	s, ctx := star(t), t.Context()
	lan, err := s.LAN(ctx, real.Link{Up: 20e6})
	if err != nil {
		t.Fatal(err)
	}
	open, err1 := s.Add(ctx, real.Link{})
	apart, err2 := s.Add(ctx, real.Link{Apart: true})
	home, err3 := lan.Add(ctx, real.Link{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*real.Host{open, apart, home} {
		for _, to := range []*real.Host{open, apart, home, lan.Router} {
			if to == h {
				continue
			}
			out, err := h.Command(ctx, "ip", "route", "get", "to", to.Addr.String(), "fibmatch").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "congctl cubic") {
				t.Errorf("from %s to %s: %s %v", h.Name, to.Name, out, err)
			}
		}
	}
}

func TestHostsAreApartFromTheMachine(t *testing.T) {
	s := star(t)
	h, err := s.Add(t.Context(), real.Link{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Command(t.Context(), "ip", "-o", "addr").CombinedOutput()
	if err != nil || !strings.Contains(string(out), h.Addr.String()) {
		t.Fatalf("addresses of the host: %s %v", out, err)
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if strings.HasPrefix(a.String(), h.Addr.String()) {
			t.Fatalf("the machine itself has the host's address %v", a)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
