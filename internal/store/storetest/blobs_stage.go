package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/store"
)

func testStageResume(t *testing.T, pl *BlobPlace) {
	s := newSample(1, pl.Big)
	for name, cuts := range map[string][]int{
		"once":            {pl.Big / 2},
		"often":           {1, 2, 100, pl.Big / 3, pl.Big/3 + 1, pl.Big/2 + 7, pl.Big - 1},
		"at the very end": {pl.Big},
	} {
		at := 0
		for _, cut := range cuts { // every part by another process
			b := pl.open(t)
			w := stage(t, b, "a", s.data, at, cut)
			synced, err := w.Sync(t.Context())
			if err != nil || synced > int64(cut) {
				t.Fatalf("%s: %d of %d bytes are durable, %v", name, synced, cut, err)
			}
			durable, err := w.Close(t.Context())
			if err != nil || durable != int64(cut) {
				t.Fatalf("%s: closed at %d, %d bytes are durable, %v", name, cut, durable, err)
			}
			_, err = b.Stage(t.Context(), "a", durable+1, -1)
			wantKind(t, "going on behind what is durable", err, fault.NotFound)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			at = cut
		}
		b := pl.open(t)
		if err := stage(t, b, "a", s.data, at, pl.Big).Commit(t.Context(), s.root); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkKept(t, b, s)
		if err := errors.Join(b.Remove(t.Context(), s.root), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func testStageAnew(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	junk, s := newSample(1, pl.Big), newSample(2, pl.Big)
	if _, err := stage(t, b, "a", junk.data, 0, pl.Big).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := stage(t, b, "a", s.data, 0, pl.Big/2).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := b.Stage(t.Context(), "a", int64(pl.Big/2)+1, -1)
	wantKind(t, "going on with what was forgotten", err, fault.NotFound)
	// Behind an offset the rest is dropped, too.
	mixed := append(bytes.Clone(s.data[:100]), junk.data...)
	if err := stage(t, b, "a", mixed, 100, len(mixed)).Commit(t.Context(), rootOf(mixed)); err != nil {
		t.Fatal(err)
	}
	checkKept(t, b, sample{mixed, rootOf(mixed)})
}

// testStageTakenOver lets an older writer go on in every way it can, before and
// after its successor has written.
func testStageTakenOver(t *testing.T, pl *BlobPlace) {
	s, junk := newSample(1, pl.Big), newSample(2, pl.Big)
	other := append(bytes.Clone(s.data[:pl.Big/2]), junk.data[pl.Big/2:]...)
	ends := map[string]func(w store.Stage) error{
		"syncs":   func(w store.Stage) error { _, err := w.Sync(t.Context()); return err },
		"closes":  func(w store.Stage) error { _, err := w.Close(t.Context()); return err },
		"commits": func(w store.Stage) error { return w.Commit(t.Context(), rootOf(other)) },
	}
	for name, end := range ends {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("it %s, late: %t", name, late), func(t *testing.T) {
				b := pl.open(t)
				after := b
				if pl.Shared {
					after = pl.open(t)
				}
				older := stage(t, b, "a", s.data, 0, pl.Big/3)
				if _, err := older.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				older = stage(t, b, "a", s.data, pl.Big/3, pl.Big/2)
				newer := stage(t, after, "a", s.data, pl.Big/3, pl.Big/2)
				bad := func() { // different bytes; what it commits of them has their own name
					_ = errors.Join(write(older, other[pl.Big/2:]), end(older))
				}
				if !late {
					bad()
				}
				werr := write(newer, s.data[pl.Big/2:])
				if late {
					bad()
				}
				if err := errors.Join(werr, newer.Commit(t.Context(), s.root)); err != nil {
					wantKind(t, "a commit among two writers", err, fault.Busy)
					_ = newer.Discard()
					checkWhole(t, after)
					put(t, after, "a", s)
				}
				if !checkWhole(t, after)[s.root] {
					t.Error("what was committed is not there")
				}
				if err := errors.Join(after.Remove(t.Context(), s.root), after.Remove(t.Context(), rootOf(other))); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func testCommitSame(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s := newSample(1, 5000)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for j := range 3 {
				w, err := b.Stage(t.Context(), fmt.Sprintf("up%dx%d", i, j), 0, int64(len(s.data)))
				if err == nil {
					err = errors.Join(write(w, s.data), w.Commit(t.Context(), s.root))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkKept(t, b, s)
}

func testCommitMany(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	all := make([]sample, 64)
	var wg sync.WaitGroup
	for i := range all {
		all[i] = newSample(i, 1+i*37)
		wg.Go(func() {
			w, err := b.Stage(t.Context(), fmt.Sprint("up", i), 0, -1)
			if err == nil {
				err = errors.Join(write(w, all[i].data), w.Commit(t.Context(), all[i].root))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkKept(t, b, all...)
}

func testCommitReplaces(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s, damaged := newSample(1, 5000), newSample(2, 4000)
	put(t, b, "a", sample{damaged.data, s.root})
	put(t, b, "b", s)
	checkKept(t, b, s)
}

func testBlobRemove(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s, other := newSample(1, pl.Big), newSample(2, 10)
	put(t, b, "a", s)
	put(t, b, "b", other)
	r, _, err := b.Open(t.Context(), s.root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	half := make([]byte, pl.Big/2)
	if _, err := io.ReadFull(r, half); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(t.Context(), s.root); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if got := append(half, rest...); !bytes.HasPrefix(s.data, got) || err == nil && len(got) != len(s.data) {
		t.Errorf("a reader got %d bytes and %v while the content was removed", len(got), err)
	}
	_, err = b.Stat(t.Context(), s.root)
	wantKind(t, "stat of removed content", err, fault.NotFound)
	checkKept(t, b, other)
	put(t, b, "c", s)
	checkKept(t, b, other, s)
}

func testBlobQuarantine(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s := newSample(1, 5000)
	for i := range 2 { // twice: it heals and is damaged again
		put(t, b, fmt.Sprint("bad", i), sample{newSample(2, 4000).data, s.root})
		if err := b.Quarantine(t.Context(), s.root); err != nil {
			t.Fatal(err)
		}
		_, _, err := b.Open(t.Context(), s.root)
		wantKind(t, "open what is put apart", err, fault.NotFound)
		checkKept(t, b)
		put(t, b, fmt.Sprint("good", i), s)
		checkKept(t, b, s)
	}
}

func testStagesSwept(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s := newSample(1, pl.Big)
	want := map[string]int64{"one": 1, "half": int64(pl.Big / 2), "whole": int64(pl.Big)}
	for id, n := range want {
		if _, err := stage(t, b, id, s.data, 0, int(n)).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for info, err := range b.Stages(t.Context()) {
		if err != nil || want[info.ID] != info.Size || info.Modified.IsZero() {
			t.Errorf("stage %+v, %v; want %d bytes", info, err, want[info.ID])
		}
		delete(want, info.ID)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	w := stage(t, b, "half", s.data, pl.Big/2, pl.Big)
	for _, id := range []string{"one", "half", "whole"} {
		if err := b.DropStage(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(t.Context(), s.root); err == nil {
		checkKept(t, b, s) // a driver that has it all elsewhere may, if it is right
	} else {
		checkKept(t, b)
		_ = w.Discard()
	}
	for info, err := range b.Stages(t.Context()) {
		t.Errorf("stage %+v is left: %v", info, err)
	}
	_, err := b.Stage(t.Context(), "one", 1, -1)
	wantKind(t, "going on with what was dropped", err, fault.NotFound)
}
