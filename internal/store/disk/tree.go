package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tandem/internal/fault"
)

// tree is what the driver needs of a folder and of all that is below it. Names
// are relative, with slashes. rootTree is the real one; tests have one in memory
// that fails and loses what was not synced.
type tree interface {
	OpenFile(name string, flag int, perm fs.FileMode) (file, error)
	Lstat(name string) (fs.FileInfo, error)
	Mkdir(name string, perm fs.FileMode) error
	Link(oldname, newname string) error // refuses to replace newname
	Rename(oldname, newname string) error
	Remove(name string) error
	RemoveAll(name string) error
	ReadDir(name string) ([]fs.DirEntry, error)
	SyncDir(name string) error
	Free() (int64, error)                // bytes left for us
	Lock(name string) (io.Closer, error) // errLocked when another holds it
	Close() error
}

// file is an open file of a tree.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error // data and what is needed to read it; not times
	Stat() (fs.FileInfo, error)
	Close() error
}

// errLocked says that another process holds a lock.
var errLocked = errors.New("in use by another process")

type rootTree struct {
	root *os.Root
}

// openTree opens the folder dir.
func openTree(dir string) (tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		if fi, serr := os.Stat(dir); serr == nil && !fi.IsDir() {
			return nil, fault.Errorf(fault.Exists, "open %s: it is a file, not a folder", dir)
		}
		return nil, wrap("open", dir, err)
	}
	return rootTree{root}, nil
}

type osFile struct {
	*os.File
}

func (f osFile) Sync() error { return datasync(f.File) }

func (t rootTree) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	f, err := t.root.OpenFile(filepath.FromSlash(name), flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (t rootTree) Lstat(name string) (fs.FileInfo, error) {
	return t.root.Lstat(filepath.FromSlash(name))
}

func (t rootTree) Mkdir(name string, perm fs.FileMode) error {
	return t.root.Mkdir(filepath.FromSlash(name), perm)
}

func (t rootTree) Link(oldname, newname string) error {
	return t.root.Link(filepath.FromSlash(oldname), filepath.FromSlash(newname))
}

func (t rootTree) Rename(oldname, newname string) error {
	return t.root.Rename(filepath.FromSlash(oldname), filepath.FromSlash(newname))
}

func (t rootTree) Remove(name string) error { return t.root.Remove(filepath.FromSlash(name)) }

func (t rootTree) RemoveAll(name string) error { return t.root.RemoveAll(filepath.FromSlash(name)) }

func (t rootTree) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := t.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

func (t rootTree) SyncDir(name string) error {
	f, err := t.root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDir(f)
}

func (t rootTree) Free() (int64, error) {
	f, err := t.root.Open(".")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return freeSpace(f)
}

// Lock locks the file name, which it makes. Whoever deletes a folder with its
// lock does so while holding it, so a lock on a deleted file is none.
func (t rootTree) Lock(name string) (io.Closer, error) {
	for range 8 {
		f, err := t.root.OpenFile(filepath.FromSlash(name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if err == nil {
			if now, lerr := t.Lstat(name); lerr == nil && os.SameFile(mine, now) {
				return f, nil
			}
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, errLocked
}

func (t rootTree) Close() error { return t.root.Close() }

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
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fault.Exists
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, errQuota):
		return fault.Full
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ELOOP):
		return fault.Permission
	case errors.Is(err, fs.ErrClosed):
		return fault.Closed
	case errors.Is(err, errLocked):
		return fault.Busy
	}
	return fault.Other
}

// identity tells one state of one file from any other, as far as metadata can.
type identity struct {
	size  int64
	mtime int64 // ns
	inode uint64
}

// identify returns the identity of a file and how many names it has, 0 being
// unknown.
func identify(fi fs.FileInfo) (id identity, links uint64) {
	inode, links := inodeOf(fi)
	return identity{fi.Size(), fi.ModTime().UnixNano(), inode}, links
}
