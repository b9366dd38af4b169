package catalogtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

func slowUpload(t *testing.T, s *shelf) {
	update(t, s, func(tx *catalog.Tx) error {
		return errors.Join(tx.Quotas.Reserve(s.owner, s.in.ID, 100), tx.Uploads.CreateUpload(s.upload("slow", 100)))
	})
	var expired, waiting []catalog.Upload
	update(t, s, func(tx *catalog.Tx) (err error) {
		now := day()
		for offset := range int64(8) { // half an hour between two chunks, an hour to live
			now = now.Add(30 * time.Minute)
			err = errors.Join(err, tx.Uploads.Save("slow", 0, offset+1, []byte{1}, now))
		}
		expired, err = tx.Uploads.ExpiredUploads(now.Add(59*time.Minute), 100)
		if err == nil {
			waiting, err = tx.Uploads.ExpiredUploads(now.Add(time.Hour), 100)
		}
		return err
	})
	others := func(u catalog.Upload) bool { return u.ID != "slow" }
	expired, waiting = slices.DeleteFunc(expired, others), slices.DeleteFunc(waiting, others)
	if len(expired) != 0 || len(waiting) != 1 {
		t.Errorf("expired: %v; after an hour of waiting: %v", expired, waiting)
	}
	s.sound()
}

func secondWriter(t *testing.T, s *shelf) {
	var first, second catalog.Upload
	update(t, s, func(tx *catalog.Tx) (err error) {
		err = errors.Join(tx.Quotas.Reserve(s.owner, s.in.ID, 100), tx.Uploads.CreateUpload(s.upload("taken", 100)))
		if err == nil {
			first, err = tx.Uploads.Take("taken", day())
		}
		return err
	})
	update(t, s, func(tx *catalog.Tx) (err error) {
		second, err = tx.Uploads.Take("taken", day())
		return err
	})
	save := func(u catalog.Upload, offset int64) error {
		return s.Update(context.Background(), func(tx *catalog.Tx) error {
			return tx.Uploads.Save("taken", u.Epoch, offset, nil, day())
		})
	}
	is(t, "the first writer goes on", save(first, 50), fault.Busy)
	if err := save(second, 10); err != nil {
		t.Errorf("the second writer: %v", err)
	}
	finish := func(tx *catalog.Tx) error { return tx.Uploads.Finish("taken", first.Epoch, 1, day()) }
	is(t, "the first writer finishes", s.Update(context.Background(), finish), fault.Busy)
	view(t, s, func(tx *catalog.Tx) error {
		u, err := tx.Uploads.Upload("taken")
		if u.Offset != 10 || u.Node != 0 {
			t.Errorf("offset %d, node %d", u.Offset, u.Node)
		}
		return err
	})
}

func refusedLeavesNothing(t *testing.T, s *shelf) {
	before := dump(t, s)
	update(t, s, func(tx *catalog.Tx) error {
		is(t, "put of content that is not ready", putUnready(s, tx), fault.Busy)
		is(t, "reserve too much", tx.Quotas.Reserve(s.owner, noID, 1), fault.NotFound)
		_, err := tx.Tree.MakeFolder(s.in.Root, "a/b", day())
		is(t, "folder with a path for a name", err, fault.Invalid)
		_, err = tx.Tree.MakeFolder(s.in.Root, "nul\x00", day())
		is(t, "folder with NUL in its name", err, fault.Invalid)
		_, err = tx.Tree.MakeFolder(s.in.Root, "\xff", day())
		is(t, "folder whose name is not text", err, fault.Invalid)
		_, err = tx.Links.CreateLink(catalog.Link{Token: "t", Kind: catalog.ShareLink, Node: noID, By: s.owner, Created: day()})
		is(t, "link to nothing", err, fault.NotFound)
		is(t, "trash the root", tx.Tree.Trash(s.in.Root, s.owner, day()), fault.Invalid)
		_, err = tx.Tree.PutFile(s.in.Root, "a", catalog.Version{By: noID, Created: day()})
		is(t, "put for nobody", err, fault.NotFound)
		return nil
	})
	if after := dump(t, s); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}

func putUnready(s *shelf, tx *catalog.Tx) error {
	_, err := tx.Tree.PutFile(s.in.Root, "a", catalog.Version{Sum: s.tenBytes(9), By: s.owner, Created: day()})
	return err
}

