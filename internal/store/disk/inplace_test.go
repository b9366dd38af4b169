//go:build unix

package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

func scan(t *testing.T, name string) *Source {
	t.Helper()
	s, err := Scan(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// manifestOf returns v2 content of what was scanned.
func manifestOf(s *Source) *content.Manifest {
	m := &content.Manifest{Name: s.Name, Single: s.Single, PieceLength: testPiece, HasV2: true, Files: s.Files}
	m.Seal()
	return m
}

func TestScanFindsFilesInOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	for _, name := range []string{"b", "a-b", "a/z", "a/b/c", "B", "é", "a b/x"} {
		put(t, filepath.Join(dir, name), []byte(name))
	}
	if err := os.Chmod(filepath.Join(dir, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := scan(t, dir)
	if s.Name != "shared" || s.Single || len(s.Files) != 7 {
		t.Fatalf("%q, single %v, %d files", s.Name, s.Single, len(s.Files))
	}
	for i, f := range s.Files {
		name := filepath.Join(f.Path...)
		if i > 0 && content.ComparePaths(s.Files[i-1].Path, f.Path) >= 0 {
			t.Errorf("%q is out of order", name)
		}
		if f.Length != int64(len(name)) || f.Exec != (name == "b") {
			t.Errorf("%q: length %d, exec %v", name, f.Length, f.Exec)
		}
		r, c, err := s.Open(i)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, f.Length)
		if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) || string(b) != name {
			t.Errorf("%q holds %q, %v", name, b, err)
		}
		c.Close()
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "upper and lower case") {
		t.Errorf("warnings: %q", s.Warnings)
	}
}

func TestScanSkipsWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), []byte("x"))
	put(t, filepath.Join(dir, ".tandem-0123456789abcdef", "data", "half"), []byte("x"))
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, target := range map[string]string{"inside": "file", "outside": "/etc", "nowhere": "gone"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := scan(t, dir)
	if len(s.Files) != 1 || s.Files[0].Path[0] != "file" {
		t.Errorf("found %v", s.Files)
	}
	all := strings.Join(s.Warnings, "\n")
	for _, want := range []string{"inside: skipped, it is a symbolic link", "outside", "nowhere", "socket: skipped, it is a socket", ".tandem-0123456789abcdef: skipped"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning of %s in\n%s", want, all)
		}
	}
}

func TestScanWarnsOfNamesWindowsCannotHold(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a:b", "con", "dot.", "fine"} {
		put(t, filepath.Join(dir, name), []byte("x"))
	}
	if s := scan(t, dir); len(s.Warnings) != 3 || len(s.Files) != 4 {
		t.Errorf("%d files, warnings: %q", len(s.Files), s.Warnings)
	}
}

func TestScanRefuses(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	_, err := Scan(ctx, filepath.Join(dir, "gone"))
	wantKind(t, "nothing there", err, fault.NotFound, "gone")
	_, err = Scan(ctx, dir)
	wantKind(t, "an empty folder", err, fault.Invalid, "no files")
	for name, hint := range map[string]string{"bad\xff": "UTF-8", "esc\x1b[2J": "control", "rtl\u202e": "direction", `back\slash`: "separator"} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, name), nil)
		_, err := Scan(ctx, dir)
		wantKind(t, "folder with "+hint, err, fault.Invalid, hint)
		_, err = Scan(ctx, filepath.Join(dir, name))
		wantKind(t, "file with "+hint, err, fault.Invalid, hint)
		if err != nil && (!utf8.ValidString(err.Error()) || strings.ContainsRune(err.Error(), '\x1b')) {
			t.Errorf("%q shows the name as it is", err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(dir, "null")); err != nil {
		t.Fatal(err)
	}
	_, err = Scan(ctx, filepath.Join(dir, "null"))
	wantKind(t, "a device", err, fault.Invalid, "device")

	sw := &switches{kind: fault.Permission}
	for n := 2; n <= 4; n++ { // Lstat, Lstat, OpenFile of the file found by ReadDir
		sim := newSim(1)
		f, err := sim.OpenFile("secret", os.O_CREATE, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		sw.left = n
		s := &Source{t: &flaky{tree: sim, switches: sw}, label: "/d", Name: "d"}
		wantKind(t, "unreadable", s.scan(ctx), fault.Permission, "/d/secret", "permission denied")
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	put(t, filepath.Join(dir, "file"), nil)
	_, err = Scan(ctx, dir)
	wantKind(t, "interrupted", err, fault.Closed)
}

// changes are ways for a shared file to become something else.
var changes = map[string]func(t *testing.T, name string){
	"written in place": func(t *testing.T, name string) {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("!"), 3); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Second) // past the clock's step
		if err := os.Chtimes(name, later, later); err != nil {
			t.Fatal(err)
		}
	},
	"longer": func(t *testing.T, name string) {
		if err := os.Truncate(name, 50_000); err != nil {
			t.Fatal(err)
		}
	},
	"shorter": func(t *testing.T, name string) {
		if err := os.Truncate(name, 5); err != nil {
			t.Fatal(err)
		}
	},
	"replaced by another file": func(t *testing.T, name string) {
		put(t, name+".new", make([]byte, 40_000))
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	},
	"removed": func(t *testing.T, name string) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	},
}

