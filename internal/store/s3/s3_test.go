package s3

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/fault"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/test/engines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small are the smallest parts that S3 composes.
func small() limits { return limits{5 << 20, 5 << 20, 64 << 20, 3, 1, patience} }

// big is content of one of them, and a rest that is too small for another.
const big = 5<<20 + 300_000

// flaky makes requests fail, like a connection that breaks.
type flaky struct {
	to http.RoundTripper

	mu     sync.Mutex // guards the fields below
	left   int        // requests until they fail; 0: never
	kind   fault.Kind
	failed bool
	dead   bool
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := f.step(); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return f.to.RoundTrip(r)
}

func (f *flaky) step() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.dead:
		return errors.New("process is dead")
	case f.left == 0:
		return nil
	case f.left > 1:
		f.left--
		return nil
	}
	f.failed = true
	return fault.Errorf(f.kind, "injected")
}

func (f *flaky) set(n int, kind fault.Kind) (failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	failed = f.failed
	f.left, f.kind, f.failed = n, kind, false
	return failed
}

func (f *flaky) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

func config(t testing.TB, s *engines.S3Server, prefix string) Config {
	t.Helper()
	cfg, err := Parse(s.URL+"&prefix="+prefix, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// openSmall opens a store of small parts until the test ends.
func openSmall(t testing.TB, cfg Config, wrap func(http.RoundTripper) http.RoundTripper, patience time.Duration) *Blobs {
	t.Helper()
	l := small()
	l.patience = patience
	b, err := open(t.Context(), cfg, newTransport(patience), wrap, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// place is a prefix of its own in the bucket.
func place(t testing.TB, cfg Config) *storetest.BlobPlace {
	var now *flaky
	return &storetest.BlobPlace{
		Open: func() (store.Blobs, error) {
			conns := newTransport(patience)
			now = &flaky{to: conns}
			return open(t.Context(), cfg, conns, func(http.RoundTripper) http.RoundTripper { return now }, small())
		},
		Crash: func(b store.Blobs, _ bool) {
			now.kill()
			if b != nil {
				_ = b.Close()
			}
		},
		Fail:   func(n int, kind fault.Kind) { now.set(n, kind) },
		Mend:   func() bool { return now.set(0, fault.Other) },
		Kinds:  []fault.Kind{fault.Unreachable},
		Big:    big,
		Shared: true,
	}
}

func TestBlobsKeepTheContract(t *testing.T) {
	s := engines.S3(t)
	n := 0
	storetest.RunBlobs(t, func(t testing.TB) *storetest.BlobPlace {
		n++
		return place(t, config(t, s, fmt.Sprint("place", n)))
	})
}
