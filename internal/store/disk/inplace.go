package disk

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// InPlace serves what stands at path as the content of m, read-only. Nothing is
// verified at first: the caller says what is by Commit. A file that is no longer
// the same (size, time, identity) after a read makes the read an error of kind
// fault.Changed. Finish and Sync do nothing; Remove removes nothing; WriteAt is
// of kind fault.Permission.
func InPlace(m *content.Manifest, path string) (store.Pieces, error) {
	t, label, base, err := openPlace(path)
	if err != nil {
		return nil, err
	}
	if m.Single != (base != "") {
		t.Close()
		return nil, fault.Errorf(fault.Changed, "open %s: it is no longer what was shared", path)
	}
	p, err := inPlace(m, t, label, func(i int) (identity, error) {
		fi, err := t.Lstat(placeName(m, base, i))
		if err != nil {
			return identity{}, err
		}
		if !fi.Mode().IsRegular() {
			return identity{}, fault.Errorf(fault.Changed, "it is a %s now", kindOfFile(fi.Mode()))
		}
		id, _ := identify(fi)
		return id, nil
	}, base)
	if err != nil {
		t.Close()
		return nil, err
	}
	return p, nil
}

// openPlace opens the folder at path, or for a file the folder it is in; base is
// then the name of the file. The user may name a symbolic link.
func openPlace(name string) (t tree, label, base string, err error) {
	full, err := filepath.EvalSymlinks(name)
	if err == nil {
		full, err = filepath.Abs(full)
	}
	if err != nil {
		return nil, "", "", wrap("open", name, err)
	}
	if t, err = openTree(full); err == nil {
		return t, filepath.ToSlash(full), "", nil
	}
	if !errors.Is(err, fault.Exists) {
		return nil, "", "", err
	}
	dir, base := filepath.Split(full)
	if t, err = openTree(dir); err != nil {
		return nil, "", "", err
	}
	return t, filepath.ToSlash(filepath.Clean(dir)), base, nil
}

// placeName returns where file i of a share in place is.
func placeName(m *content.Manifest, base string, i int) string {
	if m.Single {
		return base
	}
	return path.Join(m.Files[i].Path...)
}

func inPlace(m *content.Manifest, t tree, label string, at func(i int) (identity, error), base string) (*Pieces, error) {
	p := newPieces(m, t, label)
	p.readonly = true
	for i := range p.files {
		if m.Files[i].Pad {
			continue
		}
		e := &p.files[i]
		e.state, e.path = sealed, placeName(m, base, i)
		e.final = e.path
		id, err := at(i)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Errorf(fault.Changed, "open %s: it was removed or renamed", p.show(e.path))
		}
		if err != nil {
			return nil, wrap("open", p.show(e.path), err)
		}
		if e.id = id; id.size != m.Files[i].Length {
			return nil, p.errChanged(e)
		}
	}
	return p, nil
}

// OpenExisting opens the content of m that stands under its final name in dir, to
// check, seed or repair it. Every piece of which all files are there is suspect.
// Without repair it is read-only like InPlace. With it, pieces may be written where
// they stand: missing files are created and wrong lengths put right by the first
// write to a file, or by Finish once all its pieces are verified.
func OpenExisting(dir string, m *content.Manifest, repair bool) (store.Pieces, error) {
	if err := checkNames(m); err != nil {
		return nil, err
	}
	t, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	p, err := openExisting(m, t, filepath.ToSlash(filepath.Clean(dir)), repair)
	if err != nil {
		t.Close()
		return nil, err
	}
	return p, nil
}

func openExisting(m *content.Manifest, t tree, label string, repair bool) (*Pieces, error) {
	p := newPieces(m, t, label)
	p.readonly = !repair
	names := finalNames(m, false)
	good := make([]int64, len(m.Files)) // bytes that may be right
	for i := range p.files {
		f := &m.Files[i]
		if f.Pad {
			continue
		}
		e := &p.files[i]
		e.wanted, e.final, e.path = true, names[i], names[i]
		if e.state = sealed; repair {
			e.state = mended
		}
		fi, err := t.Lstat(e.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, wrap("open", p.show(e.path), err)
		}
		if !fi.Mode().IsRegular() {
			return nil, fault.Errorf(fault.Exists, "open %s: it is a %s, not a file", p.show(e.path), kindOfFile(fi.Mode()))
		}
		e.id, _ = identify(fi)
		e.made, e.fixed = true, e.id.size == f.Length
		good[i] = min(e.id.size, f.Length)
		if e.id.size > f.Length {
			good[i]-- // what is too long is wrong at its end
		}
	}
	for piece := range p.have.Len() {
		end := (int64(piece) + 1) * m.PieceLength
		ok := true
		p.eachFile(piece, func(i int) bool {
			f := &m.Files[i]
			ok = good[i] >= min(f.Length, end-f.Offset)
			return ok
		})
		if ok {
			p.suspect.Set(piece)
		}
	}
	if repair {
		p.loop.start(p.background)
	}
	return p, nil
}
