package origin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// asker is who asks in the matrix. Its places are its own, so that what one may do does not
// stand in another's way.
type asker struct {
	name string
	c    Caller
	link bool
}

// place is name in the asker's own folder, as it has to be asked for.
func (a asker) place(name string) Place {
	if a.link {
		return Place{Path: name}
	}
	return at(a.name + "/" + name)
}

// The answers of the matrix, one letter each.
func answer(err error) byte {
	for _, k := range []struct {
		kind   fault.Kind
		letter byte
	}{
		{fault.Unauthenticated, 'u'}, {fault.Permission, 'p'}, {fault.NotFound, 'n'}, {fault.Gone, 'g'},
	} {
		if errors.Is(err, k.kind) {
			return k.letter
		}
	}
	if err == nil {
		return 'Y'
	}
	return '?'
}

// N9, N36: every operation on files by everybody. Each row is an operation, each
// column who asks, in the order of askers.
func TestEveryOperationByEverybody(t *testing.T) {
	d := newDesk(t)
	askers := d.askers()
	for _, op := range d.operations() {
		t.Run(op.name, func(t *testing.T) {
			var got []byte
			for _, a := range askers {
				err := op.do(a)
				letter := answer(err)
				if letter == '?' {
					t.Errorf("%s: %v", a.name, err)
				}
				got = append(got, letter)
			}
			if string(got) != op.want {
				for i, a := range askers {
					if got[i] != op.want[i] {
						t.Errorf("%s: got %c, want %c", a.name, got[i], op.want[i])
					}
				}
			}
		})
	}
}

// askers are nobody, an outsider, one who may list, one who may read, one who may list and read and has the
// role of a publisher, one who may only put, one who may all, the owner, an admin, tokens of the owner to list and to read, a
// share link, an upload link, a locked link, one of somebody whose rights ended, and a disabled account.
func (d *desk) askers() []asker {
	t := d.t
	t.Helper()
	hire := func(name string, role policy.Role, rights policy.Rights) asker {
		c := d.hire(name, role)
		if rights != 0 {
			ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: name, Rights: rights}))
		}
		return asker{name: name, c: c}
	}
	list := []asker{
		{name: "nobody", c: from(1)},
		hire("outsider", policy.Publisher, 0),
		hire("lister", policy.Reader, policy.List),
		hire("fetcher", policy.Reader, policy.Read),
		hire("reader", policy.Reader, policy.List|policy.Read|policy.Publish), // more than the role takes
		hire("dropper", policy.Publisher, policy.Publish),
		hire("editor", policy.Publisher, policy.List|policy.Read|policy.Publish),
		{name: "owner", c: d.ann},
		{name: "admin", c: d.root},
		{name: "listtoken", c: d.token(d.ann, policy.List, false)},
		{name: "readtoken", c: d.token(d.ann, policy.List|policy.Read, false)},
	}
	closed := hire("closed", policy.Publisher, policy.AllRights)
	maker := hire("maker", policy.Publisher, policy.List|policy.Read|policy.Publish)
	for _, name := range []string{
		"nobody", "outsider", "lister", "fetcher", "reader", "dropper", "editor", "owner", "admin",
		"listtoken", "readtoken", "share", "upload", "locked", "ended", "closed",
	} {
		for _, file := range []string{"read", "move", "trash", "older"} {
			d.put(name+"/"+file, "text")
		}
		d.put(name+"/older", "newer")
	}
	ended, err := d.CreateLink(d.ctx, maker.c, LinkRequest{At: at("ended"), Kind: catalog.ShareLink})
	ok(t, err)
	list = append(list,
		asker{"share", d.by(d.share("share", nil)), true},
		asker{"upload", d.by(d.share("upload", func(r *LinkRequest) { r.Kind = catalog.UploadLink })), true},
		asker{"locked", d.by(d.share("locked", func(r *LinkRequest) { r.Password = "open sesame" })), true},
		asker{"ended", d.by(ended), true},
		closed,
	)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "maker"}))
	ok(t, disable(d, "closed"))
	return list
}

type operation struct {
	name, want string
	do         func(asker) error
}

