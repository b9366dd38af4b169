package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// testFiles holds names, versions, contents, uploads and quotas to what random
// histories (Model) come by too rarely: large folders, and many at once.
func testFiles(t *testing.T, open Open) {
	c := open(t)
	number := byte(0)
	for name, test := range map[string]func(*testing.T, *shelf){
		"64 uploads at once never pass a quota":                         racingQuota,
		"a page follows the page before, however large the folder":      pages,
		"purge goes in steps, and each leaves everything in order":      purgeInSteps,
		"a name is found behind very many in the trash":                 searchPastTrash,
		"a path may be deeper than what one query walks":                deepPath,
		"content that is removed between claim and put is not put":      removedMeanwhile,
		"content that is claimed again is not unused":                   claimedAgain,
		"an upload that bytes arrive for does not expire meanwhile":     slowUpload,
		"the last who takes an upload writes it":                        secondWriter,
		"what is refused leaves nothing, when the Update goes on":       refusedLeavesNothing,
		"names that are markup, patterns or queries are only names":     strangeNames,
		"a collection's grants, links and root go with it":              deletedCollection,
		"uploads into a collection that is gone can be given up":        uploadOutlivesCollection,
		"a limited link never gives more downloads than it has":         racingDownloads,
		"what was put, replaced, moved and trashed is in a dump, whole": dumpedFiles,
	} {
		number++
		t.Run(name, func(t *testing.T) { test(t, newShelf(t, c, open, number)) })
	}
}

// shelf is an account and its collection, in a catalog that all shelves share.
type shelf struct {
	catalog.Catalog
	t      *testing.T
	open   Open
	number byte
	owner  catalog.UserID
	in     catalog.Collection
}

func newShelf(t *testing.T, c catalog.Catalog, open Open, number byte) *shelf {
	s := &shelf{Catalog: c, t: t, open: open, number: number}
	s.owner = addUser(t, s, fmt.Sprint("owner", number))
	update(t, s, func(tx *catalog.Tx) (err error) {
		s.in, err = tx.Collections.CreateCollection(catalog.Collection{Name: fmt.Sprint("shelf", number), Owner: s.owner, Created: day()})
		return err
	})
	return s
}

// put puts a file of 10 bytes whose content is named by n.
func (s *shelf) put(tx *catalog.Tx, parent catalog.NodeID, name string, n byte) (catalog.Node, error) {
	sum := s.tenBytes(n)
	if _, err := tx.Contents.Claim(sum, day()); err != nil {
		return catalog.Node{}, err
	}
	if err := tx.Contents.SetReady(sum.Root, day()); err != nil {
		return catalog.Node{}, err
	}
	return tx.Tree.PutFile(parent, name, catalog.Version{Sum: sum, By: s.owner, Created: day(), Modified: day()})
}

func (s *shelf) tenBytes(n byte) content.FileSum {
	return content.FileSum{Root: content.Hash{n, s.number, 1}, SHA256: content.Hash{n, s.number, 2}, Size: 10}
}

// sound checks that the catalog is in order.
func (s *shelf) sound() {
	s.t.Helper()
	if found, err := s.Check(context.Background()); err != nil || len(found) > 0 {
		s.t.Errorf("check: %q, %v", found, err)
	}
}

