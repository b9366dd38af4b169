package rest

import (
	"context"
	"sync/atomic"
	"time"
)

// maxPolls is how many requests may wait for something to happen; those beyond are
// answered at once. Each holds a connection, of which there are not more than a few
// thousand.
const maxPolls = 2048

// polls are the requests that wait for something to happen.
type polls struct {
	waiting atomic.Int64
	over    context.Context // ends when nobody is to wait any more
	stop    func()          // ends it
}

func newPolls() *polls {
	p := new(polls)
	p.over, p.stop = context.WithCancel(context.Background())
	return p
}

// begin lets a request wait for up to d; the duration returned is how long it may. The context
// ends with ctx, and when nobody is to wait any more. done is to be called once.
func (p *polls) begin(ctx context.Context, d time.Duration) (_ context.Context, _ time.Duration, done func()) {
	if d <= 0 || p.over.Err() != nil {
		return ctx, 0, func() {}
	}
	if p.waiting.Add(1) > maxPolls {
		p.waiting.Add(-1)
		return ctx, 0, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(p.over, cancel)
	return ctx, d, func() {
		forget()
		cancel()
		p.waiting.Add(-1)
	}
}
