package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// BlobPlace is where content lives while the processes that use it come and go.
type BlobPlace struct {
	// Open opens the store, like a new process.
	Open func() (store.Blobs, error)

	// Crash ends the process that has b open, which may be nil when opening
	// failed; with power it also loses what was not synced. It returns when
	// nothing of b runs any more.
	Crash func(b store.Blobs, power bool)

	// Fail makes the nth operation below the driver from now on, 1 being the
	// next, fail with an error of the kind, and where one failure is made good
	// by trying again those behind it, too, until Mend. nil leaves these tests out.
	Fail func(n int, kind fault.Kind)
	// Mend ends it and reports whether something failed.
	Mend func() bool
	// Kinds are those that operations fail with; nil: fault.Full and fault.Other.
	Kinds []fault.Kind

	// Big is a length that is staged in more than one part; 0: 300,000.
	Big int
	// Shared says that several processes may use the store at once.
	Shared bool
}

// RunBlobs holds a driver of store.Blobs to the contract. It calls place for
// each test.
func RunBlobs(t *testing.T, place func(t testing.TB) *BlobPlace) {
	for name, test := range map[string]func(*testing.T, *BlobPlace){
		"content comes back as it was staged":          testBlobRoundTrip,
		"a reader goes where it is sent":               testBlobSeek,
		"a stage goes on where it was durable":         testStageResume,
		"a stage begun anew forgets what was there":    testStageAnew,
		"misuse is refused":                            testBlobMisuse,
		"a writer that was replaced changes nothing":   testStageTakenOver,
		"many commit one content":                      testCommitSame,
		"many commit at once":                          testCommitMany,
		"what was kept under the root is replaced":     testCommitReplaces,
		"what is removed is gone, and readers may end": testBlobRemove,
		"damaged content is put apart":                 testBlobQuarantine,
		"stages can be listed and dropped":             testStagesSwept,
		"a closed store says so":                       testBlobClosed,
	} {
		t.Run(name, func(t *testing.T) { test(t, newBlobPlace(t, place)) })
	}
	testBlobCrash(t, place)
	if newBlobPlace(t, place).Fail != nil {
		testBlobFaults(t, place)
	}
}

func newBlobPlace(t testing.TB, place func(t testing.TB) *BlobPlace) *BlobPlace {
	pl := place(t)
	if pl.Big == 0 {
		pl.Big = 300_000
	}
	if pl.Kinds == nil {
		pl.Kinds = []fault.Kind{fault.Full, fault.Other}
	}
	return pl
}

// open opens the store until the test ends.
func (pl *BlobPlace) open(t testing.TB) store.Blobs {
	t.Helper()
	b, err := pl.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// sample is content with its name.
type sample struct {
	data []byte
	root content.Hash
}

func newSample(seed, size int) sample {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1, byte(seed), byte(seed >> 8)}).Read(data)
	return sample{data, rootOf(data)}
}

func rootOf(data []byte) content.Hash {
	s := content.NewStream()
	s.Write(data)
	return s.Sum().Root
}

// stage writes data behind offset, in uneven cuts, and returns the open stage.
func stage(t testing.TB, b store.Blobs, id string, data []byte, offset, end int) store.Stage {
	t.Helper()
	w, err := b.Stage(t.Context(), id, int64(offset), int64(len(data)))
	if err != nil {
		t.Fatalf("stage %s at %d: %v", id, offset, err)
	}
	if err := write(w, data[offset:end]); err != nil {
		t.Fatal(err)
	}
	if got := w.Offset(); got != int64(end) {
		t.Fatalf("stage %s took %d bytes, not %d", id, got, end)
	}
	return w
}

func write(w store.Stage, data []byte) error {
	scratch := make([]byte, 1<<20)
	for cut := 1; len(data) > 0; cut = min(2*cut+1, len(scratch)) {
		n := copy(scratch[:min(cut, len(data))], data)
		if m, err := w.Write(scratch[:n]); err != nil || m != n {
			return errors.Join(err, checkTaken(m, n, err))
		}
		clear(scratch[:n]) // it is not kept
		data = data[n:]
	}
	return nil
}

func checkTaken(m, n int, err error) error {
	if err == nil || m != 0 {
		return fmt.Errorf("a write of %d bytes took %d and said %w", n, m, err)
	}
	return nil
}

// put stages and commits a sample.
func put(t testing.TB, b store.Blobs, id string, s sample) {
	t.Helper()
	if err := stage(t, b, id, s.data, 0, len(s.data)).Commit(t.Context(), s.root); err != nil {
		t.Fatalf("commit %s: %v", id, err)
	}
}

// read returns the bytes kept under root.
func read(t testing.TB, b store.Blobs, root content.Hash) ([]byte, error) {
	t.Helper()
	r, info, err := b.Open(t.Context(), root)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err == nil && (info.Size != int64(len(data)) || info.Root != root || info.Modified.IsZero()) {
		return nil, fmt.Errorf("%d bytes of %x came with %+v", len(data), root, info)
	}
	return data, err
}

// checkKept fails unless exactly the samples are kept, and whole.
func checkKept(t testing.TB, b store.Blobs, want ...sample) {
	t.Helper()
	kept := checkWhole(t, b)
	for _, s := range want {
		if !kept[s.root] {
			t.Errorf("content %x of %d bytes is not listed", s.root, len(s.data))
		}
		delete(kept, s.root)
		data, err := read(t, b, s.root)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, s.data) {
			t.Errorf("content %x is not what was staged", s.root)
		}
	}
	for root := range kept {
		t.Errorf("content %x is kept and should not be", root)
	}
}

