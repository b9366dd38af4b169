package tracker

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	httpTimeout  = 20 * time.Second
	maxRedirects = 3
	maxHeader    = 64 << 10 // bytes
)

// announceHTTP announces to u at addr. global says whether a server at a
// global address had a part in the answer.
func (c *Client) announceHTTP(ctx context.Context, u *url.URL, addr netip.Addr, r request, trackerID string) (got reply, global bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, httpTimeout)
	defer cancel()
	route := &route{c: c, host: u.Hostname(), addr: addr}
	client := &http.Client{Transport: route.transport(), CheckRedirect: checkRedirect}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, announceURL(u, r, trackerID), nil)
	if err != nil {
		return reply{}, false, fault.Errorf(fault.Invalid, "not a URL")
	}
	req.Header.Set("User-Agent", c.o.UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		var shown *url.Error // leave the URL out: it holds the key and maybe a passkey
		if errors.As(err, &shown) {
			err = shown.Err
		}
		if fault.KindOf(err) == fault.Other {
			err = fault.Wrap(fault.Unreachable, err)
		}
		return reply{}, false, err
	}
	defer resp.Body.Close()
	// The transport unpacks gzip; what is unpacked counts, so that a small
	// answer cannot grow without end.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return reply{}, false, fault.Errorf(fault.Unreachable, "read the answer: %w", err)
	}
	if len(body) > maxReply {
		return reply{}, false, fault.Errorf(fault.Protocol, "the answer is larger than %d bytes", maxReply)
	}
	got, err = parseReply(body)
	if resp.StatusCode != http.StatusOK && !errors.Is(err, fault.Refused) {
		return reply{}, false, fault.Errorf(fault.Protocol, "the answer is HTTP status %d", resp.StatusCode)
	}
	return got, route.global.Load(), err
}

// route dials the address the tracker was looked up to be at, and watches where
// redirects lead.
type route struct {
	c      *Client
	host   string
	addr   netip.Addr
	global atomic.Bool // a server at a global address was asked
}

func (r *route) transport() *http.Transport {
	return &http.Transport{
		DialContext:            r.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.c.o.RootCAs},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true, // the next announce is half an hour away
	}
}

// dial connects to host at the address it was judged by. A redirect from a
// global address to a local one is of kind fault.Refused.
func (r *route) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{r.addr}
	if host != r.host {
		families, err := r.c.lookup(ctx, host)
		if err != nil {
			return nil, err
		}
		addrs = addrs[:0]
		for _, f := range families {
			addrs = append(addrs, f[:min(len(f), addrsPerFamily)]...)
		}
	}
	var last error
	for _, a := range addrs {
		global := discover.IsGlobal(a)
		if r.global.Load() && !global {
			last = fault.Errorf(fault.Refused, "redirect from the Internet to the local address %s", a)
			continue
		}
		if global {
			r.global.Store(true)
		}
		conn, err := r.c.dial(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// checkRedirect allows three redirects to http and https, none of them back
// from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL.Scheme
	switch to := req.URL.Scheme; {
	case len(via) > maxRedirects:
		return fault.Errorf(fault.Protocol, "more than %d redirects", maxRedirects)
	case to != "http" && to != "https":
		return fault.Errorf(fault.Refused, "redirect to the scheme %s", discover.Printable(to, 20))
	case from == "https" && to == "http":
		return fault.Errorf(fault.Refused, "redirect from https to http")
	}
	return nil
}

// announceURL appends the announce to the tracker's URL, whose own query
// stays first.
func announceURL(u *url.URL, r request, trackerID string) string {
	var b strings.Builder
	if u.RawQuery != "" {
		b.WriteString(u.RawQuery)
		b.WriteByte('&')
	}
	b.WriteString("info_hash=" + escape(string(r.Key[:])))
	b.WriteString("&peer_id=" + escape(string(r.PeerID[:])))
	for _, p := range []struct {
		key string
		n   int64
	}{
		{"port", int64(r.Port)},
		{"uploaded", r.Uploaded},
		{"downloaded", r.Downloaded},
		{"left", r.Left},
		{"numwant", int64(r.NumWant)},
		{"compact", 1},
		{"no_peer_id", 1},
	} {
		b.WriteString("&" + p.key + "=" + strconv.FormatInt(p.n, 10))
	}
	b.WriteString("&key=" + strconv.FormatUint(uint64(r.Token), 16))
	if r.Event != eventNone {
		b.WriteString("&event=" + eventNames[r.Event])
	}
	if trackerID != "" {
		b.WriteString("&trackerid=" + escape(trackerID))
	}
	full := *u
	full.RawQuery = b.String()
	return full.String()
}

// escape percent-encodes every byte that is not unreserved; url.QueryEscape
// would write a space as +, which some trackers do not read.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
