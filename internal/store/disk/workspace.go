package disk

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// What is in a workspace.
const (
	wsPrefix    = ".tandem-"
	lockName    = "lock"
	torrentName = "torrent"
	mapName     = "pieces"
	recordName  = "finished"
	dataName    = "data" // staged files below, named as they will be
	newSuffix   = ".new" // of a file about to replace another
)

// maxTorrent is the limit of what SaveTorrent takes, in bytes: metadata of the
// largest size and its piece layers.
const maxTorrent = 256 << 20

// Workspace is the folder of one working copy, locked against other processes.
type Workspace struct {
	t     tree
	label string // the destination folder
	dir   string // of the workspace, below t

	mu     sync.Mutex // guards the fields below
	lock   io.Closer
	keep   bool
	used   bool
	closed bool
}

// workspaceName returns the name of the workspace of key.
func workspaceName(key content.SHA1) string { return wsPrefix + hex.EncodeToString(key[:8]) }

// isWorkspace reports whether name could be that of a workspace.
func isWorkspace(name string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(name), wsPrefix)
	_, err := hex.DecodeString(rest)
	return ok && len(rest) == 16 && err == nil
}

// OpenWorkspace opens or makes dir/.tandem-<first 16 hex digits of key>; dir is
// made, too. Errors are of kind fault.Busy (another process has it),
// fault.Permission or fault.Exists (something else stands in the way).
func OpenWorkspace(dir string, key content.SHA1) (*Workspace, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		if fi, serr := os.Stat(dir); serr == nil && !fi.IsDir() {
			return nil, fault.Errorf(fault.Exists, "open %s: it is a file, not a folder", dir)
		}
		return nil, wrap("create", dir, err)
	}
	t, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	w, err := openWorkspace(t, filepath.ToSlash(dir), workspaceName(key))
	if err != nil {
		t.Close()
		return nil, err
	}
	return w, nil
}

func openWorkspace(t tree, label, dir string) (*Workspace, error) {
	w := &Workspace{t: t, label: strings.TrimSuffix(label, "/"), dir: dir}
	var err error
	for range 3 { // another process may be removing it
		if err = w.enter(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if err := w.sweep(); err != nil {
		w.lock.Close()
		return nil, err
	}
	return w, nil
}

// enter makes the folder and takes the lock.
func (w *Workspace) enter() error {
	name := w.label + "/" + w.dir
	err := w.t.Mkdir(w.dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return wrap("create", name, err)
	}
	if err != nil {
		fi, err := w.t.Lstat(w.dir)
		if err != nil {
			return wrap("open", name, err)
		}
		above, err := w.t.Lstat(".")
		if err != nil {
			return wrap("open", w.label, err)
		}
		if !fi.IsDir() {
			return fault.Errorf(fault.Exists, "open %s: it is a %s, not a folder; move it away", name, kindOfFile(fi.Mode()))
		}
		if foreign(fi, above) {
			return fault.Errorf(fault.Permission, "open %s: it belongs to another user; choose another folder", name)
		}
	}
	lock, err := w.t.Lock(w.dir + "/" + lockName)
	if errors.Is(err, errLocked) {
		return fault.Errorf(fault.Busy, "open %s: another process is fetching the same content into this folder", name)
	}
	if err != nil {
		return wrap("lock", name, err)
	}
	w.lock = lock
	return nil
}

// sweep removes what an interrupted replaceFile left.
func (w *Workspace) sweep() error {
	list, err := w.t.ReadDir(w.dir)
	if err != nil {
		return wrap("read folder", w.label+"/"+w.dir, err)
	}
	for _, e := range list {
		if strings.HasSuffix(e.Name(), newSuffix) {
			if err := w.t.Remove(w.dir + "/" + e.Name()); err != nil {
				return wrap("remove", w.label+"/"+w.dir+"/"+e.Name(), err)
			}
		}
	}
	return nil
}

// Torrent returns what SaveTorrent kept, an error of kind fault.NotFound if
// nothing.
func (w *Workspace) Torrent() ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	name := w.dir + "/" + torrentName
	p, err := readFile(w.t, name, maxTorrent)
	return p, wrap("read", w.label+"/"+name, err)
}

// SaveTorrent keeps metadata for the next time, replacing what was kept.
func (w *Workspace) SaveTorrent(data []byte) error {
	if err := w.check(); err != nil {
		return err
	}
	name := w.dir + "/" + torrentName
	if len(data) > maxTorrent {
		return fault.Errorf(fault.Invalid, "write %s: %d bytes are more than %d", w.label+"/"+name, len(data), maxTorrent)
	}
	return wrap("write", w.label+"/"+name, replaceFile(w.t, w.dir, name, data))
}

func (w *Workspace) check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fault.Errorf(fault.Closed, "workspace is closed")
	}
	return nil
}

// KeepFinished makes Close leave a finished Workspace, so that opening it again
// need not hash the files anew.
func (w *Workspace) KeepFinished() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep = true
}

func (w *Workspace) keeps() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keep
}

// Close unlocks w and keeps it for the next time. It may be called again.
func (w *Workspace) Close() error { return w.close(false) }

// Remove deletes w and everything staged in it, and closes it.
func (w *Workspace) Remove() error { return w.close(true) }

func (w *Workspace) close(remove bool) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if remove {
		err = w.remove()
	}
	w.lock.Close()
	w.t.Close()
	return err
}

// remove deletes everything, the lock last: whoever waits for it must not find
// the folder half deleted.
func (w *Workspace) remove() error {
	list, err := w.t.ReadDir(w.dir)
	if err != nil {
		return wrap("read folder", w.label+"/"+w.dir, err)
	}
	for _, e := range list {
		if e.Name() == lockName {
			continue
		}
		if err := w.t.RemoveAll(w.dir + "/" + e.Name()); err != nil {
			return wrap("remove", w.label+"/"+w.dir+"/"+e.Name(), err)
		}
	}
	if err := w.t.Remove(w.dir + "/" + lockName); err != nil {
		return wrap("remove", w.label+"/"+w.dir+"/"+lockName, err)
	}
	// Another process may have come in by now: then the folder is its own.
	if err := w.t.Remove(w.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return wrap("remove", w.label+"/"+w.dir, err)
	}
	return nil
}
