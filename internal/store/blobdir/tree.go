package blobdir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"tandem/internal/fault"
)

// tree is the part of a file system that Blobs needs. Names are below the
// folder and separated by "/".
type tree interface {
	Create(name string, keep bool) (file, error) // for writing; keep what is there
	Open(name string) (io.ReadSeekCloser, fs.FileInfo, error)
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Mkdir(name string) error // an existing one is no error
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(name string) error
	// SyncAll makes everything durable, names too. It is called only if
	// SyncsAll says that the system can, and tells when it failed.
	SyncAll() error
	SyncsAll() bool
	Space() (free, total int64, ok bool)
	Lock(name string) (io.Closer, error)
	Close() error
}

// file is a staged file.
type file interface {
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error // of the bytes and the size
	// Flush begins to write a range to the device, where the system can be asked
	// to; false: it is still at the last one.
	Flush(at, n int64) bool
}

var errLocked = fault.Errorf(fault.Busy, "another tandem server has it")

// rootTree is a folder of the system.
type rootTree struct {
	root *os.Root
	top  *os.File  // the folder, open for its device's sake
	subs *sync.Map // *os.Root by name: folders that were opened in, 257 at most
}

func openTree(dir string) (tree, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	top, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return rootTree{root, top, new(sync.Map)}, nil
}

// in returns the folder that name is in, so that not every step to it is taken
// each time, and the rest of the name.
func (t rootTree) in(name string) (*os.Root, string) {
	dir, base := path.Split(name)
	if dir == "" {
		return t.root, base
	}
	if sub, ok := t.subs.Load(dir); ok {
		return sub.(*os.Root), base
	}
	sub, err := t.root.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		return t.root, filepath.FromSlash(name) // which tells what is wrong
	}
	if other, raced := t.subs.LoadOrStore(dir, sub); raced {
		sub.Close()
		return other.(*os.Root), base
	}
	return sub, base
}

func (t rootTree) Create(name string, keep bool) (file, error) {
	flag := os.O_RDWR | os.O_CREATE
	if !keep {
		flag |= os.O_TRUNC
	}
	dir, base := t.in(name)
	f, err := dir.OpenFile(base, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &rootFile{File: f}, nil
}

func (t rootTree) Open(name string) (io.ReadSeekCloser, fs.FileInfo, error) {
	dir, base := t.in(name)
	f, err := dir.Open(base)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

func (t rootTree) Stat(name string) (fs.FileInfo, error) {
	dir, base := t.in(name)
	return dir.Lstat(base)
}

func (t rootTree) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := t.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

func (t rootTree) Mkdir(name string) error {
	err := t.root.Mkdir(filepath.FromSlash(name), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (t rootTree) Rename(from, to string) error {
	return t.root.Rename(filepath.FromSlash(from), filepath.FromSlash(to))
}

func (t rootTree) Remove(name string) error { return t.root.Remove(filepath.FromSlash(name)) }

func (t rootTree) SyncDir(name string) error {
	f, err := t.root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDir(f)
}

func (t rootTree) SyncAll() error { return syncAll(t.top) }
func (t rootTree) SyncsAll() bool { return syncsAll }

func (t rootTree) Space() (free, total int64, ok bool) { return space(t.top) }

func (t rootTree) Lock(name string) (io.Closer, error) {
	f, err := t.root.OpenFile(filepath.FromSlash(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (t rootTree) Close() error {
	err := errors.Join(t.top.Close(), t.root.Close())
	for _, sub := range t.subs.Range {
		err = errors.Join(err, sub.(*os.Root).Close())
	}
	return err
}

type rootFile struct {
	*os.File
	flushing atomic.Bool
	flushes  sync.WaitGroup // what Close waits for
}

func (f *rootFile) Size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

func (f *rootFile) Sync() error { return datasync(f.File) }

// Flush asks beside the caller: the device may have its hands full, and there
// is hashing to be done.
func (f *rootFile) Flush(at, n int64) bool {
	if !f.flushing.CompareAndSwap(false, true) {
		return false
	}
	f.flushes.Go(func() {
		defer f.flushing.Store(false)
		flush(f.File, at, n)
	})
	return true
}

func (f *rootFile) Close() error {
	f.flushes.Wait()
	return f.File.Close()
}

// wrap gives a system's error its kind, and says what was tried on what.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	for { // the name comes from us, once
		var pe *fs.PathError
		var le *os.LinkError
		switch {
		case errors.As(err, &pe):
			err = pe.Err
		case errors.As(err, &le):
			err = le.Err
		default:
			return fault.Errorf(kind, "%s %s: %w", op, name, err)
		}
	}
}

func kindOf(err error) fault.Kind {
	switch {
	case fault.KindOf(err) != fault.Other:
		return fault.KindOf(err)
	case errors.Is(err, fs.ErrNotExist):
		return fault.NotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, errQuota):
		return fault.Full
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ELOOP):
		return fault.Permission
	case errors.Is(err, fs.ErrClosed):
		return fault.Closed
	}
	return fault.Other
}
