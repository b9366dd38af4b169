package transfer

import (
	"time"

	"tandem/internal/fault"
	"tandem/internal/swarm"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// Patience with peers.
const (
	idleTimeout   = 120 * time.Second // without one whole message
	keepAlive     = 90 * time.Second  // of silence before we send one
	slowWindow    = 30 * time.Second  // over which a pending write is judged
	slowRate      = 1 << 10           // bytes per second it must make at least
	slowPatience  = 2                 // windows, where the system does not count acknowledged bytes
	seedsTogether = 5 * time.Second   // two complete nodes stay connected
	seedCheck     = 5 * time.Second
)

// slowMark is the progress of a pending write when its window began.
type slowMark struct {
	at   time.Time
	done uint64
}

// tick does what time asks for.
func (t *Transfer) tick() {
	if t.sw != nil && len(t.conns)+len(t.origins) > 0 {
		t.sw.Tick(t.now)
		t.uplink.Store(int64(t.sw.Uplink()))
	}
	t.tickOrigins()
	t.tellHeld()
	for i := range t.paces {
		t.paces[i].sample(t.now, t.fromPeers+t.fromOrigin)
	}
	t.sendHaves()
	t.dialSome()
	t.tellPeers()
	if t.now.Sub(t.secondAt) < time.Second {
		return
	}
	first := t.secondAt.IsZero() // of it nothing has been seen yet
	t.secondAt = t.now
	for _, c := range append([]*conn(nil), t.conns...) {
		t.watch(c)
	}
	t.judgeAll()
	t.timeMetadata()
	t.timeHashes()
	if t.sw != nil && !first {
		t.limits.sample(t)
	}
	t.partSeeds()
	if t.hungry() {
		t.wakeFinders()
	}
}

// watch applies the limits of patience to one connection and measures it.
func (t *Transfer) watch(c *conn) {
	c.notices = 0
	silent := t.now.Sub(time.Unix(0, c.lastRecv.Load()))
	switch {
	case silent > idleTimeout:
		t.drop(c, fault.Timeout, "silent for too long")
		return
	case t.tooSlow(c):
		t.drop(c, fault.Timeout, "takes less than 1 KiB/s")
		return
	case c.writing.Load() == 0 && t.now.Sub(time.Unix(0, c.lastSent.Load())) > keepAlive:
		t.post(c, &wire.Message{ID: wire.KeepAlive})
	}
	if m, ok := c.nc.(transport.Meter); ok && c.joined {
		if d, ok := m.RTT(); ok && d > 0 {
			c.rtt = d
			if c.best == 0 || d < c.best {
				c.best = d
			}
			t.sw.RTT(c.id, d)
		}
	}
}

// tooSlow reports whether a pending write makes no progress worth having. It
// goes by the bytes the other system acknowledged, not by calls of Write: a
// peer may take one byte at a time for ever.
func (t *Transfer) tooSlow(c *conn) bool {
	if c.writing.Load() == 0 {
		c.slow = slowMark{}
		return false
	}
	done, window := uint64(c.written.Load()), slowPatience*slowWindow
	if m, ok := c.nc.(transport.Meter); ok {
		if acked, ok := m.Acked(); ok {
			done, window = acked, slowWindow
		}
	}
	if c.slow.at.IsZero() {
		c.slow = slowMark{t.now, done}
		return false
	}
	if t.now.Sub(c.slow.at) < window {
		return false
	}
	slow := done-c.slow.done < uint64(slowWindow/time.Second)*slowRate
	c.slow = slowMark{t.now, done}
	return slow
}

// partSeeds closes connections on which nothing can happen any more: both sides
// want nothing.
func (t *Transfer) partSeeds() {
	if !t.isComplete() || t.now.Sub(t.complete) < seedsTogether || t.now.Sub(t.partedAt) < seedCheck || len(t.conns) == 0 {
		return
	}
	t.partedAt = t.now
	pieces := t.manifest.NumPieces()
	for _, s := range t.sw.Stats().Conns {
		c := t.byID[s.Conn]
		if c == nil || t.now.Sub(c.since) < seedsTogether {
			continue
		}
		c.seed = c.seed || (pieces > 0 && s.Pieces == pieces)
		if (c.seed || c.uploads) && !s.Interested && !c.wantsHashes(t.now) {
			t.drop(c, fault.Exists, "both sides are complete")
		}
	}
}

// wantsHashes reports whether c was still asking for metadata or hashes.
func (c *conn) wantsHashes(time.Time) bool { return c.answering > 0 }

// hungry reports whether more addresses would help: few peers, and none being
// dialed.
func (t *Transfer) hungry() bool {
	return !t.isComplete() && len(t.conns) < 5 && t.dialing == 0
}

// stats are the swarm's figures.
func (t *Transfer) stats() swarm.Stats {
	if t.sw == nil {
		return swarm.Stats{}
	}
	return t.sw.Stats()
}
