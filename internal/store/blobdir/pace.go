package blobdir

import "time"

// way is one of two ways to make a group durable.
type way int

const (
	deviceSync way = iota // one sync of everything: cheap, unless others write a lot
	fileSyncs             // a sync of each file
)

// probeEvery is how many groups are synced the way that seems better until the
// other is tried again.
const probeEvery = 50

// pace finds out which way takes less time for each file. On a device of our own
// that is nearly always deviceSync; beside others that write much, fileSyncs.
type pace struct {
	cost  [2]time.Duration // of a file, smoothed; of what is known
	known [2]bool
	count int
}

// choose returns the way for the next group.
func (p *pace) choose() way {
	better, other := deviceSync, fileSyncs
	if p.known[deviceSync] && (!p.known[fileSyncs] || p.cost[fileSyncs] < p.cost[deviceSync]) {
		better, other = fileSyncs, deviceSync
	}
	if p.count++; p.count%probeEvery == 0 {
		return other
	}
	return better
}

// note takes in what a group of n files took.
func (p *pace) note(w way, took time.Duration, n int) {
	if each := took / time.Duration(n); p.known[w] {
		p.cost[w] += (each - p.cost[w]) / 4
	} else {
		p.cost[w], p.known[w] = each, true
	}
}
