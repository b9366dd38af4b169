package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"tandem/internal/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("fetch piece 17: %w", fault.Errorf(fault.Corrupt, "hash mismatch: %w", io.ErrUnexpectedEOF))
	if !errors.Is(err, fault.Corrupt) || errors.Is(err, fault.Full) {
		t.Fatalf("kind lost in %v", err)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal("cause lost")
	}
	if got := fault.KindOf(err); got != fault.Corrupt {
		t.Fatalf("KindOf = %v", got)
	}
	if err.Error() != "fetch piece 17: hash mismatch: unexpected EOF" {
		t.Fatalf("text = %q", err)
	}
}

func TestWrapNilIsNil(t *testing.T) {
	if fault.Wrap(fault.Full, nil) != nil {
		t.Fatal("wrapped nil is not nil")
	}
	if fault.KindOf(io.EOF) != fault.Other {
		t.Fatal("unknown error has a kind")
	}
}

// The names are part of --json and of the wire: this list only grows.
func TestNamesAreStable(t *testing.T) {
	want := []string{
		"other", "invalid", "not-found", "corrupt", "permission", "full", "exists",
		"busy", "refused", "protocol", "timeout", "changed", "closed", "conflict",
		"unreachable", "unauthenticated", "quota", "limited", "gone", "precondition",
	}
	for i, name := range want {
		if got := fault.Kind(i).String(); got != name {
			t.Errorf("kind %d is %q, was %q", i, got, name)
		}
	}
}
