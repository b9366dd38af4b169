package origin

import (
	"context"
	"sync"
	"time"

	"tandem/internal/catalog"
)

// update is Catalog.Update; caches of what it may have changed end with it.
func (s *Server) update(ctx context.Context, f func(*catalog.Tx) error) error {
	err := s.cfg.Catalog.Update(ctx, f)
	// Also after an error: the commit may have been done and its answer lost.
	s.people.writes.Add(1)
	return err
}

// updateAccess is update for what may end somebody's access: it counts an Epoch.
func (s *Server) updateAccess(ctx context.Context, f func(*catalog.Tx) error) error {
	err := s.update(ctx, func(tx *catalog.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return tx.Sessions.Bump()
	})
	s.people.access.Add(1)
	s.swarm.watch.wake()
	return err
}

// writes returns a number that grows with every Update of this instance.
func (s *Server) writes() int64 { return s.people.writes.Load() }

// cache remembers answers for a short while. An answer is good while no Update
// of its sort was made since before it was looked up: gen, read before looking up, counts them.
// It holds at most most answers.
type cache[K comparable, V any] struct {
	keep time.Duration
	most int

	mu sync.Mutex // guards the fields below
	// What is put goes to young; when that is full it becomes old, and old is forgotten.
	young, old map[K]remembered[V]
	finding    map[K]chan struct{} // closed when who looks k up has put it, or has not found it
}

type remembered[V any] struct {
	value V
	at    time.Time
	gen   int64
}

func newCache[K comparable, V any](keep time.Duration, most int) *cache[K, V] {
	return &cache[K, V]{keep: keep, most: most, young: make(map[K]remembered[V])}
}

// get returns what was put under k less than keep ago in the same gen.
func (c *cache[K, V]) get(k K, gen int64, now time.Time) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.young[k]
	if !ok {
		r, ok = c.old[k]
	}
	age := now.Sub(r.at)
	if !ok || r.gen != gen || age < 0 || age >= c.keep { // < 0: the clock was set back
		return v, false
	}
	return r.value, true
}

func (c *cache[K, V]) put(k K, v V, gen int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= max(1, c.most/2) {
		c.old, c.young = c.young, make(map[K]remembered[V])
	}
	c.young[k] = remembered[V]{v, now, gen}
}

// turn is get for who will look k up when it is not there: of those who do at the same time one has its turn, and
// the others wait for what it puts. So a popular answer that has become old is looked up once, and not by all who ask for it.
// Whoever has to look calls done afterwards; done is nil with an answer.
func (c *cache[K, V]) turn(ctx context.Context, k K, gen int64, now time.Time) (v V, done func()) {
	for first := true; ; first = false {
		if v, ok := c.get(k, gen, now); ok {
			return v, nil
		}
		c.mu.Lock()
		other := c.finding[k]
		if other == nil || !first {
			done := c.begin(k, other == nil)
			c.mu.Unlock()
			return v, done
		}
		c.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return v, func() {} // who looks finds out why
		}
	}
}

// begin says that k is being looked up, unless somebody else does; c.mu is held.
func (c *cache[K, V]) begin(k K, alone bool) (done func()) {
	if !alone {
		return func() {}
	}
	if c.finding == nil {
		c.finding = make(map[K]chan struct{})
	}
	found := make(chan struct{})
	c.finding[k] = found
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.finding, k)
		close(found)
	}
}
