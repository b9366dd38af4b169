package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"tandem/internal/fault"
)

// openFile opens file i for the cache: open.mu and names (for reading) are held.
// A staged or mended file that is not there yet is made by makeFile first.
func (p *Pieces) openFile(i int) (file, error) {
	e := &p.files[i]
	flag := os.O_RDWR
	if e.state == adopted || e.state == sealed {
		flag = os.O_RDONLY
	} else if !e.made {
		return nil, fault.Errorf(fault.NotFound, "open %s: nothing was written yet", p.show(e.path))
	}
	f, id, err := openRegular(p.t, e.path, flag)
	if err != nil {
		return nil, wrap("open", p.show(e.path), err)
	}
	if flag == os.O_RDONLY && id != e.id {
		f.Close()
		return nil, p.errChanged(e)
	}
	return f, nil
}

// openRegular opens a file that is no symbolic link and no device.
func openRegular(t tree, name string, flag int) (file, identity, error) {
	before, err := t.Lstat(name)
	if err != nil {
		return nil, identity{}, err
	}
	if !before.Mode().IsRegular() {
		return nil, identity{}, fault.Errorf(fault.Permission, "it is a %s, not a file", kindOfFile(before.Mode()))
	}
	f, err := t.OpenFile(name, flag, 0)
	if err != nil {
		return nil, identity{}, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, identity{}, err
	}
	// What was looked at must be what was opened: a link put there in between
	// leads somewhere else.
	was, _ := identify(before)
	id, _ := identify(fi)
	if !fi.Mode().IsRegular() || was.inode != id.inode {
		f.Close()
		return nil, identity{}, fault.Errorf(fault.Changed, "another file took its place")
	}
	return f, id, nil
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	}
	return "device"
}

// makeFile makes staged or mended file i unless it exists.
func (p *Pieces) makeFile(i int) error {
	p.open.mu.Lock()
	defer p.open.mu.Unlock()
	e := &p.files[i]
	if e.made {
		return nil
	}
	dir := path.Dir(e.path)
	if err := p.makeDir(dir); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if p.m.Files[i].Exec {
		perm = 0o755
	}
	flag := os.O_RDWR | os.O_CREATE | os.O_EXCL
	f, err := p.t.OpenFile(e.path, flag, perm)
	if errors.Is(err, fs.ErrExist) && e.state == staged {
		// Left by an attempt that failed halfway; this folder is ours alone.
		if err = p.t.Remove(e.path); err == nil {
			f, err = p.t.OpenFile(e.path, flag, perm)
		}
	}
	if err != nil {
		return wrap("create", p.show(e.path), err)
	}
	err = f.Truncate(p.m.Files[i].Length)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = p.t.Remove(e.path) // found by ErrExist above if it stays
		return wrap("create", p.show(e.path), err)
	}
	e.made, e.fixed = true, true
	p.mu.Lock()
	p.dirs[dir] = struct{}{}
	p.mu.Unlock()
	return nil
}

// makeDir makes a folder and those above it. A link is not taken for one.
func (p *Pieces) makeDir(dir string) error {
	p.mu.Lock()
	_, ok := p.made[dir]
	p.mu.Unlock()
	if ok || dir == "." {
		return nil
	}
	if err := p.makeDir(path.Dir(dir)); err != nil {
		return err
	}
	err := p.t.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		fi, lerr := p.t.Lstat(dir)
		if lerr != nil {
			return wrap("create", p.show(dir), lerr)
		}
		if !fi.IsDir() {
			return fault.Errorf(fault.Exists, "create folder %s: a %s has that name", p.show(dir), kindOfFile(fi.Mode()))
		}
		err = nil
	}
	if err != nil {
		return wrap("create", p.show(dir), err)
	}
	p.mu.Lock()
	p.made[dir] = struct{}{}
	p.dirs[path.Dir(dir)] = struct{}{}
	p.mu.Unlock()
	return nil
}

// ready makes a file under repair as long as it has to be, before the first
// write to it.
func (p *Pieces) ready(h *handle) error {
	p.open.mu.Lock()
	defer p.open.mu.Unlock()
	e := &p.files[h.index]
	if e.state != mended || e.fixed {
		return nil
	}
	if err := h.Truncate(p.m.Files[h.index].Length); err != nil {
		return err
	}
	e.fixed = true
	return nil
}

// unchanged reports whether an open file still is what it was, under its name.
func (p *Pieces) unchanged(h *handle, e *entry) error {
	fi, err := h.Stat()
	if err != nil {
		return wrap("stat", p.show(e.path), err)
	}
	id, links := identify(fi)
	if id != e.id {
		return p.errChanged(e)
	}
	if links == 1 {
		return nil
	}
	// No name left, or several: is ours among them?
	now, err := p.t.Lstat(e.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fault.Errorf(fault.Changed, "read %s: it was removed or renamed", p.show(e.path))
		}
		return wrap("stat", p.show(e.path), err)
	}
	if id, _ := identify(now); id != e.id {
		return p.errChanged(e)
	}
	return nil
}

func (p *Pieces) errChanged(e *entry) error {
	return fault.Errorf(fault.Changed, "read %s: it changed since it was hashed; share it again", p.show(e.path))
}