func is(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func racingQuota(t *testing.T, s *shelf) {
	s.in.Quota = 1000
	update(t, s, func(tx *catalog.Tx) error { return tx.Collections.UpdateCollection(s.in) })
	var all sync.WaitGroup
	var granted atomic.Int64
	for i := range 64 {
		all.Go(func() {
			err := s.Update(context.Background(), func(tx *catalog.Tx) error {
				if err := tx.Quotas.Reserve(s.owner, s.in.ID, 90); err != nil {
					return err
				}
				return tx.Uploads.CreateUpload(s.upload(fmt.Sprintf("race%d", i), 90))
			})
			switch {
			case err == nil:
				granted.Add(1)
			case !errors.Is(err, fault.Quota):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if granted.Load() != 11 {
		t.Errorf("%d uploads of 90 bytes fit into 1000", granted.Load())
	}
	s.sound()
}

func (s *shelf) upload(id string, size int64) catalog.Upload {
	return catalog.Upload{
		ID: id, User: s.owner, Collection: s.in.ID, Path: []string{"x"}, Size: size,
		Created: day(), Updated: day(), Expires: day().Add(time.Hour),
	}
}

func pages(t *testing.T, s *shelf) {
	const many = 150
	var want, got []string
	update(t, s, func(tx *catalog.Tx) error {
		for i := range many {
			name := fmt.Sprintf("%c%d", "aAéz"[i%3], i*7919%many)
			want = append(want, name)
			if _, err := s.put(tx, s.in.Root, name, 1); err != nil {
				return err
			}
		}
		return nil
	})
	slices.Sort(want) // by bytes
	view(t, s, func(tx *catalog.Tx) error {
		for after := ""; ; after = got[len(got)-1] {
			page, err := tx.Tree.Children(s.in.Root, after, 20)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, n := range page {
				got = append(got, n.Name)
			}
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("%d names came in pages, want %d, in order", len(got), len(want))
	}
}

func purgeInSteps(t *testing.T, s *shelf) {
	var top catalog.Node
	update(t, s, func(tx *catalog.Tx) (err error) {
		if top, err = tx.Tree.MakeFolder(s.in.Root, "top", day()); err != nil {
			return err
		}
		for i := range 9 {
			sub, err := tx.Tree.MakeFolder(top.ID, fmt.Sprint("sub", i), day())
			if err != nil {
				return err
			}
			for j := range 12 {
				if _, err := s.put(tx, sub.ID, fmt.Sprint(j), byte(j)); err != nil {
					return err
				}
			}
			if i%3 == 0 { // in the trash twice over
				err = tx.Tree.Trash(sub.ID, s.owner, day())
			}
			if err != nil {
				return err
			}
		}
		return tx.Tree.Trash(top.ID, s.owner, day())
	})
	steps := 0
	for done := false; !done; steps++ {
		update(t, s, func(tx *catalog.Tx) (err error) {
			done, err = tx.Tree.Purge(top.ID, 20)
			return err
		})
		s.sound()
		if steps > 20 {
			t.Fatal("purge does not end")
		}
	}
	if steps != 6 { // 117 nodes below
		t.Errorf("%d steps", steps)
	}
	view(t, s, func(tx *catalog.Tx) error {
		c, err := tx.Collections.Collection(s.in.ID)
		if c.Used != 0 {
			t.Errorf("%d bytes are still used", c.Used)
		}
		return err
	})
}

func searchPastTrash(t *testing.T, s *shelf) {
	update(t, s, func(tx *catalog.Tx) error {
		gone, err := tx.Tree.MakeFolder(s.in.Root, "gone", day())
		if err != nil {
			return err
		}
		for i := range 80 {
			if _, err := s.put(tx, gone.ID, fmt.Sprintf("needle %03d", i), 1); err != nil {
				return err
			}
		}
		_, err = s.put(tx, s.in.Root, "the last Needle", 1)
		return errors.Join(err, tx.Tree.Trash(gone.ID, s.owner, day()))
	})
	view(t, s, func(tx *catalog.Tx) error {
		found, err := tx.Tree.Search([]catalog.CollectionID{s.in.ID}, "NEEDLE", 2)
		if len(found) != 1 || found[0].Node.Name != "the last Needle" {
			t.Errorf("found %v", found)
		}
		return err
	})
}

func deepPath(t *testing.T, s *shelf) {
	var names []string
	var last catalog.Node
	update(t, s, func(tx *catalog.Tx) (err error) {
		at := s.in.Root
		for i := range content.MaxDepth {
			names = append(names, fmt.Sprint("level", i))
			if last, err = tx.Tree.MakeFolder(at, names[i], day()); err != nil {
				return err
			}
			at = last.ID
		}
		return nil
	})
	view(t, s, func(tx *catalog.Tx) error {
		n, err := tx.Tree.Resolve(s.in.Root, names)
		if err != nil || n.ID != last.ID {
			t.Errorf("resolve: node %d, %v", n.ID, err)
		}
		path, live, err := tx.Tree.Path(last.ID)
		if !live || !slices.Equal(path, names) {
			t.Errorf("path: %q, live %v", path, live)
		}
		_, absent := tx.Tree.Resolve(s.in.Root, append(names[:20:20], "absent"))
		is(t, "resolve what is not there", absent, fault.NotFound)
		return err
	})
}

func removedMeanwhile(t *testing.T, s *shelf) {
	sum := s.tenBytes(1)
	put := func(tx *catalog.Tx) error {
		_, err := tx.Tree.PutFile(s.in.Root, "a", catalog.Version{Sum: sum, By: s.owner, Created: day()})
		return err
	}
	update(t, s, func(tx *catalog.Tx) error {
		_, err := tx.Contents.Claim(sum, day())
		return errors.Join(err, tx.Contents.SetReady(sum.Root, day()), tx.Contents.SetRemoving(sum.Root))
	})
	is(t, "put while it is removed", s.Update(context.Background(), put), fault.Busy)
	is(t, "claim while it is removed", s.Update(context.Background(), func(tx *catalog.Tx) error {
		_, err := tx.Contents.Claim(sum, day())
		return err
	}), fault.Busy)
	update(t, s, func(tx *catalog.Tx) error { return tx.Contents.Drop(sum.Root) })
	is(t, "put after it was removed", s.Update(context.Background(), put), fault.Busy)
	update(t, s, func(tx *catalog.Tx) error {
		state, err := tx.Contents.Claim(sum, day())
		if state != catalog.Arriving {
			t.Errorf("removed content is claimed as %d", state)
		}
		return errors.Join(err, tx.Contents.SetReady(sum.Root, day()), put(tx))
	})
	is(t, "remove what is in use", s.Update(context.Background(), func(tx *catalog.Tx) error {
		return tx.Contents.SetRemoving(sum.Root)
	}), fault.Busy)
	s.sound()
}

func claimedAgain(t *testing.T, s *shelf) {
	sum := s.tenBytes(1)
	unused := func() (n int) {
		view(t, s, func(tx *catalog.Tx) error {
			list, err := tx.Contents.Unused(day().Add(time.Hour), 1000)
			n = 0
			for _, c := range list { // other tests leave theirs
				if c.Sum.Root == sum.Root {
					n++
				}
			}
			return err
		})
		return n
	}
	claim := func(at time.Time) {
		update(t, s, func(tx *catalog.Tx) error {
			_, err := tx.Contents.Claim(sum, at)
			return err
		})
	}
	claim(day())
	if unused() != 1 {
		t.Error("content that was claimed an hour ago and never named is not unused")
	}
	claim(day().Add(time.Hour))
	if unused() != 0 {
		t.Error("content that was claimed just now is unused")
	}
}
