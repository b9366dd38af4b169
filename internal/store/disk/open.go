package disk

import (
	"errors"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// spare is what has to stay free beside what is still to come, in bytes.
const spare = 64 << 20

// Pieces opens the working copy of m, once for a Workspace; wanted says by file
// what is to appear under its final name, nil stands for all. The Workspace
// belongs to what Pieces returns, whose Close and Remove close it.
//
// A wanted file that already stands under its final name with the right
// length is adopted: its pieces are suspect, it is never written, and when what
// is verified proves it different, WriteAt or Commit is of kind fault.Exists.
// Pieces itself is of that kind when a final name holds anything else, and
// fault.Full when what is still to come does not fit with 64 MiB to spare.
//
// Once every wanted file has its final name, Close deletes the Workspace, unless
// KeepFinished was called.
func (w *Workspace) Pieces(m *content.Manifest, wanted []bool) (store.Pieces, error) {
	p, err := w.open(m, wanted)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (w *Workspace) open(m *content.Manifest, wanted []bool) (*Pieces, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.used {
		return nil, fault.Errorf(fault.Closed, "workspace is closed or in use")
	}
	if wanted != nil && len(wanted) != len(m.Files) {
		return nil, fault.Errorf(fault.Invalid, "%d files are chosen from, but there are %d", len(wanted), len(m.Files))
	}
	if err := checkNames(m); err != nil {
		return nil, err
	}
	p := newPieces(m, w.t, w.label)
	p.ws = w
	names := finalNames(m, w.foldsCase())
	for i := range p.files {
		e := &p.files[i]
		e.wanted = !m.Files[i].Pad && (wanted == nil || wanted[i])
		e.final = names[i]
		e.path = w.dir + "/" + dataName + strings.TrimPrefix(names[i], rootName(m))
		if m.Single {
			e.path = w.dir + "/" + dataName + "/" + names[i]
		}
	}
	mapFile := w.dir + "/" + mapName
	pm, err := openMap(w.t, w.dir, mapFile, m)
	if err != nil {
		return nil, fault.Errorf(fault.KindOf(err), "%s: %w", w.label, err)
	}
	p.pm = pm
	if err = p.survey(); err == nil {
		err = p.checkRoom()
	}
	if err != nil {
		pm.f.Close()
		return nil, err
	}
	w.used = true
	p.loop.start(p.background)
	return p, nil
}

// checkNames is the last line of defence: whoever made m has checked as well.
func checkNames(m *content.Manifest) error {
	if err := content.CheckPath([]string{m.Name}); err != nil {
		return err
	}
	if isWorkspace(m.Name) {
		return fault.Errorf(fault.Invalid, "name %q is kept for working copies", m.Name)
	}
	return content.CheckFiles(m.Files)
}

func rootName(m *content.Manifest) string {
	return content.EscapeComponent(m.Name, runtime.GOOS == "windows")
}

// finalNames returns by file the path it will have; empty for padding. Where the
// file system takes names of different case for the same, the later one is
// escaped.
func finalNames(m *content.Manifest, folds bool) []string {
	names := make([]string, len(m.Files))
	seen := map[string]bool{}
	for i := range m.Files {
		f := &m.Files[i]
		if f.Pad {
			continue
		}
		if m.Single {
			names[i] = rootName(m)
			continue
		}
		parts := make([]string, 0, 1+len(f.Path))
		parts = append(parts, rootName(m))
		for _, c := range f.Path {
			parts = append(parts, content.EscapeComponent(c, runtime.GOOS == "windows"))
		}
		names[i] = path.Join(parts...)
		if !folds {
			continue
		}
		for seen[strings.ToLower(names[i])] {
			last := parts[len(parts)-1]
			parts[len(parts)-1] = "%" + strings.ToUpper(hexByte(last[0])) + last[1:]
			names[i] = path.Join(parts...)
		}
		seen[strings.ToLower(names[i])] = true
	}
	return names
}

func hexByte(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// foldsCase reports whether the file system takes names of different case for
// the same.
func (w *Workspace) foldsCase() bool {
	a, err := w.t.Lstat(w.dir + "/" + lockName)
	if err != nil {
		return false
	}
	b, err := w.t.Lstat(w.dir + "/" + strings.ToUpper(lockName))
	if err != nil {
		return false
	}
	one, _ := identify(a)
	two, _ := identify(b)
	return one == two
}

// found says what survey found of a file.
type found uint8

const (
	absent found = iota
	here         // staged
	ours         // finished by us, and unchanged
	unsure       // adopted: nobody knows what is in it
)

// survey looks at what is there, and decides what it is worth.
func (p *Pieces) survey() error {
	record := map[int]identity{}
	data, err := readFile(p.t, p.ws.dir+"/"+recordName, int64(recordHeader+4+len(p.files)*recordEntry))
	if err == nil {
		list, _ := parseRecord(data, len(p.files)) // a torn one costs hashing
		for _, f := range list {
			record[f.file] = f.id
		}
	}
	state := make([]found, len(p.files))
	for i := range p.files {
		if p.m.Files[i].Pad {
			continue
		}
		if state[i], err = p.surveyFile(i, record); err != nil {
			return err
		}
		if state[i] != absent {
			p.dueDirs(p.files[i].path)
		}
	}
	marked := p.pm.marked()
	for piece := range p.have.Len() {
		all, sure, final := true, true, false
		p.eachFile(piece, func(i int) bool {
			all = all && state[i] != absent
			sure = sure && state[i] != unsure
			final = final || state[i] != here
			return all
		})
		switch known := p.pm.verified.Has(piece); {
		case all && sure && known:
			p.have.Set(piece)
		case all && (known || final || marked.Has(piece)):
			p.suspect.Set(piece)
		}
	}
	// A bit whose bytes are gone must not outlive them: the piece is about
	// to be written again.
	return wrap("write", p.show(p.ws.dir+"/"+mapName), p.pm.keepOnly(p.have.Clone()))
}

// dueDirs makes the folders above a file due for a sync: whoever made them may
// have died before its own.
func (p *Pieces) dueDirs(name string) {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if _, ok := p.dirs[dir]; ok {
			return
		}
		p.dirs[dir] = struct{}{}
		if dir == "." {
			return
		}
	}
}

// surveyFile decides about one file.
func (p *Pieces) surveyFile(i int, record map[int]identity) (found, error) {
	e := &p.files[i]
	size := p.m.Files[i].Length
	at, err := p.t.Lstat(e.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return absent, wrap("open", p.show(e.path), err)
	}
	isStaged := err == nil
	if isStaged && (!at.Mode().IsRegular() || at.Size() != size) {
		// Nobody but us may be in here, and we leave files whole.
		if err := p.t.RemoveAll(e.path); err != nil {
			return absent, wrap("remove", p.show(e.path), err)
		}
		isStaged = false
	}
	final, err := p.t.Lstat(e.final)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return absent, wrap("open", p.show(e.final), err)
	}
	isFinal := err == nil
	switch {
	case isStaged && isFinal:
		return p.surveyBoth(e, at, final)
	case isStaged:
		e.made = true
		return here, nil
	case isFinal:
		return p.surveyFinal(i, final, record)
	}
	return absent, nil
}

// surveyBoth decides about a file that is staged while its final name is taken:
// by the same file when Finish was interrupted.
func (p *Pieces) surveyBoth(e *entry, at, final fs.FileInfo) (found, error) {
	one, _ := identify(at)
	two, _ := identify(final)
	if one == two && one.inode != 0 {
		if err := p.t.Remove(e.path); err != nil {
			return absent, wrap("remove", p.show(e.path), err)
		}
		e.state, e.path, e.id = sealed, e.final, one
		return ours, nil
	}
	if e.wanted {
		return absent, p.errTaken(e, final)
	}
	e.made = true
	return here, nil
}

// surveyFinal decides about a file that only stands under its final name.
func (p *Pieces) surveyFinal(i int, final fs.FileInfo, record map[int]identity) (found, error) {
	e := &p.files[i]
	id, _ := identify(final)
	was, known := record[i]
	switch {
	case known && was == id && final.Mode().IsRegular() && id.size == p.m.Files[i].Length:
		e.state, e.path, e.id = sealed, e.final, id
		return ours, nil
	case !e.wanted:
		return absent, nil
	case !final.Mode().IsRegular() || final.Size() != p.m.Files[i].Length:
		return absent, p.errTaken(e, final)
	}
	e.state, e.path, e.id = adopted, e.final, id
	return unsure, nil
}

func (p *Pieces) errTaken(e *entry, fi fs.FileInfo) error {
	what := kindOfFile(fi.Mode())
	if fi.Mode().IsRegular() {
		what = "different file"
	}
	return fault.Errorf(fault.Exists, "%s: a %s has that name; move it away, choose another folder, or mend it with verify --repair",
		p.show(e.final), what)
}

// checkRoom refuses to begin what cannot be ended.
func (p *Pieces) checkRoom() error {
	need := int64(0)
	for piece := range p.have.Len() {
		if p.have.Has(piece) || p.suspect.Has(piece) {
			continue
		}
		p.eachFile(piece, func(i int) bool {
			if p.files[i].wanted {
				need += int64(p.m.PieceSize(piece))
			}
			return !p.files[i].wanted
		})
	}
	if need == 0 {
		return nil
	}
	free, err := p.t.Free()
	if err != nil {
		return wrap("ask for room on", p.label, err)
	}
	if free < need+spare {
		return fault.Errorf(fault.Full, "%s: %d MiB are to come and 64 MiB have to stay free, but only %d MiB are; make room and start again",
			p.label, (need+1<<20-1)>>20, free>>20)
	}
	return nil
}
