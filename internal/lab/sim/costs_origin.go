package sim

import (
	"time"

	"tandem/internal/lab"
)

// What the real thing spends beside content, where an origin is concerned. Fitted on one
// origin at 40 Mbit/s with 10 receivers that take 16 MiB by `tandem get` at once, on shaped
// links (docs/benchmarks.md: 35.15 s, of which headers leave 35.08); what they say of other
// scenarios is tested by the bench.
const (
	// serverSetup is from a receiver's start to its first request for content: the
	// process and its state folder.
	serverSetup = 10 * time.Millisecond
	// serverTrips is how often a message crosses the link before the first byte comes:
	// TCP, TLS, join, metadata, the request and its answer, there and back.
	serverTrips = 10
	// serverTail is from the last byte until the file has its name: hashes, sync, rename.
	serverTail = 5 * time.Millisecond
	// overTLS is the share of a stream that content has: records of 16 KiB with 22 bytes
	// around them.
	overTLS = 16384. / (16384 + 22)
	// redial is how long a receiver waits before it turns to another origin when its own
	// breaks off (transfer's first pause).
	redial = 500 * time.Millisecond
)

// setupTime is from a receiver's start to when bytes of the origin begin to come.
func setupTime(s *lab.Scenario) int64 {
	return int64(serverSetup) + serverTrips*int64(s.Latency)
}

// overhead returns the share of what content can use of an origin's link that is content.
func overhead(s *lab.Scenario) float64 {
	if s.Payload >= 1 { // the program limits itself, by content
		return 1
	}
	return overTLS
}
