package origin

import (
	"errors"
	"io"
	"sync"
	"time"

	"tandem/internal/fault"
)

// Sizes of what is read, hashed and written at once. Slow senders get small buffers, so that
// many of them need little memory; a sender that fills one quickly gets big ones.
const (
	smallChunk = 64 << 10
	bigChunk   = 1 << 20
	quick      = 200 * time.Millisecond
	patience   = time.Second // a chunk is passed on when it took this long, full or not
)

var (
	smallChunks = sync.Pool{New: func() any { return new([smallChunk]byte) }}
	bigChunks   = sync.Pool{New: func() any { return new([bigChunk]byte) }}
)

// chunk is a piece of a body in a buffer of a pool.
type chunk struct {
	bytes []byte
	small *[smallChunk]byte
	big   *[bigChunk]byte
}

func newChunk(big bool) chunk {
	if big {
		b := bigChunks.Get().(*[bigChunk]byte)
		return chunk{bytes: b[:], big: b}
	}
	b := smallChunks.Get().(*[smallChunk]byte)
	return chunk{bytes: b[:], small: b}
}

// free gives the buffer back; the chunk must not be used any more.
func (c chunk) free() {
	if c.big != nil {
		bigChunks.Put(c.big)
	}
	if c.small != nil {
		smallChunks.Put(c.small)
	}
}

// feed reads a body in a goroutine of its own, at most two chunks ahead.
type feed struct {
	body io.Reader
	left int64 // bytes still wanted
	now  func() time.Time
	full chan chunk // closed at the end
	err  error      // why it ended; nil: the body did. Read after full is closed.
	quit chan struct{}
	once sync.Once
}

// errTooLong says that a body has more than was announced.
type errTooLong struct{}

func (errTooLong) Error() string { return "upload: more bytes came than its size says" }
func (errTooLong) Unwrap() error { return fault.Invalid }

// startFeed reads up to left bytes of body and looks whether more come. It must be stopped.
func startFeed(body io.Reader, left int64, now func() time.Time) *feed {
	f := &feed{body: body, left: left, now: now, full: make(chan chunk, 1), quit: make(chan struct{})}
	go func() {
		defer close(f.full)
		f.err = f.run()
	}()
	return f
}

// stop tells the goroutine to end. A Read under way is ended when the body can do that.
func (f *feed) stop() {
	f.once.Do(func() {
		close(f.quit)
		if a, ok := f.body.(interface{ Abort() }); ok {
			a.Abort()
		}
	})
}

// wait waits for the goroutine, behind stop.
func (f *feed) wait() {
	for c := range f.full {
		c.free()
	}
}

func (f *feed) run() error {
	big := false
	for f.left > 0 {
		c := newChunk(big && f.left > smallChunk)
		c.bytes = c.bytes[:min(int64(len(c.bytes)), f.left)]
		n, took, err := f.fill(c.bytes)
		whole := n == len(c.bytes)
		c.bytes = c.bytes[:n]
		f.left -= int64(n)
		if n == 0 {
			c.free()
		} else {
			select {
			case f.full <- c:
			case <-f.quit:
				c.free()
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Errorf(fault.Closed, "upload: the body broke off: %w", err)
		}
		big = whole && took < quick || big && took < patience
	}
	return f.more()
}

// more looks whether the body ends where it should.
func (f *feed) more() error {
	var one [1]byte
	for range 100 {
		n, err := f.body.Read(one[:])
		switch {
		case n > 0:
			return errTooLong{}
		case err != nil: // also one that is not EOF: everything is there
			return nil
		}
	}
	return nil
}

// fill reads until b is full, the body ends, or patience does.
func (f *feed) fill(b []byte) (n int, took time.Duration, err error) {
	begun := f.now()
	for empty := 0; n < len(b) && err == nil; {
		var m int
		m, err = f.body.Read(b[n:])
		n += m
		if m == 0 && err == nil {
			if empty++; empty > 100 {
				return n, took, io.ErrNoProgress
			}
		}
		if took = f.now().Sub(begun); n > 0 && took >= patience {
			return n, took, err
		}
		select {
		case <-f.quit:
			return n, took, io.EOF
		default:
		}
	}
	return n, took, err
}
