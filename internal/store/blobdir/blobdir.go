// Package blobdir keeps finished content as files in a folder.
//
// In the folder: blobs/ab/ROOT is content (ROOT is 64 hex digits, ab the first
// two), staging/ID is an upload on its way, arriving/ROOT.ID is a commit that
// was under way, quarantine/ROOT is damaged content, lock says which server has
// the folder.
//
// A Commit is acknowledged when its bytes and one of its names are durable. A
// lonely one syncs its file, renames it to its place and syncs that folder.
// Several at once are renamed into arriving, made durable there by one sync of the
// device, or of each file and of arriving, whatever takes less time, and then renamed to their
// places, which needs no other sync: what a crash leaves in arriving is hashed by
// the next process and put in place if it is whole. So nothing is ever seen under
// its root before it is durable. That a rename between folders is there wholly or
// not at all after a crash is asked of the file system; those with a journal, or
// that copy on write, see to it.
package blobdir

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

const (
	blobsDir      = "blobs"
	stagingDir    = "staging"
	arrivingDir   = "arriving"
	quarantineDir = "quarantine"
	lockName      = "lock"
	probeName     = "probe"
)

// Blobs is a folder of content. It implements store.Blobs; what Open of a Blobs
// returns is an *os.File.
type Blobs struct {
	dir   string // as the caller named it, for messages
	tree  tree
	now   func() time.Time
	group group
	idle  idle

	mu      sync.Mutex        // guards the fields below
	writers map[string]*Stage // by id, who may write
	closed  bool
}

// Open opens the folder dir, making it (0700) if there is none, and unless a
// server has it finishes the commits that a crash has left.
func Open(dir string) (*Blobs, error) {
	t, err := openTree(dir)
	if err != nil {
		return nil, wrap("open content folder", dir, err)
	}
	b, err := open(dir, t, time.Now)
	if err != nil {
		t.Close()
		return nil, err
	}
	return b, nil
}

func open(dir string, t tree, now func() time.Time) (*Blobs, error) {
	b := &Blobs{dir: dir, tree: t, now: now, writers: make(map[string]*Stage)}
	if err := b.lay(); err != nil {
		return nil, err
	}
	l, err := t.Lock(lockName)
	if errors.Is(err, fault.Busy) {
		return b, nil // its server does it
	}
	if err != nil {
		return nil, wrap("lock", b.show(lockName), err)
	}
	return b, errors.Join(b.recover(), l.Close())
}

// lay makes the folders, all at once so that no commit has to.
func (b *Blobs) lay() error {
	names := []string{stagingDir, arrivingDir, quarantineDir, blobsDir}
	for i := range 256 {
		names = append(names, fmt.Sprintf("%s/%02x", blobsDir, i))
	}
	if _, err := b.tree.Stat(names[len(names)-1]); err == nil {
		return b.mend(names)
	}
	for _, name := range names {
		if err := b.tree.Mkdir(name); err != nil {
			return wrap("make folder", b.show(name), err)
		}
	}
	for _, name := range []string{blobsDir, "."} {
		if err := b.tree.SyncDir(name); err != nil {
			return wrap("sync", b.show(name), err)
		}
	}
	return nil
}

// mend makes the folders that somebody has taken away: copying a store by hand
// may leave out empty ones.
func (b *Blobs) mend(names []string) error {
	for _, name := range names {
		_, err := b.tree.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			if err = b.tree.Mkdir(name); err == nil {
				err = b.tree.SyncDir(filepath.ToSlash(filepath.Dir(name)))
			}
		}
		if err != nil {
			return wrap("make folder", b.show(name), err)
		}
	}
	return nil
}

func (b *Blobs) show(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func place(root content.Hash) string {
	name := hex.EncodeToString(root[:])
	return blobsDir + "/" + name[:2] + "/" + name
}

// begin is the first step of every call.
func (b *Blobs) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Closed, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return b.errClosed()
	}
	return nil
}

func (b *Blobs) errClosed() error {
	return fault.Errorf(fault.Closed, "content folder %s is closed", b.dir)
}

// Open implements store.Blobs.
func (b *Blobs) Open(ctx context.Context, root content.Hash) (io.ReadSeekCloser, store.BlobInfo, error) {
	if err := b.begin(ctx); err != nil {
		return nil, store.BlobInfo{}, err
	}
	if f, info := b.reuse(root); f != nil {
		return f, info, nil
	}
	f, fi, err := b.tree.Open(place(root))
	if err != nil {
		return nil, store.BlobInfo{}, b.wrap("open", root, err)
	}
	info, err := b.describe(root, fi)
	if err != nil {
		f.Close()
		return nil, store.BlobInfo{}, err
	}
	return f, info, nil
}

// reuse opens root by a file that was given back; nil: there is none, or it is not what has root's name now.
func (b *Blobs) reuse(root content.Hash) (*os.File, store.BlobInfo) {
	for f := b.idle.take(root); f != nil; f = b.idle.take(root) {
		if fi, err := f.Stat(); err == nil && named(fi) {
			if info, err := b.describe(root, fi); err == nil {
				return f, info
			}
		}
		_ = f.Close() // it was only read
	}
	return nil, store.BlobInfo{}
}

