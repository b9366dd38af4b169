package origin

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tandem/internal/catalog"
)

// doubting is a catalog that makes a commit and loses the answer to it, each time one of
// the actions is written down.
type doubting struct {
	catalog.Catalog
	on bool
}

func (d *doubting) Update(ctx context.Context, f func(*catalog.Tx) error) error {
	puts := false
	err := d.Catalog.Update(ctx, func(tx *catalog.Tx) error {
		before, _, err := tx.Audit.Head()
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		lines, err := tx.Audit.Entries(before, catalog.AuditFilter{Action: "put"}, 1)
		puts = len(lines) > 0
		return err
	})
	if err == nil && d.on && puts {
		d.on = false
		return errors.Join(catalog.ErrDoubt, errors.New("connection reset"))
	}
	return err
}

// A commit of which nobody knows whether it was made is not made again: the file would be charged twice.
func TestAPutInDoubtIsNotDoneTwice(t *testing.T) {
	d := newDesk(t)
	lost := &doubting{Catalog: d.cat.Catalog}
	d.cat.Catalog = lost
	for _, c := range []struct {
		name string
		put  func(text string) error
	}{
		{"small", func(text string) error {
			_, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at("small"), Size: int64(len(text))}, strings.NewReader(text))
			return err
		}},
		{"in parts", func(text string) error {
			u, err := d.BeginUpload(d.ctx, d.ann, UploadRequest{At: at("in parts"), Size: int64(len(text))})
			ok(t, err)
			_, _, err = d.WriteUpload(d.ctx, d.ann, u.ID, 0, strings.NewReader(text))
			return err
		}},
	} {
		lost.on = true
		if err := c.put("text of " + c.name); !errors.Is(err, catalog.ErrDoubt) {
			t.Errorf("%s: %v, want doubt", c.name, err)
		}
		versions, err := d.Versions(d.ctx, d.ann, at(c.name))
		ok(t, err)
		if len(versions) != 1 {
			t.Errorf("%s: %d versions", c.name, len(versions))
		}
	}
}
