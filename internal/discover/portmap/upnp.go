package portmap

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/huin/goupnp"
	igd "github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/soap"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	maxXML      = 256 << 10 // bytes of a description or an answer
	mapName     = "tandem"  // shown in the router's pages
	onlyForever = "725"     // UPnP error: the router grants no finite lease
)

// wan is the part of a router's three kinds of WAN connection that we use.
type wan interface {
	AddPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string, internalPort uint16, internalClient string, enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) error
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
	GetServiceClient() *goupnp.ServiceClient
}

// upnpGateway is a router that speaks UPnP.
type upnpGateway struct {
	name  string
	wan   wan
	local netip.Addr // our address towards the router
}

// findUPnP searches the local networks.
func findUPnP(ctx context.Context) []Gateway {
	var mu sync.Mutex
	var all []Gateway
	var wg sync.WaitGroup
	for _, u := range search(ctx) {
		wg.Go(func() {
			gws, err := describe(ctx, u)
			if err != nil {
				return // not a router we can use
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, gws...)
		})
	}
	wg.Wait()
	return all
}

// describe reads the description at u and returns the WAN connections in it.
func describe(ctx context.Context, u *url.URL) ([]Gateway, error) {
	client := http.Client{Transport: bounded{host: u.Host}, CheckRedirect: noRedirect}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err)
	}
	defer resp.Body.Close()
	root := new(goupnp.RootDevice)
	dec := xml.NewDecoder(resp.Body)
	dec.DefaultSpace = goupnp.DeviceXMLNamespace
	if err := dec.Decode(root); err != nil {
		return nil, fault.Errorf(fault.Protocol, "router's description: %w", err)
	}
	base := *u
	if b, err := url.Parse(root.URLBaseStr); err == nil && root.URLBaseStr != "" {
		base = *b
	}
	root.SetURLBase(&base)
	local, err := localAddr(u)
	if err != nil {
		return nil, err
	}
	var all []Gateway
	for _, w := range services(root, u) {
		// goupnp leaves the answers' size and the host open.
		w.GetServiceClient().SOAPClient.HTTPClient = client
		all = append(all, &upnpGateway{
			name:  "UPnP (" + discover.Printable(root.Device.FriendlyName, 40) + ")",
			wan:   w,
			local: local,
		})
	}
	return all, nil
}

// services returns the WAN connections of a router.
func services(root *goupnp.RootDevice, u *url.URL) []wan {
	var all []wan
	if cs, err := igd.NewWANIPConnection2ClientsFromRootDevice(root, u); err == nil {
		for _, c := range cs {
			all = append(all, c)
		}
	}
	if cs, err := igd.NewWANIPConnection1ClientsFromRootDevice(root, u); err == nil {
		for _, c := range cs {
			all = append(all, c)
		}
	}
	if cs, err := igd.NewWANPPPConnection1ClientsFromRootDevice(root, u); err == nil {
		for _, c := range cs {
			all = append(all, c)
		}
	}
	return all
}

// localAddr returns our address towards the host of u. Connecting a UDP socket
// sends nothing.
func localAddr(u *url.URL) (netip.Addr, error) {
	conn, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), "1900"))
	if err != nil {
		return netip.Addr{}, fault.Wrap(fault.Unreachable, err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// Name implements Gateway.
func (g *upnpGateway) Name() string { return g.name }

// Map implements Gateway.
func (g *upnpGateway) Map(ctx context.Context, protocol string, port uint16, lease time.Duration) (netip.AddrPort, time.Duration, error) {
	add := func(lease time.Duration) error {
		return g.wan.AddPortMappingCtx(ctx, "", port, upnpProtocol(protocol), port, g.local.String(), true, mapName, uint32(lease/time.Second))
	}
	err := add(lease)
	if upnpCode(err) == onlyForever {
		lease = 0
		err = add(0)
	}
	if err != nil {
		return netip.AddrPort{}, 0, upnpError(err)
	}
	var external netip.AddrPort
	if s, err := g.wan.GetExternalIPAddressCtx(ctx); err == nil {
		if ip, err := netip.ParseAddr(s); err == nil && !ip.IsUnspecified() {
			external = netip.AddrPortFrom(ip.Unmap(), port)
		}
	}
	return external, lease, nil
}

// Unmap implements Gateway.
func (g *upnpGateway) Unmap(ctx context.Context, protocol string, port uint16) error {
	return upnpError(g.wan.DeletePortMappingCtx(ctx, "", port, upnpProtocol(protocol)))
}

func upnpProtocol(protocol string) string {
	if protocol == "udp" {
		return "UDP"
	}
	return "TCP"
}

// upnpCode returns the error code a router answered with, "" for other errors.
func upnpCode(err error) string {
	var f *soap.SOAPFaultError
	if !errors.As(err, &f) {
		return ""
	}
	if f.Detail.UPnPError.Errorcode == 0 {
		return ""
	}
	return strconv.Itoa(f.Detail.UPnPError.Errorcode)
}

// upnpError makes an error fit for people: the router's own words are cut.
func upnpError(err error) error {
	switch code := upnpCode(err); {
	case err == nil:
		return nil
	case code != "":
		return fault.Errorf(fault.Refused, "router answers UPnP error %s", code)
	default:
		return fault.Errorf(fault.Unreachable, "%s", discover.Printable(err.Error(), 200))
	}
}

// bounded asks one host only and reads answers only up to a size.
type bounded struct{ host string }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" || r.URL.Host != b.host {
		return nil, fault.Errorf(fault.Refused, "router names another host")
	}
	t := &http.Transport{
		DisableKeepAlives:      true,
		ResponseHeaderTimeout:  3 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
	}
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	resp, err := t.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &boundedBody{io.LimitReader(resp.Body, maxXML), resp.Body, cancel}
	return resp, nil
}

type boundedBody struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *boundedBody) Close() error {
	b.cancel()
	return b.body.Close()
}

func noRedirect(*http.Request, []*http.Request) error {
	return fault.Errorf(fault.Refused, "router redirects")
}
