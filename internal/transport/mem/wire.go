package mem

import (
	"sync"
	"time"
)

// wire is one direction of a host's link, shared by its connections.
type wire struct {
	mu   sync.Mutex // guards the fields below
	rate int64      // bytes per second; zero is unlimited
	free time.Time  // when everything accepted so far has passed
}

func (w *wire) setRate(rate int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rate = max(rate, 0)
}

// pass books n bytes that are there at start, and returns when the last of them
// has passed.
func (w *wire) pass(start time.Time, n int) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rate == 0 {
		return start
	}
	if w.free.After(start) {
		start = w.free
	}
	w.free = start.Add(time.Duration(int64(n) * int64(time.Second) / w.rate))
	return w.free
}
