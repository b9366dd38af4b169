//go:build linux

package real_test

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tandem/internal/lab/real"
)

// carried is how flows went: what they brought, what TCP sent more than once, and how
// long the last one took.
type carried struct {
	bytes, again int64
	took         time.Duration
}

// carry sends size bytes from one host to another.
func carry(t *testing.T, from, to *real.Host, size int64) carried {
	t.Helper()
	l, err := to.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	again, start := make(chan int64, 1), time.Now() // before anything can be on its way, or a late look would make it fast
	go func() {
		defer close(again)
		c, err := from.Dial(l.Addr().String())
		if err != nil {
			l.Close()
			return
		}
		defer c.Close()
		_, _ = io.CopyN(c, zeros{}, size)
		_, _ = c.Read(make([]byte, 1)) // until the receiver has everything and hangs up
		again <- retransmitted(c)
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("from %s to %s: %v", from.Name, to.Name, err)
	}
	n, err := io.CopyN(io.Discard, c, size)
	took := time.Since(start)
	c.Close()
	if err != nil {
		t.Fatalf("from %s to %s: %d bytes: %v", from.Name, to.Name, n, err)
	}
	return carried{size, <-again, took}
}

// carryAt sends size bytes and wants a rate within min and max, in Mbit/s of payload. A
// busy machine slows a flow down, so that a slow one is given two more chances; nothing
// but a wrong shaper makes it fast.
func carryAt(t *testing.T, name string, from, to *real.Host, size int64, min, max float64) (all carried) {
	t.Helper()
	rate := 0.0
	for range 3 {
		flow := carry(t, from, to, size)
		all = carried{all.bytes + flow.bytes, all.again + flow.again, flow.took}
		if rate = float64(size) * 8 / flow.took.Seconds() / 1e6; rate >= min {
			break
		}
	}
	if rate < min || rate > max {
		t.Errorf("%s: %.1f Mbit/s of payload, want %.0f to %.0f", name, rate, min, max)
	}
	return all
}

// retransmitted asks the kernel how much payload a connection has sent again: what the
// shaper dropped, and on a busy machine what only seemed to be lost.
func retransmitted(c net.Conn) (n int64) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int64(i.Bytes_retrans)
		}
	})
	return n
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
	before, err := lans[0].Router.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	var flows [4]carried
	for i, c := range []struct {
		name     string
		from, to *real.Host
		min, max float64 // Mbit/s of payload
	}{
		{"out of the LAN", hosts[0][0], outside, 14, 21},
		{"into the LAN", outside, hosts[0][1], 28, 42},
		{"from one LAN to the other", hosts[1][0], hosts[0][0], 14, 21},
		{"within the LAN", hosts[0][0], hosts[0][1], 60, 1e6},
	} {
		flows[i] = carryAt(t, c.name, c.from, c.to, size, c.min, c.max)
	}
	after, err := lans[0].Router.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	// What was sent again has crossed the counter again, unless the shaper dropped it
	// before. Each segment that came is acknowledged by at most one packet, and after a
	// loss that carries up to 28 bytes of options (SACK) more than the estimate knows.
	const sack = 28
	sent, received := after.Sent.Minus(before.Sent), after.Received.Minus(before.Received)
	for _, c := range []struct {
		name             string
		got, want, again int64
	}{
		{"left", sent.Payload(), flows[0].bytes, flows[0].again + sack*received.Packets},
		{"entered, two ways", received.Payload(), flows[1].bytes + flows[2].bytes, flows[1].again + flows[2].again + sack*sent.Packets},
	} {
		const others = 4 << 10 // handshakes, ARP
		if off := c.got - c.want; off < -others || off > c.again+others {
			t.Errorf("the payload that %s is off by %d bytes, of which %d may have been sent again", c.name, off, c.again)
		}
	}
}
