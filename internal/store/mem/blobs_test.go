package mem_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/store"
	"tandem/internal/store/mem"
	"tandem/internal/store/storetest"
)

func TestBlobsKeepTheContract(t *testing.T) {
	storetest.RunBlobs(t, func(testing.TB) *storetest.BlobPlace {
		now := func() time.Time { return time.Unix(1e9, 0) }
		b := mem.NewBlobs(now)
		var mu sync.Mutex
		var left int
		var fail error
		var failed bool
		b.Inject(func(op string) error {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				failed = true
				return fail
			}
			return nil
		})
		opened := false
		return &storetest.BlobPlace{
			Open: func() (store.Blobs, error) {
				if opened {
					b = b.Reopen(false)
				}
				opened = true
				return b, nil
			},
			Crash: func(_ store.Blobs, power bool) { b, opened = b.Reopen(power), false },
			Fail: func(n int, kind fault.Kind) {
				mu.Lock()
				defer mu.Unlock()
				left, failed, fail = n, false, fault.Errorf(kind, "injected")
			},
			Mend: func() bool {
				mu.Lock()
				defer mu.Unlock()
				left = 0
				return failed
			},
			Big: 30_000,
		}
	})
}

func TestBlobsHaveAsMuchRoomAsTheyAreGiven(t *testing.T) {
	b := mem.NewBlobs(time.Now)
	b.Limit(100)
	if _, err := b.Stage(t.Context(), "a", 0, 101); !errors.Is(err, fault.Full) {
		t.Errorf("a stage of 101 bytes: %v, want full", err)
	}
	w, err := b.Stage(t.Context(), "a", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(make([]byte, 41)); !errors.Is(err, fault.Full) || n != 0 {
		t.Errorf("byte 101: %d taken, %v, want full", n, err)
	}
	if err := w.Discard(); err != nil {
		t.Fatal(err)
	}
	if free, total, ok := b.Space(); free != 100 || total != 100 || !ok {
		t.Errorf("%d of %d bytes are free", free, total)
	}
}
