//go:build unix

package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/internal/fault"
)

func TestWorkspaceIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	ws, err := OpenWorkspace(dir, testKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenWorkspace(dir, testKey)
	wantKind(t, "second", err, fault.Busy, "another process")
	if err := ws.SaveTorrent([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := ws.SaveTorrent([]byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ws.Close(), ws.Close()); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, workspaceName(testKey), "torrent.new"), []byte("half"))
	if ws, err = OpenWorkspace(dir, testKey); err != nil {
		t.Fatal(err)
	}
	if b, err := ws.Torrent(); err != nil || string(b) != "two" {
		t.Errorf("kept %q, %v", b, err)
	}
	if got := listing(t, dir); strings.Contains(got, ".new") {
		t.Errorf("left: %s", got)
	}
	fi, err := os.Stat(filepath.Join(dir, workspaceName(testKey)))
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if err := ws.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); got != "" {
		t.Errorf("left: %s", got)
	}
	_, err = ws.Torrent()
	wantKind(t, "after Remove", err, fault.Closed)
}

func TestDestinationsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), nil)
	_, err := OpenWorkspace(filepath.Join(dir, "file"), testKey)
	wantKind(t, "a file", err, fault.Exists, "not a folder")
	_, err = OpenWorkspace(filepath.Join(dir, "file", "below"), testKey)
	wantKind(t, "below a file", err, fault.Exists)

	if err := os.Symlink(t.TempDir(), filepath.Join(dir, workspaceName(testKey))); err != nil {
		t.Fatal(err)
	}
	_, err = OpenWorkspace(dir, testKey)
	wantKind(t, "a link instead of the workspace", err, fault.Exists, "symbolic link")

	sw := &switches{kind: fault.Permission}
	for n := 1; n <= 3; n++ { // Mkdir, Lock, ReadDir
		sw.left = n
		_, err = openWorkspace(&flaky{tree: newSim(1), switches: sw}, "/d", ".tandem-1")
		wantKind(t, "no permission", err, fault.Permission, "permission denied", "/d/.tandem-1")
	}
}

func TestNamesThatLeadElsewhereAreRefused(t *testing.T) { // N23
	for _, name := range []string{"", ".", "..", "a/b", "a\x00", "a\x1b[31m", "\u202egpj", workspaceName(testKey), ".TANDEM-0123456789abcdef"} {
		m, _ := testContent(false, 5)
		m.Name = name
		_, err := tryOpenIn(t.TempDir(), m, nil)
		wantKind(t, "name "+name, err, fault.Invalid)
		_, err = OpenExisting(t.TempDir(), m, true)
		wantKind(t, "existing name "+name, err, fault.Invalid)
	}
	for _, p := range [][]string{{".."}, {"..", "x"}, {"/etc"}, {"a", ""}, nil} {
		m, _ := testContent(false, 5, 5)
		m.Files[1].Path = p
		_, err := tryOpenIn(t.TempDir(), m, nil)
		wantKind(t, "path", err, fault.Invalid)
	}
}

func TestLinkSwappedInLeadsNowhere(t *testing.T) { // N24
	m, data := testContent(false, 40_000, 100)
	outside := filepath.Join(t.TempDir(), "outside")
	put(t, outside, bytes.Repeat([]byte("o"), 40_000))
	check := func(t *testing.T) {
		t.Helper()
		if b, _ := os.ReadFile(outside); !bytes.Equal(b, bytes.Repeat([]byte("o"), 40_000)) {
			t.Error("a file outside was written")
		}
	}
	link := func(t *testing.T, target, name string) {
		t.Helper()
		if err := errors.Join(os.RemoveAll(name), os.Symlink(target, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("for a staged file", func(t *testing.T) {
		dir := t.TempDir()
		p := openIn(t, dir, m, nil)
		fetchPieces(t, p, m, data, 0)
		p.open.drop(0)
		link(t, outside, filepath.Join(dir, workspaceName(testKey), "data/a"))
		wantKind(t, "write", p.WriteAt(pieceOf(m, data, 1), 1, 0), fault.Permission, "symbolic link")
		check(t)
	})
	t.Run("for a staged folder", func(t *testing.T) {
		dir := t.TempDir()
		p := openIn(t, dir, m, nil)
		fetchPieces(t, p, m, data, 0)
		link(t, filepath.Dir(outside), filepath.Join(dir, workspaceName(testKey), "data/in"))
		if err := p.WriteAt(data[1], 3, 0); err == nil {
			t.Error("written through a link")
		}
		check(t)
	})
	t.Run("for the final folder", func(t *testing.T) {
		dir := t.TempDir()
		p := openIn(t, dir, m, nil)
		fetchPieces(t, p, m, data, allPieces(m)...)
		link(t, filepath.Dir(outside), filepath.Join(dir, "name"))
		wantKind(t, "finish", p.Finish(), fault.Exists, "symbolic link")
		check(t)
		if got := listing(t, filepath.Dir(outside)); got != "outside" {
			t.Errorf("outside: %s", got)
		}
	})
	t.Run("for the workspace", func(t *testing.T) {
		dir := t.TempDir()
		p := openIn(t, dir, m, nil)
		fetchPieces(t, p, m, data, 0)
		ws := filepath.Join(dir, workspaceName(testKey))
		if err := os.Rename(ws, ws+"-moved"); err != nil {
			t.Fatal(err)
		}
		link(t, filepath.Dir(outside), ws)
		if err := p.WriteAt(data[1], 3, 0); err == nil {
			t.Error("written through a link")
		}
		if err := p.Finish(); err == nil {
			t.Error("finished through a link")
		}
		if got := listing(t, filepath.Dir(outside)); got != "outside" {
			t.Errorf("outside: %s", got)
		}
	})
}
