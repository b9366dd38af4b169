package tracker

import (
	"time"

	"tandem/internal/discover"
)

const (
	earliest    = 5 * time.Second  // between announces, except for an event
	leastEvery  = 5 * time.Minute  // between regular announces
	mostEvery   = 2 * time.Hour    //
	usualEvery  = 30 * time.Minute // when the tracker does not say
	mostBackoff = 30 * time.Minute // after failures
)

// schedule says when to announce next. Early announces, asked for because few
// peers are known, come after 5, 10, 20, 40 seconds and so on, so that a swarm
// forms at once and a tracker is not asked for ever.
type schedule struct {
	first    time.Duration // until the first early announce; doubles
	early    int           // early announces so far
	failures int           // in a row
}

// worked returns how long to wait for the next regular announce and for the
// soonest early one, after one that worked.
func (s *schedule) worked(r reply, wasEarly bool) (due, soonest time.Duration) {
	s.failures = 0
	if wasEarly {
		s.early++
	}
	due = r.interval
	if due == 0 {
		due = usualEvery
	}
	due = min(max(due, leastEvery, r.minInterval), mostEvery)
	soonest = max(discover.Backoff(s.first, s.early, due), r.minInterval)
	return due, min(soonest, due)
}

// failed returns how long to wait after a round in which no tracker of the
// tier worked. jitter is in [0, 1).
func (s *schedule) failed(jitter float64) time.Duration {
	d := discover.Backoff(s.first, s.failures, mostBackoff)
	s.failures++
	return d + time.Duration(float64(d)*jitter/4)
}
