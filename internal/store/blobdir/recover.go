package blobdir

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// lockWait is how long Lock waits for a command that finishes what a crash has
// left, and lockTry how often it looks.
const (
	lockWait = 3 * time.Second
	lockTry  = 50 * time.Millisecond
)

// Lock makes the caller the one server of dir, until it closes what is returned
// or dies, and finishes the commits that a crash has left. fault.Busy: there is
// another. Commands that look after the folder work beside a server without a
// lock.
func Lock(dir string) (io.Closer, error) { return lock(dir, lockWait) }

func lock(dir string, wait time.Duration) (io.Closer, error) {
	t, err := openTree(dir)
	if err != nil {
		return nil, wrap("open content folder", dir, err)
	}
	b := &Blobs{dir: dir, tree: t}
	l, err := t.Lock(lockName)
	for end := time.Now().Add(wait); errors.Is(err, fault.Busy) && time.Now().Before(end); {
		<-time.After(lockTry)
		l, err = t.Lock(lockName)
	}
	if err != nil {
		t.Close()
		return nil, wrap("lock", b.show(lockName), err)
	}
	if err = b.lay(); err == nil {
		err = b.recover()
	}
	if err := errors.Join(err, t.Close()); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// recover puts what a crash has left in arriving where it belongs: to its root
// if it is whole, back to its stage otherwise.
func (b *Blobs) recover() error {
	found := false
	for fi, err := range b.files(context.Background(), arrivingDir) {
		if err != nil {
			return err
		}
		found = true
		name := arrivingDir + "/" + fi.Name()
		hexRoot, id, _ := strings.Cut(fi.Name(), ".")
		root, ok := parseRoot(hexRoot)
		if !ok || store.CheckStage(id, 0, -1) != nil {
			err = b.tree.Remove(name)
		} else {
			err = b.settle(name, root, id)
		}
		if err != nil {
			return wrap("finish the commit of", b.show(name), err)
		}
	}
	if !found {
		return nil
	}
	return wrap("sync", b.show(arrivingDir), b.tree.SyncDir(arrivingDir))
}

// settle gives a file of arriving its place.
func (b *Blobs) settle(name string, root content.Hash, id string) error {
	f, fi, err := b.tree.Open(name)
	if err != nil {
		return err
	}
	sum := content.NewStream()
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, make([]byte, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	to, dir := stagingDir+"/"+id, stagingDir
	if n == fi.Size() && sum.Sum().Root == root {
		to = place(root)
		dir = to[:strings.LastIndexByte(to, '/')]
		// What was read may be in memory only: the process died, not the machine.
		g, err := b.tree.Create(name, true)
		if err != nil {
			return err
		}
		if err := errors.Join(g.Sync(), g.Close()); err != nil {
			return err
		}
	}
	if err := b.tree.Rename(name, to); err != nil {
		return err
	}
	return b.tree.SyncDir(dir)
}