func strangeNames(t *testing.T, s *shelf) {
	names := []string{
		"<img src=x onerror=alert(1)>", "'; DROP TABLE nodes; --", "%", "_", `\`, "?", "$1", "a'b\"c", "\u202e", "e\u0301", "\u00e9",
		strings.Repeat("ü", 120), " ", ".", "COM1", "\ufffd",
	}
	update(t, s, func(tx *catalog.Tx) error {
		for i, name := range names {
			if _, err := s.put(tx, s.in.Root, name, byte(i)); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *catalog.Tx) error {
		for i, name := range names {
			n, err := tx.Tree.Child(s.in.Root, name)
			if err != nil || n.Name != name || n.Version.Sum != s.tenBytes(byte(i)) {
				t.Errorf("%q: node %v, %v", name, n, err)
			}
			found, err := tx.Tree.Search([]catalog.CollectionID{s.in.ID}, name, 100)
			if err != nil {
				t.Errorf("search for %q: %v", name, err)
			}
			for _, f := range found {
				if !strings.Contains(foldName(f.Node.Name), foldName(name)) {
					t.Errorf("search for %q found %q", name, f.Node.Name)
				}
			}
			if len(found) == 0 {
				t.Errorf("search for %q found nothing", name)
			}
		}
		return nil
	})
}

func deletedCollection(t *testing.T, s *shelf) {
	var other catalog.Collection
	update(t, s, func(tx *catalog.Tx) (err error) {
		other, err = tx.Collections.CreateCollection(catalog.Collection{Name: "other", Owner: s.owner, Created: day()})
		if err != nil {
			return err
		}
		grp, err := tx.Accounts.CreateGroup("friends", day())
		if err != nil {
			return err
		}
		link, err := tx.Links.CreateLink(catalog.Link{Token: "tok", Kind: catalog.ShareLink, Node: other.Root, Audience: peer.Link, By: s.owner, Created: day()})
		return errors.Join(err,
			tx.Collections.SetGrant(catalog.Grant{Collection: other.ID, Group: grp, Rights: policy.Read}),
			tx.Links.BeginDownload(link, "192.0.2.1", 1, day(), day().Add(time.Hour)),
			tx.Collections.DeleteCollection(other.ID))
	})
	view(t, s, func(tx *catalog.Tx) error {
		_, err := tx.Tree.Node(other.Root)
		is(t, "its root", err, fault.NotFound)
		_, err = tx.Links.LinkByToken("tok")
		is(t, "its link", err, fault.NotFound)
		grants, err := tx.Collections.Grants(other.ID)
		if len(grants) != 0 {
			t.Errorf("its grants: %v", grants)
		}
		return err
	})
	s.sound()
}

func uploadOutlivesCollection(t *testing.T, s *shelf) {
	update(t, s, func(tx *catalog.Tx) error {
		return errors.Join(tx.Quotas.Reserve(s.owner, s.in.ID, 100), tx.Uploads.CreateUpload(s.upload("left", 100)),
			tx.Collections.DeleteCollection(s.in.ID))
	})
	s.sound()
	update(t, s, func(tx *catalog.Tx) error {
		return errors.Join(tx.Quotas.Release(s.owner, s.in.ID, 100), tx.Uploads.DeleteUpload("left"))
	})
	s.sound()
}

func racingDownloads(t *testing.T, s *shelf) {
	var link catalog.LinkID
	update(t, s, func(tx *catalog.Tx) (err error) {
		link, err = tx.Links.CreateLink(catalog.Link{
			Token: "limited", Kind: catalog.ShareLink, Node: s.in.Root, Audience: peer.Link, By: s.owner, Created: day(), MaxDownloads: 5,
		})
		return err
	})
	var all sync.WaitGroup
	var begun atomic.Int64
	for range 32 {
		all.Go(func() {
			err := s.Update(context.Background(), func(tx *catalog.Tx) error {
				return tx.Links.BeginDownload(link, "192.0.2.1", 100, day(), day().Add(time.Hour))
			})
			switch {
			case err == nil:
				begun.Add(1)
			case !errors.Is(err, fault.Gone):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if begun.Load() != 5 {
		t.Errorf("%d downloads of 5 began", begun.Load())
	}
}

func dumpedFiles(t *testing.T, s *shelf) {
	update(t, s, func(tx *catalog.Tx) error {
		late, err := s.put(tx, s.in.Root, "file", 1)
		if err != nil {
			return err
		}
		folder, err := tx.Tree.MakeFolder(s.in.Root, "folder", day())
		if err != nil {
			return err
		}
		_, err = tx.Tree.Move(late.ID, folder.ID, "moved") // below a folder with a higher number
		if err != nil {
			return err
		}
		_, err = s.put(tx, folder.ID, "moved", 2)
		return errors.Join(err, tx.Tree.Trash(folder.ID, s.owner, day()))
	})
	text := dump(t, s)
	to := s.open(t)
	load(t, to, text)
	sameText(t, "loaded", dump(t, to), text)
	if found, err := to.Check(context.Background()); err != nil || len(found) > 0 {
		t.Errorf("check: %q, %v", found, err)
	}
}
