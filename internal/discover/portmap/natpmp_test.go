package portmap

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"tandem/internal/fault"
)

// pmpAt is where the test's router listens; the port is the protocol's own.
const pmpAt = "127.83.71.1"

// fakePMP is a NAT-PMP router made of a function.
func fakePMP(t *testing.T, answer func(b []byte) []byte) *pmpGateway {
	conn, err := net.ListenPacket("udp", pmpAt+":5351")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if out := answer(buf[:n]); out != nil {
				conn.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return newPMP(netip.MustParseAddr(pmpAt))
}

func TestNATPMP(t *testing.T) {
	var mu sync.Mutex               // guards mapped
	mapped := make(map[byte]uint32) // protocol: lifetime
	g := fakePMP(t, func(b []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case len(b) == 2:
			return []byte{0, 128, 0, 0, 0, 0, 0, 1, 203, 0, 113, 5}
		case len(b) == 12 && (b[1] == 1 || b[1] == 2):
			mapped[b[1]] = binary.BigEndian.Uint32(b[8:])
			out := []byte{0, 128 + b[1], 0, 0, 0, 0, 0, 1, b[4], b[5], 0x1b, 0x58} // 7000 outside
			return binary.BigEndian.AppendUint32(out, min(mapped[b[1]], 600))
		}
		return nil
	})
	if err := g.ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"tcp", "udp"} {
		ext, granted, err := g.Map(t.Context(), protocol, 6881, time.Hour)
		if err != nil || ext.String() != "203.0.113.5:7000" || granted != 10*time.Minute {
			t.Fatal(ext, granted, err)
		}
	}
	want := func(udp, tcp uint32) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if mapped[1] != udp || mapped[2] != tcp {
			t.Fatalf("%v", mapped)
		}
	}
	want(3600, 3600)
	if err := g.Unmap(t.Context(), "tcp", 6881); err != nil {
		t.Fatal(err)
	}
	want(3600, 0)
	if g.Name() != "NAT-PMP (127.83.71.1)" {
		t.Fatal(g.Name())
	}
}

func TestNATPMPRefused(t *testing.T) {
	g := fakePMP(t, func(b []byte) []byte { return append([]byte{0, 128 + b[1], 0, 2}, make([]byte, 12)...)[:16] })
	if _, _, err := g.Map(t.Context(), "tcp", 6881, time.Hour); !errors.Is(err, fault.Unreachable) {
		t.Fatal(err)
	}
}

func TestNATPMPWithoutRouterEnds(t *testing.T) {
	g := newPMP(netip.MustParseAddr("127.83.71.2"))
	if err := g.ask(t.Context()); !errors.Is(err, fault.Unreachable) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent := fakePMP(t, func([]byte) []byte { return nil })
	if err := silent.ask(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := silent.ask(t.Context()); !errors.Is(err, fault.Unreachable) { // and the one left behind has ended
		t.Fatal(err)
	}
}

func TestParseRoute(t *testing.T) {
	for line, want := range map[string]string{
		"eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0": "192.168.1.1",
		"eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0": "",
		"tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0": "",
		"tun0\t00000000\t0100000A\t0003\t0\t0\t0\t00000080\t0\t0\t0": "", // half the world
		"Iface\tDestination\tGateway":                                "",
		"x\t00000000\tzz\t0003\t0\t0\t0\t00000000":                   "",
		"": "",
	} {
		got, ok := parseRoute(line)
		if ok != (want != "") || (ok && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && got.String() != want) {
			t.Errorf("%q: %v", line, got)
		}
	}
}
