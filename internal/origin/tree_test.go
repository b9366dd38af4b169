package origin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// walked returns the paths that Walk yields, folders with a slash behind.
func (d *desk) walked(c Caller, at Place) (paths []string, _ error) {
	for e, err := range d.Walk(d.ctx, c, at) {
		if err != nil {
			return paths, err
		}
		path := e.Path
		if e.Node.Folder {
			path += "/"
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func TestListGoesPageByPage(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"b", "a", "d", "c", "\u00e9"} {
		d.put("f/"+name, name)
	}
	var got []string
	after, pages := "", 0
	for {
		l, err := d.List(d.ctx, d.ann, at("f"), after, 2)
		ok(t, err)
		pages++
		for _, e := range l.Entries {
			got = append(got, e.Path)
		}
		if after = l.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"f/a", "f/b", "f/c", "f/d", "f/\u00e9"}) || pages != 3 {
		t.Fatalf("%d pages: %q", pages, got)
	}
	l, err := d.List(d.ctx, d.ann, at("f/a"), "", 0)
	ok(t, err)
	if len(l.Entries) != 0 || l.Folder.Node.Folder || l.Rights != policy.AllRights {
		t.Fatalf("of a file: %+v", l)
	}
	for _, after := range []string{"\xff", "\x00", strings.Repeat("x", 300)} {
		_, err := d.List(d.ctx, d.ann, at("f"), after, 0)
		want(t, err, fault.Invalid)
	}
}

func TestWalkIsInByteOrderFoldersFirst(t *testing.T) {
	d := newDesk(t)
	for _, path := range []string{"a/z", "a/b/c", "a.txt", "b", "a b"} {
		d.put(path, path)
	}
	_, err := d.MakeFolder(d.ctx, d.ann, at("a/empty"))
	ok(t, err)
	got, err := d.walked(d.ann, at(""))
	ok(t, err)
	if want := []string{"a/", "a/b/", "a/b/c", "a/empty/", "a/z", "a b", "a.txt", "b"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if got, err = d.walked(d.ann, at("a/b/c")); err != nil || !slices.Equal(got, []string{"a/b/c"}) {
		t.Fatalf("of a file: %q, %v", got, err)
	}
	for range d.Walk(d.ctx, d.ann, at("")) {
		break // who stops is not called again
	}
	_, err = d.walked(d.ann, at("absent"))
	want(t, err, fault.NotFound)
}

// A walk that is longer than a page, and deeper than a path that can be made.
func TestWalkReadsAllPages(t *testing.T) {
	d := newDesk(t)
	var list []BatchFile
	for i := range MaxBatchFiles {
		list = append(list, BatchFile{Path: fmt.Sprintf("%04d", i)})
	}
	for _, folder := range []string{"x", "x/1000"} {
		if folder == "x/1000" {
			ok(t, d.forget("x/1000"))
		}
		_, err := d.PutBatch(d.ctx, d.ann, at(folder), list)
		ok(t, err)
	}
	got, err := d.walked(d.ann, at("x"))
	ok(t, err)
	if len(got) != 2*MaxBatchFiles {
		t.Fatalf("got %d", len(got))
	}
}

func TestMakeFolder(t *testing.T) {
	d := newDesk(t)
	d.put("file", "x")
	for _, path := range []string{"a/b/c", "a/b/c", "a", ""} {
		e, err := d.MakeFolder(d.ctx, d.ann, at(path))
		ok(t, err)
		if !e.Node.Folder || e.Path != path {
			t.Fatalf("%q: got %+v", path, e)
		}
	}
	for path, kind := range map[string]fault.Kind{"file": fault.Exists, "file/x": fault.Exists, "..": fault.Invalid, strings.Repeat("d/", 64) + "d": fault.Invalid} {
		_, err := d.MakeFolder(d.ctx, d.ann, at(path))
		want(t, err, kind)
	}
	n := 0
	for _, line := range d.log() {
		if strings.HasPrefix(line, "ann|mkdir|c/a") && strings.HasSuffix(line, "|ok") {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d entries for one folder that was made", n)
	}
}

func TestMove(t *testing.T) {
	d := newDesk(t)
	_, err := d.CreateCollection(d.ctx, d.ann, "other")
	ok(t, err)
	d.put("a/f", "x")
	d.put("b/g", "y")
	deep := strings.TrimSuffix(strings.Repeat("d/", 62), "/")
	_, err = d.MakeFolder(d.ctx, d.ann, at(deep))
	ok(t, err)
	d.put("two/levels/down", "z")
	for _, c := range []struct {
		name     string
		from, to Place
		kind     fault.Kind // Other: fine
	}{
		{"to a new name", at("a/f"), at("a/f2"), fault.Other},
		{"back, the collection not said again", at("a/f2"), Place{Path: "a/f"}, fault.Other},
		{"to where it is", at("a/f"), at("a/f"), fault.Other},
		{"to a name that is taken", at("a/f"), at("b/g"), fault.Exists},
		{"to a folder that is absent", at("a/f"), at("absent/f"), fault.NotFound},
		{"below a file", at("a/f"), at("b/g/f"), fault.Exists},
		{"what is absent", at("absent"), at("b/x"), fault.NotFound},
		{"a folder into itself", at("a"), at("a/a"), fault.Invalid},
		{"a collection", at(""), at("x"), fault.Invalid},
		{"onto a collection", at("a"), at(""), fault.Invalid},
		{"to another collection", at("a/f"), Place{Collection: "other", Path: "f"}, fault.Invalid},
		{"to a collection nobody has", at("a/f"), Place{Collection: "absent", Path: "f"}, fault.NotFound},
		{"up and out", at("a/f"), at("../f"), fault.Invalid},
		{"too deep for what is in it", at("two"), at(deep + "/two"), fault.Invalid},
		{"a folder", at("b"), at("a/b"), fault.Other},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := d.Move(d.ctx, d.ann, c.from, c.to)
			if c.kind != fault.Other {
				want(t, err, c.kind)
				return
			}
			ok(t, err)
			if e.Path != c.to.Path {
				t.Fatalf("it is at %q", e.Path)
			}
		})
	}
	if got, err := d.read(d.ann, at("a/b/g")); err != nil || got != "y" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestTrashAndBack(t *testing.T) {
	d := newDesk(t)
	d.put("a/f", "first")
	gone, err := d.Trash(d.ctx, d.ann, at("a/f"))
	ok(t, err)
	if gone.Trashed.IsZero() {
		t.Fatalf("got %+v", gone)
	}
	_, err = d.Stat(d.ctx, d.ann, at("a/f"))
	want(t, err, fault.NotFound)
	d.put("a/f", "second")
	list, err := d.TrashList(d.ctx, d.ann, "c", 0, 0)
	ok(t, err)
	if len(list) != 1 || list[0].Path != "a/f" || list[0].By != "ann" || !list[0].Goes.Equal(gone.Trashed.Add(30*24*time.Hour)) {
		t.Fatalf("in the trash: %+v", list)
	}
	e, err := d.Restore(d.ctx, d.ann, "c", gone.ID)
	ok(t, err)
	if e.Path != "a/f (2)" {
		t.Fatalf("restored to %q", e.Path)
	}
	_, err = d.Restore(d.ctx, d.ann, "c", gone.ID)
	want(t, err, fault.NotFound)

	// Its folder is in the trash as well: the nearest that is not.
	d.put("x/y/z", "deep")
	z, err := d.Trash(d.ctx, d.ann, at("x/y/z"))
	ok(t, err)
	_, err = d.Trash(d.ctx, d.ann, at("x/y"))
	ok(t, err)
	e, err = d.Restore(d.ctx, d.ann, "c", z.ID)
	ok(t, err)
	if e.Path != "x/z" {
		t.Fatalf("restored to %q", e.Path)
	}
	_, err = d.Trash(d.ctx, d.ann, at(""))
	want(t, err, fault.Invalid)
}

func TestPurgeIsForGood(t *testing.T) {
	d := newDesk(t)
	var list []BatchFile
	for i := range purgeStep + 20 {
		list = append(list, BatchFile{Path: fmt.Sprint(i), Content: []byte("x")})
	}
	_, err := d.PutBatch(d.ctx, d.ann, at("many"), list)
	ok(t, err)
	n, err := d.Trash(d.ctx, d.ann, at("many"))
	ok(t, err)
	bob := d.hire("bob", policy.Publisher)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.List | policy.Read | policy.Publish}))
	want(t, d.Purge(d.ctx, bob, "c", n.ID), fault.Permission)
	ok(t, d.Purge(d.ctx, d.ann, "c", n.ID))
	if used, _ := d.used(); used != 0 {
		t.Fatalf("%d bytes are still counted", used)
	}
	want(t, d.Purge(d.ctx, d.ann, "c", n.ID), fault.NotFound)
	want(t, d.Purge(d.ctx, d.ann, "c", 1), fault.NotFound)
}

