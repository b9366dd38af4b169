package origin

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// packed returns what an archive holds: text of files, "/" for folders.
func (d *desk) packed(c Caller, at Place, format ArchiveFormat) (map[string]string, string, error) {
	var b bytes.Buffer
	name := ""
	err := d.Archive(d.ctx, c, at, format, &b, func(n string) {
		if b.Len() > 0 {
			d.t.Error("begun behind the first byte")
		}
		name = n
	}, nil)
	if err != nil {
		return nil, name, err
	}
	got, err := unpack(format, b.Bytes())
	return got, name, err
}

func unpack(format ArchiveFormat, b []byte) (map[string]string, error) {
	got := make(map[string]string)
	if format == Tar {
		for r := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return got, nil
			}
			if err != nil {
				return got, err
			}
			text, err := io.ReadAll(r)
			if err != nil {
				return got, err
			}
			if got[h.Name] = string(text); h.Typeflag == tar.TypeDir {
				got[h.Name] = "/"
			}
			if sum := h.PAXRecords[sha256Record]; sum != "" {
				got[h.Name] += " " + sum[:4]
			}
		}
	}
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return got, err
	}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			return got, err
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return got, err
		}
		if got[f.Name] = string(text); f.FileInfo().IsDir() {
			got[f.Name] = "/"
		} else if f.Method != zip.Store || f.Mode().Perm() != 0o644 || f.NonUTF8 {
			return got, errors.New("compressed, or of another mode, or not UTF-8")
		}
	}
	return got, nil
}

func TestArchives(t *testing.T) {
	d := newDesk(t)
	d.put("top/a.txt", "a")
	d.put("top/sub/\u00fcber <b>.txt", "b")
	d.put("top/zero", "")
	d.put("beside", "x")
	_, err := d.MakeFolder(d.ctx, d.ann, at("top/empty"))
	ok(t, err)
	link := d.by(d.share("top", nil))
	folder := map[string]string{
		"top/": "/", "top/a.txt": "a", "top/empty/": "/", "top/sub/": "/", "top/sub/\u00fcber <b>.txt": "b", "top/zero": "",
	}
	for _, format := range []ArchiveFormat{Zip, Tar} {
		for _, c := range []struct {
			name   string
			caller Caller
			at     Place
			top    string
			want   map[string]string
		}{
			{"of a folder", d.ann, at("top"), "top", folder},
			{"of a link's folder", link, Place{}, "top", folder},
			{"of a folder in a link's", link, Place{Path: "sub"}, "sub", map[string]string{"sub/": "/", "sub/\u00fcber <b>.txt": "b"}},
			{"of a file", d.ann, at("beside"), "beside", map[string]string{"beside": "x"}},
			{"of an empty folder", d.ann, at("top/empty"), "empty", map[string]string{"empty/": "/"}},
		} {
			t.Run(string(format)+" "+c.name, func(t *testing.T) {
				got, name, err := d.packed(c.caller, c.at, format)
				ok(t, err)
				if name != c.top || !maps.Equal(got, c.want) {
					t.Fatalf("%q holds %q", name, got)
				}
			})
		}
		got, name, err := d.packed(d.ann, at(""), format)
		ok(t, err)
		if name != "c" || got["c/top/a.txt"] != "a" || got["c/beside"] != "x" || len(got) != len(folder)+2 {
			t.Fatalf("of a collection: %q holds %q", name, got)
		}
	}
}

func TestArchiveRefusesBeforeTheFirstByte(t *testing.T) {
	d := newDesk(t)
	d.put("top/f", "text")
	bob := d.hire("bob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	used := d.share("top", func(r *LinkRequest) { r.MaxDownloads = 1 })
	if _, _, err := d.packed(d.by(used), Place{}, Zip); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller Caller
		at     Place
		format ArchiveFormat
		kind   fault.Kind
	}{
		"nobody":                    {from(1), at("top"), Zip, fault.Unauthenticated},
		"who may not see the names": {bob, at("top"), Zip, fault.Permission},
		"what is absent":            {d.ann, at("absent"), Zip, fault.NotFound},
		"a format nobody has":       {d.ann, at("top"), "rar", fault.Invalid},
		"a link that is used up":    {d.by(used), Place{}, Zip, fault.Gone},
		"a way out":                 {d.ann, at("../x"), Tar, fault.Invalid},
		"an upload link":            {d.by(d.share("top", func(r *LinkRequest) { r.Kind = catalog.UploadLink })), Place{}, Tar, fault.Permission},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			err := d.Archive(d.ctx, c.caller, c.at, c.format, &b, func(string) { t.Error("begun") }, nil)
			want(t, err, c.kind)
			if b.Len() > 0 {
				t.Errorf("%d bytes", b.Len())
			}
		})
	}
}

