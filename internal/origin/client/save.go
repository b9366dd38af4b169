package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// fileFault gives an error of the file system its kind.
func fileFault(err error) error {
	switch {
	case err == nil || fault.KindOf(err) != fault.Other:
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.Full, err)
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Permission, err)
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fault.Wrap(fault.Exists, err)
	}
	return err
}

// checkName refuses a path that the server may not have us write to.
func checkName(name string) error { return content.CheckPath(strings.Split(name, "/")) }

// makeParents makes the folders above name.
func makeParents(root *os.Root, name string) error {
	if dir := path.Dir(name); dir != "." {
		return fileFault(root.MkdirAll(dir, 0o755))
	}
	return nil
}

// stand says what is at name: nothing (0), the content wanted (1) or anything else (2).
type stand uint8

const (
	nothing stand = iota
	same
	different
)

// compare looks whether name holds content of that size and SHA-256.
func compare(root *os.Root, name string, size int64, sum string, hash func(io.Reader) (string, error)) (stand, error) {
	st, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nothing, nil
	case errors.Is(err, syscall.ENOTDIR):
		return different, nil
	case err != nil:
		return different, fileFault(err)
	case !st.Mode().IsRegular() || st.Size() != size:
		return different, nil
	}
	f, err := root.Open(name)
	if err != nil {
		return different, fileFault(err)
	}
	defer f.Close()
	got, err := hash(f)
	if err != nil {
		return different, fileFault(err)
	}
	if got != sum {
		return different, nil
	}
	return same, nil
}

// errDifferent refuses to replace what is at name.
func errDifferent(name string) error {
	return fault.Wrap(fault.Exists, fmt.Errorf("%w: %s", ErrExists, name))
}

// part is a download on its way: NAME.part has the bytes, NAME.part.json says of
// which content, so that nothing is ever appended to something else.
type part struct {
	root  *os.Root
	name  string // of the part
	file  *os.File
	state partState
}

// partState is NAME.part.json.
type partState struct {
	Tandem int    `json:"tandem"` // version of this form
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// openPart opens or makes the part for content. What it has is the first bytes of that content.
func openPart(root *os.Root, name string, want partState) (*part, error) {
	want.Tandem = 1
	p := &part{root: root, name: name}
	have, err := p.read()
	if err != nil {
		return nil, err
	}
	if have == nil {
		if _, err := root.Lstat(name); err == nil {
			return nil, errDifferent(name) // not ours: nobody may lose it
		}
	}
	if err := makeParents(root, name); err != nil {
		return nil, err
	}
	if p.file, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, fileFault(err)
	}
	if have == nil || *have != want {
		err = p.become(want)
	} else {
		p.state = want
	}
	if err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

// read returns what the state file says, nil when there is none of ours.
func (p *part) read() (*partState, error) {
	f, err := p.root.Open(p.name + ".json")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fileFault(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return nil, fileFault(err)
	}
	var s partState
	if json.Unmarshal(data, &s) != nil || s.Tandem != 1 {
		return nil, errDifferent(p.name + ".json")
	}
	return &s, nil
}

// become empties the part and makes it one of other content.
func (p *part) become(want partState) error {
	want.Tandem = 1
	if err := p.file.Truncate(0); err != nil {
		return fileFault(err)
	}
	data, err := json.Marshal(want)
	if err != nil {
		return err
	}
	f, err := p.root.OpenFile(p.name+".json", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fileFault(err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	p.state = want
	return fileFault(err)
}

// size returns how many bytes the part has.
func (p *part) size() (int64, error) {
	st, err := p.file.Stat()
	if err != nil {
		return 0, fileFault(err)
	}
	if !st.Mode().IsRegular() {
		return 0, errDifferent(p.name)
	}
	return st.Size(), nil
}

// finish makes the part durable and gives it its final name.
func (p *part) finish(name string, modified time.Time, force bool) error {
	if err := p.file.Sync(); err != nil {
		return fileFault(err)
	}
	if err := p.file.Close(); err != nil {
		return fileFault(err)
	}
	if !modified.IsZero() {
		_ = p.root.Chtimes(p.name, modified, modified) // a nicety
	}
	if err := place(p.root, p.name, name, force); err != nil {
		return err
	}
	if err := p.root.Remove(p.name + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileFault(err)
	}
	return syncDir(p.root, path.Dir(name))
}

// place renames from to name; without force only when nothing is there.
func place(root *os.Root, from, name string, force bool) error {
	if _, err := root.Lstat(name); err == nil && !force {
		return errDifferent(name)
	}
	return fileFault(root.Rename(from, name))
}

// syncDir makes names in a folder durable.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return fileFault(err)
	}
	defer d.Close()
	return fileFault(syncFolder(d))
}