func TestVersions(t *testing.T) {
	d := newDesk(t)
	d.put("f", "one")
	d.put("f", "two")
	other := d.put("g", "other")
	v, err := d.Versions(d.ctx, d.ann, at("f"))
	ok(t, err)
	if len(v) != 2 {
		t.Fatalf("got %d", len(v))
	}
	old, err := d.Open(d.ctx, d.ann, at("f"), v[1].ID, 0, nil)
	ok(t, err)
	if old.Version.ID != v[1].ID || old.Version.Sum.Size != 3 {
		t.Fatalf("got %+v", old.Version)
	}
	ok(t, old.Close(0, nil))
	for _, id := range []catalog.VersionID{other.Node.Version.ID, 999} {
		_, err = d.Open(d.ctx, d.ann, at("f"), id, 0, nil)
		want(t, err, fault.NotFound)
		_, err = d.RestoreVersion(d.ctx, d.ann, at("f"), id)
		want(t, err, fault.NotFound)
	}
	_, err = d.RestoreVersion(d.ctx, d.ann, at("f"), v[1].ID)
	ok(t, err)
	if got, err := d.read(d.ann, at("f")); err != nil || got != "one" {
		t.Fatalf("got %q, %v", got, err)
	}
	if used, _ := d.used(); used != 3+3+5+3 {
		t.Fatalf("%d bytes are counted", used)
	}
	quota := int64(15)
	_, err = d.UpdateUser(d.ctx, d.root, "ann", UserChange{Quota: &quota})
	ok(t, err)
	_, err = d.RestoreVersion(d.ctx, d.ann, at("f"), v[1].ID)
	want(t, err, fault.Quota)
	_, err = d.Versions(d.ctx, d.ann, at(""))
	want(t, err, fault.Invalid)
}

