package store_test

import (
	"errors"
	"strings"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

func TestStagesHaveNamesThatAreNoPaths(t *testing.T) {
	for _, id := range []string{"a", "0", strings.Repeat("z", 64)} {
		if err := store.CheckStage(id, 0, -1); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "A", "a\x00", "ä", strings.Repeat("z", 65)} {
		if err := store.CheckStage(id, 0, -1); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want invalid", id, err)
		}
	}
}

func TestStagesBeginWithinTheirSize(t *testing.T) {
	for name, c := range map[string]struct {
		offset, size int64
		good         bool
	}{
		"of unknown size":      {5, -1, true},
		"at its end":           {5, 5, true},
		"of nothing":           {0, 0, true},
		"behind its end":       {6, 5, false},
		"before its beginning": {-1, 5, false},
		"of less than unknown": {0, -2, false},
	} {
		if err := store.CheckStage("a", c.offset, c.size); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEmptyContentIsNeverStored(t *testing.T) {
	if store.CheckCommit(content.Hash{}, 1, 1) == nil || store.CheckCommit(content.Hash{1}, 0, 0) == nil {
		t.Error("nothing was taken for something")
	}
	if err := store.CheckCommit(content.Hash{1}, 1, 1); err != nil {
		t.Error(err)
	}
}

func TestNothingIsCommittedThatIsNotWhole(t *testing.T) {
	if store.CheckCommit(content.Hash{1}, 4, 5) == nil || store.CheckCommit(content.Hash{1}, 6, 5) == nil {
		t.Error("4 and 6 bytes were taken for 5")
	}
	if err := store.CheckCommit(content.Hash{1}, 5, -1); err != nil {
		t.Error(err)
	}
}
