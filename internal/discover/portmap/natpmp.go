package portmap

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"

	"tandem/internal/fault"
)

// pmpTimeout bounds one call. The library's calls cannot be interrupted; one
// that is left behind ends by itself after so long.
const pmpTimeout = 1200 * time.Millisecond

// pmpGateway is a router that speaks NAT-PMP.
type pmpGateway struct {
	at       netip.Addr
	client   *natpmp.Client
	external netip.Addr
}

func newPMP(at netip.Addr) *pmpGateway {
	return &pmpGateway{at: at, client: natpmp.NewClientWithTimeout(at.AsSlice(), pmpTimeout)}
}

// findNATPMP asks the default gateway for its outside address.
func findNATPMP(ctx context.Context) []Gateway {
	at, ok := defaultGateway()
	if !ok {
		return nil
	}
	g := newPMP(at)
	if err := g.ask(ctx); err != nil {
		return nil
	}
	return []Gateway{g}
}

// ask asks for the outside address.
func (g *pmpGateway) ask(ctx context.Context) error {
	r, err := call(ctx, g.client.GetExternalAddress)
	if err != nil {
		return err
	}
	g.external = netip.AddrFrom4(r.ExternalIPAddress)
	return nil
}

// Name implements Gateway.
func (g *pmpGateway) Name() string { return "NAT-PMP (" + g.at.String() + ")" }

// Map implements Gateway.
func (g *pmpGateway) Map(ctx context.Context, protocol string, port uint16, lease time.Duration) (netip.AddrPort, time.Duration, error) {
	r, err := call(ctx, func() (*natpmp.AddPortMappingResult, error) {
		return g.client.AddPortMapping(protocol, int(port), int(port), int(lease/time.Second))
	})
	if err != nil {
		return netip.AddrPort{}, 0, err
	}
	granted := time.Duration(r.PortMappingLifetimeInSeconds) * time.Second
	if granted == 0 {
		return netip.AddrPort{}, 0, fault.Errorf(fault.Refused, "lease of no time")
	}
	return netip.AddrPortFrom(g.external, r.MappedExternalPort), granted, nil
}

// Unmap implements Gateway.
func (g *pmpGateway) Unmap(ctx context.Context, protocol string, port uint16) error {
	_, err := call(ctx, func() (*natpmp.AddPortMappingResult, error) {
		return g.client.AddPortMapping(protocol, int(port), 0, 0)
	})
	return err
}

// call runs f, which ends by itself after pmpTimeout, and leaves it behind when
// ctx ends earlier.
func call[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, fault.Wrap(fault.Unreachable, r.err)
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// defaultGateway reads the kernel's routes (Linux); elsewhere there is none and
// UPnP has to do.
func defaultGateway() (netip.Addr, bool) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return netip.Addr{}, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if at, ok := parseRoute(lines.Text()); ok {
			return at, true
		}
	}
	return netip.Addr{}, false
}

// parseRoute returns the gateway of a line of /proc/net/route, if it is that of
// the default route.
func parseRoute(line string) (netip.Addr, bool) {
	f := strings.Fields(line)
	if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
		return netip.Addr{}, false
	}
	b, err := hex.DecodeString(f[2])
	if err != nil || len(b) != net.IPv4len {
		return netip.Addr{}, false
	}
	var ip [4]byte
	binary.NativeEndian.PutUint32(ip[:], binary.BigEndian.Uint32(b)) // printed as a number of the machine
	at := netip.AddrFrom4(ip)
	return at, !at.IsUnspecified()
}
