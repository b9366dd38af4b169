package origin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
	"tandem/internal/store/mem"
)

// desk is an office with a collection "c" that ann, a publisher, owns.
type desk struct {
	*office
	blobs     *mem.Blobs
	root, ann Caller
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return furnish(newOffice(t))
}

// deskInBubble is a desk in a bubble of synctest, which sees to goroutines itself.
func deskInBubble(t *testing.T) *desk {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), catalogtest.Blank(t))
	ok(t, err)
	t.Cleanup(func() { ok(t, cat.Close()) })
	o := &office{t: t, ctx: t.Context(), cat: &counted{Catalog: cat}, time: time.Now().UTC()}
	o.Server = o.instance()
	_, err = o.MakeAdmin(o.ctx, "root", rightPassword)
	ok(t, err)
	return furnish(o)
}

func furnish(o *office) *desk {
	t := o.t
	t.Helper()
	d := &desk{office: o, blobs: o.cfg.Blobs.(*mem.Blobs), root: o.login("root"), ann: o.hire("ann", policy.Publisher)}
	_, err := o.CreateCollection(o.ctx, d.ann, "c")
	ok(t, err)
	t.Cleanup(d.sound)
	return d
}

// sound fails unless counters, tree and audit chain agree.
func (d *desk) sound() {
	findings, err := d.cat.Check(context.WithoutCancel(d.t.Context())) // a cleanup runs behind its end
	if err != nil || len(findings) > 0 {
		d.t.Errorf("the catalog does not agree with itself: %v %q", err, findings)
	}
}

func at(path string) Place { return Place{Collection: "c", Path: path} }

// put stores text and fails the test when that fails.
func (d *desk) put(path, text string) Entry {
	d.t.Helper()
	e, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at(path), Size: int64(len(text))}, strings.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

// read returns what c gets at a place.
func (d *desk) read(c Caller, at Place) (string, error) {
	got, err := d.Open(d.ctx, c, at, 0, 0, nil)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(got.Content)
	return string(b), errors.Join(err, got.Close(int64(len(b)), nil))
}

// names lists a folder.
func (d *desk) names(path string) []string {
	d.t.Helper()
	l, err := d.List(d.ctx, d.ann, at(path), "", 0)
	if err != nil {
		d.t.Fatal(err)
	}
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Node.Name)
	}
	return names
}

func (d *desk) used() (used, reserved int64) {
	d.t.Helper()
	v, err := d.Collection(d.ctx, d.ann, "c")
	if err != nil {
		d.t.Fatal(err)
	}
	return v.Collection.Used, v.Collection.Reserved
}

// noise is n bytes that do not repeat.
func noise(seed byte, n int) []byte {
	b := make([]byte, 0, n+32)
	for sum := sha256.Sum256([]byte{seed}); len(b) < n; sum = sha256.Sum256(sum[:]) {
		b = append(b, sum[:]...)
	}
	return b[:n]
}

func TestPathsAreCanonicalBeforeAnythingIsDecided(t *testing.T) {
	for _, c := range []struct {
		name, path string
		want       []string // nil: refused
	}{
		{"nothing is the folder itself", "", []string{}},
		{"a name", "a", []string{"a"}},
		{"names", "a/b", []string{"a", "b"}},
		{"a letter and its accent are one", "e\u0301", []string{"\u00e9"}},
		{"a sign that only looks like a slash is none", "a\u2044b", []string{"a\u2044b"}},
		{"up is refused", "a/../b", nil},
		{"here is refused", "./a", nil},
		{"an empty name is refused", "a//b", nil},
		{"a slash in front is refused", "/a", nil},
		{"a slash behind is refused", "a/", nil},
		{"a backslash is refused", `a\b`, nil},
		{"a NUL is refused", "a\x00", nil},
		{"an escape is refused", "a\x1b[2J", nil},
		{"turned writing is refused", "a\u202etxt.exe", nil},
		{"what is not UTF-8 is refused", "a\xff", nil},
		{"a long name is refused", strings.Repeat("x", 241), nil},
		{"a long path is refused", strings.Repeat("x/", 3000), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := splitPath(c.path)
			if c.want == nil {
				want(t, err, fault.Invalid)
				return
			}
			ok(t, err)
			if !slices.Equal(got, c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzSplitPath(f *testing.F) {
	for _, seed := range []string{"", "a/b", "../x", "e\u0301", "a//b", "\xff", "a\x00b", strings.Repeat("a/", 70)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		names, err := splitPath(path)
		if err != nil {
			want(t, err, fault.Invalid)
			return
		}
		again, err := splitPath(joinNames(names))
		if err != nil || !slices.Equal(again, names) {
			t.Fatalf("%q became %q, and that %q (%v)", path, names, again, err)
		}
		for _, n := range names {
			if content.CheckPath([]string{n}) != nil {
				t.Fatalf("%q holds the name %q", path, n)
			}
		}
	})
}

func TestWhatIsPutIsThere(t *testing.T) {
	d := newDesk(t)
	e := d.put("a/b/hello.txt", "hello")
	if e.Path != "a/b/hello.txt" || e.By != "ann" || e.Node.Version.Sum.SHA256 != sha256.Sum256([]byte("hello")) {
		t.Fatalf("got %+v", e)
	}
	got, err := d.read(d.ann, at("a/b/hello.txt"))
	if ok(t, err); got != "hello" {
		t.Fatalf("got %q", got)
	}
	if n := d.names("a/b"); !slices.Equal(n, []string{"hello.txt"}) {
		t.Fatalf("listed %q", n)
	}
	if used, reserved := d.used(); used != 5 || reserved != 0 {
		t.Fatalf("used %d, reserved %d", used, reserved)
	}
	e = d.put("empty", "")
	if got, err = d.read(d.ann, at("empty")); err != nil || got != "" || e.Node.Version.Sum.Size != 0 {
		t.Fatalf("an empty file: %q, %v, %+v", got, err, e)
	}
}

func TestBigPutGoesThroughTheStore(t *testing.T) {
	d := newDesk(t)
	data := noise(1, 3<<20+17)
	e, created, err := d.Put(d.ctx, d.ann, UploadRequest{At: at("big"), Size: int64(len(data)), SHA256: sha256.Sum256(data)}, bytes.NewReader(data))
	ok(t, err)
	if !created || e.Node.Version.Sum.Size != int64(len(data)) {
		t.Fatalf("got %v, %+v", created, e)
	}
	got, err := d.read(d.ann, at("big"))
	if ok(t, err); got != string(data) {
		t.Fatal("the bytes differ")
	}
	if used, reserved := d.used(); used != int64(len(data)) || reserved != 0 {
		t.Fatalf("used %d, reserved %d", used, reserved)
	}
}
