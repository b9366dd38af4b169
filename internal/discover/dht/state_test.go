package dht

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"tandem/internal/fault"
)

var golden = state{id: [idSize]byte{1, 2, 3}, nodes: []knownNode{
	{[idSize]byte{4}, netip.MustParseAddrPort("1.2.3.4:6881")},
	{[idSize]byte{5}, netip.MustParseAddrPort("[2001:db8::1]:6882")},
}}

// The file of the first release must stay readable.
func TestStateOfVersion1(t *testing.T) {
	file := filepath.Join("testdata", "v1", "dht.state")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, golden.encode()) {
		t.Fatalf("state is now written as %q", golden.encode())
	}
	if got := loadState(file); !reflect.DeepEqual(got, golden) {
		t.Fatalf("%+v", got)
	}
}

func TestStateIsSavedWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dht.state")
	for range 2 {
		if err := golden.save(file); err != nil {
			t.Fatal(err)
		}
	}
	if got := loadState(file); !reflect.DeepEqual(got, golden) {
		t.Fatalf("%+v", got)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Fatalf("%v, %v", left, err)
	}
	if err := golden.save(filepath.Join(t.TempDir(), "absent", "x")); err == nil {
		t.Fatal("saved into a folder that does not exist")
	}
}

func TestBrokenStateStartsAnew(t *testing.T) {
	good := golden.encode()
	zero := bytes.Clone(good)
	copy(zero[len(zero)-2:], []byte{0, 0}) // port 0
	for name, b := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)-1], "another head": append([]byte("x"), good...), "port zero": zero,
		"too long": append(bytes.Clone(good), make([]byte, maxState*node6Size)...),
	} {
		if _, err := decodeState(b); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if s := loadState(file); s.id == [idSize]byte{} || s.id == golden.id || len(s.nodes) != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add(golden.encode())
	f.Add(state{}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		if again := s.encode(); !bytes.Equal(again, b) {
			t.Fatalf("%q becomes %q", b, again)
		}
	})
}
