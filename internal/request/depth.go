package request

import (
	"math"
	"time"
)

const (
	blockSize = 16 << 10
	slack     = 250 * time.Millisecond // what a queue holds beyond the round trip at least

	// MinDepth is kept even on a connection that has delivered nothing:
	// enough to bridge the time between two answers.
	MinDepth = 4
	// Least is kept on every connection, whatever the safety net says.
	Least = 2
)

// Depth returns how many requests to keep outstanding on a connection that
// delivers rate bytes per second, for its round trip and slack together (Pulse
// says how much), at most limit.
func Depth(rate float64, span time.Duration, limit int) int {
	d := math.Ceil(rate*span.Seconds()/blockSize) + 1
	if d > float64(limit) {
		return limit
	}
	return min(max(int(d), MinDepth), limit)
}

// Net is the safety net: it returns the depth that a connection may use of
// the depth it would like, given the requests outstanding on all connections
// and the blocks missing. All together reserve at most half of what is missing,
// or, if that is more, what this one connection needs to stay busy.
func Net(depth, outstanding, missing int) int {
	if outstanding < max(missing/2, depth) {
		return depth
	}
	return min(depth, Least)
}

// Expected returns when the n-th request outstanding on a connection (1 is the
// next) should be answered, as a time from now.
func Expected(n int, rate float64, rtt time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	if rate < 1 {
		return longest
	}
	s := float64(n) * blockSize / rate
	if s > longest.Seconds() {
		return longest
	}
	return rtt + time.Duration(s*float64(time.Second))
}

// longest is how far ahead Expected looks.
const longest = time.Hour
