package origin

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

func (d *desk) scrub() ScrubReport {
	d.t.Helper()
	d.pass(1e9) // a second: content checked in this moment is not looked at again
	r, err := Scrub(d.ctx, d.cat, d.blobs, d.clock, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func TestScrubFindsWhatIsNotWhole(t *testing.T) {
	d := newDesk(t)
	texts := map[string]string{"good": "good", "flipped": "flipped text", "cut": "cut text", "lost": "lost text"}
	for path, text := range texts {
		d.put(path, text)
	}
	d.put("folder/copy", texts["flipped"])
	d.stray("nobody's")
	sum := func(path string) catalog.Version { return catalog.Version{Sum: sumOf([]byte(texts[path]))} }
	d.blobs.Damage(sum("flipped").Sum.Root, false)
	d.blobs.Damage(sum("cut").Sum.Root, true)
	ok(t, d.blobs.Remove(d.ctx, sum("lost").Sum.Root))

	r := d.scrub()
	if r.Checked != 4 || r.Bytes != int64(len("good")) || r.Stray != 1 || len(r.Damaged) != 2 || len(r.Missing) != 1 {
		t.Fatalf("%+v", r)
	}
	if m := r.Missing[0]; m.Root != sum("lost").Sum.Root || m.Size != 9 || !slices.Equal(m.Paths, []string{"c/lost"}) {
		t.Errorf("missing: %+v", m)
	}
	for _, dam := range r.Damaged {
		if dam.Root == sum("flipped").Sum.Root && !slices.Equal(dam.Paths, []string{"c/flipped", "c/folder/copy"}) &&
			!slices.Equal(dam.Paths, []string{"c/folder/copy", "c/flipped"}) {
			t.Errorf("damaged: %+v", dam)
		}
	}
	if q := d.blobs.Quarantined(); len(q) != 2 {
		t.Errorf("%d contents are in quarantine", len(q))
	}
	if got, err := d.read(d.ann, at("flipped")); err == nil {
		t.Errorf("damaged content was served: %q", got)
	}
	if got, err := d.read(d.ann, at("good")); err != nil || got != "good" {
		t.Errorf("%q, %v", got, err)
	}

	for path, text := range texts { // the same content heals
		d.put("again/"+path, text)
	}
	if r := d.scrub(); r.Checked != 4 || len(r.Damaged)+len(r.Missing) != 0 {
		t.Errorf("after it was brought again: %+v", r)
	}
	for path, text := range texts {
		if got, err := d.read(d.ann, at(path)); err != nil || got != text {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

// misread gives other content once, as a device or a wire may.
type misread struct {
	store.Blobs
	other content.Hash
	left  int
}

func (m *misread) Open(ctx context.Context, root content.Hash) (io.ReadSeekCloser, store.BlobInfo, error) {
	if m.left--; m.left >= 0 {
		root = m.other
	}
	return m.Blobs.Open(ctx, root)
}

func TestScrubReadsTwiceBeforeItBelieves(t *testing.T) {
	d := newDesk(t)
	d.put("a", "some text")
	m := &misread{Blobs: d.blobs, other: d.stray("other text").Root, left: 1}
	d.pass(1e9)
	r, err := Scrub(d.ctx, d.cat, m, d.clock, nil)
	if err != nil || r.Checked != 1 || len(r.Damaged)+len(d.blobs.Quarantined()) > 0 || m.left >= 0 {
		t.Errorf("%+v, %v", r, err)
	}
	d.pass(1e9)
	m.left = 2
	if r, err := Scrub(d.ctx, d.cat, m, d.clock, nil); err != nil || len(r.Damaged) != 1 {
		t.Errorf("wrong twice: %+v, %v", r, err)
	}
}

func TestScrubTakesATroubledStoreForNoDamage(t *testing.T) {
	d := newDesk(t)
	d.put("a", "some text")
	for _, kind := range []fault.Kind{fault.Unreachable, fault.Other, fault.Permission} {
		failing := true
		d.blobs.Inject(func(op string) error {
			if failing && op == "Open" {
				return fault.Errorf(kind, "injected")
			}
			return nil
		})
		d.pass(1e9)
		r, err := Scrub(d.ctx, d.cat, d.blobs, d.clock, nil)
		if !errors.Is(err, kind) || len(r.Damaged)+len(r.Missing) > 0 {
			t.Errorf("%v: %+v, %v", kind, r, err)
		}
		failing = false
		if r := d.scrub(); r.Checked != 1 || len(r.Damaged)+len(r.Missing) > 0 {
			t.Errorf("after %v: %+v", kind, r)
		}
	}
}

func TestScrubEndsWhenTheClockGoesBack(t *testing.T) {
	d := newDesk(t)
	d.put("a", "some text")
	d.put("b", "other text")
	d.scrub()
	d.pass(1e9)
	calls := 0
	r, err := Scrub(d.ctx, d.cat, d.blobs, d.clock, func(bytes, total int64) {
		if calls++; calls == 1 {
			d.pass(-1000 * day)
		}
		if bytes > total {
			t.Errorf("%d of %d bytes", bytes, total)
		}
	})
	if err != nil || r.Checked != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}
