package mem_test

import (
	"bytes"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
	"tandem/internal/store/mem"
	"tandem/internal/store/storetest"
)

var _ store.Pieces = (*mem.Pieces)(nil)

func TestContract(t *testing.T) {
	storetest.Run(t, func(_ testing.TB, m *content.Manifest) *storetest.Place {
		p := mem.New(m)
		left, failed, opened := 0, false, false
		var kind fault.Kind
		hook := func(op string, _ int) error {
			if left--; left == 0 {
				failed = true
				return fault.Errorf(kind, "%s: injected", op)
			}
			return nil
		}
		return &storetest.Place{
			Open: func() (store.Pieces, error) {
				if opened {
					p = p.Reopen(false)
				}
				opened = true
				if kind != 0 || left != 0 {
					p.Inject(hook)
				}
				return p, nil
			},
			Crash: func(_ store.Pieces, power bool) {
				p = p.Reopen(power)
				opened = false
			},
			Final:  func(i int) ([]byte, bool) { return p.File(i) },
			Fail:   func(n int, k fault.Kind) { left, kind = n, k },
			Failed: func() bool { return failed },
		}
	})
}

func TestFullCopyServesWhatItWasGiven(t *testing.T) {
	m := &content.Manifest{Name: "n", PieceLength: 16 << 10, HasV1: true, Files: []content.File{
		{Path: []string{"a"}, Length: 20_000},
		{Path: []string{"pad"}, Length: 5, Pad: true},
		{Path: []string{"b"}, Length: 7},
	}}
	m.Seal()
	a, b := bytes.Repeat([]byte("a"), 20_000), []byte("bbbbbbb")
	p := mem.NewFull(m, [][]byte{a, nil, b})
	got := make([]byte, m.PieceSize(1))
	if err := p.ReadAt(got, 1, 0); err != nil {
		t.Fatal(err)
	}
	if want := string(a[16<<10:]) + "\x00\x00\x00\x00\x00" + string(b); string(got) != want {
		t.Errorf("piece 1 is %q", got[len(got)-20:])
	}
	if f, ok := p.File(2); !ok || !bytes.Equal(f, b) {
		t.Errorf("file 2 is %q, %v", f, ok)
	}
	if _, ok := p.File(1); ok || !p.Have().Full() {
		t.Error("padding is a file, or something is missing")
	}
}
