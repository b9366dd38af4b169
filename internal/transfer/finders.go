package transfer

import (
	"context"
	"strings"
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

// startFinders joins the swarm of every key with every finder.
func (t *Transfer) startFinders() {
	t.stopFinders = map[string]context.CancelFunc{}
	for _, f := range t.cfg.Finders {
		ctx, cancel := context.WithCancel(t.ctx)
		t.stopFinders[f.Name()] = cancel
		for i, key := range t.keys {
			wake := make(chan struct{}, 1)
			t.wakes = append(t.wakes, wake)
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
}

// stopPublicFinders ends the DHT and the LAN for content that turned out to be
// private (BEP 27) when its metadata came.
func (t *Transfer) stopPublicFinders() {
	for name, stop := range t.stopFinders {
		if !strings.HasPrefix(name, "tracker") {
			stop()
		}
	}
}

// wakeFinders asks for an early round.
func (t *Transfer) wakeFinders() {
	if t.now.Sub(t.wokenAt) < t.wakeGap && !t.isComplete() {
		return
	}
	t.wokenAt = t.now
	t.wakeGap = max(wakeSoon, min(2*t.wakeGap, wakeLate))
	for _, w := range t.wakes {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
