package blobdir

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/content"
)

// reopened opens root and says whether that was by f, which was given back.
func reopened(t *testing.T, b *Blobs, root content.Hash, f *os.File) (again *os.File, same bool) {
	t.Helper()
	r, info, err := b.Open(t.Context(), root)
	if err != nil || info.Size != 4 {
		t.Fatalf("open: %+v, %v", info, err)
	}
	text, err := io.ReadAll(r)
	if err != nil || string(text) != "text" {
		t.Fatalf("read: %q, %v", text, err)
	}
	return r.(*os.File), r.(*os.File) == f
}

func TestAFileThatWasGivenBackIsOpenedAgain(t *testing.T) {
	b := openFolder(t, t.TempDir())
	root := commit(t, b, "a", []byte("text"))
	f, _ := reopened(t, b, root, nil)
	if err := b.GiveBack(root, f); err != nil {
		t.Fatal(err)
	}
	first, same := reopened(t, b, root, f)
	if !same {
		t.Error("it was opened anew")
	}
	second, same := reopened(t, b, root, first) // nobody shares a place in a file
	if same {
		t.Error("two have the same file")
	}
	for _, f := range []*os.File{first, second} {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAFileThatWasGivenBackIsNotWhatWasRemovedOrReplaced(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, b *Blobs, root content.Hash, path string)
		gone bool
	}{
		{"removed", func(t *testing.T, b *Blobs, root content.Hash, _ string) { check(t, b.Remove(t.Context(), root)) }, true},
		{"quarantined", func(t *testing.T, b *Blobs, root content.Hash, _ string) { check(t, b.Quarantine(t.Context(), root)) }, true},
		{"removed by somebody else", func(t *testing.T, _ *Blobs, _ content.Hash, path string) { check(t, os.Remove(path)) }, true},
		{"emptied by somebody else", func(t *testing.T, _ *Blobs, _ content.Hash, path string) { check(t, os.Truncate(path, 0)) }, true},
		{"stored again", func(t *testing.T, b *Blobs, _ content.Hash, _ string) { commit(t, b, "b", []byte("text")) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			b := openFolder(t, dir)
			root := commit(t, b, "a", []byte("text"))
			f, _ := reopened(t, b, root, nil)
			if err := b.GiveBack(root, f); err != nil {
				t.Fatal(err)
			}
			c.do(t, b, root, filepath.Join(dir, filepath.FromSlash(place(root))))
			if c.gone {
				if r, _, err := b.Open(t.Context(), root); err == nil {
					t.Errorf("it is there: %v", r.Close())
				}
				return
			}
			again, same := reopened(t, b, root, f)
			if same {
				t.Error("what was replaced is there")
			}
			check(t, again.Close())
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatNobodyAsksForAreClosed(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, dir)
	root := commit(t, b, "a", []byte("text"))
	path := filepath.Join(dir, filepath.FromSlash(place(root)))
	synctest.Test(t, func(t *testing.T) {
		var i idle
		for range idleMost + 10 {
			f, err := os.Open(path)
			check(t, err)
			check(t, i.put(root, f))
		}
		if n := kept(&i); n != idleMost {
			t.Errorf("%d are kept", n)
		}
		<-time.After(idleFor)
		synctest.Wait()
		used := i.take(root)
		check(t, i.put(root, used))
		<-time.After(idleFor)
		synctest.Wait()
		if n := kept(&i); n != 1 || i.take(root) != used {
			t.Errorf("%d are kept, and not the one that was used", n)
		}
		check(t, i.put(root, used))
		<-time.After(3 * idleFor)
		synctest.Wait()
		if n := kept(&i); n != 0 || i.sweep != nil {
			t.Errorf("%d are kept for ever", n)
		}
		f, err := os.Open(path)
		check(t, err)
		i.close()
		check(t, i.put(root, f))
		if f.Close() == nil {
			t.Error("after the end something is kept")
		}
	})
}

func kept(i *idle) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for _, list := range i.files {
		n += len(list)
	}
	if n != i.count {
		return -1
	}
	return n
}
