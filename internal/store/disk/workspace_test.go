//go:build unix

package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

const testPiece = 16 << 10

// testContent returns v2 content of files with the given lengths, and its bytes.
// File i is called a, b, ..., in folder "in" when i is odd.
func testContent(v1 bool, lengths ...int) (*content.Manifest, [][]byte) {
	m := &content.Manifest{Name: "name", Single: len(lengths) == 1, PieceLength: testPiece, HasV1: v1, HasV2: !v1}
	m.InfoHash1[0], m.InfoHash2[0] = 3, 4
	var data [][]byte
	for i, n := range lengths {
		name := []string{string(rune('a' + i))}
		if i%2 == 1 {
			name = []string{"in", name[0]}
		}
		m.Files = append(m.Files, content.File{Path: name, Length: int64(n), Exec: i == 1})
		b := make([]byte, n)
		for j := range b {
			b[j] = byte(j>>8 + j*7 + i)
		}
		data = append(data, b)
	}
	m.Seal()
	return m, data
}

// pieceOf returns the bytes of a piece.
func pieceOf(m *content.Manifest, data [][]byte, piece int) []byte {
	var b []byte
	for _, e := range m.Extents(nil, piece, 0, m.PieceSize(piece)) {
		b = append(b, data[e.File][e.Offset:e.Offset+int64(e.Length)]...)
	}
	return b
}

func fetchPieces(t *testing.T, p store.Pieces, m *content.Manifest, data [][]byte, pieces ...int) {
	t.Helper()
	for _, i := range pieces {
		if err := errors.Join(p.WriteAt(pieceOf(m, data, i), i, 0), p.Commit(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func allPieces(m *content.Manifest) []int {
	list := make([]int, m.NumPieces())
	for i := range list {
		list[i] = i
	}
	return list
}

func openIn(t *testing.T, dir string, m *content.Manifest, wanted []bool) *Pieces {
	t.Helper()
	p, err := tryOpenIn(dir, m, wanted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p.(*Pieces)
}

func tryOpenIn(dir string, m *content.Manifest, wanted []bool) (store.Pieces, error) {
	ws, err := OpenWorkspace(dir, testKey)
	if err != nil {
		return nil, err
	}
	p, err := ws.Pieces(m, wanted)
	if err != nil {
		ws.Close()
	}
	return p, err
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind, texts ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v is not of kind %v", what, err, kind)
		return
	}
	for _, s := range texts {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %q does not say %q", what, err, s)
		}
	}
}

func put(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing returns everything below dir, folders with a slash.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		if err == nil && rel != "." && !e.IsDir() {
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestOnlyListedFilesAreLeft(t *testing.T) { // N20
	dir := t.TempDir()
	m, data := testContent(false, 20_000, 0, 3)
	p := openIn(t, dir, m, nil)
	fetchPieces(t, p, m, data, allPieces(m)...)
	if _, err := os.Lstat(filepath.Join(dir, "name")); err == nil {
		t.Error("a name is there before Finish")
	}
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); got != "name/a name/c name/in/b" {
		t.Errorf("left: %s", got)
	}
	old := syscall.Umask(0)
	syscall.Umask(old)
	for name, perm := range map[string]int{"a": 0o644, "in/b": 0o755} {
		fi, err := os.Stat(filepath.Join(dir, "name", name))
		if err != nil || fi.Mode() != fs.FileMode(perm&^old) {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
}

func TestWhatIsNotWantedGetsNoName(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(true, 20_000, 5, 30_000) // b lies in a piece of a and c
	p := openIn(t, dir, m, []bool{true, false, false})
	fetchPieces(t, p, m, data, 0, 1)
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	p.ws.KeepFinished()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "name/in/b")); err == nil {
		t.Error("a file nobody asked for has a name")
	}
	p = openIn(t, dir, m, nil) // all of it, after all
	if got := p.Have().Count(); got != 2 {
		t.Errorf("%d pieces are known, want 2", got)
	}
	fetchPieces(t, p, m, data, 2, 3)
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); got != "name/a name/c name/in/b" {
		t.Errorf("left: %s", got)
	}
}

func TestFinishedIsNotHashedAgainUnlessChanged(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(false, 20_000, 40_000)
	p := openIn(t, dir, m, nil)
	p.ws.KeepFinished()
	fetchPieces(t, p, m, data, allPieces(m)...)
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	p = openIn(t, dir, m, nil)
	p.ws.KeepFinished()
	if !p.Have().Full() {
		t.Error("what was finished has to be hashed again")
	}
	p.Close()
	now := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "name/a"), now, now); err != nil {
		t.Fatal(err)
	}
	p = openIn(t, dir, m, nil)
	if p.Have().Has(0) || p.Have().Has(1) || !p.Suspect().Has(0) || !p.Have().Has(2) {
		t.Error("exactly the changed file should be suspect")
	}
}

func TestSomethingElseIsNeverReplaced(t *testing.T) {
	m, data := testContent(false, 20_000, 100)
	cases := map[string]func(t *testing.T, dir string){
		"file of another length": func(t *testing.T, dir string) { put(t, filepath.Join(dir, "name/a"), []byte("mine")) },
		"folder": func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "name/a"), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"symbolic link": func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "elsewhere"), data[0])
			put(t, filepath.Join(dir, "name/x"), nil)
			if err := os.Symlink("../elsewhere", filepath.Join(dir, "name/a")); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, make := range cases {
		t.Run("there at the start: "+name, func(t *testing.T) {
			dir := t.TempDir()
			make(t, dir)
			before := listing(t, dir)
			_, err := tryOpenIn(dir, m, nil)
			wantKind(t, "open", err, fault.Exists, "name/a")
			if after := listing(t, dir); !strings.HasSuffix(after, before) {
				t.Errorf("left: %s, was %s", after, before)
			}
		})
		t.Run("put there meanwhile: "+name, func(t *testing.T) {
			dir := t.TempDir()
			p := openIn(t, dir, m, nil)
			fetchPieces(t, p, m, data, allPieces(m)...)
			make(t, dir)
			wantKind(t, "finish", p.Finish(), fault.Exists, "name/a")
			if b, err := os.ReadFile(filepath.Join(dir, "name/in/b")); err != nil || !bytes.Equal(b, data[1]) {
				t.Errorf("the other file is not finished: %v", err)
			}
			if err := os.RemoveAll(filepath.Join(dir, "name/a")); err != nil {
				t.Fatal(err)
			}
			if err := p.Finish(); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "name/a")); err != nil || !bytes.Equal(b, data[0]) {
				t.Errorf("not finished once there was room: %v", err)
			}
		})
	}
}

