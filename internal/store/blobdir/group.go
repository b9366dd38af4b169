package blobdir

import (
	"strings"
	"sync"

	"tandem/internal/content"
)

// groupSize is from how many commits at once one sync of the whole device is
// less work than one of each file and folder. It also waits for what others have
// written to the device, so it is not for a few.
const groupSize = 6

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
	if len(all) >= groupSize && b.tree.SyncsAll() {
		b.arriveTogether(all)
		return
	}
	dirs := make(map[string][]*arrival) // to be synced
	for _, a := range all {
		if a.err = b.arriveAlone(a); a.err == nil {
			to := place(a.root)
			dir := to[:strings.LastIndexByte(to, '/')]
			dirs[dir] = append(dirs[dir], a)
		}
	}
	for dir, in := range dirs {
		if err := b.tree.SyncDir(dir); err != nil {
			for _, a := range in {
				// The bytes are durable under one name or the other: whole if seen.
				a.err = wrap("sync", b.show(dir), err)
				a.w.durable = 0
			}
		}
	}
}

// arriveAlone makes a file durable and renames it.
func (b *Blobs) arriveAlone(a *arrival) error {
	if !a.synced {
		if err := a.w.syncBytes(); err != nil {
			return err
		}
	}
	return wrap("rename", a.w.show(), b.tree.Rename(a.w.name(), place(a.root)))
}

// arriveTogether makes all durable by one sync.
func (b *Blobs) arriveTogether(all []*arrival) {
	for _, a := range all {
		a.err = wrap("rename", a.w.show(), b.tree.Rename(a.w.name(), a.w.arrivingName(a.root)))
		a.moved = a.err == nil
	}
	err := b.tree.SyncAll()
	for _, a := range all {
		switch {
		case !a.moved:
		case err != nil:
			a.err = wrap("sync", b.dir, err)
			b.retreat(a, true)
		default:
			from := a.w.arrivingName(a.root)
			if a.err = wrap("rename", b.show(from), b.tree.Rename(from, place(a.root))); a.err != nil {
				b.retreat(a, false)
			}
		}
	}
}

// retreat gives a file its staged name back, and with lost takes away what may
// not be on the device although the system now calls it clean.
func (b *Blobs) retreat(a *arrival, lost bool) {
	if err := b.tree.Rename(a.w.arrivingName(a.root), a.w.name()); err != nil {
		return // the next process finds it
	}
	a.moved = false
	if lost {
		_ = a.w.f.Truncate(a.w.durable)
	}
}