// checkWhole fails if anything that can be seen is not what its name says, and
// returns what there is.
func checkWhole(t testing.TB, b store.Blobs) map[content.Hash]bool {
	t.Helper()
	kept := make(map[content.Hash]bool)
	for info, err := range b.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if kept[info.Root] {
			t.Errorf("content %x is listed twice", info.Root)
		}
		kept[info.Root] = true
		stat, err := b.Stat(t.Context(), info.Root)
		if err != nil || stat.Size != info.Size {
			t.Errorf("listed as %+v, found as %+v, %v", info, stat, err)
		}
		data, err := read(t, b, info.Root)
		if err != nil {
			t.Fatal(err)
		}
		if rootOf(data) != info.Root {
			t.Fatalf("content %x, as %d bytes, is not what its name says", info.Root, len(data))
		}
	}
	return kept
}

func wantKind(t testing.TB, what string, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func testBlobRoundTrip(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	var all []sample
	for i, n := range []int{1, 100, content.BlockSize, pl.Big} {
		s := newSample(i, n)
		w := stage(t, b, fmt.Sprint("up", i), s.data, 0, n)
		_, err := b.Stat(t.Context(), s.root)
		wantKind(t, "before its commit", err, fault.NotFound)
		_, _, err = b.Open(t.Context(), s.root)
		wantKind(t, "before its commit", err, fault.NotFound)
		checkKept(t, b, all...)
		if err := w.Commit(t.Context(), s.root); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		checkKept(t, b, all...)
	}
	for info, err := range b.Stages(t.Context()) {
		t.Errorf("stage %+v is left: %v", info, err)
	}
	if err := b.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if free, total, ok := b.Space(); ok && (free < 0 || free > total) {
		t.Errorf("%d of %d bytes are free", free, total)
	}
	checkKept(t, pl.open(t), all...) // as another process sees it
}

func testBlobSeek(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s := newSample(1, pl.Big)
	put(t, b, "a", s)
	r, _, err := b.Open(t.Context(), s.root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	size := int64(len(s.data))
	for _, c := range []struct {
		off    int64
		whence int
		at     int64
	}{
		{0, io.SeekEnd, size},
		{0, io.SeekStart, 0},
		{size / 2, io.SeekStart, size / 2},
		{-7, io.SeekEnd, size - 7},
		{100, io.SeekStart, 100},
		{50, io.SeekCurrent, 160},
		{size + 5, io.SeekStart, size + 5},
	} {
		at, err := r.Seek(c.off, c.whence)
		if err != nil || at != c.at {
			t.Fatalf("seek %d from %d: at %d, %v; want %d", c.off, c.whence, at, err, c.at)
		}
		buf := make([]byte, 10)
		n, err := io.ReadFull(r, buf)
		want := s.data[min(at, size):min(at+10, size)]
		if !bytes.Equal(buf[:n], want) || (n < 10) != (err != nil) {
			t.Fatalf("at %d: %d bytes and %v, want %d", at, n, err, len(want))
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("before the beginning is a place")
	}
}

func testBlobMisuse(t *testing.T, pl *BlobPlace) {
	b, ctx := pl.open(t), t.Context()
	for _, id := range []string{"", "..", "a/b", "A"} {
		_, err := b.Stage(ctx, id, 0, -1)
		wantKind(t, fmt.Sprintf("stage %q", id), err, fault.Invalid)
		wantKind(t, fmt.Sprintf("drop stage %q", id), b.DropStage(ctx, id), fault.Invalid)
	}
	_, err := b.Stage(ctx, "a", 5, 4)
	wantKind(t, "an offset behind the end", err, fault.Invalid)
	_, err = b.Stage(ctx, "a", 1, 4)
	wantKind(t, "going on with nothing", err, fault.NotFound)
	absent := content.Hash{1}
	_, err = b.Stat(ctx, absent)
	wantKind(t, "stat of absent content", err, fault.NotFound)
	wantKind(t, "quarantine of absent content", b.Quarantine(ctx, absent), fault.NotFound)
	if err := errors.Join(b.Remove(ctx, absent), b.DropStage(ctx, "absent")); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}

	s := newSample(1, 100)
	w := stage(t, b, "empty", s.data, 0, 0)
	wantKind(t, "committing nothing", w.Commit(ctx, s.root), fault.Invalid)
	w = stage(t, b, "short", s.data, 0, 99)
	wantKind(t, "committing less than was announced", w.Commit(ctx, s.root), fault.Invalid)
	w = stage(t, b, "whole", s.data, 0, 100)
	wantKind(t, "committing as the empty file", w.Commit(ctx, content.Hash{}), fault.Invalid)
	if err := w.Discard(); err != nil {
		t.Error(err)
	}
	_, err = w.Write(s.data)
	wantKind(t, "writing after the end", err, fault.Closed)
	_, err = w.Sync(ctx)
	wantKind(t, "a sync after the end", err, fault.Closed)
	wantKind(t, "a commit after the end", w.Commit(ctx, s.root), fault.Closed)
	if err := w.Discard(); err != nil {
		t.Errorf("discarding twice: %v", err)
	}
	checkKept(t, b)
}

func testBlobClosed(t *testing.T, pl *BlobPlace) {
	b := pl.open(t)
	s := newSample(1, 10)
	put(t, b, "a", s)
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.Open(t.Context(), s.root)
	wantKind(t, "open", err, fault.Closed)
	_, err = b.Stage(t.Context(), "b", 0, 1)
	wantKind(t, "stage", err, fault.Closed)
	wantKind(t, "remove", b.Remove(t.Context(), s.root), fault.Closed)
	wantKind(t, "probe", b.Probe(t.Context()), fault.Closed)
	for _, err := range b.List(t.Context()) {
		wantKind(t, "list", err, fault.Closed)
	}
}
