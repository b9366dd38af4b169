package mem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/transport/mem"
	"tandem/internal/transport/transporttest"
)

// fatal is what testing.T and rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func listen(t fatal, h *mem.Host) transport.Listener {
	t.Helper()
	s := transporttest.SharesOf(public)
	s.Link[link.Key] = link.Secret
	l, err := h.Listen(context.Background(), ":7000", s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// connect dials from a to b's listener.
func connect(t fatal, a *mem.Host, l transport.Listener) (out, in transport.Conn) {
	t.Helper()
	to := public
	to.Addr = l.Addr()
	out, err := a.Dial(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	if in, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return out, in
}

// about says whether got is within one percent of want.
func about(got, want time.Duration) bool {
	return got >= want-want/100 && got <= want+want/100
}

func TestLatencyIsOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNet(mem.Latency(30 * time.Millisecond))
		l := listen(t, n.Host(addrB))
		start := time.Now()
		out, in := connect(t, n.Host(addrA), l)
		if took := time.Since(start); took != 60*time.Millisecond {
			t.Errorf("dial took %v, want a round trip", took)
		}
		start = time.Now()
		go func() { _, _ = io.WriteString(out, "x") }()
		_, _ = in.Read(make([]byte, 1))
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("a byte took %v", took)
		}
		if rtt, ok := out.(transport.Meter).RTT(); !ok || rtt != 60*time.Millisecond {
			t.Errorf("round trip %v", rtt)
		}
	})
}

func TestRatesShapeWhatPasses(t *testing.T) {
	const size = 4 << 20
	tests := []struct {
		name             string
		up, down         int64 // of every sender, of the receiver
		senders, streams int
		want             time.Duration
	}{
		{"one stream over a narrow uplink", 1 << 20, 0, 1, 1, 4 * time.Second},
		{"one stream over a narrow downlink", 0, 2 << 20, 1, 1, 2 * time.Second},
		{"the narrower link decides", 8 << 20, 1 << 20, 1, 1, 4 * time.Second},
		{"four streams share an uplink", 4 << 20, 0, 1, 4, 4 * time.Second},
		{"four senders share a downlink", 4 << 20, 4 << 20, 4, 1, 4 * time.Second},
		{"nothing shaped takes no time", 0, 0, 2, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := mem.NewNet()
				l := listen(t, n.Host(addrB))
				n.Host(addrB).SetRates(0, tt.down)
				var work sync.WaitGroup
				start := time.Now()
				for i := range tt.senders {
					from := n.Host(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}))
					from.SetRates(tt.up, 0)
					for range tt.streams {
						out, in := connect(t, from, l)
						work.Go(func() {
							_, _ = out.Write(make([]byte, size))
							_ = out.Close()
						})
						work.Go(func() {
							if m, err := io.Copy(io.Discard, in); m != size || err != nil {
								t.Errorf("%d bytes, %v", m, err)
							}
						})
					}
				}
				work.Wait()
				if took := time.Since(start); !about(took, tt.want) {
					t.Errorf("took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// Streams that share a link get equal parts of it, whoever began.
func TestStreamsShareEqually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNet()
		a, l := n.Host(addrA), listen(t, n.Host(addrB))
		a.SetRates(1<<20, 0)
		const streams = 3
		var got [streams]int64
		var work sync.WaitGroup
		for i := range streams {
			out, in := connect(t, a, l)
			stop := time.Now().Add(10 * time.Second)
			_ = out.SetWriteDeadline(stop)
			_ = in.SetReadDeadline(stop)
			work.Go(func() { _, _ = out.Write(make([]byte, 64<<20)) })
			work.Go(func() { got[i], _ = io.Copy(io.Discard, in) })
		}
		work.Wait()
		for _, bytes := range got {
			if part := int64(10 << 20 / streams); bytes < part*95/100 || bytes > part*105/100 {
				t.Errorf("parts %v, want %d each", got, part)
			}
		}
	})
}

func TestUnsentAndAckedFollowTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNet(mem.Latency(time.Second))
		a, l := n.Host(addrA), listen(t, n.Host(addrB))
		a.SetRates(16<<10, 0)
		out, in := connect(t, a, l)
		m := out.(transport.Meter)
		start := time.Now()
		for range 6 {
			if _, err := out.Write(make([]byte, 16<<10)); err != nil {
				t.Fatal(err)
			}
		}
		// Four may be unsent: the sixth was taken when the second had left.
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("six blocks were taken after %v", took)
		}
		if n, _ := m.Unsent(); n != 64<<10 {
			t.Errorf("%d bytes unsent", n)
		}
		if n, _ := m.Acked(); n != 16<<10 {
			t.Errorf("%d bytes acknowledged", n)
		}
		if n, least, _ := m.Flight(); n != 5*16<<10 || least != 2*time.Second {
			t.Errorf("%d bytes on their way, round trip %v", n, least)
		}
		if _, err := io.ReadFull(in, make([]byte, 6*16<<10)); err != nil {
			t.Fatal(err)
		}
		if n, _ := m.Acked(); n != 6*16<<10 {
			t.Errorf("%d bytes acknowledged at the end", n)
		}
	})
}

func TestPartitionHoldsEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNet()
		a, l := n.Host(addrA), listen(t, n.Host(addrB))
		out, in := connect(t, a, l)
		n.Partition(addrB, addrA)
		if _, err := io.WriteString(out, "late"); err != nil {
			t.Fatal(err)
		}
		var b [4]byte
		_ = in.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := in.Read(b[:]); err == nil {
			t.Fatal("read through a partition")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		to := public
		to.Addr = l.Addr()
		if _, err := a.Dial(ctx, to); !errors.Is(err, fault.Timeout) {
			t.Fatalf("dial = %v, want a timeout", err)
		}
		// Others are not concerned.
		connect(t, n.Host(addrC), l)

		start := time.Now()
		time.AfterFunc(time.Hour, func() { n.Heal(addrA, addrB) })
		_ = in.SetReadDeadline(time.Time{})
		if _, err := io.ReadFull(in, b[:]); err != nil || string(b[:]) != "late" {
			t.Fatalf("read %q, %v", b, err)
		}
		if took := time.Since(start); took != time.Hour {
			t.Errorf("healed after %v", took)
		}
		connect(t, a, l)
	})
}

func TestDialWaitsForAPartitionToHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNet()
		a, l := n.Host(addrA), listen(t, n.Host(addrB))
		n.Partition(addrA, addrB)
		time.AfterFunc(time.Minute, func() { n.Heal(addrA, addrB) })
		connect(t, a, l)
	})
}

func TestKilledHostTakesItsConnectionsAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNet()
		a, b := n.Host(addrA), n.Host(addrB)
		l := listen(t, b)
		out, in := connect(t, a, l)
		errs := make(chan error, 3)
		go func() { _, err := out.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := in.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := l.Accept(); errs <- err }()
		synctest.Wait()
		n.Kill(addrB)
		for range 3 {
			if err := <-errs; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, fault.Closed) {
				t.Errorf("after the kill: %v", err)
			}
		}
		if _, err := out.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write = %v", err)
		}
		to := public
		to.Addr = l.Addr()
		if _, err := a.Dial(t.Context(), to); !errors.Is(err, fault.Unreachable) {
			t.Errorf("dial = %v, want unreachable", err)
		}
		if _, err := b.Dial(t.Context(), to); !errors.Is(err, fault.Unreachable) {
			t.Errorf("dial of the dead = %v, want unreachable", err)
		}
		if _, err := b.Listen(t.Context(), ":1", nil); !errors.Is(err, fault.Closed) {
			t.Errorf("listening of the dead = %v, want closed", err)
		}
		// It comes back as itself.
		again := n.Host(addrB)
		if again == b || again.ID() != b.ID() {
			t.Errorf("came back as %v", again.ID())
		}
		connect(t, a, listen(t, again))
	})
}

func TestOwnLinkIsRefused(t *testing.T) {
	n := mem.NewNet()
	a, b := n.Host(addrA), n.Host(addrB)
	l := listen(t, b)
	a.SetID(peer.ID{1})
	b.SetID(peer.ID{1})
	to := link
	to.Addr = l.Addr()
	if _, err := a.Dial(t.Context(), to); !errors.Is(err, fault.Refused) {
		t.Fatalf("dial = %v, want refused", err)
	}
}

// However a stream is cut, whatever the links, the same bytes come out.
func TestStreamsKeepTheirBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		window := rapid.SampledFrom([]int{1, 100, 20_000, 1 << 20}).Draw(rt, "window")
		size := rapid.IntRange(0, min(window*20, 300_000)).Draw(rt, "size")
		up := rapid.Int64Range(0, 1<<20).Draw(rt, "up")
		down := rapid.Int64Range(0, 1<<20).Draw(rt, "down")
		latency := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(rt, "latency"))
		cut := rapid.IntRange(max(1, size/400), 40_000).Draw(rt, "cut")
		synctest.Test(t, func(t *testing.T) {
			n := mem.NewNet(mem.Window(window), mem.Latency(latency))
			a, l := n.Host(addrA), listen(t, n.Host(addrB))
			a.SetRates(up, 0)
			n.Host(addrB).SetRates(0, down)
			out, in := connect(t, a, l)
			go func() {
				for i := 0; i < size; {
					b := make([]byte, min(cut, size-i))
					for j := range b {
						b[j] = byte((i + j) % 251)
					}
					_, _ = out.Write(b)
					i += len(b)
				}
				_ = out.Close()
			}()
			got, err := io.ReadAll(in)
			if err != nil || len(got) != size {
				t.Fatalf("%d of %d bytes, %v", len(got), size, err)
			}
			for i, c := range got {
				if c != byte(i%251) {
					t.Fatalf("byte %d is wrong", i)
				}
			}
		})
	})
}

// BenchmarkMesh is the cost of a swarm of a hundred hosts, each sending a
// megabyte to each of its eight neighbours over shaped links.
func BenchmarkMesh(b *testing.B) {
	const hosts, degree, size = 100, 8, 1 << 20
	b.SetBytes(hosts * degree * size)
	for b.Loop() {
		n := mem.NewNet(mem.Latency(time.Millisecond))
		var work sync.WaitGroup
		for i := range hosts {
			h := n.Host(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}))
			l := listen(b, h)
			work.Go(func() {
				for range degree {
					c, err := l.Accept()
					if err != nil {
						b.Error(err)
						return
					}
					work.Go(func() { _, _ = io.Copy(io.Discard, c) })
				}
			})
		}
		for i := range hosts {
			for d := 1; d <= degree; d++ {
				work.Go(func() {
					to := public
					to.Addr = netip.MustParseAddrPort(fmt.Sprintf("10.1.0.%d:7000", (i+d)%hosts))
					c, err := n.Host(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})).Dial(b.Context(), to)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = c.Write(make([]byte, size))
					_ = c.Close()
				})
			}
		}
		work.Wait()
	}
}
