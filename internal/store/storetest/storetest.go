// Package storetest is the contract of store.Pieces as a test suite, fault
// injection and crashes included. Every driver passes it.
package storetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// Place is where one working copy lives while the processes that use it come
// and go.
type Place struct {
	// Open opens the working copy, like a new process: what an earlier Open
	// returned was closed, or the process that had it is dead.
	Open func() (store.Pieces, error)

	// Crash ends the process that has p open, which may be nil when opening
	// failed; with power it also loses what was not synced. It returns when
	// nothing of p runs any more.
	Crash func(p store.Pieces, power bool)

	// Final returns what stands under the final name of a file.
	Final func(file int) ([]byte, bool)

	// Fail makes the nth operation below the driver from now on, 1 being the
	// next, fail once, with an error of the kind. nil leaves these tests out,
	// for a place whose driver is put through them elsewhere.
	Fail func(n int, kind fault.Kind)

	// Failed reports whether that happened.
	Failed func() bool
}

// Run holds the driver's places to the contract. It calls place for each test.
func Run(t *testing.T, place func(t testing.TB, m *content.Manifest) *Place) {
	for name, s := range layouts() {
		t.Run(name, func(t *testing.T) {
			newPlace := func(t *testing.T) (*Place, store.Pieces) {
				pl := place(t, s.m)
				p, err := pl.Open()
				if err != nil {
					t.Fatal(err)
				}
				return pl, p
			}
			t.Run("a fresh copy holds nothing", func(t *testing.T) { testFresh(t, s, newPlace) })
			t.Run("what is fetched gets its final name", func(t *testing.T) { testFetch(t, s, newPlace) })
			t.Run("ranges and states are checked", func(t *testing.T) { testMisuse(t, s, newPlace) })
			t.Run("a forgotten piece is written again", func(t *testing.T) { testForget(t, s, newPlace) })
			t.Run("it goes on where it was closed", func(t *testing.T) { testReopen(t, s, newPlace) })
			t.Run("removing keeps finished files only", func(t *testing.T) { testRemove(t, s, newPlace) })
			t.Run("many use it at once", func(t *testing.T) { testConcurrent(t, s, newPlace) })
			testCrash(t, s, place)
			if s.faults && place(t, s.m).Fail != nil {
				testFaults(t, s, place)
			}
		})
	}
}

type opener func(t *testing.T) (*Place, store.Pieces)

func testFresh(t *testing.T, s *share, open opener) {
	pl, p := open(t)
	defer closed(t, p)
	if h, u := p.Have(), p.Suspect(); h.Len() != s.m.NumPieces() || h.Count() != 0 || u.Len() != h.Len() || u.Count() != 0 {
		t.Errorf("have %d, suspect %d of %d and %d pieces", h.Count(), u.Count(), h.Len(), u.Len())
	}
	for i := range s.m.NumPieces() {
		if err := p.ReadAt(make([]byte, 1), i, 0); !errors.Is(err, fault.NotFound) && !s.padded(i) {
			t.Errorf("reading piece %d: %v, want not-found", i, err)
		}
		if err := p.Commit(i); !errors.Is(err, fault.NotFound) && !s.padded(i) {
			t.Errorf("committing piece %d: %v, want not-found", i, err)
		}
	}
	for i := range s.files {
		if _, ok := pl.Final(i); ok {
			t.Errorf("file %d has its final name", i)
		}
	}
}

// padded reports whether a piece begins with padding, or holds nothing else.
func (s *share) padded(piece int) bool {
	return s.m.Extents(nil, piece, 0, 1)[0].File < 0
}

