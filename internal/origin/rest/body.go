package rest

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// body is a request's body. It counts what is read, tells the watch when the
// client is being waited for, and can be ended from elsewhere.
type body struct {
	io.ReadCloser
	socket *socket // may be nil
	count  atomic.Int64
	ended  atomic.Bool // by Abort
	ender  ender
}

func (b *body) Read(p []byte) (int, error) {
	if b.socket != nil {
		b.socket.reading.Add(1)
	}
	n, err := b.ReadCloser.Read(p)
	if b.socket != nil {
		b.socket.reading.Add(-1)
	}
	b.count.Add(int64(n))
	return n, err
}

// Abort ends a Read that waits for the client, and those after it.
func (b *body) Abort() {
	b.ended.Store(true)
	b.ender.end((*http.ResponseController).SetReadDeadline)
}

// ender sets a deadline in the past, unless the exchange is over: then the
// connection may carry somebody else's request.
type ender struct {
	mu   sync.Mutex // guards what follows
	ctl  *http.ResponseController
	over bool
}

func (e *ender) end(deadline func(*http.ResponseController, time.Time) error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over || e.ctl == nil {
		return false
	}
	// A writer that knows no deadlines is one of a test; nothing can be ended there.
	return deadline(e.ctl, time.Unix(1, 0)) == nil
}

func (e *ender) close() {
	e.mu.Lock()
	e.over = true
	e.mu.Unlock()
}
