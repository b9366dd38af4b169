package tracker

import (
	"context"
	"fmt"
	"iter"
	mrand "math/rand/v2"
	"net/url"
	"sync"
	"time"

	"tandem/internal/discover"
)

const (
	wantMany    = 200                     // peers asked for while few are known
	wantUsual   = 50                      //
	farewell    = 1500 * time.Millisecond // for announcing the end
	unknownLeft = 16 << 10                // what is told when nobody knows what is left
	roundLimit  = 90 * time.Second        // for one announce to one tracker
)

// Join implements discover.Finder.
func (c *Client) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] {
	return func(yield func(discover.Found) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		j := &joined{c: c, s: s, token: random32(), found: make(chan discover.Found)}
		var wg sync.WaitGroup
		for i := range c.tiers {
			wake := make(chan struct{}, 1)
			j.wakes = append(j.wakes, wake)
			wg.Go(func() { j.runTier(ctx, i, wake) })
		}
		wg.Go(func() { j.dispatch(ctx, cancel) })
		go func() {
			wg.Wait()
			close(j.found)
		}()
		for f := range j.found {
			if !yield(f) {
				break
			}
		}
		cancel()
		for range j.found { // until every tier has said farewell
		}
	}
}

// joined is one Join in progress.
type joined struct {
	c     *Client
	s     discover.Swarm
	token uint32
	found chan discover.Found
	wakes []chan struct{} // one for each tier
}

// dispatch hands every wake to all tiers, and ends the Join when the client is
// closed.
func (j *joined) dispatch(ctx context.Context, cancel context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.c.done:
			cancel()
			return
		case _, ok := <-j.s.Wake:
			if !ok {
				j.s.Wake = nil // only this goroutine uses it
				continue
			}
			for _, w := range j.wakes {
				select {
				case w <- struct{}{}:
				default: // one is waiting already
				}
			}
		}
	}
}

// tierState is what one tier remembers between rounds.
type tierState struct {
	sched     schedule
	at        *url.URL // where we are announced; nil: nowhere
	trackerID string
	complete  bool // the tracker knows that nothing is left
	many      bool // few peers are known: ask for many
}

// runTier announces to one tier until ctx ends, and withdraws then.
func (j *joined) runTier(ctx context.Context, i int, wake <-chan struct{}) {
	st := &tierState{sched: schedule{first: j.c.earliest}, many: true, complete: j.left() == 0}
	early := false
	for ctx.Err() == nil {
		r, err := j.round(ctx, i, st)
		if ctx.Err() != nil {
			break
		}
		now := time.Now()
		var due, soonest time.Time
		if err != nil {
			due = now.Add(st.sched.failed(mrand.Float64()))
			soonest = due
			j.c.o.Log.Debug("announce failed", "finder", j.c.name, "err", err)
		} else {
			d, s := st.sched.worked(r, early)
			due, soonest = now.Add(d), now.Add(s)
		}
		early = j.wait(ctx, st, wake, due, soonest)
		st.many = early
	}
	j.withdraw(ctx, st)
}

// wait returns when the next round is due, and whether it is an early one.
func (j *joined) wait(ctx context.Context, st *tierState, wake <-chan struct{}, due, soonest time.Time) (early bool) {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return early
		case <-wake:
			if st.at != nil && !st.complete && j.left() == 0 {
				return false // completed: told at once
			}
			early = true
			timer.Reset(time.Until(soonest))
		}
	}
}

// round tries the trackers of tier i until one works.
func (j *joined) round(ctx context.Context, i int, st *tierState) (reply, error) {
	var last error
	for _, u := range j.c.tier(i) {
		req, id := j.request(st, u)
		one, cancel := context.WithTimeout(ctx, roundLimit)
		r, err := j.c.announce(one, u, req, id, func(f discover.Found) {
			select {
			case j.found <- f:
			case <-one.Done():
			}
		})
		cancel()
		if ctx.Err() != nil {
			if err == nil {
				st.at = u
			}
			return reply{}, ctx.Err()
		}
		if err != nil {
			last = fmt.Errorf("announce to %s: %w", display(u), err)
			j.c.failed(i, last)
			continue
		}
		j.c.worked(i, u)
		if r.warning != "" {
			j.c.o.Log.Info("tracker warns", "tracker", display(u), "warning", r.warning)
		}
		if st.at != u {
			st.trackerID = ""
		}
		st.at = u
		if r.trackerID != "" {
			st.trackerID = r.trackerID
		}
		st.complete = st.complete || req.Left == 0
		return r, nil
	}
	return reply{}, last
}

// request is what to tell u now.
func (j *joined) request(st *tierState, u *url.URL) (r request, trackerID string) {
	r = j.base()
	r.NumWant = wantUsual
	if st.many {
		r.NumWant = wantMany
	}
	switch {
	case st.at != u:
		r.Event = eventStarted
		return r, ""
	case !st.complete && r.Left == 0:
		r.Event = eventCompleted
	}
	return r, st.trackerID
}

// base is what every announce tells.
func (j *joined) base() request {
	r := request{Key: j.s.Key, PeerID: j.s.PeerID, Port: j.s.Port, Token: j.token, Left: unknownLeft}
	if j.s.Stats != nil {
		st := j.s.Stats()
		r.Uploaded, r.Downloaded = max(st.Uploaded, 0), max(st.Downloaded, 0)
		if st.Left >= 0 {
			r.Left = st.Left
		}
	}
	return r
}

func (j *joined) left() int64 { return j.base().Left }

// withdraw tells the tracker that we leave. It is asked once, within two
// seconds, even though ctx has ended.
func (j *joined) withdraw(ctx context.Context, st *tierState) {
	if st.at == nil || j.s.Port == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	r := j.base()
	r.Event, r.NumWant = eventStopped, 0
	if _, err := j.c.announce(ctx, st.at, r, st.trackerID, func(discover.Found) {}); err != nil {
		j.c.o.Log.Debug("withdraw failed", "tracker", display(st.at), "err", err)
	}
}
