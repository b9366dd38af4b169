//go:build unix

package disk

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// simFS is a file system in memory that forgets what was not synced when the
// power goes: of files any pages, of names the changes after some point in time.
// A failed sync drops what it should have kept and calls it clean, as Linux does.
type simFS struct {
	mu     sync.Mutex
	root   *simNode
	log    []simOp // changes of names that are not durable
	rng    *rand.Rand
	clock  int64
	inodes uint64
	free   int64
	links  bool // whether there are hard links
}

const simPage = 4096

type simNode struct {
	inode   uint64
	mode    fs.FileMode
	links   int
	mtime   int64
	entries map[string]*simNode // of folders
	durable map[string]*simNode
	data    []byte // of files
	kept    []byte
	dirty   map[int]bool // pages of data
	locked  bool
}

// simOp sets names; node nil removes one. All of it becomes durable at once.
type simOp []struct {
	dir  *simNode
	name string
	node *simNode
}

func newSim(seed uint64) *simFS {
	s := &simFS{rng: rand.New(rand.NewPCG(seed, 1)), free: 1 << 40, links: true}
	s.root = s.node(fs.ModeDir | 0o755)
	return s
}

func (s *simFS) node(mode fs.FileMode) *simNode {
	s.inodes++
	s.clock++
	n := &simNode{inode: s.inodes, mode: mode, mtime: s.clock, dirty: map[int]bool{}}
	if mode.IsDir() {
		n.entries, n.durable = map[string]*simNode{}, map[string]*simNode{}
	}
	return n
}

// crash takes the power away.
func (s *simFS) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.log[:s.rng.IntN(len(s.log)+1)] {
		op.keep()
	}
	s.log = nil
	s.root.crash(s.rng, map[*simNode]bool{})
}

func (n *simNode) crash(rng *rand.Rand, seen map[*simNode]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	n.locked, n.links = false, 0
	if n.mode.IsDir() {
		n.entries = map[string]*simNode{}
		for name, c := range n.durable {
			n.entries[name] = c
			c.crash(rng, seen)
			c.links++
		}
		return
	}
	if len(n.dirty) > 0 && rng.IntN(2) == 0 {
		n.kept = resize(n.kept, len(n.data))
	}
	for _, pg := range sortedKeys(n.dirty) {
		if rng.IntN(2) == 0 {
			n.keepPage(pg)
		}
	}
	clear(n.dirty)
	n.data = slices.Clone(n.kept)
}

func sortedKeys(m map[int]bool) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n:n]
	}
	return append(b, make([]byte, n-len(b))...)
}

// keepPage makes a page durable as far as the durable size reaches.
func (n *simNode) keepPage(pg int) {
	lo, hi := pg*simPage, min((pg+1)*simPage, len(n.data), len(n.kept))
	if lo < hi {
		copy(n.kept[lo:hi], n.data[lo:hi])
	}
}

func (op simOp) keep() {
	for _, e := range op {
		if e.node == nil {
			delete(e.dir.durable, e.name)
		} else {
			e.dir.durable[e.name] = e.node
		}
	}
}

func (op simOp) touches(dirs map[*simNode]bool) bool {
	for _, e := range op {
		if dirs[e.dir] {
			return true
		}
	}
	return false
}

// change makes op happen.
func (s *simFS) change(op simOp) {
	for _, e := range op {
		if old := e.dir.entries[e.name]; old != nil && !old.mode.IsDir() {
			old.links--
		}
		if e.node == nil {
			delete(e.dir.entries, e.name)
		} else {
			e.dir.entries[e.name] = e.node
			e.node.links++
		}
	}
	s.log = append(s.log, op)
}

func (s *simFS) find(name string) (*simNode, error) {
	n := s.root
	for _, c := range strings.Split(path.Clean(name), "/") {
		if c == "." {
			continue
		}
		if !n.mode.IsDir() {
			return nil, &fs.PathError{Op: "find", Path: name, Err: syscall.ENOTDIR}
		}
		if n = n.entries[c]; n == nil {
			return nil, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
		}
	}
	return n, nil
}

func (s *simFS) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(name)
	switch {
	case err == nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case err == nil && flag&os.O_TRUNC != 0:
		n.setSize(0)
	case err != nil && flag&os.O_CREATE != 0:
		dir, derr := s.find(path.Dir(name))
		if derr != nil {
			return nil, derr
		}
		n = s.node(perm)
		s.change(simOp{{dir, path.Base(name), n}})
	case err != nil:
		return nil, err
	}
	return &simFile{s, n, name}, nil
}

func (n *simNode) setSize(size int) {
	for pg := min(size, len(n.data)) / simPage; pg*simPage < max(size, len(n.data)); pg++ {
		n.dirty[pg] = true
	}
	n.data = slices.Clone(resize(n.data, size))
}

func (s *simFS) Lstat(name string) (fs.FileInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return n.stat(name), nil
}

