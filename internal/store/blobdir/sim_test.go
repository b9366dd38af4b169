package blobdir

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sync"
	"syscall"
	"time"

	"tandem/internal/fault"
)

// simFS is a file system in memory that forgets what was not synced when the
// power goes: of a file everything behind some byte, of names the changes after
// some point in time. A failed sync drops what it should have kept and calls it
// clean, as Linux does.
type simFS struct {
	mu     sync.Mutex // guards everything, of the nodes too
	root   *simNode
	log    []simOp // changes of names that are not durable
	rng    *rand.Rand
	locked bool
	noAll  bool // the system has no SyncAll

	left   int // operations until one fails
	kind   fault.Kind
	failed bool
}

type simNode struct {
	entries, durable map[string]*simNode // of folders
	data, kept       []byte              // of files
}

// simOp sets names, all at once; a nil node removes one.
type simOp []struct {
	dir  *simNode
	name string
	node *simNode
}

func newSim(seed uint64) *simFS {
	return &simFS{rng: rand.New(rand.NewPCG(seed, 1)), root: newSimDir()}
}

func newSimDir() *simNode {
	return &simNode{entries: map[string]*simNode{}, durable: map[string]*simNode{}}
}

// crash takes the power away.
func (s *simFS) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(s.rng.IntN(len(s.log) + 1))
	s.log, s.locked = nil, false
	s.root.crash(s.rng)
}

// keep makes the first n changes of names durable.
func (s *simFS) keep(n int) {
	for _, op := range s.log[:n] {
		for _, c := range op {
			if c.node == nil {
				delete(c.dir.durable, c.name)
			} else {
				c.dir.durable[c.name] = c.node
			}
		}
	}
	s.log = s.log[n:]
}

func (n *simNode) crash(rng *rand.Rand) {
	if n.entries == nil {
		if rng.IntN(3) > 0 && !bytes.Equal(n.data, n.kept) { // some of what was not synced, or zeros
			short := bytes.Clone(n.data[:rng.IntN(len(n.data)+1)])
			n.kept = append(short, n.kept[min(len(short), len(n.kept)):]...)
			if rng.IntN(2) == 0 {
				n.kept = append(n.kept, make([]byte, max(0, len(n.data)-len(n.kept)))...)
			}
		}
		n.data = bytes.Clone(n.kept)
		return
	}
	n.entries = map[string]*simNode{}
	for name, child := range n.durable {
		n.entries[name] = child
		child.crash(rng)
	}
}

// simTree is a process's view of it. It implements tree.
type simTree struct {
	s    *simFS
	dead *bool // of the process; guarded by s.mu
}

var errDead = errors.New("process is dead")

// step is the first step of every operation. s.mu is held.
func (t simTree) step(op string) error {
	if *t.dead {
		return errDead
	}
	if t.s.left--; t.s.left != 0 {
		return nil
	}
	t.s.failed = true
	if t.s.kind == fault.Full {
		return &fs.PathError{Op: op, Path: "x", Err: syscall.ENOSPC}
	}
	return &fs.PathError{Op: op, Path: "x", Err: syscall.EIO}
}

func (t simTree) find(name string) (dir *simNode, base string, node *simNode) {
	node = t.s.root
	if name == "." {
		return nil, "", node
	}
	if _, _, dir = t.find(path.Dir(name)); dir == nil {
		return nil, "", nil
	}
	base = path.Base(name)
	return dir, base, dir.entries[base]
}

// set applies a change of names.
func (t simTree) set(op simOp) {
	for _, c := range op {
		if c.node == nil {
			delete(c.dir.entries, c.name)
		} else {
			c.dir.entries[c.name] = c.node
		}
	}
	t.s.log = append(t.s.log, op)
}

func (t simTree) Create(name string, keep bool) (file, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("open"); err != nil {
		return nil, err
	}
	dir, base, node := t.find(name)
	switch {
	case dir == nil:
		return nil, fs.ErrNotExist
	case node == nil:
		node = new(simNode)
		t.set(simOp{{dir, base, node}})
	case !keep:
		node.data = nil
	}
	return simFile{t, node}, nil
}

