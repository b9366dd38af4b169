package sim

import "time"

// uplink is what a sender knows of its own link: a node is not told its rate, but goes by
// the most that it has seen leave (choke.Capacity), and tries now and then whether there
// is more (swarm's prober). Where downlinks are the limit it believes its uplink to be
// smaller than it is, and serves two where it could serve more.
type uplink struct {
	known float64 // bytes per second
	bytes float64 // since the window began
	since int64
	at    int64 // bytes are counted until then

	probing            bool
	until, next, every int64
	before             float64 // known when the probe began
}

// learners is up to how many nodes learn their uplinks; of more all know them.
const learners = 20_000

// As choke.Capacity and swarm's prober have them. That Capacity waits for sixteen blocks on
// a thin uplink is not needed here: what leaves is known to the byte.
const (
	meterWindow = int64(200 * time.Millisecond)
	meterKeep   = 0.98
	probeTime   = int64(300 * time.Millisecond)
	probeEvery  = int64(2 * time.Second)
	probeRest   = int64(30 * time.Second)
	probeExtra  = 2
	probeGain   = 1.05
	limitedIs   = 0.9      // of its share a receiver takes, or is limited
	underway    = 16 << 10 // what may have left of the block being sent
)

// meter counts what has left node j, before that changes.
func (e *engine) meter(j int32) {
	if e.uplinks == nil {
		return
	}
	u := &e.uplinks[j]
	if d := e.now - u.at; d > 0 {
		u.bytes += float64(float64(e.nodes[j].out)*float64(d)) / 1e9
		u.at = e.now
	}
	if d := u.at - u.since; d >= meterWindow {
		u.known = max(u.bytes*1e9/float64(d), float64(u.known*meterKeep))
		u.bytes, u.since = 0, u.at
	}
}

// slots returns to how many connections node j sends at a time now.
func (e *engine) slots(j int32) int {
	if e.uplinks == nil {
		return serving
	}
	u := &e.uplinks[j]
	switch {
	case u.probing && e.now >= u.until:
		u.probing = false
		if u.every = min(2*u.every, probeRest); u.known > float64(probeGain*u.before) {
			u.every = probeEvery
		}
		u.next = e.now + u.every
	case u.every == 0:
		u.every, u.next = probeEvery, e.now+probeEvery
	case !u.probing && e.now >= u.next:
		u.probing, u.until, u.before = true, e.now+probeTime, u.known
	}
	if u.probing {
		return serving + probeExtra
	}
	return serving
}

// share is below which rate a receiver of node j counts as slower than its share.
func (e *engine) share(j int32) int64 {
	v := &e.nodes[j]
	if v.nOut == 0 {
		return 0
	}
	known := float64(v.up)
	if e.uplinks != nil {
		known = min(known, e.uplinks[j].known)
	}
	least := limitedIs * float64(e.size) / float64(e.size+underway)
	return int64(float64(known*least) / float64(v.nOut))
}
