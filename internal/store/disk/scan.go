package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// maxWarnings is how many warnings a Source holds.
const maxWarnings = 100

// Source is a file or folder that was found fit to be shared.
type Source struct {
	Name     string         // of the file or folder
	Single   bool           // a file rather than a folder
	Files    []content.File // in BEP 52 order: Path, Length and Exec are set
	Warnings []string       // what was skipped, and names that other systems cannot hold

	t     tree
	label string
	base  string // of a single file
	ids   []identity
}

// Scan walks a file or folder. Symbolic links inside a folder, devices, sockets
// and working copies of ours are skipped with a warning. An error names the
// file and is of kind fault.NotFound, fault.Permission (something cannot be
// read) or fault.Invalid (a name that cannot be shared, nothing to share, too
// many files).
func Scan(ctx context.Context, name string) (*Source, error) {
	t, label, base, err := openPlace(name)
	if err != nil {
		return nil, err
	}
	s := &Source{t: t, label: label, base: base, Single: base != "", Name: base}
	if !s.Single {
		s.Name = path.Base(label)
	}
	if err := s.scan(ctx); err != nil {
		t.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) scan(ctx context.Context) error {
	if err := s.checkPath([]string{s.Name}); err != nil {
		return err
	}
	if isWorkspace(s.Name) {
		return fault.Errorf(fault.Invalid, "share %s: it is a working copy; share what it becomes", s.label)
	}
	if s.Single {
		fi, err := s.t.Lstat(s.base)
		if err != nil {
			return wrap("share", s.show(s.base), err)
		}
		if !fi.Mode().IsRegular() {
			return fault.Errorf(fault.Invalid, "share %s: it is a %s", s.show(s.base), kindOfFile(fi.Mode()))
		}
		s.warnName([]string{s.Name})
		return s.add([]string{s.base})
	}
	if err := s.walk(ctx, nil); err != nil {
		return err
	}
	if len(s.Files) == 0 {
		return fault.Errorf(fault.Invalid, "share %s: there are no files in it", s.label)
	}
	return nil
}

func (s *Source) show(name string) string {
	if !utf8.ValidString(name) {
		return fmt.Sprintf("%s/%q", s.label, name)
	}
	return s.label + "/" + name
}

// walk adds the folder dir and what is below it, in BEP 52 order.
func (s *Source) walk(ctx context.Context, dir []string) error {
	name := path.Join(append([]string{"."}, dir...)...)
	list, err := s.t.ReadDir(name)
	if err != nil {
		return wrap("read folder", s.show(name), err)
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	seen := map[string]string{}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return fault.Errorf(fault.Closed, "share %s: %w", s.label, err)
		}
		parts := append(slices.Clip(dir), e.Name())
		switch {
		case e.IsDir() && isWorkspace(e.Name()):
			s.warn("%s: skipped, it is a working copy of tandem", s.show(path.Join(parts...)))
			continue
		case !e.IsDir() && !e.Type().IsRegular():
			s.warn("%s: skipped, it is a %s", s.show(path.Join(parts...)), kindOfFile(e.Type()))
			continue
		}
		if err := s.checkPath(parts); err != nil {
			return err
		}
		s.warnName(parts)
		fold := strings.ToLower(norm.NFC.String(e.Name()))
		if other, ok := seen[fold]; ok {
			s.warn("%s: the same as %s where upper and lower case are one", s.show(path.Join(parts...)), other)
		}
		seen[fold] = e.Name()
		if e.IsDir() {
			err = s.walk(ctx, parts)
		} else {
			err = s.add(parts)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add adds a file after a look whether it can be read: hours later, while
// hashing, would be a bad time to find out.
func (s *Source) add(parts []string) error {
	if len(s.Files) == content.MaxFiles {
		return fault.Errorf(fault.Invalid, "share %s: there are more than %d files in it", s.label, content.MaxFiles)
	}
	name := path.Join(parts...)
	fi, err := s.t.Lstat(name)
	if err != nil {
		return wrap("share", s.show(name), err)
	}
	f, id, err := openRegular(s.t, name, os.O_RDONLY)
	if err != nil {
		return wrap("share", s.show(name), err)
	}
	f.Close()
	s.ids = append(s.ids, id)
	s.Files = append(s.Files, content.File{Path: slices.Clone(parts), Length: id.size, Exec: fi.Mode().Perm()&0o100 != 0})
	return nil
}

func (s *Source) checkPath(parts []string) error {
	name := path.Join(parts...)
	if !utf8.ValidString(name) {
		return fault.Errorf(fault.Invalid, "share %s: the name is not UTF-8; rename it, for example with convmv", s.show(name))
	}
	if err := content.CheckPath(parts); err != nil {
		return fault.Errorf(fault.Invalid, "share %q: %w; rename it", s.label+"/"+name, err)
	}
	return nil
}

// warnName warns of a name that another system cannot hold.
func (s *Source) warnName(parts []string) {
	last := parts[len(parts)-1]
	if escaped := content.EscapeComponent(last, true); escaped != last {
		s.warn("%s: Windows cannot hold this name and will call it %s", s.show(path.Join(parts...)), escaped)
	}
}

func (s *Source) warn(format string, args ...any) {
	switch {
	case len(s.Warnings) < maxWarnings:
		s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
	case len(s.Warnings) == maxWarnings:
		s.Warnings = append(s.Warnings, "and more")
	}
}

// sourceFile is an open file that must stay what it was.
type sourceFile struct {
	file
	s *Source
	i int
}

// Open opens file i for hashing; it may be called from several goroutines. Reads
// are of kind fault.Changed when the file is no longer what Scan saw.
func (s *Source) Open(i int) (io.ReaderAt, io.Closer, error) {
	name := path.Join(s.Files[i].Path...)
	f, id, err := openRegular(s.t, name, os.O_RDONLY)
	if err != nil {
		return nil, nil, wrap("open", s.show(name), err)
	}
	sf := &sourceFile{f, s, i}
	if id != s.ids[i] {
		f.Close()
		return nil, nil, sf.errChanged()
	}
	return sf, f, nil
}

func (f *sourceFile) errChanged() error {
	return fault.Errorf(fault.Changed, "read %s: it changed while it was hashed; share it again when it is at rest",
		f.s.show(path.Join(f.s.Files[f.i].Path...)))
}

func (f *sourceFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.file.ReadAt(p, off)
	fi, serr := f.Stat()
	if serr != nil {
		return 0, wrap("stat", f.s.show(path.Join(f.s.Files[f.i].Path...)), serr)
	}
	if id, _ := identify(fi); id != f.s.ids[f.i] {
		return 0, f.errChanged()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = wrap("read", f.s.show(path.Join(f.s.Files[f.i].Path...)), err)
	}
	return n, err
}

// InPlace serves the files of s as the content of m, whose files are those of s in
// the same order, padding aside. It is InPlace below, but what changed since Scan counts as
// changed, too.
func (s *Source) InPlace(m *content.Manifest) (store.Pieces, error) {
	ids := make([]identity, len(m.Files))
	n := 0
	for i := range m.Files {
		if m.Files[i].Pad {
			continue
		}
		if n < len(s.ids) {
			ids[i] = s.ids[n]
		}
		n++
	}
	if m.Single != s.Single || n != len(s.ids) {
		return nil, fault.Errorf(fault.Invalid, "share %s: the manifest names other files", s.label)
	}
	t, err := openTree(filepath.FromSlash(s.label))
	if err != nil {
		return nil, err
	}
	p, err := inPlace(m, t, s.label, func(i int) (identity, error) { return ids[i], nil }, s.base)
	if err != nil {
		t.Close()
		return nil, err
	}
	return p, nil
}

// Close releases s. What Open and InPlace returned stays usable.
func (s *Source) Close() error { return s.t.Close() }