func TestAnArchiveOfDamageHasNoEnd(t *testing.T) {
	d := newDesk(t)
	d.put("top/a", "good")
	d.blobs.Damage(d.put("top/b", "bad one").Node.Version.Sum.Root, true)
	for _, format := range []ArchiveFormat{Zip, Tar} {
		var b bytes.Buffer
		err := d.Archive(d.ctx, d.ann, at("top"), format, &b, func(string) {}, nil)
		want(t, err, fault.Corrupt)
		if got, err := unpack(format, b.Bytes()); err == nil {
			t.Errorf("%s: a whole archive of %q", format, got)
		}
	}
}

// A permission that ends, ends an archive.
func TestAnArchiveIsCut(t *testing.T) {
	d := newDesk(t)
	d.put("top/a", strings.Repeat("a", 100))
	d.put("top/b", "b")
	cut := false
	w := writerFunc(func(b []byte) (int, error) {
		if !cut {
			ok(t, d.Logout(d.ctx, d.ann))
			d.pass(time.Second)
			ok(t, d.watch(d.ctx))
		}
		return len(b), nil
	})
	err := d.Archive(d.ctx, d.ann, at("top"), Tar, w, func(string) {}, func() { cut = true })
	if !cut || !errors.Is(err, fault.Unauthenticated) {
		t.Fatalf("cut %v, %v", cut, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestFetch(t *testing.T) {
	d := newDesk(t)
	d.put("top/a", "a")
	d.put("top/sub/b", "b")
	long := noise(1, MaxBatchFile+10)
	_, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at("top/long"), Size: int64(len(long))}, bytes.NewReader(long))
	ok(t, err)
	d.blobs.Damage(d.put("top/bad", "damaged").Node.Version.Sum.Root, true)
	fetch := func(c Caller, at Place, paths ...string) (map[string]string, error) {
		var b bytes.Buffer
		if err := d.Fetch(d.ctx, c, at, paths, &b, func() {}, nil); err != nil {
			return nil, err
		}
		return unpack(Tar, b.Bytes())
	}
	mark := func(text string) string {
		sum := sumOf([]byte(text)).SHA256
		return text + " " + hex.EncodeToString(sum[:2])
	}
	all := map[string]string{"a": mark("a"), "sub/b": mark("b"), "long": mark(string(long))}
	got, err := fetch(d.ann, at("top"), "a", "absent", "sub", "bad", "sub/b", "../c", "long")
	ok(t, err)
	if !maps.Equal(got, all) {
		t.Fatalf("got %q", slices.Collect(maps.Keys(got)))
	}
	link := d.share("top", func(r *LinkRequest) { r.MaxDownloads = 1 })
	c := d.by(link)
	if got, err = fetch(c, Place{}, "a", "sub/b"); err != nil || len(got) != 2 {
		t.Fatalf("by a link: %q, %v", got, err)
	}
	_, err = fetch(c, Place{}, "a")
	want(t, err, fault.Gone)
	_, err = fetch(from(1), at("top"), "a")
	want(t, err, fault.Unauthenticated)
	_, err = fetch(d.ann, at("absent"), "a")
	want(t, err, fault.NotFound)
	_, err = fetch(d.ann, at("top"), make([]string, maxFetch+1)...)
	want(t, err, fault.Invalid)
	if got, err = fetch(d.ann, at("top")); err != nil || len(got) != 0 {
		t.Fatalf("of nothing: %q, %v", got, err)
	}
	// Who reads breaks off: all that was read ahead is let go.
	n := 0
	w := writerFunc(func(b []byte) (int, error) {
		if n++; n > 2 {
			return 0, errors.New("the cable was pulled")
		}
		return len(b), nil
	})
	if err := d.Fetch(d.ctx, d.ann, at("top"), slices.Repeat([]string{"a", "sub/b"}, 100), w, func() {}, nil); err == nil {
		t.Fatal("nobody read it")
	}
}
