package blobdir

import (
	"io"
	"os"
	"sync"
	"time"

	"tandem/internal/content"
)

const (
	// idleMost is how many files are kept open that nobody reads.
	idleMost = 256
	// idleFor is how long such a file is kept at least; at most twice as long. What another process
	// quarantined can be read for that time.
	idleFor = time.Second
)

// idle are files of content that were given back and will be read again soon: a file that many ask for costs no
// open and no close each time. Content is named by its hash, so that who reads it next finds what
// the one before did. The zero value works.
type idle struct {
	mu    sync.Mutex // guards the fields below
	files map[content.Hash][]idleFile
	count int
	round int64       // of sweeps
	sweep *time.Timer // nil: nothing is kept
	shut  bool
}

type idleFile struct {
	f     *os.File
	round int64 // in which it was given back
}

// take returns a file of root at its beginning; nil: there is none.
func (i *idle) take(root content.Hash) *os.File {
	for {
		f := i.pop(root)
		if f == nil {
			return nil
		}
		if _, err := f.Seek(0, io.SeekStart); err == nil {
			return f
		}
		_ = f.Close() // it was only read
	}
}

func (i *idle) pop(root content.Hash) *os.File {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := i.files[root]
	last := len(list) - 1
	if last < 0 {
		return nil
	}
	f := list[last].f
	list[last] = idleFile{}
	i.set(root, list[:last])
	i.count--
	return f
}

// set keeps list for root; mu is held. An empty one is kept too until the next sweep: it is about to be filled again.
func (i *idle) set(root content.Hash, list []idleFile) {
	if i.files == nil {
		i.files = make(map[content.Hash][]idleFile)
	}
	i.files[root] = list
}

// put keeps f, or closes it.
func (i *idle) put(root content.Hash, f *os.File) error {
	if !i.keep(root, f) {
		return f.Close()
	}
	return nil
}

func (i *idle) keep(root content.Hash, f *os.File) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.shut || i.count >= idleMost {
		return false
	}
	i.set(root, append(i.files[root], idleFile{f, i.round}))
	i.count++
	if i.sweep == nil {
		i.sweep = time.AfterFunc(idleFor, i.tidy)
	}
	return true
}

// tidy closes what was not used for a round.
func (i *idle) tidy() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for root, list := range i.files {
		n := 0
		for n < len(list) && list[n].round < i.round { // the oldest are first
			_ = list[n].f.Close()
			n++
		}
		i.count -= n
		if n == len(list) {
			delete(i.files, root)
		} else if n > 0 {
			i.files[root] = append([]idleFile(nil), list[n:]...)
		}
	}
	i.round++
	if len(i.files) == 0 || i.shut {
		i.sweep = nil
		return
	}
	i.sweep.Reset(idleFor)
}

// drop closes what is kept of root.
func (i *idle) drop(root content.Hash) {
	for f := i.pop(root); f != nil; f = i.pop(root) {
		_ = f.Close()
	}
}

// close closes everything, and what is given back from now on.
func (i *idle) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shut = true
	if i.sweep != nil {
		i.sweep.Stop()
		i.sweep = nil
	}
	for _, list := range i.files {
		for _, f := range list {
			_ = f.f.Close()
		}
	}
	i.files, i.count = nil, 0
}
