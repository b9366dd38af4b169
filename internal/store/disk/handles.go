package disk

import (
	"slices"
	"sync"

	"tandem/internal/fault"
)

// maxOpen is how many files one working copy keeps open when all are clean;
// with unsynced files it may be twice as many.
const maxOpen = 128

// handle is an open file of a working copy.
type handle struct {
	file
	index      int // of the file
	refs       int
	dirty      bool // written since its last sync
	dead       bool // close when the last ref goes
	prev, next *handle
}

// handles keeps recently used files open.
type handles struct {
	// open opens file i, for writing if it can be.
	open func(i int) (file, error)
	// lost is called when a file had to be synced to close it, and that failed.
	lost func(i int, err error)
	// crowded is called when unsynced files fill the cache; it must not wait.
	crowded func()
	max     int // 0: maxOpen

	mu     sync.Mutex // guards the fields below and those of each handle
	byFile map[int]*handle
	ring   handle // next is the most recently used, prev the least
	closed bool
}

// get returns file i open, to be given back by put.
func (c *handles) get(i int) (*handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fault.Errorf(fault.Closed, "working copy is closed")
	}
	h := c.byFile[i]
	if h == nil {
		f, err := c.open(i)
		if err != nil {
			return nil, err
		}
		if c.byFile == nil {
			c.byFile = map[int]*handle{}
			c.ring.prev, c.ring.next = &c.ring, &c.ring
		}
		c.shrink()
		h = &handle{file: f, index: i}
		c.byFile[i] = h
		c.push(h)
	} else if c.ring.next != h {
		unlink(h)
		c.push(h)
	}
	h.refs++
	return h, nil
}

// put gives h back; wrote says that something was, or may have been, written.
func (c *handles) put(h *handle, wrote bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.refs--
	h.dirty = h.dirty || wrote
	if h.dead && h.refs == 0 {
		h.Close()
	}
}

// drop forgets the handle of file i, which is clean, so that the next get opens
// it anew.
func (c *handles) drop(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.byFile[i]; h != nil {
		c.remove(h)
	}
}

// shrink makes room for one more. It is called with mu held.
func (c *handles) shrink() {
	limit := c.max
	if limit == 0 {
		limit = maxOpen
	}
	if len(c.byFile) < limit {
		return
	}
	for h := c.ring.prev; h != &c.ring; h = h.prev {
		if h.refs == 0 && !h.dirty {
			c.remove(h)
			return
		}
	}
	c.crowded()
	if len(c.byFile) < 2*limit {
		return
	}
	for h := c.ring.prev; h != &c.ring; h = h.prev {
		if h.refs > 0 {
			continue
		}
		// Closing first would lose the error of writing it back.
		h.dirty = false
		if err := h.Sync(); err != nil {
			c.lost(h.index, err)
		}
		c.remove(h)
		return
	}
}

// takeDirty returns the files that need a sync and counts them as clean; each
// has to be put back.
func (c *handles) takeDirty() []*handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*handle
	for _, h := range c.byFile {
		if h.dirty {
			h.dirty = false
			h.refs++
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *handle) int { return a.index - b.index })
	return list
}

// close closes every file, those in use when they are put back.
func (c *handles) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, h := range c.byFile {
		c.remove(h)
	}
}

func (c *handles) remove(h *handle) {
	unlink(h)
	delete(c.byFile, h.index)
	if h.refs > 0 {
		h.dead = true
	} else {
		h.Close()
	}
}

func (c *handles) push(h *handle) {
	h.prev, h.next = &c.ring, c.ring.next
	h.prev.next, h.next.prev = h, h
}

func unlink(h *handle) { h.prev.next, h.next.prev = h.next, h.prev }