func (d *desk) operations() []operation {
	trashed := func(a asker) catalog.NodeID {
		e := d.put(a.name+"/in the trash", "x")
		n, err := d.Trash(d.ctx, d.ann, at(a.name+"/in the trash"))
		if err != nil || n.ID != e.Node.ID {
			d.t.Fatal(err)
		}
		return n.ID
	}
	older := func(a asker) catalog.VersionID {
		v, err := d.Versions(d.ctx, d.ann, at(a.name+"/older"))
		if err != nil {
			d.t.Fatal(err)
		}
		return v[len(v)-1].ID
	}
	//  nobody outsider lister fetcher reader dropper editor owner admin listtoken readtoken share upload locked ended closed
	reads := []operation{
		{"stat", "unYYYpYYYYYYpugu", func(a asker) error { _, err := d.Stat(d.ctx, a.c, a.place("read")); return err }},
		{"list", "unYpYpYYYYYYpugu", func(a asker) error { _, err := d.List(d.ctx, a.c, a.place("read"), "", 0); return err }},
		{"walk", "unYpYpYYYYYYpugu", func(a asker) error { _, err := d.walked(a.c, a.place("read")); return err }},
		{"open", "unpYYpYYYpYYpugu", func(a asker) error { _, err := d.read(a.c, a.place("read")); return err }},
		{"open what is absent", "unpnnpnnnpnnpugu", func(a asker) error { _, err := d.read(a.c, a.place("absent")); return err }},
		{"open an older version", "unpYYpYYYpYppugu", func(a asker) error {
			got, err := d.Open(d.ctx, a.c, a.place("older"), older(a), 0, nil)
			if err != nil {
				return err
			}
			return got.Close(0, nil)
		}},
		{"archive", "unpYYpYYYpYYpugu", func(a asker) error {
			return d.Archive(d.ctx, a.c, a.place("read"), Zip, io.Discard, func(string) {}, nil)
		}},
		{"fetch", "unpYYpYYYpYYpugu", func(a asker) error {
			return d.Fetch(d.ctx, a.c, a.place("read"), []string{""}, io.Discard, func() {}, nil)
		}},
		{"versions", "unpYYpYYYpYppugu", func(a asker) error { _, err := d.Versions(d.ctx, a.c, a.place("older")); return err }},
		{"search", "unYpYpYYYYYppppu", func(a asker) error { _, err := d.Search(d.ctx, a.c, "c", "read", 0); return err }},
		{"list the trash", "unpppYYYYppppugu", func(a asker) error {
			_, err := d.TrashList(d.ctx, a.c, "c", 0, 0)
			return err
		}},
	}
	writes := []operation{
		{"put", "unpppYYYYpppYugu", func(a asker) error {
			_, _, err := d.Put(d.ctx, a.c, UploadRequest{At: a.place("new"), Size: 1}, strings.NewReader("x"))
			return err
		}},
		{"put a batch", "unpppYYYYpppYugu", func(a asker) error {
			_, err := d.PutBatch(d.ctx, a.c, a.place("batch"), []BatchFile{{Path: "x"}})
			return err
		}},
		{"upload", "unpppYYYYpppYugu", func(a asker) error {
			u, err := d.BeginUpload(d.ctx, a.c, UploadRequest{At: a.place("up"), Size: 3})
			if err != nil {
				return err
			}
			_, e, err := d.WriteUpload(d.ctx, a.c, u.ID, 0, bytes.NewReader([]byte("abc")))
			if err == nil && e == nil {
				err = errors.New("no file")
			}
			return err
		}},
		{"make a folder", "unpppYYYYppppugu", func(a asker) error { _, err := d.MakeFolder(d.ctx, a.c, a.place("folder")); return err }},
		{"move", "unpppYYYYppppugu", func(a asker) error {
			_, err := d.Move(d.ctx, a.c, a.place("move"), a.place("moved"))
			return err
		}},
		{"trash", "unpppYYYYppppugu", func(a asker) error { _, err := d.Trash(d.ctx, a.c, a.place("trash")); return err }},
		{"restore", "unpppYYYYppppugu", func(a asker) error { _, err := d.Restore(d.ctx, a.c, "c", trashed(a)); return err }},
		{"purge", "unpppppYYppppppu", func(a asker) error { return d.Purge(d.ctx, a.c, "c", trashed(a)) }},
		{"restore a version", "unpppYYYYppppugu", func(a asker) error {
			_, err := d.RestoreVersion(d.ctx, a.c, a.place("older"), older(a))
			return err
		}},
		{"make a share link", "unpYYpYYYpYppugu", func(a asker) error {
			_, err := d.CreateLink(d.ctx, a.c, LinkRequest{At: a.place("read"), Kind: catalog.ShareLink})
			return err
		}},
		{"make an upload link", "unpppYYYYppppugu", func(a asker) error {
			_, err := d.CreateLink(d.ctx, a.c, LinkRequest{At: Place{Collection: "c"}, Kind: catalog.UploadLink})
			return err
		}},
		{"see all links", "unpppppYYppppppu", func(a asker) error { _, err := d.Links(d.ctx, a.c, "c"); return err }},
	}
	return append(reads, writes...)
}

// Another's upload is absent, whoever asks and however.
func TestAnothersUploadIsAbsent(t *testing.T) {
	d := newDesk(t)
	d.put("in/x", "x")
	link := d.by(d.share("in", func(r *LinkRequest) { r.Kind = catalog.UploadLink }))
	other := d.by(d.share("in", func(r *LinkRequest) { r.Kind = catalog.UploadLink }))
	mine := d.begin("f", []byte("abc"))
	theirs, err := d.BeginUpload(d.ctx, link, UploadRequest{At: Place{Path: "f"}, Size: 3})
	ok(t, err)
	for name, c := range map[string]struct {
		caller Caller
		id     string
	}{
		"an admin's of a user":         {d.root, mine.ID},
		"a link's of a user":           {link, mine.ID},
		"the link's maker's of a link": {d.ann, theirs.ID},
		"another link's of a link":     {other, theirs.ID},
		"nobody knows that one":        {d.ann, "abcdefgh"},
	} {
		_, err := d.Upload(d.ctx, c.caller, c.id)
		_, _, wrote := d.WriteUpload(d.ctx, c.caller, c.id, 0, strings.NewReader("abc"))
		for _, err := range []error{err, wrote, d.DropUpload(d.ctx, c.caller, c.id)} {
			if !errors.Is(err, fault.NotFound) || strings.Contains(fmt.Sprint(err), c.id) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	ok(t, d.DropUpload(d.ctx, d.ann, mine.ID))
	ok(t, d.DropUpload(d.ctx, link, theirs.ID))
}
