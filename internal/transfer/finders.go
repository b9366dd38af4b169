package transfer

import (
	"context"
	"sync/atomic"
	"time"

	"tandem/internal/discover"
)

// figures are what finders tell trackers. They are read from other goroutines.
type figures struct {
	uploaded, downloaded, left atomic.Int64
}

func (f *figures) stats() discover.Stats {
	return discover.Stats{Uploaded: f.uploaded.Load(), Downloaded: f.downloaded.Load(), Left: f.left.Load()}
}

// Finders are asked for early rounds at growing intervals: one sharer is all there
// is, in many swarms.
const (
	wakeSoon = 5 * time.Second
	wakeLate = 5 * time.Minute
)

// joining is our part in the swarms of one finder.
type joining struct {
	leave context.CancelFunc
	wakes []chan struct{} // each has room for one
}

// joinFinder joins the swarm of every key with f.
func (t *Transfer) joinFinder(f discover.Finder) {
	ctx, cancel := context.WithCancel(t.ctx)
	j := &joining{leave: cancel}
	t.joined[f.Name()] = j
	for i, key := range t.keys {
		wake := make(chan struct{}, 1)
		j.wakes = append(j.wakes, wake)
		s := discover.Swarm{Key: key, PeerID: t.cfg.PeerID, Port: t.cfg.Port, Stats: t.figures.stats, Wake: wake}
		t.wg.Add(1)
		go func() {
			defer t.wg.Done()
			for found := range f.Join(ctx, s) {
				if !t.mail.putWait(event{kind: evFound, body: found, n: i}) {
					return
				}
			}
		}()
	}
}

// wakeFinders asks for an early round.
func (t *Transfer) wakeFinders() {
	if t.now.Sub(t.wokenAt) < t.wakeGap && !t.isComplete() {
		return
	}
	t.wokenAt = t.now
	t.wakeGap = max(wakeSoon, min(2*t.wakeGap, wakeLate))
	for _, j := range t.joined {
		for _, w := range j.wakes {
			select {
			case w <- struct{}{}:
			default:
			}
		}
	}
}
