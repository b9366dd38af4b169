package node

import (
	"context"
	"iter"
	"sync"

	"tandem/internal/discover"
)

// lazy is a finder that is made when its swarm is first joined: what comes from a
// server needs no other way to find peers until there is a reason.
type lazy struct {
	name string
	open func(context.Context) (discover.Finder, error)

	mu  sync.Mutex // guards the fields below
	f   discover.Finder
	err error
}

// Join implements discover.Finder.
func (l *lazy) Join(ctx context.Context, s discover.Swarm) iter.Seq[discover.Found] {
	return func(yield func(discover.Found) bool) {
		l.mu.Lock()
		if l.f == nil {
			l.f, l.err = l.open(ctx)
		}
		f := l.f
		l.mu.Unlock()
		if f == nil { // the other finders remain
			<-ctx.Done()
			return
		}
		for found := range f.Join(ctx, s) {
			if !yield(found) {
				return
			}
		}
	}
}

// Name implements discover.Finder.
func (l *lazy) Name() string { return l.name }

// Err implements discover.Finder.
func (l *lazy) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return l.err
	}
	return l.f.Err()
}

// Close implements discover.Finder.
func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}
