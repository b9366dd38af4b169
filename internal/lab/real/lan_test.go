package real_test

import (
	"io"
	"testing"
	"time"

	"tandem/internal/lab/real"
)

// carry sends size bytes from one host to another and returns how long it took.
func carry(t *testing.T, from, to *real.Host, size int64) time.Duration {
	t.Helper()
	l, err := to.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := from.Dial(l.Addr().String())
		if err != nil {
			l.Close()
			return
		}
		defer c.Close()
		_, _ = io.CopyN(c, zeros{}, size)
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("from %s to %s: %v", from.Name, to.Name, err)
	}
	defer c.Close()
	start := time.Now()
	if n, err := io.Copy(io.Discard, c); err != nil || n != size {
		t.Fatalf("from %s to %s: %d bytes: %v", from.Name, to.Name, n, err)
	}
	return time.Since(start)
}

func TestALANSharesItsRoutersLink(t *testing.T) {
	s, ctx := star(t), t.Context()
	outside, err := s.Add(ctx, real.Link{})
	if err != nil {
		t.Fatal(err)
	}
	var hosts [2][]*real.Host
	var lans [2]*real.LAN
	for i := range lans {
		if lans[i], err = s.LAN(ctx, real.Link{Up: 20e6, Down: 40e6, Apart: true}); err != nil {
			t.Fatal(err)
		}
		if hosts[i], err = lans[i].AddN(ctx, 2, real.Link{}); err != nil {
			t.Fatal(err)
		}
	}
	const size = 2 << 20
	rate := func(d time.Duration) float64 { return size * 8 / d.Seconds() / 1e6 }
	before, err := lans[0].Router.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		from, to *real.Host
		min, max float64 // Mbit/s of payload
	}{
		{"out of the LAN", hosts[0][0], outside, 14, 21},
		{"into the LAN", outside, hosts[0][1], 28, 42},
		{"from one LAN to the other", hosts[1][0], hosts[0][0], 14, 21},
		{"within the LAN", hosts[0][0], hosts[0][1], 60, 1e6},
	} {
		if r := rate(carry(t, c.from, c.to, size)); r < c.min || r > c.max {
			t.Errorf("%s: %.1f Mbit/s of payload, want %.0f to %.0f", c.name, r, c.min, c.max)
		}
	}
	after, err := lans[0].Router.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]int64{
		"left":              after.Sent.Minus(before.Sent).Payload() - size,
		"entered, two ways": after.Received.Minus(before.Received).Payload() - 2*size,
	} {
		if got < -size/100 || got > size/100 {
			t.Errorf("the payload that %s is off by %d bytes", name, got)
		}
	}
}
