package disk

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"syscall"

	"tandem/internal/fault"
)

// flaky is a process's view of a tree: its operations can be made to fail, and
// it can be killed.
type flaky struct {
	tree
	switches *switches

	mu    sync.Mutex // guards the fields below
	dead  bool
	locks []io.Closer
}

// switches outlive the process.
type switches struct {
	mu     sync.Mutex // guards the fields below
	left   int
	kind   fault.Kind
	failed bool
}

var errDead = errors.New("process is dead")

func (f *flaky) step() error {
	f.mu.Lock()
	dead := f.dead
	f.mu.Unlock()
	if dead {
		return errDead
	}
	s := f.switches
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left--
	if s.left != 0 {
		return nil
	}
	s.failed = true
	switch s.kind {
	case fault.Full:
		return &fs.PathError{Op: "injected", Path: "x", Err: syscall.ENOSPC}
	case fault.Permission:
		return &fs.PathError{Op: "injected", Path: "x", Err: syscall.EACCES}
	}
	return &fs.PathError{Op: "injected", Path: "x", Err: syscall.EIO}
}

// kill ends the process; its locks go with it.
func (f *flaky) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	for _, l := range f.locks {
		l.Close()
	}
}

func (f *flaky) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	g, err := f.tree.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &flakyFile{g, f}, nil
}

func (f *flaky) Lstat(name string) (fs.FileInfo, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	return f.tree.Lstat(name)
}

func (f *flaky) Mkdir(name string, perm fs.FileMode) error {
	return do(f, func() error { return f.tree.Mkdir(name, perm) })
}

func (f *flaky) Link(from, to string) error {
	return do(f, func() error { return f.tree.Link(from, to) })
}

func (f *flaky) Rename(from, to string) error {
	return do(f, func() error { return f.tree.Rename(from, to) })
}

func (f *flaky) Remove(name string) error { return do(f, func() error { return f.tree.Remove(name) }) }

func (f *flaky) RemoveAll(name string) error {
	return do(f, func() error { return f.tree.RemoveAll(name) })
}

func (f *flaky) SyncDir(name string) error {
	return do(f, func() error { return f.tree.SyncDir(name) })
}

func do(f *flaky, op func() error) error {
	if err := f.step(); err != nil {
		return err
	}
	return op()
}

func (f *flaky) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	return f.tree.ReadDir(name)
}

func (f *flaky) Free() (int64, error) {
	if err := f.step(); err != nil {
		return 0, err
	}
	return f.tree.Free()
}

func (f *flaky) Lock(name string) (io.Closer, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	l, err := f.tree.Lock(name)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.locks = append(f.locks, l)
	}
	return l, err
}

type flakyFile struct {
	file
	f *flaky
}

func (g *flakyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := g.f.step(); err != nil {
		return 0, err
	}
	return g.file.ReadAt(p, off)
}

// WriteAt writes half of p before it fails.
func (g *flakyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := g.f.step(); err != nil {
		if errors.Is(err, errDead) {
			return 0, err
		}
		n, _ := g.file.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return g.file.WriteAt(p, off)
}

func (g *flakyFile) Truncate(size int64) error {
	return do(g.f, func() error { return g.file.Truncate(size) })
}

func (g *flakyFile) Sync() error {
	err := g.f.step()
	if err == nil {
		return g.file.Sync()
	}
	if lossy, ok := g.file.(interface{ failSync() }); ok && !errors.Is(err, errDead) {
		lossy.failSync()
	}
	return err
}

func (g *flakyFile) Stat() (fs.FileInfo, error) {
	if err := g.f.step(); err != nil {
		return nil, err
	}
	return g.file.Stat()
}