func (t simTree) Open(name string) (io.ReadSeekCloser, fs.FileInfo, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("open"); err != nil {
		return nil, nil, err
	}
	_, base, node := t.find(name)
	if node == nil {
		return nil, nil, fs.ErrNotExist
	}
	return nopCloser{bytes.NewReader(bytes.Clone(node.data))}, simInfo{base, int64(len(node.data)), false}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func (t simTree) Stat(name string) (fs.FileInfo, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("stat"); err != nil {
		return nil, err
	}
	_, base, node := t.find(name)
	if node == nil {
		return nil, fs.ErrNotExist
	}
	return simInfo{base, int64(len(node.data)), node.entries != nil}, nil
}

func (t simTree) ReadDir(name string) ([]fs.DirEntry, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("readdir"); err != nil {
		return nil, err
	}
	_, _, dir := t.find(name)
	if dir == nil {
		return nil, fs.ErrNotExist
	}
	var all []fs.DirEntry
	for base, node := range dir.entries {
		all = append(all, fs.FileInfoToDirEntry(simInfo{base, int64(len(node.data)), node.entries != nil}))
	}
	return all, nil
}

func (t simTree) Mkdir(name string) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("mkdir"); err != nil {
		return err
	}
	if dir, base, node := t.find(name); node == nil {
		t.set(simOp{{dir, base, newSimDir()}})
	}
	return nil
}

func (t simTree) Rename(from, to string) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("rename"); err != nil {
		return err
	}
	dir, base, node := t.find(from)
	other, name, _ := t.find(to)
	if node == nil || other == nil {
		return fs.ErrNotExist
	}
	t.set(simOp{{other, name, node}, {dir, base, nil}})
	return nil
}

func (t simTree) Remove(name string) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("unlink"); err != nil {
		return err
	}
	dir, base, node := t.find(name)
	if node == nil {
		return fs.ErrNotExist
	}
	t.set(simOp{{dir, base, nil}})
	return nil
}

// SyncDir keeps what happened up to the last change in the folder, no more.
func (t simTree) SyncDir(name string) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("fsync"); err != nil {
		return err
	}
	_, _, dir := t.find(name)
	last := 0
	for i, op := range t.s.log {
		for _, c := range op {
			if c.dir == dir {
				last = i + 1
			}
		}
	}
	t.s.keep(last)
	return nil
}

func (t simTree) SyncAll() error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	err := t.step("syncfs")
	if errors.Is(err, errDead) {
		return err
	}
	t.s.root.syncAll(err == nil, t.s.rng)
	if err == nil {
		t.s.keep(len(t.s.log))
	}
	return err
}

func (t simTree) SyncsAll() bool { return !t.s.noAll }

func (n *simNode) syncAll(good bool, rng *rand.Rand) {
	for _, child := range n.entries {
		child.syncAll(good, rng)
	}
	if n.entries == nil && (good || rng.IntN(2) == 0) {
		n.kept = bytes.Clone(n.data)
	}
}

func (t simTree) Space() (free, total int64, ok bool) { return 1 << 40, 1 << 41, true }

func (t simTree) Lock(string) (io.Closer, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.step("lock"); err != nil {
		return nil, err
	}
	if t.s.locked {
		return nil, errLocked
	}
	t.s.locked = true
	return simLock{t.s}, nil
}

type simLock struct{ s *simFS }

func (l simLock) Close() error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.locked = false
	return nil
}

func (t simTree) Close() error { return nil }

type simFile struct {
	t    simTree
	node *simNode
}

// WriteAt writes half of p before it fails.
func (f simFile) WriteAt(p []byte, at int64) (int, error) {
	f.t.s.mu.Lock()
	defer f.t.s.mu.Unlock()
	err := f.t.step("write")
	if errors.Is(err, errDead) {
		return 0, err
	}
	if err != nil {
		p = p[:len(p)/2]
	}
	if more := int(at) + len(p) - len(f.node.data); more > 0 {
		f.node.data = append(f.node.data, make([]byte, more)...)
	}
	return copy(f.node.data[at:], p), err
}

func (f simFile) Size() (int64, error) {
	f.t.s.mu.Lock()
	defer f.t.s.mu.Unlock()
	return int64(len(f.node.data)), f.t.step("stat")
}

func (f simFile) Truncate(size int64) error {
	f.t.s.mu.Lock()
	defer f.t.s.mu.Unlock()
	if err := f.t.step("truncate"); err != nil {
		return err
	}
	f.node.data = f.node.data[:size]
	return nil
}

func (f simFile) Sync() error {
	f.t.s.mu.Lock()
	defer f.t.s.mu.Unlock()
	if err := f.t.step("fdatasync"); err != nil {
		return err
	}
	f.node.kept = bytes.Clone(f.node.data)
	return nil
}

func (f simFile) Flush(int64, int64) bool { return true }
func (f simFile) Close() error            { return nil }

type simInfo struct {
	name string
	size int64
	dir  bool
}

func (i simInfo) Name() string       { return i.name }
func (i simInfo) Size() int64        { return i.size }
func (i simInfo) ModTime() time.Time { return time.Unix(1e9, 0) }
func (i simInfo) IsDir() bool        { return i.dir }
func (i simInfo) Sys() any           { return nil }
func (i simInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
