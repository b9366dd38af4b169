package storetest

import (
	"errors"
	"fmt"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// testCrash kills the process, with the power or without, at the places that
// matter for what is promised.
func testCrash(t *testing.T, s *share, place func(t testing.TB, m *content.Manifest) *Place) {
	cases := map[string]func(round int) (power bool){
		"the process is killed":      func(int) bool { return false },
		"the power goes":             func(int) bool { return true },
		"now the one, now the other": func(round int) bool { return round%2 == 1 },
	}
	for name, power := range cases {
		t.Run("what was synced survives when "+name, func(t *testing.T) {
			pl := place(t, s.m)
			n := s.m.NumPieces()
			for round := 0; ; round++ {
				p, err := pl.Open()
				if err != nil {
					t.Fatal(err)
				}
				s.checkRight(t, p)
				s.checkKept(t, p, round, power(round-1))
				if round >= n {
					if err := s.fetch(p); err != nil {
						t.Fatal(err)
					}
					s.checkFinal(t, pl, content.FullBitfield(n))
					closed(t, p)
					return
				}
				s.advance(t, p, round)
				pl.Crash(p, power(round))
			}
		})
	}
}

// advance hashes what is suspect, makes sure of all pieces before the one of
// this round, which it commits without a sync, and begins the next.
func (s *share) advance(t *testing.T, p store.Pieces, round int) {
	t.Helper()
	for i := range round {
		if p.Have().Has(i) {
			continue
		}
		if good, err := s.right(p, i); err != nil || !good {
			if err := s.write(p, i); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Commit(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	if !p.Have().Has(round) {
		if err := errors.Join(s.write(p, round), p.Commit(round)); err != nil {
			t.Fatal(err)
		}
	}
	if round+1 < s.m.NumPieces() && !p.Have().Has(round+1) {
		if err := s.write(p, round+1); err != nil {
			t.Fatal(err)
		}
	}
}

// checkKept checks what a crash in the round before has left.
func (s *share) checkKept(t *testing.T, p store.Pieces, round int, power bool) {
	t.Helper()
	have, suspect := p.Have(), p.Suspect()
	for i := range round - 1 {
		if !have.Has(i) {
			t.Fatalf("round %d: piece %d was synced and is lost", round, i)
		}
	}
	if round == 0 || power {
		return
	}
	if !have.Has(round-1) && !suspect.Has(round-1) {
		t.Fatalf("round %d: piece %d was committed and is not even suspect", round, round-1)
	}
	if good, err := s.right(p, round-1); err != nil || !good {
		t.Fatalf("round %d: piece %d lost its bytes without a loss of power (%v)", round, round-1, err)
	}
}

// testFaults lets every single operation fail once, and after it goes on, starts
// again, or loses power. Whatever is verified then is right, and it always can be
// brought to its end.
func testFaults(t *testing.T, s *share, place func(t testing.TB, m *content.Manifest) *Place) {
	const goOn, again, kill, power = 0, 1, 2, 3
	names := []string{"goes on", "starts again", "is killed", "loses power"}
	cases := map[fault.Kind][]int{
		fault.Full:  {goOn, again, power},
		fault.Other: {kill, power}, // a broken device is not argued with
	}
	for kind, list := range cases {
		for _, what := range list {
			t.Run(fmt.Sprintf("any operation fails (%v), then it %s", kind, names[what]), func(t *testing.T) {
				for n := 1; ; n++ {
					pl := place(t, s.m)
					pl.Fail(n, kind)
					if !s.survives(t, pl, what, kind, n) {
						return
					}
				}
			})
		}
	}
}

// survives fetches everything although one operation fails, and reports whether
// it did fail.
func (s *share) survives(t *testing.T, pl *Place, what int, kind fault.Kind, n int) bool {
	t.Helper()
	for try := 0; ; try++ {
		p, err := pl.Open()
		if err == nil {
			err = s.readBack(t, p)
		}
		if err == nil {
			err = s.fetch(p)
		}
		if err != nil && p != nil && what == 0 {
			checkKind(t, err, kind, n)
			err = s.fetch(p)
		}
		if err == nil {
			err = s.readBack(t, p)
		}
		if err == nil && what == 3 {
			pl.Crash(p, true) // all of it was synced
			break
		}
		if err == nil {
			if err = p.Close(); err == nil {
				break
			}
		}
		checkKind(t, err, kind, n)
		if try > 3 {
			t.Fatalf("operation %d failed, and still: %v", n, err)
		}
		switch {
		case what >= 2:
			pl.Crash(p, what == 3)
		case p != nil:
			_ = p.Close() // may tell the same again
		}
	}
	s.checkFinal(t, pl, content.FullBitfield(s.m.NumPieces()))
	return pl.Failed()
}

func checkKind(t *testing.T, err error, kind fault.Kind, n int) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Fatalf("operation %d failed: %v is of kind %v, want %v", n, err, fault.KindOf(err), kind)
	}
}