// GiveBack implements store.Reuser.
func (b *Blobs) GiveBack(root content.Hash, r io.ReadSeekCloser) error {
	if f, ok := r.(*os.File); ok && keepsIdle {
		return b.idle.put(root, f)
	}
	return r.Close()
}

// describe says what a file of content is; an empty one is none.
func (b *Blobs) describe(root content.Hash, fi fs.FileInfo) (store.BlobInfo, error) {
	if !fi.Mode().IsRegular() || fi.Size() == 0 {
		return store.BlobInfo{}, fault.Errorf(fault.Corrupt, "find content %x: %s is no file, or empty", root, b.show(place(root)))
	}
	return store.BlobInfo{Root: root, Size: fi.Size(), Modified: fi.ModTime().UTC()}, nil
}

func (b *Blobs) wrap(op string, root content.Hash, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Errorf(fault.NotFound, "%s content %x: not kept in %s", op, root, b.dir)
	}
	return wrap(op, b.show(place(root)), err)
}

// Stat implements store.Blobs.
func (b *Blobs) Stat(ctx context.Context, root content.Hash) (store.BlobInfo, error) {
	if err := b.begin(ctx); err != nil {
		return store.BlobInfo{}, err
	}
	fi, err := b.tree.Stat(place(root))
	if err != nil {
		return store.BlobInfo{}, b.wrap("find", root, err)
	}
	return b.describe(root, fi)
}

// Remove implements store.Blobs. A crash of the machine may bring content back,
// named by nobody.
func (b *Blobs) Remove(ctx context.Context, root content.Hash) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	if err := b.tree.Remove(place(root)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b.wrap("remove", root, err)
	}
	b.idle.drop(root) // its room is free when nobody has it open
	return nil
}

// Quarantine implements store.Blobs.
func (b *Blobs) Quarantine(ctx context.Context, root content.Hash) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	from, to := place(root), quarantineDir+"/"+hex.EncodeToString(root[:])
	if err := b.tree.Rename(from, to); err != nil {
		return b.wrap("quarantine", root, err)
	}
	b.idle.drop(root)
	return wrap("sync", b.show(quarantineDir), b.tree.SyncDir(quarantineDir))
}

// List implements store.Blobs. What is no content is passed over.
func (b *Blobs) List(ctx context.Context) iter.Seq2[store.BlobInfo, error] {
	return func(yield func(store.BlobInfo, error) bool) {
		for i := range 256 {
			for info, err := range b.listDir(ctx, fmt.Sprintf("%02x", i)) {
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
}

func (b *Blobs) listDir(ctx context.Context, ab string) iter.Seq2[store.BlobInfo, error] {
	return func(yield func(store.BlobInfo, error) bool) {
		dir := blobsDir + "/" + ab
		for fi, err := range b.files(ctx, dir) {
			if err != nil {
				yield(store.BlobInfo{}, err)
				return
			}
			root, ok := parseRoot(fi.Name())
			if !ok || fi.Name()[:2] != ab {
				continue
			}
			if !yield(store.BlobInfo{Root: root, Size: fi.Size(), Modified: fi.ModTime().UTC()}, nil) {
				return
			}
		}
	}
}

// files yields the regular files in dir. One that goes meanwhile is passed over.
func (b *Blobs) files(ctx context.Context, dir string) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		if err := b.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		entries, err := b.tree.ReadDir(dir)
		if err != nil {
			yield(nil, wrap("list", b.show(dir), err))
			return
		}
		for _, e := range entries {
			fi, err := e.Info()
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				yield(nil, wrap("list", b.show(dir+"/"+e.Name()), err))
				return
			case !fi.Mode().IsRegular():
				continue
			}
			if !yield(fi, nil) {
				return
			}
		}
	}
}

// parseRoot reads the name of a file of content.
func parseRoot(name string) (root content.Hash, ok bool) {
	if len(name) != 2*len(root) {
		return root, false
	}
	if _, err := hex.Decode(root[:], []byte(name)); err != nil {
		return root, false
	}
	return root, hex.EncodeToString(root[:]) == name && !root.IsZero()
}

// Probe implements store.Blobs.
func (b *Blobs) Probe(ctx context.Context) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	f, err := b.tree.Create(probeName, true)
	if err != nil {
		return wrap("write", b.show(probeName), err)
	}
	_, err = f.WriteAt([]byte{1}, 0)
	return wrap("write", b.show(probeName), errors.Join(err, f.Close()))
}

// Space implements store.Blobs.
func (b *Blobs) Space() (free, total int64, ok bool) { return b.tree.Space() }

// Close implements store.Blobs. Stages that are open end where they are durable.
func (b *Blobs) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	writers := b.writers
	b.writers = nil
	b.mu.Unlock()
	for _, w := range writers {
		w.revoke(b.errClosed())
	}
	b.idle.close()
	return b.tree.Close()
}
