package origin

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store/mem"
)

func (d *desk) backup(folder string) BackupReport {
	d.t.Helper()
	d.pass(time.Second) // each has a name of its own
	r, err := Backup(d.ctx, d.cat, d.blobs, folder, d.clock, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// restored is a catalog and a store that a backup was read into.
type restored struct {
	cat   catalog.Catalog
	blobs *mem.Blobs
}

func newRestored(t *testing.T) restored {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "restored"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ok(t, cat.Close()) })
	return restored{cat, mem.NewBlobs(func() time.Time { return time.Unix(1e9, 0) })}
}

// whole fails unless the catalog agrees with itself and all content is there and whole.
func (r restored) whole(t *testing.T) ScrubReport {
	t.Helper()
	if findings, err := r.cat.Check(t.Context()); err != nil || len(findings) > 0 {
		t.Errorf("the restored catalog does not agree with itself: %v %q", err, findings)
	}
	s, err := Scrub(t.Context(), r.cat, r.blobs, time.Now, nil)
	if err != nil || len(s.Damaged)+len(s.Missing) > 0 || s.Stray > 0 {
		t.Errorf("scrub after restore: %+v, %v", s, err)
	}
	return s
}

func (r restored) text(t *testing.T, path ...string) (text string) {
	t.Helper()
	var sum content.FileSum
	err := r.cat.View(t.Context(), func(tx *catalog.Tx) error {
		c, err := tx.Collections.CollectionByName("c")
		if err != nil {
			return err
		}
		n, err := tx.Tree.Resolve(c.Root, path)
		sum = n.Version.Sum
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := r.blobs.Open(t.Context(), sum.Root)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBackupAndRestore(t *testing.T) {
	d := newDesk(t)
	d.put("a", "the first")
	d.put("folder/b", "another")
	d.put("empty", "")
	folder := filepath.Join(t.TempDir(), "backups", "here")
	first := d.backup(folder)
	if first.Files != 2 || first.Copied != 2 || first.Bytes != int64(len("the firstanother")) {
		t.Fatalf("%+v", first)
	}
	if s, ok := parseState(first.Catalog); !ok || !s.at.Equal(d.clock()) {
		t.Fatalf("%+v", first)
	}
	d.put("a", "the second")
	d.stray("nobody's")
	d.pass(-time.Second) // in the same second
	second := d.backup(folder)
	if want := strings.Replace(first.Catalog, "Z.", "Z-2.", 1); second.Catalog != want {
		t.Errorf("the second one of a second is %s, want %s", second.Catalog, want)
	}
	if second.Files != 3 || second.Copied != 1 {
		t.Errorf("%+v", second)
	}

	for name, want := range map[string]struct {
		text  string
		files int64
	}{"": {"the second", 3}, first.Catalog: {"the first", 2}} {
		r := newRestored(t)
		var done, total int64
		got, err := Restore(t.Context(), r.cat, r.blobs, folder, name, func(d, t int64) { done, total = d, t })
		if err != nil || got.Files != want.files || got.Copied != want.files || done != total || total != got.Bytes {
			t.Fatalf("%q: %+v, %v, progress %d of %d", name, got, err, done, total)
		}
		if text := r.text(t, "a"); text != want.text {
			t.Errorf("%q: a is %q", name, text)
		}
		if text := r.text(t, "folder", "b"); text != "another" {
			t.Errorf("%q: folder/b is %q", name, text)
		}
		if s := r.whole(t); s.Checked != want.files {
			t.Errorf("%q: %+v", name, s)
		}
		if _, err := Restore(t.Context(), r.cat, r.blobs, folder, name, nil); !errors.Is(err, fault.Exists) {
			t.Errorf("restoring into what is not empty: %v", err)
		}
	}
	if fi, err := os.Stat(filepath.Join(folder, second.Catalog)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the catalog's file: %v, %v", fi, err)
	}
	if w := d.sweep(); w.Blobs != 0 {
		t.Errorf("swept: %+v", w)
	}
	d.pass(2 * day)
	if w := d.sweep(); w.Blobs != 1 {
		t.Errorf("the backup still holds content: %+v", w)
	}
}

func TestBackupUnderLoadRestoresWhole(t *testing.T) {
	d := newDesk(t)
	for i := range 20 {
		d.put(fmt.Sprint("before", i), fmt.Sprint("content ", i))
	}
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(d.ctx)
	var load sync.WaitGroup
	load.Go(func() { // files come, change, and go for good, and what nobody has is swept
		for i := 0; ctx.Err() == nil; i++ {
			text := fmt.Sprint("load ", i)
			_, _, err := d.Put(d.ctx, d.ann, UploadRequest{At: at(fmt.Sprint("load", i%7)), Size: int64(len(text))}, strings.NewReader(text))
			if err == nil && i%5 == 4 {
				_, err = d.Server.Trash(d.ctx, d.ann, at(fmt.Sprint("load", i%7)))
			}
			if err == nil && i%9 == 8 {
				_, err = d.Sweep(d.ctx)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3 {
		d.backup(folder)
	}
	cancel()
	load.Wait()
	names, err := filepath.Glob(filepath.Join(folder, "catalog-*"))
	if err != nil || len(names) != 3 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		r := newRestored(t)
		if _, err := Restore(t.Context(), r.cat, r.blobs, folder, filepath.Base(name), nil); err != nil {
			t.Fatal(err)
		}
		r.whole(t)
	}
}

func TestBackupTellsOfDamageAndTakesTheRest(t *testing.T) {
	d := newDesk(t)
	for _, text := range []string{"good", "damaged", "missing"} {
		d.put(text, text)
	}
	d.blobs.Damage(sumOf([]byte("damaged")).Root, false)
	ok(t, d.blobs.Remove(d.ctx, sumOf([]byte("missing")).Root))
	folder := t.TempDir()
	got, err := Backup(d.ctx, d.cat, d.blobs, folder, d.clock, nil)
	if !errors.Is(err, fault.Corrupt) || got.Copied != 1 || !strings.Contains(err.Error(), "2 contents") {
		t.Fatalf("%+v, %v", got, err)
	}
	r := newRestored(t)
	back, err := Restore(t.Context(), r.cat, r.blobs, folder, "", nil)
	if !errors.Is(err, fault.Corrupt) || back.Catalog != got.Catalog {
		t.Fatalf("%+v, %v", back, err)
	}
	if text := r.text(t, "good"); text != "good" {
		t.Errorf("what was whole is %q", text)
	}
	err = r.cat.View(t.Context(), func(tx *catalog.Tx) error {
		for text, want := range map[string]catalog.ContentState{"good": catalog.Ready, "damaged": catalog.Damaged, "missing": catalog.Damaged} {
			if c, err := tx.Contents.Content(sumOf([]byte(text)).Root); err != nil || c.State != want {
				t.Errorf("%s is %v, %v", text, c.State, err)
			}
		}
		return nil
	})
	ok(t, err)
}

func TestRestoreVerifiesEveryHash(t *testing.T) {
	d := newDesk(t)
	big := string(noise(1, 3<<20))
	d.put("big", big)
	d.put("small", "small")
	folder := t.TempDir()
	d.backup(folder)
	file := filepath.Join(folder, filepath.FromSlash(blobFile(sumOf([]byte(big)).Root)))
	data, err := os.ReadFile(file)
	ok(t, err)
	data[2<<20] ^= 1
	ok(t, os.WriteFile(file, data, 0o600))

	r := newRestored(t)
	small := sumOf([]byte("small"))
	w, err := r.blobs.Stage(t.Context(), "x", 0, small.Size)
	ok(t, err)
	_, err = w.Write([]byte("small"))
	ok(t, errors.Join(err, w.Commit(t.Context(), small.Root)))
	r.blobs.Damage(small.Root, false) // of the right size, and wrong
	got, err := Restore(t.Context(), r.cat, r.blobs, folder, "", nil)
	if !errors.Is(err, fault.Corrupt) || got.Catalog == "" || got.Copied != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if text := r.text(t, "small"); text != "small" {
		t.Errorf("small is %q", text)
	}
	if _, err := r.blobs.Stat(t.Context(), sumOf([]byte(big)).Root); !errors.Is(err, fault.NotFound) {
		t.Errorf("damaged content was taken: %v", err)
	}
	for info := range r.blobs.Stages(t.Context()) {
		t.Errorf("stage %+v is left", info)
	}
}

func TestRestoreLeavesTheCatalogEmptyWhenItFails(t *testing.T) {
	d := newDesk(t)
	d.put("a", "text")
	folder := t.TempDir()
	name := d.backup(folder).Catalog
	whole, err := os.ReadFile(filepath.Join(folder, name))
	ok(t, err)
	later := "catalog-20300101T000000Z.jsonl.gz"
	r := newRestored(t)
	for what, broken := range map[string][]byte{
		"cut short":     whole[:len(whole)/2],
		"no gzip":       []byte("nothing"),
		"empty":         nil,
		"a dump cut":    repack(t, whole, func(b []byte) []byte { return b[:len(b)*2/3] }),
		"a dump forged": repack(t, whole, func(b []byte) []byte { return bytes.Replace(b, []byte(`"ann"`), []byte(`"eve"`), 1) }),
	} {
		ok(t, os.WriteFile(filepath.Join(folder, later), broken, 0o600))
		if _, err := Restore(t.Context(), r.cat, r.blobs, folder, "", nil); err == nil {
			t.Fatalf("%s: it was restored", what)
		}
		if err := emptyCatalog(t.Context(), r.cat); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for _, bad := range []string{"../" + name, "catalog-x.jsonl.gz", "catalog-20300101T000000Z-1.jsonl.gz", "catalog-20300101T000000Z-02.jsonl.gz", "catalog.db", "blobs"} {
		if _, err := Restore(t.Context(), r.cat, r.blobs, folder, bad, nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", bad, err)
		}
	}
	if _, err := Restore(t.Context(), r.cat, r.blobs, t.TempDir(), "", nil); !errors.Is(err, fault.NotFound) {
		t.Errorf("an empty folder: %v, want not-found", err)
	}
	if _, err := Restore(t.Context(), r.cat, r.blobs, filepath.Join(folder, "absent"), "", nil); !errors.Is(err, fault.NotFound) {
		t.Errorf("no folder: %v, want not-found", err)
	}
	if _, err := Restore(t.Context(), r.cat, r.blobs, folder, name, nil); err != nil {
		t.Fatalf("and then: %v", err)
	}
	r.whole(t)
}

func repack(t *testing.T, packed []byte, change func([]byte) []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	ok(t, err)
	text, err := io.ReadAll(z)
	ok(t, err)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = w.Write(change(text))
	ok(t, errors.Join(err, w.Close()))
	return out.Bytes()
}

func TestABackupThatFailsLeavesNoCatalog(t *testing.T) {
	d := newDesk(t)
	d.put("a", "text")
	folder := t.TempDir()
	failing := true
	d.blobs.Inject(func(op string) error {
		if failing && op == "Open" {
			return fault.Errorf(fault.Unreachable, "injected")
		}
		return nil
	})
	if _, err := Backup(d.ctx, d.cat, d.blobs, folder, d.clock, nil); !errors.Is(err, fault.Unreachable) {
		t.Errorf("%v, want unreachable", err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*catalog*"))
	hidden, err2 := filepath.Glob(filepath.Join(folder, ".*"))
	if left := slices.Concat(names, hidden); len(left) > 0 || err != nil || err2 != nil {
		t.Errorf("%q are left", left)
	}
	failing = false
	at := d.backup(folder)
	if at.Copied != 1 {
		t.Errorf("%+v", at)
	}
	if err := d.cat.View(d.ctx, func(tx *catalog.Tx) error {
		v, err := setting(tx, backupUntil)
		if v != "" {
			t.Errorf("the hold is left: %s", v)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func FuzzDumpedContents(f *testing.F) {
	head := `{"table":"contents","columns":["root","sha256","size","state"]}` + "\n"
	hash := `"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="`
	f.Add([]byte(head + `{"row":[` + hash + `,` + hash + `,17,1]}` + "\n" + `{"rows":1,"sha256":"x"}` + "\n"))
	f.Add([]byte(head + `{"row":[` + hash + `,` + hash + `,-1,1]}` + "\n"))
	f.Add([]byte(`{"table":"contents","columns":["root"]}` + "\n"))
	f.Add([]byte(`{"row":[1]}` + "\n" + strings.Repeat("x", 9000) + "\n" + head))
	f.Fuzz(func(t *testing.T, dump []byte) {
		err := dumpedContents(bytes.NewReader(dump), func(c catalog.Content) error {
			if c.Sum.Size <= 0 || c.Sum.Root.IsZero() || c.State != catalog.Ready {
				t.Errorf("handed on: %+v", c)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fault.Corrupt) {
			t.Errorf("refused as %v: %v", fault.KindOf(err), err)
		}
	})
}
