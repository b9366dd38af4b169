package rest

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"tandem/internal/fault"
)

// gate decides what is true of a request before anybody looks at what it
// asks: who sent it, and whether it was meant for this server.
type gate struct {
	trusted []netip.Prefix
	hosts   map[string]bool // lower case, without port
	cross   *http.CrossOriginProtection
}

func newGate(cfg Config) (*gate, error) {
	g := &gate{
		trusted: cfg.TrustedProxies,
		hosts:   map[string]bool{"localhost": true},
		cross:   http.NewCrossOriginProtection(),
	}
	for _, name := range cfg.Hosts {
		g.hosts[canonicalHost(name)] = true
	}
	if u := cfg.PublicURL; u != nil {
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return nil, fault.Errorf(fault.Invalid, "public URL %q: want http:// or https:// and a host", u.Redacted())
		}
		g.hosts[canonicalHost(u.Hostname())] = true
		// A proxy may ask us by another name than the browser asked it.
		if err := g.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fault.Errorf(fault.Invalid, "public URL %q: %w", u.Redacted(), err)
		}
	}
	return g, nil
}

// enter finds out who sent x's request, and takes out of it what only a proxy
// may say.
func (g *gate) enter(x *exchange) {
	r := x.r
	x.remote = peerOf(r.RemoteAddr)
	x.secure = r.TLS != nil
	trusted := g.trusts(x.remote)
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip"} {
		if _, ok := r.Header[name]; ok {
			x.proxied = true
			if !trusted {
				delete(r.Header, name)
			}
		}
	}
	if !trusted {
		return
	}
	f := forwardedOf(r.Header)
	x.remote = g.client(f.by, x.remote)
	switch f.proto {
	case "https":
		x.secure = true
	case "http":
		x.secure = false
	}
	if f.host != "" {
		r.Host = f.host
	}
	if id := r.Header.Get("X-Request-Id"); validID(id) {
		x.id = id
	}
}

func (g *gate) trusts(a netip.Addr) bool {
	for _, p := range g.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// client returns the last address on the way that is no trusted proxy. What
// stands before it may be invented.
func (g *gate) client(by []string, peer netip.Addr) netip.Addr {
	for i := len(by) - 1; i >= 0; i-- {
		a, ok := forwardedAddr(by[i])
		if !ok {
			return peer // hidden or broken: the last one known
		}
		peer = a
		if !g.trusts(a) {
			return a
		}
	}
	return peer
}

// host checks that the request names this server. A page elsewhere whose name
// was made to lead here (DNS rebinding) does not.
func (g *gate) host(r *http.Request) error {
	if g.hosts[r.Host] {
		return nil
	}
	name := r.Host
	if u, err := url.Parse("//" + name); err == nil && u.User == nil && u.Path == "" && u.RawQuery == "" {
		name = u.Hostname()
	} else {
		return fault.Errorf(fault.Refused, "Host is malformed")
	}
	if g.hosts[canonicalHost(name)] {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	return fault.Errorf(fault.Refused, "this server is not called %q: set its public URL, or ask it by its own name", name)
}

func canonicalHost(name string) string {
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// origin refuses what a page of another site makes a browser send.
func (g *gate) origin(r *http.Request) error {
	if err := g.cross.Check(r); err != nil {
		return fault.Errorf(fault.Refused, "request comes from a page of another site")
	}
	return nil
}

// peerOf returns the address in a RemoteAddr; the zero Addr when there is none,
// as on a Unix socket.
func peerOf(remote string) netip.Addr {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
