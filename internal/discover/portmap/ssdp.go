package portmap

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"tandem/internal/discover"
)

const (
	ssdpGroup  = "239.255.255.250:1900"
	ssdpWait   = 2 * time.Second
	ssdpSends  = 2
	maxDevices = 8 // described at most
	igdDevice  = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
	igdDevice2 = "urn:schemas-upnp-org:device:InternetGatewayDevice:2"
)

// search multicasts a search for routers on every interface and returns where
// the answers say their descriptions are.
func search(ctx context.Context) []*url.URL {
	ctx, cancel := context.WithTimeout(ctx, ssdpWait)
	defer cancel()
	var mu sync.Mutex
	seen := make(map[string]bool)
	var found []*url.URL
	var wg sync.WaitGroup
	for _, local := range multicastAddrs() {
		wg.Go(func() {
			searchFrom(ctx, local, func(u *url.URL) {
				mu.Lock()
				defer mu.Unlock()
				if !seen[u.String()] && len(found) < maxDevices {
					seen[u.String()] = true
					found = append(found, u)
				}
			})
		})
	}
	wg.Wait()
	return found
}

// multicastAddrs returns the IPv4 addresses of the interfaces that can
// multicast.
func multicastAddrs() []netip.Addr {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, i := range ifaces {
		const want = net.FlagUp | net.FlagMulticast
		if i.Flags&want != want || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap().Is4() {
				all = append(all, ip.Unmap())
			}
		}
	}
	return all
}

// searchFrom searches from one local address until ctx ends.
func searchFrom(ctx context.Context, local netip.Addr, found func(*url.URL)) {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp4", netip.AddrPortFrom(local, 0).String())
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	group := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(ssdpGroup))
	for range ssdpSends {
		for _, target := range []string{igdDevice, igdDevice2} {
			m := "M-SEARCH * HTTP/1.1\r\nHOST: " + ssdpGroup + "\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: " + target + "\r\n\r\n"
			if _, err := conn.WriteTo([]byte(m), group); err != nil {
				return
			}
		}
	}
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		udp, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		if u, ok := location(buf[:n], udp.AddrPort().Addr().Unmap()); ok {
			found(u)
		}
	}
}

// location reads an answer to a search. The description must be at the address
// that answered, and that on a local network.
func location(b []byte, from netip.Addr) (*url.URL, bool) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		return nil, false
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, false
	}
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || u.Scheme != "http" || u.User != nil {
		return nil, false
	}
	at, err := netip.ParseAddr(u.Hostname())
	if err != nil || at.Unmap() != from || discover.IsGlobal(at) {
		return nil, false
	}
	return u, true
}