func testFetch(t *testing.T, s *share, open opener) {
	pl, p := open(t)
	// Finish comes after every piece, so that some files get their names early.
	for i := s.m.NumPieces() - 1; i >= 0; i-- {
		if err := s.write(p, i); err != nil {
			t.Fatal(err)
		}
		if p.Have().Has(i) {
			t.Fatalf("piece %d is verified before its commit", i)
		}
		if err := p.Commit(i); err != nil {
			t.Fatal(err)
		}
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
		s.checkFinal(t, pl, p.Have())
	}
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	s.checkFinal(t, pl, p.Have())
	s.checkRight(t, p)
	if !p.Have().Full() {
		t.Error("not every piece is verified")
	}
	for i := range s.m.NumPieces() { // padding reads as zeros, all of it
		b := bytes.Repeat([]byte{1}, s.m.PaddedSize(i))
		if err := p.ReadAt(b, i, 0); err != nil {
			t.Fatal(err)
		}
		if want := s.piece(i); !bytes.Equal(b, append(want, make([]byte, len(b)-len(want))...)) {
			t.Errorf("piece %d with its padding is wrong", i)
		}
	}
	closed(t, p)
	s.checkFinal(t, pl, content.FullBitfield(s.m.NumPieces()))
}

// checkFinal fails unless exactly the files that have covers have their names.
func (s *share) checkFinal(t *testing.T, pl *Place, have *content.Bitfield) {
	t.Helper()
	for i := range s.m.Files {
		f := &s.m.Files[i]
		done := !f.Pad
		for at := f.Offset / s.m.PieceLength; at*s.m.PieceLength < f.Offset+f.Length; at++ {
			done = done && have.Has(int(at))
		}
		switch b, ok := pl.Final(i); {
		case f.Length > 0 && ok != done, f.Pad && ok, ok && !bytes.Equal(b, s.files[i]):
			t.Fatalf("file %d: there %v with %d bytes, want it %v with %d", i, ok, len(b), done, f.Length)
		case have.Full() && !f.Pad && !ok:
			t.Fatalf("file %d is missing", i)
		}
	}
}

// checkRight fails unless every verified piece is what it should be.
func (s *share) checkRight(t *testing.T, p store.Pieces) {
	t.Helper()
	if err := s.readBack(t, p); err != nil {
		t.Fatal(err)
	}
}

// readBack reads every verified piece and fails on a wrong one.
func (s *share) readBack(t *testing.T, p store.Pieces) error {
	t.Helper()
	have := p.Have()
	for i := have.Next(0); i >= 0; i = have.Next(i + 1) {
		good, err := s.right(p, i)
		if err != nil {
			return err
		}
		if !good {
			t.Fatalf("verified piece %d holds something else", i)
		}
	}
	return nil
}

func testMisuse(t *testing.T, s *share, open opener) {
	_, p := open(t)
	n := s.m.NumPieces()
	for _, piece := range []int{-1, n, 1 << 40} {
		for op, err := range map[string]error{
			"read": p.ReadAt(nil, piece, 0), "write": p.WriteAt(nil, piece, 0),
			"commit": p.Commit(piece), "forget": p.Forget(piece),
		} {
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("%s piece %d of %d: %v, want invalid", op, piece, n, err)
			}
		}
	}
	if n > 0 {
		for _, r := range [][2]int{{-1, 1}, {pieceLength + 1, 0}, {pieceLength, 1}, {1 << 40, 1}, {1, pieceLength}} {
			if err := p.WriteAt(make([]byte, r[1]), 0, r[0]); !errors.Is(err, fault.Invalid) {
				t.Errorf("write %d bytes at %d: %v, want invalid", r[1], r[0], err)
			}
		}
		if err := errors.Join(s.write(p, 0), p.Commit(0), p.Commit(0)); err != nil {
			t.Fatal(err)
		}
		if err := p.WriteAt([]byte{0}, 0, 0); !errors.Is(err, fault.Invalid) {
			t.Errorf("write to a verified piece: %v, want invalid", err)
		}
		p.Have().Clear(0)
		if !p.Have().Has(0) {
			t.Error("Have is not a copy")
		}
	}
	closed(t, p)
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	errs := map[string]error{"sync": p.Sync(), "finish": p.Finish(), "remove": p.Remove()}
	if n > 0 {
		errs["write"], errs["commit"], errs["forget"] = p.WriteAt([]byte{1}, n-1, 0), p.Commit(n-1), p.Forget(n-1)
		errs["read"] = p.ReadAt(make([]byte, 1), 0, 0)
	}
	for op, err := range errs {
		if !errors.Is(err, fault.Closed) {
			t.Errorf("%s after Close: %v, want closed", op, err)
		}
	}
}

