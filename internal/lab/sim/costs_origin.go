package sim

import (
	"time"

	"tandem/internal/lab"
)

// What the real thing spends beside content, where an origin is concerned. Fitted on one
// origin at 40 Mbit/s with 10 receivers (20 up, 100 down), 64 MiB, all at once, on shaped
// links; what they say of other scenarios is tested by the bench.
const (
	// serverSetup is from a receiver's start to its first request for content: the
	// process, its state folder, and on a machine that starts many at once its turn.
	serverSetup = 120 * time.Millisecond
	// serverTrips is how often a message crosses the link before the first byte comes:
	// TCP, TLS, join, metadata, the request and its answer, there and back.
	serverTrips = 10
	// serverTail is from the last byte until the file has its name: hashes, sync, rename.
	serverTail = 15 * time.Millisecond
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
