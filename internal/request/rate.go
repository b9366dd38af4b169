// Package request decides how many requests to keep in flight on a connection.
//
// Algorithm: bandwidth times delay, the delay being the round trip plus a
// quarter of a second, within the safety net that all requests together never
// reserve much of what is missing. What is requested from one peer cannot be had
// from another, so a swarm loses in proportion to what is reserved, not to the
// depth of one connection. Our differences from common clients: they queue for
// seconds.
package request

import (
	"math"
	"time"
)

// tau is the time constant of Rate.
const tau = 2 * time.Second

// youngest is the age a Rate assumes at least, so that a first burst does not
// count as the speed of a link.
const youngest = 50 * time.Millisecond

// Rate is a decayed average of bytes per second, time constant 2 s. It corrects
// for its own start: after a tenth of a second of 1 MB/s it says 1 MB/s. The
// zero Rate has seen nothing.
type Rate struct {
	sum   float64 // decayed bytes
	at    time.Duration
	birth time.Duration
	begun bool
}

// Start says that bytes may come from now on, if it was not said before.
func (r *Rate) Start(now time.Duration) {
	if !r.begun {
		r.begun, r.birth, r.at = true, now, now
	}
}

// Add counts n bytes.
func (r *Rate) Add(now time.Duration, n int) {
	r.Start(now)
	r.decay(now)
	r.sum += float64(n)
}

// Get returns bytes per second.
func (r *Rate) Get(now time.Duration) float64 {
	if !r.begun {
		return 0
	}
	r.decay(now)
	age := max(now-r.birth, youngest)
	weight := tau.Seconds()
	if age < 8*tau {
		weight *= 1 - decayed(age)
	}
	return r.sum / weight
}

func (r *Rate) decay(now time.Duration) {
	if now > r.at {
		r.sum *= decayed(now - r.at)
		r.at = now
	}
}

// decayed returns exp(-d/tau), by series where d is short: one is computed for
// every block.
func decayed(d time.Duration) float64 {
	x := float64(d) / float64(tau)
	if x < 1e-3 {
		return 1 - x + x*x/2
	}
	return math.Exp(-x)
}
