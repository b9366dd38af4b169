package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/store"
)

// testBlobCrash ends the process at the places that matter for what is promised.
func testBlobCrash(t *testing.T, place func(t testing.TB) *BlobPlace) {
	for name, power := range map[string]bool{"the process is killed": false, "the power goes": true} {
		t.Run("what was promised survives when "+name, func(t *testing.T) {
			for round := range 20 { // what a loss of power leaves is random
				pl := newBlobPlace(t, place)
				s, done := newSample(1, pl.Big), newSample(2, 5000)
				b := pl.mustOpen(t)
				put(t, b, "done", done)
				w := stage(t, b, "a", s.data, 0, pl.Big*2/3)
				durable, err := w.Sync(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := write(w, s.data[pl.Big*2/3:pl.Big-1]); err != nil {
					t.Fatal(err)
				}
				pl.Crash(b, power)
				b = pl.mustOpen(t)
				checkKept(t, b, done)
				if err := stage(t, b, "a", s.data, int(durable), pl.Big).Commit(t.Context(), s.root); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				pl.Crash(b, power)
				b = pl.mustOpen(t)
				checkKept(t, b, done, s)
				closeBlobs(t, b)
				if !power || pl.Shared || pl.Fail == nil { // nothing is lost at random
					break
				}
			}
		})
	}
}

func (pl *BlobPlace) mustOpen(t testing.TB) store.Blobs {
	t.Helper()
	b, err := pl.Open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func closeBlobs(t testing.TB, b store.Blobs) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// testBlobFaults lets every single operation fail, and then goes on, or loses
// power. What was acknowledged is whole, what can be seen is whole, and everything
// can be brought to its end.
func testBlobFaults(t *testing.T, place func(t testing.TB) *BlobPlace) {
	for _, kind := range newBlobPlace(t, place).Kinds {
		for _, power := range []bool{false, true} {
			if power && newBlobPlace(t, place).Shared {
				continue
			}
			t.Run(fmt.Sprintf("any operation of one upload fails (%v), power goes: %t", kind, power), func(t *testing.T) {
				for n := 1; ; n++ {
					pl := newBlobPlace(t, place)
					if !failOne(t, pl, n, kind, power) {
						return
					}
				}
			})
			t.Run(fmt.Sprintf("any operation of many commits fails (%v), power goes: %t", kind, power), func(t *testing.T) {
				for n := 1; ; n++ {
					pl := newBlobPlace(t, place)
					if !failMany(t, pl, n, kind, power) {
						return
					}
				}
			})
		}
	}
}

// failOne uploads in two halves although the nth operation fails, and reports
// whether one did.
func failOne(t *testing.T, pl *BlobPlace, n int, kind fault.Kind, power bool) (failed bool) {
	t.Helper()
	s := newSample(1, pl.Big)
	b := pl.mustOpen(t)
	pl.Fail(n, kind)
	durable := 0
	for try := 0; ; try++ {
		err := failHalf(t, b, s, &durable)
		if err == nil {
			break
		}
		failed = pl.Mend() || failed
		if fault.KindOf(err) != kind || try > 3 {
			t.Fatalf("operation %d failed with %v, and: %v", n, kind, err)
		}
		if power {
			pl.Crash(b, true)
			b = pl.mustOpen(t)
		}
		checkWhole(t, b)
	}
	failed = pl.Mend() || failed
	pl.Crash(b, power)
	b = pl.mustOpen(t)
	checkKept(t, b, s)
	closeBlobs(t, b)
	return failed
}

// failHalf goes on at durable, as far as it gets.
func failHalf(t *testing.T, b store.Blobs, s sample, durable *int) error {
	half := len(s.data) / 2
	w, err := b.Stage(t.Context(), "a", int64(*durable), int64(len(s.data)))
	if errors.Is(err, fault.NotFound) && *durable > 0 {
		*durable = 0 // a commit that failed may have taken it
		w, err = b.Stage(t.Context(), "a", 0, int64(len(s.data)))
	}
	if err != nil {
		return err
	}
	if *durable < half {
		err = write(w, s.data[*durable:half])
		if err == nil {
			var n int64
			n, err = w.Sync(t.Context())
			*durable = int(n)
		}
		if err == nil {
			err = write(w, s.data[half:])
		}
	} else {
		err = write(w, s.data[*durable:])
	}
	if err == nil {
		err = w.Commit(t.Context(), s.root)
	}
	if err != nil {
		at := int(w.Offset())
		n, cerr := w.Close(t.Context())
		if int(n) > at {
			t.Errorf("%d of %d bytes are durable", n, at)
		}
		if cerr == nil {
			*durable = int(n)
		}
	}
	return err
}

// failMany commits enough at once for them to be grouped although the nth
// operation fails.
func failMany(t *testing.T, pl *BlobPlace, n int, kind fault.Kind, power bool) bool {
	t.Helper()
	b := pl.mustOpen(t)
	all, ok := make([]sample, 12), make([]bool, 12)
	stages := make([]store.Stage, len(all))
	for i := range all {
		all[i] = newSample(i, 100+i)
		stages[i] = stage(t, b, fmt.Sprint("up", i), all[i].data, 0, len(all[i].data))
	}
	pl.Fail(n, kind)
	var wg sync.WaitGroup
	for i, w := range stages {
		wg.Go(func() {
			err := w.Commit(t.Context(), all[i].root)
			if ok[i] = err == nil; err != nil && fault.KindOf(err) != kind {
				t.Errorf("operation %d failed with %v, and: %v", n, kind, err)
			}
		})
	}
	wg.Wait()
	failed := pl.Mend()
	checkWhole(t, b)
	if power {
		pl.Crash(b, true)
		b = pl.mustOpen(t)
	}
	kept := checkWhole(t, b)
	for i := range all {
		if ok[i] && !kept[all[i].root] {
			t.Errorf("operation %d failed, and an acknowledged commit is lost", n)
		}
		if !ok[i] {
			put(t, b, fmt.Sprint("up", i), all[i])
		}
	}
	checkKept(t, b, all...)
	closeBlobs(t, b)
	return failed
}