func TestSearchFindsWhatMayBeListed(t *testing.T) {
	d := newDesk(t)
	bob := d.hire("bob", policy.Reader)
	_, err := d.CreateCollection(d.ctx, d.ann, "dark")
	ok(t, err)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.List}))
	d.put("a/Holiday 100%.jpg", "x")
	_, _, err = d.Put(d.ctx, d.ann, UploadRequest{At: Place{Collection: "dark", Path: "holiday"}, Size: 0}, strings.NewReader(""))
	ok(t, err)
	for _, c := range []struct {
		name, in, text string
		caller         Caller
		found          int
		kind           fault.Kind
	}{
		{"in all of one's own", "", "holiday", d.ann, 2, 0},
		{"in all there are", "", "HOLIDAY", d.root, 2, 0},
		{"in what was granted", "", "holiday", bob, 1, 0},
		{"in one", "c", "holiday", d.ann, 1, 0},
		{"in one that is hidden", "dark", "holiday", bob, 0, fault.NotFound},
		{"what stands for anything stands for itself", "", "0%.", d.ann, 1, 0},
		{"what stands for anything finds nothing else", "", "%", bob, 1, 0},
		{"what is not there", "", "work", d.ann, 0, 0},
		{"nothing", "", "", d.ann, 0, fault.Invalid},
		{"nobody", "", "holiday", from(1), 0, fault.Unauthenticated},
		{"a token that may not list", "", "holiday", d.token(d.ann, policy.Read, false), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := d.Search(d.ctx, c.caller, c.in, c.text, 0)
			if c.kind != 0 {
				want(t, err, c.kind)
				return
			}
			ok(t, err)
			if len(got) != c.found {
				t.Fatalf("found %+v", got)
			}
		})
	}
}

func TestFreeNames(t *testing.T) {
	d := newDesk(t)
	drawn := 0
	random := func() string { drawn++; return fmt.Sprint("r", drawn) }
	taken := map[string]bool{"a.txt": true, "a (2).txt": true}
	is := func(name string) (bool, error) { return taken[name], nil }
	for name, wanted := range map[string]string{
		"a.txt": "a (3).txt", ".hidden": ".hidden (2)", "x": "x (2)", "a.tar.gz": "a.tar (2).gz",
		strings.Repeat("\u00e9", 120): strings.Repeat("\u00e9", 118) + " (2)",
	} {
		if got, err := freeName(name, is, random); err != nil || got != wanted {
			t.Errorf("%.10q: got %q, %v", name, got, err)
		}
	}
	asked := 0
	_, err := freeName("x", func(string) (bool, error) { asked++; return true, nil }, random)
	want(t, err, fault.Exists)
	if asked > 250 {
		t.Errorf("asked %d times", asked)
	}
	broken := errors.New("broken")
	if _, err := freeName("x", func(string) (bool, error) { return false, broken }, random); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	d.put("x", "1")
}