func TestFinishThatWasKilledIsFinished(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(false, 20_000, 100)
	p := openIn(t, dir, m, nil)
	fetchPieces(t, p, m, data, 0, 1)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	// Linked, recorded or not, and dead before the old name was removed.
	staged, final := filepath.Join(dir, workspaceName(testKey), "data/a"), filepath.Join(dir, "name/a")
	put(t, filepath.Join(dir, "name/other"), nil)
	if err := os.Link(staged, final); err != nil {
		t.Fatal(err)
	}
	p = openIn(t, dir, m, nil)
	if h := p.Have(); !h.Has(0) || !h.Has(1) {
		t.Errorf("verified: %08b, want two", h.Bytes())
	}
	fetchPieces(t, p, m, data, 2)
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); got != "name/a name/in/b name/other" {
		t.Errorf("left: %s", got)
	}
}

func TestNameTakenWhileAway(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(false, 20_000, 100)
	p := openIn(t, dir, m, nil)
	fetchPieces(t, p, m, data, 0, 1)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "name/a"), data[0]) // even with the same bytes, it is not ours
	_, err := tryOpenIn(dir, m, nil)
	wantKind(t, "open", err, fault.Exists, "name/a")
	p = openIn(t, dir, m, []bool{false, true})
	fetchPieces(t, p, m, data, 2)
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); got != "name/a name/in/b" {
		t.Errorf("left: %s", got)
	}
}

func TestFileOfSameLengthIsHashedAndNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(false, 40_000)
	theirs := bytes.Repeat([]byte("x"), 40_000)
	put(t, filepath.Join(dir, "name"), theirs)
	p := openIn(t, dir, m, nil)
	if !p.Suspect().Full() || p.Have().Count() != 0 {
		t.Error("it is not suspect")
	}
	wantKind(t, "write", p.WriteAt(pieceOf(m, data, 0), 0, 0), fault.Exists, "name", "--repair")
	p.Close()
	if b, _ := os.ReadFile(filepath.Join(dir, "name")); !bytes.Equal(b, theirs) {
		t.Error("it was overwritten")
	}
}

