package blobdir

import (
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

func rootOf(data []byte) content.Hash {
	s := content.NewStream()
	s.Write(data)
	return s.Sum().Root
}

func openFolder(t *testing.T, dir string) *Blobs {
	t.Helper()
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func commit(t *testing.T, b *Blobs, id string, data []byte) content.Hash {
	t.Helper()
	root := rootOf(data)
	w, err := b.Stage(t.Context(), id, 0, -1)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Commit(t.Context(), root)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestContentIsAFileThatNobodyElseReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	b := openFolder(t, dir)
	root := commit(t, b, "a", []byte("text"))
	r, info, err := b.Open(t.Context(), root)
	if err != nil || info.Size != 4 {
		t.Fatalf("%+v, %v", info, err)
	}
	defer r.Close()
	f, ok := r.(*os.File)
	if !ok {
		t.Fatalf("Open returns a %T, which the system cannot send by itself", r)
	}
	name := hex.EncodeToString(root[:])
	at := filepath.Join(dir, "blobs", name[:2], name)
	mine, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.Stat(at)
	if err != nil || !os.SameFile(mine, there) || there.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", at, there, err)
	}
	for dir != filepath.Dir(at) {
		fi, err := os.Stat(filepath.Dir(at))
		if err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", filepath.Dir(at), fi.Mode(), err)
		}
		at = filepath.Dir(at)
	}
}

func TestOnlyOneServerHasAFolder(t *testing.T) {
	dir := t.TempDir()
	l, err := lock(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir, 0); !errors.Is(err, fault.Busy) {
		t.Errorf("a second server: %v, want busy", err)
	}
	b := openFolder(t, dir) // an admin's command
	commit(t, b, "a", []byte("text"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = lock(dir, 0)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// arrive leaves a file as a crash does in the middle of a commit.
func arrive(t *testing.T, dir, id string, root content.Hash, data []byte) {
	t.Helper()
	openFolder(t, dir)
	name := filepath.Join(dir, arrivingDir, hex.EncodeToString(root[:])+"."+id)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatACrashHasLeftIsFinished(t *testing.T) {
	dir := t.TempDir()
	whole, half := []byte("it is all there"), []byte("half of it is")
	arrive(t, dir, "whole", rootOf(whole), whole)
	arrive(t, dir, "half", rootOf(half), half[:6])
	arrive(t, dir, "..", rootOf(half), half)
	l, err := lock(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := openFolder(t, dir)
	if info, err := b.Stat(t.Context(), rootOf(whole)); err != nil || info.Size != int64(len(whole)) {
		t.Errorf("what was whole: %+v, %v", info, err)
	}
	if _, err := b.Stat(t.Context(), rootOf(half)); !errors.Is(err, fault.NotFound) {
		t.Errorf("what was not: %v, want not-found", err)
	}
	w, err := b.Stage(t.Context(), "half", 6, int64(len(half)))
	if err == nil {
		_, err = w.Write(half[6:])
	}
	if err == nil {
		err = w.Commit(t.Context(), rootOf(half))
	}
	if err != nil {
		t.Errorf("going on with what was not: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, arrivingDir)); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestACommandLeavesAServersCommitsAlone(t *testing.T) {
	dir := t.TempDir()
	l, err := lock(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	arrive(t, dir, "a", rootOf([]byte("text")), []byte("text"))
	b := openFolder(t, dir)
	if _, err := b.Stat(t.Context(), rootOf([]byte("text"))); !errors.Is(err, fault.NotFound) {
		t.Errorf("beside a server: %v, want not-found", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b = openFolder(t, dir)
	if _, err := b.Stat(t.Context(), rootOf([]byte("text"))); err != nil {
		t.Errorf("when the server is gone: %v", err)
	}
}

func TestWhatIsNoContentIsNotListed(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, dir)
	root := commit(t, b, "a", []byte("text"))
	name := hex.EncodeToString(root[:])
	other := "00"
	if name[:2] == other {
		other = "01"
	}
	for _, path := range []string{"blobs/README", "blobs/00/README", "blobs/" + other + "/" + name, "blobs/" + name[:2] + "/" + name + ".tmp", "staging/.hidden", "staging/UPPER"} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for info, err := range b.List(t.Context()) {
		if n++; err != nil || info != (store.BlobInfo{Root: root, Size: 4, Modified: info.Modified}) {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if n != 1 {
		t.Errorf("%d contents", n)
	}
	for info, err := range b.Stages(t.Context()) {
		t.Errorf("stage %+v, %v", info, err)
	}
}

func TestAStoreCopiedWithoutItsEmptyFoldersIsMended(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, dir)
	root := commit(t, b, "a", []byte("text"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"staging", "arriving", "quarantine", "blobs/00", "blobs/80"} {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	b = openFolder(t, dir)
	if _, err := b.Stat(t.Context(), root); err != nil {
		t.Error(err)
	}
	for i := range 40 { // some of them there
		commit(t, b, "b", []byte{byte(i)})
	}
}

// An empty or strange file is no content, whatever its name.
func TestAnEmptyFileIsDamaged(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, dir)
	root := commit(t, b, "a", []byte("text"))
	if err := os.Truncate(filepath.Join(dir, filepath.FromSlash(place(root))), 0); err != nil {
		t.Fatal(err)
	}
	if r, _, err := b.Open(t.Context(), root); !errors.Is(err, fault.Corrupt) {
		t.Errorf("open: %v, want corrupt", err)
		if err == nil {
			_, _ = io.Copy(io.Discard, r)
			r.Close()
		}
	}
	if _, err := b.Stat(t.Context(), root); !errors.Is(err, fault.Corrupt) {
		t.Errorf("stat: %v, want corrupt", err)
	}
}
