package blobdir

import (
	"strings"
	"sync"
	"sync/atomic"

	"tandem/internal/content"
)

const (
	// groupSize is from how many commits at once it is thought about whether one
	// sync of the whole device is less work than one of each file.
	groupSize = 6
	// syncers is how many files are synced at once: a journal takes them together.
	syncers = 16
)

// arrival is one Commit on its way.
type arrival struct {
	w      *Stage // its caller holds w.mu
	root   content.Hash
	synced bool // the bytes are durable

	moved bool // into arriving
	err   error
	turn  chan bool // of capacity 1: true when err is set, false to lead the next group
}

// group lets commits that wait at the same time share the work. There is no
// goroutine of its own: of the callers that wait one does it for all.
type group struct {
	mu      sync.Mutex // guards the fields below
	waiting []*arrival // at most one of each Stage
	led     bool

	pace pace // of whoever leads
}

// commit returns when a is durable and in its place, or failed.
func (g *group) commit(a *arrival) error {
	a.turn = make(chan bool, 1)
	g.mu.Lock()
	g.waiting = append(g.waiting, a)
	lead := !g.led
	g.led = true
	g.mu.Unlock()
	if !lead && <-a.turn {
		return a.err
	}
	g.mu.Lock()
	all := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	a.w.b.arrive(all)
	g.mu.Lock()
	if g.led = len(g.waiting) > 0; g.led {
		g.waiting[0].turn <- false
	}
	g.mu.Unlock()
	for _, other := range all {
		if other != a {
			other.turn <- true
		}
	}
	return a.err
}

// arrive commits all, each with its own outcome.
func (b *Blobs) arrive(all []*arrival) {
	if len(all) == 1 {
		all[0].err = b.arriveAlone(all[0])
		return
	}
	for _, a := range all {
		a.err = wrap("rename", a.w.show(), b.tree.Rename(a.w.name(), a.w.arrivingName(a.root)))
		a.moved = a.err == nil
	}
	p := &b.group.pace
	if len(all) >= groupSize && b.tree.SyncsAll() && p.choose() == deviceSync {
		begun := b.now()
		b.syncDevice(all)
		p.note(deviceSync, b.now().Sub(begun), len(all))
	} else {
		begun := b.now()
		b.syncFiles(all)
		p.note(fileSyncs, b.now().Sub(begun), len(all))
	}
	for _, a := range all {
		if a.err == nil {
			from := a.w.arrivingName(a.root)
			if a.err = wrap("rename", b.show(from), b.tree.Rename(from, place(a.root))); a.err != nil {
				b.retreat(a, false)
			}
		}
	}
}

// arriveAlone makes a file durable, renames it, and makes that durable.
func (b *Blobs) arriveAlone(a *arrival) error {
	if !a.synced {
		if err := a.w.syncBytes(); err != nil {
			return err
		}
	}
	to := place(a.root)
	if err := b.tree.Rename(a.w.name(), to); err != nil {
		return wrap("rename", a.w.show(), err)
	}
	dir := to[:strings.LastIndexByte(to, '/')]
	err := b.tree.SyncDir(dir)
	if err != nil { // the bytes are durable under one name or the other: whole if seen
		a.w.durable = 0
	}
	return wrap("sync", b.show(dir), err)
}

// syncDevice makes all that were moved durable by one sync of everything.
func (b *Blobs) syncDevice(all []*arrival) {
	if err := b.tree.SyncAll(); err != nil {
		for _, a := range all {
			if a.moved {
				a.err = wrap("sync", b.dir, err)
				b.retreat(a, true)
			}
		}
	}
}

// syncFiles makes all that were moved durable one by one, and their names at once.
func (b *Blobs) syncFiles(all []*arrival) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(syncers, len(all)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				if a := all[i]; a.moved && !a.synced {
					a.err = wrap("sync", b.show(a.w.arrivingName(a.root)), a.w.f.Sync())
				}
			}
		})
	}
	wg.Wait()
	err := wrap("sync", b.show(arrivingDir), b.tree.SyncDir(arrivingDir))
	for _, a := range all {
		switch {
		case !a.moved:
		case a.err != nil:
			b.retreat(a, true)
		case err != nil:
			a.err = err
			b.retreat(a, false)
		}
	}
}

// retreat gives a file its staged name back, and with lost takes away what may
// not be on the device although the system now calls it clean.
func (b *Blobs) retreat(a *arrival, lost bool) {
	if err := b.tree.Rename(a.w.arrivingName(a.root), a.w.name()); err != nil {
		a.w.durable = 0 // under a name that only the next process finds
		return
	}
	a.moved = false
	if lost {
		_ = a.w.f.Truncate(a.w.durable)
	}
}