// In v1 content a finished file and one that is still to come may share a piece.
func TestPieceBetweenFilesIsFetchedBesideAFinishedFile(t *testing.T) {
	m, data := testContent(true, 20_000, 20_000)
	t.Run("the file is right", func(t *testing.T) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "name/a"), data[0])
		p := openIn(t, dir, m, nil)
		if err := p.Commit(0); err != nil {
			t.Fatal(err)
		}
		bad := bytes.Repeat([]byte{9}, m.PieceSize(1))
		if err := p.WriteAt(bad, 1, 0); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(bad))
		if err := p.ReadAt(got, 1, 0); err != nil || !bytes.Equal(got, bad) {
			t.Fatalf("what was written does not read back: %v", err)
		}
		fetchPieces(t, p, m, data, 1, 2)
		if err := errors.Join(p.Finish(), p.Close()); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"name/a", "name/in/b"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, data[i]) {
				t.Errorf("%s is wrong: %v", name, err)
			}
		}
	})
	t.Run("the file is another one", func(t *testing.T) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "name/a"), make([]byte, 20_000))
		p := openIn(t, dir, m, nil)
		if err := p.WriteAt(pieceOf(m, data, 1), 1, 0); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "commit", p.Commit(1), fault.Exists, "name/a")
	})
}

func TestFullDeviceIsSaidAtTheStart(t *testing.T) {
	m, data := testContent(false, 40_000)
	sim := newSim(1)
	open := func(free int64) (store.Pieces, error) {
		sim.free = free
		ws, err := openWorkspace(sim, "/d", ".tandem-1")
		if err != nil {
			t.Fatal(err)
		}
		p, err := ws.Pieces(m, nil)
		if err != nil {
			ws.Close()
		}
		return p, err
	}
	_, err := open(40_000 + spare - 1)
	wantKind(t, "one byte too few", err, fault.Full, "/d", "make room")
	p, err := open(40_000 + spare)
	if err != nil {
		t.Fatal(err)
	}
	fetchPieces(t, p, m, data, 0)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = open(40_000 - testPiece + spare); err != nil {
		t.Fatalf("what is there already needs no room: %v", err)
	}
	p.Close()
}

func TestMapThatCannotBeUsedMeansHashing(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"cut":             func(b []byte) []byte { return b[:len(b)/2] },
		"longer":          func(b []byte) []byte { return append(b, 0) },
		"of other format": func(b []byte) []byte { b[9]++; return b },
		"of other pieces": func(b []byte) []byte { b[20]++; return b },
		"zeros":           func(b []byte) []byte { clear(b); return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m, data := testContent(false, 20_000, 20_000)
			p := openIn(t, dir, m, nil)
			fetchPieces(t, p, m, data, 0)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, workspaceName(testKey), mapName)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			put(t, file, spoil(b))
			p = openIn(t, dir, m, nil)
			if p.Have().Count() != 0 || !p.Suspect().Has(0) || p.Suspect().Has(2) {
				t.Errorf("verified %d, suspect %08b; want what is staged to be suspect", p.Have().Count(), p.Suspect().Bytes())
			}
			if err := p.Commit(0); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBytesThatAreGoneTakeTheirBitsAlong(t *testing.T) {
	dir := t.TempDir()
	m, data := testContent(true, 20_000, 20_000)
	p := openIn(t, dir, m, nil)
	fetchPieces(t, p, m, data, allPieces(m)...)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, workspaceName(testKey), "data/in/b")); err != nil {
		t.Fatal(err)
	}
	p = openIn(t, dir, m, nil)
	if h := p.Have(); !h.Has(0) || h.Count() != 1 {
		t.Errorf("verified: %08b, want the first only", h.Bytes())
	}
	fetchPieces(t, p, m, data, 1) // not 2, which would be zeros
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, filepath.Join(dir, "name")); got != "a" {
		t.Errorf("finished: %s", got)
	}
}

func TestManyFilesAreNotAllKeptOpen(t *testing.T) {
	lengths := make([]int, 24)
	for i := range lengths {
		lengths[i] = 100 + i
	}
	m, data := testContent(false, lengths...)
	p := openIn(t, t.TempDir(), m, nil)
	p.open.max = 4
	for range 2 {
		for _, i := range allPieces(m) {
			if !p.Have().Has(i) {
				fetchPieces(t, p, m, data, i)
			}
			b := make([]byte, m.PieceSize(i))
			if err := p.ReadAt(b, i, 0); err != nil || !bytes.Equal(b, pieceOf(m, data, i)) {
				t.Fatalf("piece %d: %v", i, err)
			}
			if n := len(p.open.byFile); n > 10 { // the sync in the background may hold all
				t.Fatalf("%d files are open", n)
			}
		}
	}
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestNamesThatDifferInCaseOnly(t *testing.T) {
	m, _ := testContent(false, 1, 1, 1)
	m.Files[0].Path, m.Files[1].Path, m.Files[2].Path = []string{"A"}, []string{"a"}, []string{"b"}
	if got := strings.Join(finalNames(m, true), " "); got != "name/A name/%61 name/b" {
		t.Errorf("where case does not count: %s", got)
	}
	if got := strings.Join(finalNames(m, false), " "); got != "name/A name/a name/b" {
		t.Errorf("where it counts: %s", got)
	}
}
