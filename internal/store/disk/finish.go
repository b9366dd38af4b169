package disk

import (
	"errors"
	"io/fs"
	"path"

	"tandem/internal/fault"
)

// Finish implements store.Pieces. Data is durable before its bits, bits before
// names, and a name never takes the place of another.
func (p *Pieces) Finish() error {
	p.syncMu.Lock()
	defer p.syncMu.Unlock()
	if err := p.sync(); err != nil || p.readonly {
		return err
	}
	if err := p.takeLost(); err != nil {
		return err
	}
	if p.ws == nil {
		return p.finishMended()
	}
	todo, err := p.ripe()
	if err != nil || len(todo) == 0 {
		return err
	}
	if err := p.record(todo); err != nil {
		return err
	}
	if moved, err := p.moveFolder(todo); moved || err != nil {
		return err
	}
	return p.moveFiles(todo)
}

// ripe returns the files that can have their final names and what they are.
// Empty ones are made.
func (p *Pieces) ripe() (todo []finished, err error) {
	p.names.RLock()
	defer p.names.RUnlock()
	for i := range p.files {
		e := &p.files[i]
		if !e.wanted || e.state == sealed || !p.allIn(p.pm.verified, i) {
			continue
		}
		if e.state == adopted {
			todo = append(todo, finished{i, e.id}) // it only has to be recorded
			continue
		}
		if err := p.makeFile(i); err != nil { // nothing but empty files is missing
			return nil, err
		}
		fi, err := p.t.Lstat(e.path)
		if err != nil {
			return nil, wrap("finish", p.show(e.path), err)
		}
		id, _ := identify(fi)
		if !fi.Mode().IsRegular() || id.size != p.m.Files[i].Length {
			return nil, fault.Errorf(fault.Changed, "finish %s: somebody changed it", p.show(e.path))
		}
		todo = append(todo, finished{i, id})
	}
	return todo, p.syncDirs(p.takeDirs())
}

// takeDirs returns the folders to sync and forgets them.
func (p *Pieces) takeDirs() map[string]struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	dirs := p.dirs
	p.dirs = map[string]struct{}{}
	return dirs
}

// record writes what finished files look like, before they get their names:
// found there without it, they would have to be hashed.
func (p *Pieces) record(todo []finished) error {
	var list []finished
	for i := range p.files {
		if len(todo) > 0 && todo[0].file == i {
			list, todo = append(list, todo[0]), todo[1:]
		} else if e := &p.files[i]; e.state == sealed {
			list = append(list, finished{i, e.id})
		}
	}
	name := p.ws.dir + "/" + recordName
	return wrap("write", p.show(name), replaceFile(p.t, p.ws.dir, name, encodeRecord(list)))
}

// seal notes that a file has its final name. It is called with names held.
func (p *Pieces) seal(f finished) {
	e := &p.files[f.file]
	e.state, e.path, e.id = sealed, e.final, f.id
	// The next reader opens it for reading only: what is open for writing
	// cannot be run.
	p.open.drop(f.file)
}

// moveFolder gives a folder its name at once when all that is staged of it is
// ripe and nothing has that name.
func (p *Pieces) moveFolder(todo []finished) (moved bool, err error) {
	name := rootName(p.m)
	p.names.Lock()
	defer p.names.Unlock()
	if p.m.Single || !p.allStaged(todo) {
		return false, nil
	}
	if _, err := p.t.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := p.t.Rename(p.ws.dir+"/"+dataName, name); err != nil {
		if _, lerr := p.t.Lstat(name); lerr == nil {
			return false, nil
		}
		return false, wrap("finish", p.show(name), err)
	}
	for _, f := range todo {
		p.seal(f)
	}
	p.mu.Lock()
	clear(p.made) // the staged folders are gone
	p.mu.Unlock()
	return true, p.syncNames(map[string]struct{}{".": {}, p.ws.dir: {}})
}

// allStaged reports whether todo is all there is of the content so far.
func (p *Pieces) allStaged(todo []finished) bool {
	ripe := make(map[int]bool, len(todo))
	for _, f := range todo {
		ripe[f.file] = true
	}
	p.open.mu.Lock()
	defer p.open.mu.Unlock()
	for i := range p.files {
		if e := &p.files[i]; p.fixed(i) || e.made && !ripe[i] {
			return false
		}
	}
	return true
}