func TestChangedFileIsNotServed(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
			put(t, a, bytes.Repeat([]byte("a"), 40_000))
			put(t, b, bytes.Repeat([]byte("b"), 100))
			s := scan(t, dir)
			m := manifestOf(s)
			p, err := InPlace(m, dir)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if p.Have().Count()+p.Suspect().Count() != 0 {
				t.Error("something is verified or suspect at first")
			}
			for i := range m.NumPieces() {
				if err := p.Commit(i); err != nil {
					t.Fatal(err)
				}
			}
			buf := make([]byte, 100)
			if err := p.ReadAt(buf, 0, 0); err != nil || buf[0] != 'a' {
				t.Fatalf("read %q, %v", buf[0], err)
			}
			change(t, a)
			wantKind(t, "read", p.ReadAt(buf, 0, 0), fault.Changed, "/a")
			p.(*Pieces).open.drop(0)
			if err := p.ReadAt(buf, 0, 0); !errors.Is(err, fault.Changed) && !errors.Is(err, fault.NotFound) {
				t.Errorf("read after opening it again: %v", err)
			}
			if err := p.ReadAt(buf, 3, 0); err != nil || buf[0] != 'b' {
				t.Errorf("the other file: %v", err)
			}
			// What Scan saw is what counts, not what stands there now.
			q, err := s.InPlace(m)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			if err := q.ReadAt(buf, 0, 0); !errors.Is(err, fault.Changed) && !errors.Is(err, fault.NotFound) {
				t.Errorf("read of what was scanned: %v", err)
			}
			if _, _, err := s.Open(0); !errors.Is(err, fault.Changed) && !errors.Is(err, fault.NotFound) {
				t.Errorf("hashing what was scanned: %v", err)
			}
			if _, err = InPlace(m, dir); name != "written in place" && name != "replaced by another file" {
				wantKind(t, "sharing it again", err, fault.Changed, "/a")
			}
		})
	}
}

func TestChangeWhileHashing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	put(t, name, make([]byte, 40_000))
	s := scan(t, name)
	r, c, err := s.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	changes["written in place"](t, name)
	_, err = r.ReadAt(make([]byte, 10), 0)
	wantKind(t, "read", err, fault.Changed, "/a")
}

func TestFileWithTwoNamesIsServed(t *testing.T) {
	dir := t.TempDir()
	name, other := filepath.Join(dir, "a"), filepath.Join(t.TempDir(), "b")
	put(t, name, make([]byte, 100))
	if err := os.Link(name, other); err != nil {
		t.Fatal(err)
	}
	s := scan(t, name)
	if !s.Single || s.Name != "a" {
		t.Fatalf("%q, single %v", s.Name, s.Single)
	}
	p, err := s.InPlace(manifestOf(s))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]byte, 100)
	if err := p.ReadAt(buf, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := p.ReadAt(buf, 0, 0); err != nil {
		t.Errorf("with its other name gone: %v", err)
	}
}

func TestInPlaceIsOnlyRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	data := bytes.Repeat([]byte("a"), 100)
	put(t, name, data)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("a", link); err != nil {
		t.Fatal(err)
	}
	s := scan(t, link) // the user may name a link
	p, err := InPlace(manifestOf(s), link)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "write", p.WriteAt([]byte("x"), 0, 0), fault.Permission)
	if err := errors.Join(p.Commit(0), p.Sync(), p.Finish(), p.Forget(0), p.Remove()); err != nil {
		t.Error(err)
	}
	wantKind(t, "after Remove", p.ReadAt(data, 0, 0), fault.Closed)
	if got := listing(t, dir); got != "a link" {
		t.Errorf("left: %s", got)
	}
}

func existing(t *testing.T, dir string, m *content.Manifest, repair bool) store.Pieces {
	t.Helper()
	p, err := OpenExisting(dir, m, repair)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestRepairWritesOnlyWhatIsBad(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(true, 20_000, 20_000, 0, 30_000, 16_384)
	damaged := bytes.Clone(data[0])
	damaged[5] ^= 1
	put(t, filepath.Join(dir, "name/a"), damaged)
	put(t, filepath.Join(dir, "name/in/d"), data[3][:10_000])           // too short
	put(t, filepath.Join(dir, "name/e"), append(data[4], "tail..."...)) // too long; b, c are missing

	p := existing(t, dir, m, false)
	// b is missing, d and e cannot be right where they end.
	if got := bits(p.Suspect()); got != "100000" {
		t.Errorf("suspect %s, want the first", got)
	}
	wantKind(t, "write without repair", p.WriteAt([]byte("x"), 0, 0), fault.Permission)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}

	p = existing(t, dir, m, true)
	fetchPieces(t, p, m, data, allPieces(m)...)
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "in/b", "c", "in/d", "e"} {
		if b, err := os.ReadFile(filepath.Join(dir, "name", name)); err != nil || !bytes.Equal(b, data[i]) {
			t.Errorf("%s is wrong: %d bytes, %v", name, len(b), err)
		}
	}
	p = existing(t, dir, m, false)
	if !p.Suspect().Full() {
		t.Errorf("suspect %s, want all", bits(p.Suspect()))
	}
}

func bits(b *content.Bitfield) string {
	s := make([]byte, b.Len())
	for i := range s {
		s[i] = '0'
		if b.Has(i) {
			s[i] = '1'
		}
	}
	return string(s)
}

func TestFinishCutsWhatIsTooLong(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(false, 20_000)
	put(t, filepath.Join(dir, "name"), append(bytes.Clone(data[0]), "tail"...))
	p := existing(t, dir, m, true)
	if got := bits(p.Suspect()); got != "10" {
		t.Errorf("suspect %s", got)
	}
	if err := errors.Join(p.Commit(0), p.Finish()); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "name")); err != nil || fi.Size() != 20_004 {
		t.Error("cut although not all of it is verified")
	}
	if err := errors.Join(p.Commit(1), p.Finish()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "name")); err != nil || !bytes.Equal(b, data[0]) {
		t.Errorf("%d bytes are left, %v", len(b), err)
	}
}

func TestExistingRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(false, 20_000)
	put(t, filepath.Join(dir, "real"), data[0])
	if err := os.Symlink("real", filepath.Join(dir, "name")); err != nil {
		t.Fatal(err)
	}
	for _, repair := range []bool{false, true} {
		_, err := OpenExisting(dir, m, repair)
		wantKind(t, "a link", err, fault.Exists, "symbolic link")
	}
	_, err := OpenExisting(filepath.Join(dir, "real"), m, false)
	wantKind(t, "a file as folder", err, fault.Exists, "not a folder")
	_, err = OpenExisting(filepath.Join(dir, "gone"), m, false)
	wantKind(t, "no folder", err, fault.NotFound)
}
