package rest

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tandem/internal/fault"
)

// announce answers BitTorrent clients as a tracker does (BEP 3, BEP 23). A client is where it is seen, by
// proxies that are trusted too.
func (x *exchange) announce() error {
	if x.h.cfg.Tracker == nil || !x.remote.IsValid() {
		return errNoRoute(x.r)
	}
	if !x.h.announcers.allow(x.remote, x.h.cfg.Now()) {
		return fault.Errorf(fault.Limited, "too many announces from %s", x.remote)
	}
	r := *x.r
	r.RemoteAddr = netip.AddrPortFrom(x.remote, 0).String()
	x.Header()["Cache-Control"] = noStore
	x.h.cfg.Tracker.ServeHTTP(struct{ http.ResponseWriter }{x}, &r)
	return nil
}

// Announces of one address: so few that what it makes up cannot push all others out of a swarm
// of 2,000, of which each is remembered for five minutes.
const (
	announceRate   = 4 // a second
	announceBurst  = 200
	announcerLimit = 10_000
)

// announcers remember how many announces come from where.
type announcers struct {
	mu  sync.Mutex // guards the fields below
	all map[netip.Prefix]*announcer
}

type announcer struct {
	left float64
	at   time.Time
}

func (a *announcers) allow(from netip.Addr, now time.Time) bool {
	bits := from.BitLen()
	if from.Is6() {
		bits = 64 // one customer's
	}
	source, err := from.WithZone("").Prefix(bits)
	if err != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.all[source]
	if one == nil {
		if len(a.all) >= announcerLimit {
			a.forget(now)
		}
		if a.all == nil {
			a.all = make(map[netip.Prefix]*announcer)
		}
		one = &announcer{left: announceBurst, at: now}
		a.all[source] = one
	}
	one.left = min(one.left+announceRate*max(now.Sub(one.at), 0).Seconds(), announceBurst)
	one.at = now
	if one.left < 1 {
		return false
	}
	one.left--
	return true
}

// forget drops those that may announce freely again; if that is nobody, all.
func (a *announcers) forget(now time.Time) {
	for source, one := range a.all {
		if one.left+announceRate*now.Sub(one.at).Seconds() >= announceBurst {
			delete(a.all, source)
		}
	}
	if len(a.all) >= announcerLimit {
		clear(a.all)
	}
}
