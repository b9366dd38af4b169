// Package portmap asks the router to let the outside in.
//
// Source: UPnP IGD 1 and 2 through goupnp, NAT-PMP (RFC 6886) through
// go-nat-pmp. Differs: devices are searched for by a search of our own, which
// follows an answer only to the address it came from, so that nobody on the
// network can point us at a third party.
package portmap

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

const (
	lease      = time.Hour       // asked for; renewed after half of it
	leastLease = 2 * time.Minute // taken seriously, whatever the router says
	findLimit  = 6 * time.Second
	callLimit  = 5 * time.Second
	farewell   = 1500 * time.Millisecond
	retryFirst = time.Minute // after no router answered; doubles
	retryLast  = 20 * time.Minute
)

// Gateway is a router that maps ports.
type Gateway interface {
	// Name says what it is, printable: "UPnP (Some Router)".
	Name() string
	// Map forwards port of protocol ("tcp" or "udp") from the outside to the
	// same port of this machine for about lease, and returns the outside
	// address and how long it was granted (0: for ever).
	Map(ctx context.Context, protocol string, port uint16, lease time.Duration) (netip.AddrPort, time.Duration, error)
	// Unmap removes what Map made.
	Unmap(ctx context.Context, protocol string, port uint16) error
}

// Options of a Mapper. The zero value is good.
type Options struct {
	Log      *slog.Logger // nil: none
	OnChange func(Status) // called when the status changes; must not block; may be nil
	// Find looks for routers, the best first; nil: UPnP and NAT-PMP. It may
	// return none.
	Find func(ctx context.Context) []Gateway
}

// Status says how far a mapping has come.
type Status struct {
	Mapped   bool
	External netip.AddrPort // as the outside sees us; zero when unknown
	Text     string         // for people: "no router answered", "mapped by UPnP ..."
}

// Mapper keeps port mappings on the router.
type Mapper struct {
	o Options

	mu     sync.Mutex // guards the field below
	status Status
}

// New returns a Mapper that is silent until Map.
func New(o Options) *Mapper {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Find == nil {
		o.Find = find
	}
	return &Mapper{o: o, status: Status{Text: "not asked"}}
}

// Status returns the present state.
func (m *Mapper) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

func (m *Mapper) set(s Status) {
	m.mu.Lock()
	changed := m.status != s
	m.status = s
	m.mu.Unlock()
	if changed && m.o.OnChange != nil {
		m.o.OnChange(s)
	}
}

// Map keeps port open on the router, TCP and UDP, until ctx ends, and removes
// the mappings then (within two seconds). It blocks, and is harmless when
// there is no router: Status says what happened.
func (m *Mapper) Map(ctx context.Context, port uint16) {
	m.set(Status{Text: "asking the router"})
	failures := 0
	for ctx.Err() == nil {
		gw, half, err := m.establish(ctx, port)
		if ctx.Err() != nil {
			m.remove(ctx, gw, port)
			break
		}
		if err != nil {
			m.set(Status{Text: err.Error()})
			m.o.Log.Debug("port mapping", "err", err)
			sleep(ctx, discover.Backoff(retryFirst, failures, retryLast))
			failures++
			continue
		}
		failures = 0
		m.keep(ctx, gw, port, half)
	}
	m.set(Status{Text: "removed"})
}

// establish finds a router that maps port. The gateway is returned with any
// error, in case a part was mapped.
func (m *Mapper) establish(ctx context.Context, port uint16) (gw Gateway, half time.Duration, err error) {
	fctx, cancel := context.WithTimeout(ctx, findLimit)
	gateways := m.o.Find(fctx)
	cancel()
	if len(gateways) == 0 {
		return nil, 0, fault.Errorf(fault.Unreachable, "no router answered (UPnP, NAT-PMP)")
	}
	var reasons []string
	for _, gw = range gateways {
		half, err = m.mapOn(ctx, gw, port)
		if err == nil {
			return gw, half, nil
		}
		reasons = append(reasons, err.Error())
		if ctx.Err() != nil {
			return gw, 0, err
		}
	}
	return nil, 0, fault.Errorf(fault.Refused, "%s", strings.Join(reasons, "; "))
}

// mapOn maps port on gw and returns when to renew. TCP decides; without UDP the
// DHT is reached less well.
func (m *Mapper) mapOn(ctx context.Context, gw Gateway, port uint16) (half time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	external, granted, err := gw.Map(ctx, "tcp", port, lease)
	if err != nil {
		return 0, fault.Errorf(fault.Refused, "%s did not map port %d: %w", gw.Name(), port, err)
	}
	if _, _, err := gw.Map(ctx, "udp", port, lease); err != nil {
		m.o.Log.Debug("port mapping for UDP", "router", gw.Name(), "err", err)
	}
	s := Status{Mapped: true, External: external, Text: "mapped by " + gw.Name()}
	switch {
	case !external.Addr().IsValid():
		s.External = netip.AddrPort{}
	case discover.IsGlobal(external.Addr()):
		s.Text += " as " + external.String()
	default:
		s.Text += ", but that router has the private address " + external.Addr().String() + " itself: another router in front is in the way"
	}
	m.set(s)
	if granted == 0 {
		granted = lease // for ever; look after it all the same
	}
	return max(granted, leastLease) / 2, nil
}

// keep renews the mapping until the router fails or ctx ends; then it removes
// the mapping.
func (m *Mapper) keep(ctx context.Context, gw Gateway, port uint16, half time.Duration) {
	for {
		sleep(ctx, half)
		if ctx.Err() != nil {
			m.remove(ctx, gw, port)
			return
		}
		next, err := m.mapOn(ctx, gw, port)
		if err != nil && ctx.Err() == nil {
			m.set(Status{Text: err.Error()})
			return // look for a router anew
		}
		half = next
	}
}

// remove removes the mappings even though ctx has ended. Both protocols at
// once, for time is short.
func (m *Mapper) remove(ctx context.Context, gw Gateway, port uint16) {
	if gw == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	var wg sync.WaitGroup
	for _, protocol := range []string{"tcp", "udp"} {
		wg.Go(func() {
			if err := gw.Unmap(ctx, protocol, port); err != nil {
				m.o.Log.Debug("remove port mapping", "router", gw.Name(), "protocol", protocol, "err", err)
			}
		})
	}
	wg.Wait()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// find asks by UPnP and NAT-PMP at the same time.
func find(ctx context.Context) []Gateway {
	var upnp, pmp []Gateway
	var wg sync.WaitGroup
	wg.Go(func() { upnp = findUPnP(ctx) })
	wg.Go(func() { pmp = findNATPMP(ctx) })
	wg.Wait()
	return append(upnp, pmp...)
}