func testForget(t *testing.T, s *share, open opener) {
	pl, p := open(t)
	for i := range s.m.NumPieces() {
		if err := errors.Join(s.write(p, i), p.Commit(i)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := p.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Forget(i); err != nil {
			t.Fatal(err)
		}
		if p.Have().Has(i) {
			t.Fatalf("piece %d is still verified", i)
		}
		if err := p.WriteAt(bytes.Repeat([]byte{0xee}, 5), i, 0); err != nil {
			t.Fatal(err)
		}
	}
	pl.Crash(p, false)
	p, err := pl.Open()
	if err != nil {
		t.Fatal(err)
	}
	s.checkRight(t, p)
	if err := s.fetch(p); err != nil {
		t.Fatal(err)
	}
	s.checkFinal(t, pl, p.Have())
	closed(t, p)
}

func testReopen(t *testing.T, s *share, open opener) {
	pl, p := open(t)
	n := s.m.NumPieces()
	for i := 0; i < n-1; i += 2 {
		if err := errors.Join(s.write(p, i), p.Commit(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n > 2 {
		if err := s.write(p, 1); err != nil { // and does not commit it
			t.Fatal(err)
		}
	}
	closed(t, p)
	p, err := pl.Open()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if want := i%2 == 0 && i < n-1; p.Have().Has(i) != want || p.Suspect().Has(i) {
			t.Errorf("piece %d: verified %v, suspect %v, want %v and false", i, !want, p.Suspect().Has(i), want)
		}
	}
	if err := s.fetch(p); err != nil {
		t.Fatal(err)
	}
	s.checkFinal(t, pl, p.Have())
	closed(t, p)
}

func testRemove(t *testing.T, s *share, open opener) {
	pl, p := open(t)
	if err := s.fetch(p); err != nil {
		t.Fatal(err)
	}
	if err := p.Remove(); err != nil {
		t.Fatal(err)
	}
	s.checkFinal(t, pl, content.FullBitfield(s.m.NumPieces()))
	p, err := pl.Open()
	if err != nil {
		t.Fatal(err)
	}
	if p.Have().Count() != 0 || !p.Suspect().Full() {
		t.Errorf("verified %d, suspect %d, want none and all", p.Have().Count(), p.Suspect().Count())
	}
	if err := s.fetch(p); err != nil {
		t.Fatal(err)
	}
	if !p.Have().Full() {
		t.Error("finished files are not taken for what they are")
	}
	closed(t, p)

	pl, p = open(t)
	if s.m.NumPieces() == 0 {
		closed(t, p)
		return
	}
	if err := errors.Join(s.write(p, 0), p.Commit(0), p.Remove()); err != nil {
		t.Fatal(err)
	}
	if p, err = pl.Open(); err != nil {
		t.Fatal(err)
	}
	if p.Have().Count()+p.Suspect().Count() != 0 {
		t.Error("something is left of a removed copy")
	}
	closed(t, p)
}

func testConcurrent(t *testing.T, s *share, open opener) {
	pl, p := open(t)
	var wg sync.WaitGroup
	for i := range s.m.NumPieces() {
		wg.Go(func() {
			if err := errors.Join(s.write(p, i), p.Commit(i), p.Finish()); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			_ = p.ReadAt(make([]byte, 100), i, 1) // not there, or there
			p.Have()
			p.Suspect()
			if err := p.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	s.checkRight(t, p)
	s.checkFinal(t, pl, p.Have())
	closed(t, p)
}

func closed(t *testing.T, p store.Pieces) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}