// moveFiles gives each file its name by itself. One whose name was taken does not
// stop the others.
func (p *Pieces) moveFiles(todo []finished) (first error) {
	bad, err := p.makeParents(todo)
	if err != nil {
		return err
	}
	var linked []string
	parents := map[string]struct{}{}
	for _, f := range todo {
		old, dir := p.files[f.file].path, path.Dir(p.files[f.file].final)
		link, err := false, bad[dir]
		if err == nil {
			link, err = p.moveFile(f)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		parents[dir] = struct{}{}
		if link {
			linked = append(linked, old)
		}
	}
	if err := p.syncNames(parents); err != nil {
		return errors.Join(first, err)
	}
	for _, old := range linked {
		// If it stays, survey finds it to be a second name of a finished file.
		_ = p.t.Remove(old)
	}
	return first
}

// makeParents makes the folders of final names, and durable: a file moved into
// a folder that is lost would be lost with it. Bad are those that cannot be made.
func (p *Pieces) makeParents(todo []finished) (bad map[string]error, err error) {
	bad = map[string]error{}
	p.open.mu.Lock()
	for _, f := range todo {
		dir := path.Dir(p.files[f.file].final)
		if err := p.makeDir(dir); err != nil {
			bad[dir] = err
		}
	}
	p.open.mu.Unlock()
	return bad, p.syncDirs(p.takeDirs())
}

// syncNames makes new names durable, if not now then with the next sync.
func (p *Pieces) syncNames(dirs map[string]struct{}) error {
	for _, dir := range sorted(dirs) {
		if err := p.t.SyncDir(dir); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			for dir := range dirs {
				p.dirs[dir] = struct{}{}
			}
			return wrap("sync folder", p.show(dir), err)
		}
	}
	return nil
}

// moveFile gives a file its final name. Link says that the old name is still
// there.
func (p *Pieces) moveFile(f finished) (link bool, err error) {
	e := &p.files[f.file]
	p.names.Lock()
	defer p.names.Unlock()
	if e.state == adopted {
		p.seal(f)
		return false, nil
	}
	link, err = p.rename(e.path, e.final)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, wrap("finish", p.show(e.final), err)
	}
	fi, lerr := p.t.Lstat(e.final)
	if lerr != nil {
		if err == nil {
			p.seal(f) // reading it will tell whether it is ours
		}
		return false, wrap("finish", p.show(e.final), lerr)
	}
	switch id, _ := identify(fi); {
	case err == nil && id != f.id:
		return false, fault.Errorf(fault.Changed, "finish %s: another file took its place", p.show(e.final))
	case err != nil && (id != f.id || id.inode == 0):
		return false, p.errTaken(e, fi)
	case err != nil:
		link = true // by a Finish that failed later on
	}
	p.seal(f)
	return link, nil
}

// rename gives a file a new name that must be free: by a link where there are
// links, since making one fails when the name is taken.
func (p *Pieces) rename(from, to string) (link bool, err error) {
	err = p.t.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err == nil, err
	}
	// Looking first leaves a moment in which the name could be taken, but a
	// file system without links offers nothing better.
	if _, lerr := p.t.Lstat(to); lerr == nil {
		return false, fs.ErrExist
	}
	return false, p.t.Rename(from, to)
}

// finishMended makes the files under repair as long as they have to be, and the
// empty ones.
func (p *Pieces) finishMended() error {
	for i := range p.files {
		p.mu.Lock()
		done := p.allIn(p.have, i)
		p.mu.Unlock()
		if !done || p.m.Files[i].Pad || !p.files[i].wanted {
			continue
		}
		if err := p.mend(i); err != nil {
			return err
		}
	}
	return p.sync()
}

func (p *Pieces) mend(i int) error {
	p.names.RLock()
	defer p.names.RUnlock()
	if err := p.makeFile(i); err != nil {
		return err
	}
	h, err := p.open.get(i)
	if err != nil {
		return err
	}
	err = p.ready(h)
	p.open.put(h, true)
	return wrap("write", p.show(p.files[i].path), err)
}

// Close implements store.Pieces.
func (p *Pieces) Close() error {
	if p.isClosed() {
		return nil
	}
	err := p.Sync()
	cerr := p.close(p.allFinished() && err == nil && (p.ws == nil || !p.ws.keeps()))
	return errors.Join(err, cerr)
}

// Remove implements store.Pieces.
func (p *Pieces) Remove() error {
	if p.isClosed() {
		return errClosed()
	}
	return p.close(true)
}

func (p *Pieces) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// allFinished reports whether every wanted file has its final name.
func (p *Pieces) allFinished() bool {
	p.names.RLock()
	defer p.names.RUnlock()
	for i := range p.files {
		if e := &p.files[i]; e.wanted && e.state != sealed {
			return false
		}
	}
	return true
}

func (p *Pieces) close(remove bool) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.loop.end()
	p.syncMu.Lock()
	defer p.syncMu.Unlock()
	p.open.close()
	if p.ws == nil {
		return p.t.Close()
	}
	p.pm.f.Close()
	return p.ws.close(remove)
}
