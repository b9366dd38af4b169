package sim

import (
	"time"

	"tandem/internal/lab"
)

// What the real thing spends beside content, in a swarm. Fitted on one seeder at
// 40 Mbit/s with 10 receivers (20 up, 100 down), 64 MiB, all at once, on shaped links;
// what they say of other scenarios is tested by the bench.
const (
	// peerStart is from a receiver's start to its first request: the process, its state
	// folder, and on a machine that starts many at once its turn.
	peerStart = 150 * time.Millisecond
	// peerTrips is how often a message crosses the link before the first block comes:
	// tracker, TCP, TLS, handshake, metadata, interest, unchoke and request.
	peerTrips = 14
	// peerTail is from the last piece until the file has its name: sync, rename.
	peerTail = 15 * time.Millisecond
	// verify is from the last block of a piece to its announcement.
	verify = time.Millisecond
	// assistLeast is what help in the endgame must save at least.
	assistLeast = 20 * time.Millisecond
	// overWire is the share of a stream that content has: messages of 16 KiB with 13
	// bytes before them, in TLS records with 22 around.
	overWire = 16384. / (16384 + 13 + 22)
	// overAcks is the share of a receiver's uplink that acknowledgements and requests
	// for what it receives leave to content (lab.md: 1.073 with, 1.046 without).
	overAcks = 1.046 / 1.073
)

// streamEngine is the core's own randomness.
const streamEngine uint64 = 0x656e6769

// framing is which share of the rates that content can use is left for it.
type framing struct{ origin, up, down float64 }

func framed(s *lab.Scenario) framing {
	if s.Payload >= 1 { // the program limits itself, by content
		return framing{1, 1, 1}
	}
	return framing{overWire, float64(overWire * overAcks), overWire}
}

// peerSetup is from a receiver's start to its first request.
func peerSetup(s *lab.Scenario) int64 { return int64(peerStart) + peerTrips*int64(s.Latency) }
