// Package choke decides whom this node serves next, and who may ask at all.
//
// Serving: a node sends to two connections at a time and stays on one for a
// piece, since a receiver can pass on nothing but whole pieces; then comes the
// connection served longest ago. Receivers slower than their share of the
// uplink do not count, or one of them would block it. Those who take and do not
// give come last.
//
// Choking: nobody is choked without a reason. Where memory or policy asks for a
// limit, slots go to those who give most, with a part of them rotating (BEP 3,
// choking; differs: the rotating part is a quarter, and all when we only seed).
package choke

import (
	"math"
	"time"
)

// A receiver is a free-rider once it took more than this from us and gave
// less than the eighth part back.
const (
	freeBytes = 2 << 20
	freeShare = 8
)

// FreeRider reports whether a peer that we sent up bytes and that sent us down
// only takes.
func FreeRider(up, down int64) bool { return up > freeBytes && down*freeShare < up }

// Patience is how long a free-rider waits at most while others want to be
// served: a peer that cannot give (it joined late, nobody can reach it) still
// gets on.
const Patience = 10 * time.Second

// Waiting is a connection with requests that is not being sent to.
type Waiting struct {
	Served    time.Duration // end of its last turn; 0: never
	FreeRider bool
	Fresh     bool // asks a seeder for what it was to be the first to get
}

// Next returns which of those waiting to send to next: the one served longest
// ago, the first of equals. Fresh pieces come before and free-riders after
// everybody else. It returns -1 if nobody waits.
func Next(now time.Duration, w []Waiting) int {
	best, bestRank := -1, 0
	for i := range w {
		rank := 1
		switch {
		case w[i].Fresh:
			rank = 0
		case w[i].FreeRider && now-w[i].Served < Patience:
			rank = 2
		}
		if best < 0 || rank < bestRank || rank == bestRank && w[i].Served < w[best].Served {
			best, bestRank = i, rank
		}
	}
	return best
}

// Shares of the uplink that tell a slow receiver.
const (
	limitedShare = 0.9
	deadAfter    = time.Second
	underway     = 16 << 10 // what may have left of the block being sent
)

// Limited reports whether a receiver that drained bytes in the time since its
// turn began takes less than its share, which would have been fair bytes. One
// that drained nothing for a second is limited whatever its share.
func Limited(drained int, fair float64, turn time.Duration) bool {
	if drained == 0 && turn >= deadAfter {
		return true
	}
	return float64(drained+underway) < limitedShare*fair
}

// Share adds up what a connection would have been sent if the uplink were
// divided equally among those being sent to at each moment.
type Share struct {
	bytes float64
	at    time.Duration
}

// Advance counts the time until now, with so many sent to at capacity bytes per
// second since the last call, and returns the sum in bytes.
func (f *Share) Advance(now time.Duration, capacity float64, sending int) float64 {
	if sending > 0 {
		f.bytes += capacity * (now - f.at).Seconds() / float64(sending)
	}
	f.at = now
	return f.bytes
}

// Capacity learns what the uplink can carry: the highest rate seen over a
// window, forgotten slowly, since a link may be shared with others. The zero
// Capacity is ready to use.
type Capacity struct {
	rate  float64 // bytes per second
	bytes int64   // in the current window
	since time.Duration
	begun bool
	sure  bool // the rate is of a whole window; the first guess is not
}

const (
	capacityWindow = 200 * time.Millisecond
	capacityKeep   = 0.98 // of the rate, per window without as much
	// A window lasts until this many bytes have left, but not forever: of a few blocks that
	// happen to leave together the highest rate says more than a thin uplink carries.
	capacityBytes = 16 * 16 << 10
	capacityMost  = 2 * time.Second
)

// Add counts bytes that left.
func (c *Capacity) Add(now time.Duration, n int) {
	if !c.begun {
		c.begun, c.since = true, now
	}
	c.bytes += int64(n)
	d := now - c.since
	seen := float64(c.bytes) / d.Seconds()
	switch {
	case d < capacityWindow:
	case c.bytes >= capacityBytes || d >= capacityMost:
		keep := 0.0
		if c.sure {
			keep = math.Pow(capacityKeep, float64(d)/float64(capacityWindow))
		}
		c.rate, c.sure = max(seen, c.rate*keep), true
		c.bytes, c.since = 0, now
	case !c.sure:
		c.rate = seen
	}
}

// Rate returns bytes per second, 0 while unknown.
func (c *Capacity) Rate() float64 { return c.rate }