func (s *simFS) Mkdir(name string, perm fs.FileMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(name); err == nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	dir, err := s.find(path.Dir(name))
	if err != nil {
		return err
	}
	s.change(simOp{{dir, path.Base(name), s.node(fs.ModeDir | perm)}})
	return nil
}

func (s *simFS) Link(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(from)
	if err != nil {
		return err
	}
	if _, err := s.find(to); err == nil {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: fs.ErrExist}
	}
	if !s.links {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
	}
	dir, err := s.find(path.Dir(to))
	if err != nil {
		return err
	}
	s.change(simOp{{dir, path.Base(to), n}})
	return nil
}

func (s *simFS) Rename(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(from)
	if err != nil {
		return err
	}
	old, err := s.find(path.Dir(from))
	if err != nil {
		return err
	}
	dir, err := s.find(path.Dir(to))
	if err != nil {
		return err
	}
	s.change(simOp{{dir, path.Base(to), n}, {old, path.Base(from), nil}})
	return nil
}

func (s *simFS) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(name)
	if err != nil {
		return err
	}
	if len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	dir, err := s.find(path.Dir(name))
	if err != nil {
		return err
	}
	s.change(simOp{{dir, path.Base(name), nil}})
	return nil
}

func (s *simFS) RemoveAll(name string) error {
	list, _ := s.ReadDir(name)
	for _, e := range list {
		if err := s.RemoveAll(name + "/" + e.Name()); err != nil {
			return err
		}
	}
	return s.Remove(name)
}

func (s *simFS) ReadDir(name string) ([]fs.DirEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for name, c := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(c.stat(name)))
	}
	return list, nil
}

// SyncDir makes changes of names in a folder durable, and the earlier ones they
// rest on; others it leaves to chance.
func (s *simFS) SyncDir(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(name)
	if err != nil {
		return err
	}
	dirs := map[*simNode]bool{n: true}
	var keep, rest []simOp
	for _, op := range slices.Backward(s.log) {
		if !op.touches(dirs) {
			rest = append(rest, op)
			continue
		}
		keep = append(keep, op)
		for _, e := range op {
			dirs[e.dir] = true
		}
	}
	for _, op := range slices.Backward(keep) {
		op.keep()
	}
	slices.Reverse(rest)
	s.log = rest
	return nil
}

func (s *simFS) Free() (int64, error) { return s.free, nil }

func (s *simFS) Lock(name string) (io.Closer, error) {
	f, err := s.OpenFile(name, os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	n := f.(*simFile).n
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.locked {
		return nil, errLocked
	}
	n.locked = true
	return simLock{s, n}, nil
}

func (s *simFS) Close() error { return nil }

type simLock struct {
	s *simFS
	n *simNode
}

func (l simLock) Close() error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.n.locked = false
	return nil
}

type simFile struct {
	s    *simFS
	n    *simNode
	name string
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if end := int(off) + len(p); end > len(f.n.data) {
		f.n.setSize(end)
	}
	copy(f.n.data[off:], p)
	for pg := int(off) / simPage; pg*simPage < int(off)+len(p); pg++ {
		f.n.dirty[pg] = true
	}
	f.s.clock++
	f.n.mtime = f.s.clock
	return len(p), nil
}

func (f *simFile) Truncate(size int64) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.n.setSize(int(size))
	return nil
}

func (f *simFile) Sync() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.n.kept = resize(f.n.kept, len(f.n.data))
	for pg := range f.n.dirty {
		f.n.keepPage(pg)
	}
	clear(f.n.dirty)
	return nil
}

// failSync is a sync that failed.
func (f *simFile) failSync() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	clear(f.n.dirty)
}

func (f *simFile) Stat() (fs.FileInfo, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return f.n.stat(path.Base(f.name)), nil
}

func (f *simFile) Close() error { return nil }

type simInfo struct {
	name string
	n    simNode
	st   syscall.Stat_t
}

func (n *simNode) stat(name string) fs.FileInfo {
	i := &simInfo{name: path.Base(name), n: *n}
	i.n.data = n.data[:len(n.data):len(n.data)]
	i.st.Ino = n.inode
	setInt(&i.st.Nlink, n.links)
	i.st.Uid = uint32(os.Geteuid())
	return i
}

func setInt[T ~uint16 | ~uint32 | ~uint64](p *T, v int) { *p = T(v) }

func (i *simInfo) Name() string       { return i.name }
func (i *simInfo) Size() int64        { return int64(len(i.n.data)) }
func (i *simInfo) Mode() fs.FileMode  { return i.n.mode }
func (i *simInfo) ModTime() time.Time { return time.Unix(0, i.n.mtime) }
func (i *simInfo) IsDir() bool        { return i.n.mode.IsDir() }
func (i *simInfo) Sys() any           { return &i.st }
func (i *simInfo) String() string     { return fmt.Sprintf("%s %v", i.name, i.n.mode) }
