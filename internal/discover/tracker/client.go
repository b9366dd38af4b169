package tracker

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	addrsPerFamily = 3               // of a name are tried
	straggler      = 5 * time.Second // the other family may take longer
)

// announceTo announces to u over IPv4 and IPv6 where its name has both. It
// works when one of them does. The name is looked up once and the addresses
// found are the ones dialled.
func (c *Client) announceTo(ctx context.Context, u *url.URL, r request, trackerID string, emit func(discover.Found)) (reply, error) {
	select {
	case c.o.Limit <- struct{}{}:
		defer func() { <-c.o.Limit }()
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
	families, err := c.lookup(ctx, u.Hostname())
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		r   reply
		err error
	}
	results := make(chan result, len(families))
	for _, addrs := range families {
		go func() {
			r, err := c.announceFamily(ctx, u, addrs, r, trackerID, emit)
			results <- result{r, err}
		}()
	}
	var good *reply
	var errs []error
	for range families {
		got := <-results
		switch {
		case got.err != nil:
			errs = append(errs, got.err)
		case good == nil:
			good = &got.r
			defer time.AfterFunc(straggler, cancel).Stop()
		}
	}
	if good == nil {
		return reply{}, errors.Join(errs...)
	}
	return *good, nil
}

// announceFamily tries the addresses of one family until one answers.
func (c *Client) announceFamily(ctx context.Context, u *url.URL, addrs []netip.Addr, r request, trackerID string, emit func(discover.Found)) (reply, error) {
	var last error
	for _, addr := range addrs[:min(len(addrs), addrsPerFamily)] {
		var got reply
		global := discover.IsGlobal(addr)
		if u.Scheme == "udp" {
			port, err := strconv.ParseUint(u.Port(), 10, 16)
			if err != nil {
				return reply{}, fault.Errorf(fault.Invalid, "port %s", discover.Printable(u.Port(), 10))
			}
			got, last = c.announceUDP(ctx, u, netip.AddrPortFrom(addr, uint16(port)), r)
		} else {
			got, global, last = c.announceHTTP(ctx, u, addr, r, trackerID)
		}
		if last == nil {
			for _, p := range got.peers {
				if discover.MayDial(p, global) {
					emit(discover.Found{Addr: p, Source: "tracker", Global: global})
				}
			}
			return got, nil
		}
		if ctx.Err() != nil || errors.Is(last, fault.Refused) {
			break
		}
	}
	return reply{}, last
}

// lookup returns the addresses of host, one list for each family it has.
func (c *Client) lookup(ctx context.Context, host string) ([][]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return [][]netip.Addr{{a.Unmap()}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	addrs, err := c.o.Resolve(ctx, host)
	if err != nil {
		return nil, fault.Errorf(fault.Unreachable, "look up: %w", err)
	}
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	var families [][]netip.Addr
	for _, f := range [][]netip.Addr{v4, v6} {
		if len(f) > 0 {
			families = append(families, f)
		}
	}
	if len(families) == 0 {
		return nil, fault.Errorf(fault.Unreachable, "look up: the name has no address")
	}
	return families, nil
}
