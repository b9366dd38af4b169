package disk

import (
	"errors"
	"maps"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// What is committed is made durable after syncEvery or syncBytes, whichever is
// first, by a goroutine of its own while writing goes on.
const (
	syncEvery = time.Second
	syncBytes = 64 << 20
)

// syncLoop is the goroutine that makes things durable.
type syncLoop struct {
	armed, rushed chan struct{} // of capacity 1: something to sync, at once
	stop, stopped chan struct{}
	started       bool
}

func (l *syncLoop) init() {
	l.armed, l.rushed = make(chan struct{}, 1), make(chan struct{}, 1)
	l.stop, l.stopped = make(chan struct{}), make(chan struct{})
}

func (l *syncLoop) arm()   { signal(l.armed) }
func (l *syncLoop) hurry() { signal(l.armed); signal(l.rushed) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run calls sync a second after it was armed, or when hurried. It calls again
// while sync says that something is left.
func (l *syncLoop) run(sync func() (left bool)) {
	defer close(l.stopped)
	timer := time.NewTimer(syncEvery)
	defer timer.Stop()
	for {
		select {
		case <-l.armed:
		case <-l.stop:
			return
		}
		timer.Reset(syncEvery)
		select {
		case <-timer.C:
		case <-l.rushed:
		case <-l.stop:
			return
		}
		if sync() {
			l.arm()
		}
	}
}

func (l *syncLoop) start(sync func() (left bool)) {
	l.started = true
	go l.run(sync)
}

func (l *syncLoop) end() {
	close(l.stop)
	if l.started {
		<-l.stopped
	}
}

// background is one turn of the loop. Its error waits for the next Commit.
func (p *Pieces) background() (left bool) {
	p.syncMu.Lock()
	defer p.syncMu.Unlock()
	err := p.sync()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.lost == nil && !errors.Is(err, fault.Closed) {
		p.lost = err
	}
	return p.unsynced.Count() > 0 && p.failed == nil
}

// Commit implements store.Pieces. An error that an earlier sync met is told here
// once, before anything is done, so that Have can be asked again.
func (p *Pieces) Commit(piece int) error {
	if err := p.check("commit", piece, 0, 0); err != nil {
		return err
	}
	if done, err := p.mayCommit(piece); done || err != nil {
		return err
	}
	if err := p.standing(piece); err != nil {
		return err
	}
	if err := p.settleEdge(piece); err != nil {
		return err
	}
	if p.pm != nil {
		if err := p.pm.mark(piece, true); err != nil {
			return wrap("mark", p.show(p.ws.dir+"/"+mapName), err)
		}
	}
	if err := p.resync(piece); err != nil {
		return err
	}
	full, err := p.commit(piece)
	if full {
		p.background() // the device is slower than the network: wait for it
	}
	return err
}

// resync makes the files of a suspect piece due for a sync: the process that
// wrote it died before its own.
func (p *Pieces) resync(piece int) (err error) {
	p.mu.Lock()
	suspect := p.suspect.Has(piece) && !p.readonly
	p.mu.Unlock()
	if !suspect {
		return nil
	}
	p.names.RLock()
	defer p.names.RUnlock()
	p.eachFile(piece, func(i int) bool {
		if p.fixed(i) && !syncsReadOnly {
			return true
		}
		var h *handle
		if h, err = p.open.get(i); err == nil {
			p.open.put(h, true)
		}
		return err == nil
	})
	return err
}

// mayCommit reports whether nothing is left to do.
func (p *Pieces) mayCommit(piece int) (done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return false, errClosed()
	case p.failed != nil:
		return false, p.failed
	case p.lost != nil:
		err, p.lost = p.lost, nil
		return false, err
	}
	return p.have.Has(piece), nil
}

// standing refuses a piece of which something was never written.
func (p *Pieces) standing(piece int) (err error) {
	p.names.RLock()
	defer p.names.RUnlock()
	p.open.mu.Lock()
	defer p.open.mu.Unlock()
	p.eachFile(piece, func(i int) bool {
		if e := &p.files[i]; (e.state == staged || e.state == mended) && !e.made {
			err = fault.Errorf(fault.NotFound, "commit piece %d: %s was never written", piece, p.show(e.path))
		}
		return err == nil
	})
	return err
}

// commit puts a piece into the sets. Full says that too much is not durable.
func (p *Pieces) commit(piece int) (full bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false, errClosed()
	}
	p.eachFile(piece, func(i int) bool {
		err = p.broken[i]
		return err == nil
	})
	if err != nil {
		return false, err
	}
	p.touched.Clear(piece)
	if p.tainted.Clear(piece) {
		return false, fault.Errorf(fault.Full, "commit piece %d: the device was full and may have lost parts of it; fetch it again", piece)
	}
	p.suspect.Clear(piece)
	if !p.have.Set(piece) || p.readonly {
		return false, nil
	}
	p.unsynced.Set(piece)
	p.pending += int64(p.m.PieceSize(piece))
	switch {
	case p.pending >= 2*p.syncBytes:
		return true, nil
	case p.pending >= p.syncBytes:
		p.loop.hurry()
	default:
		p.loop.arm()
	}
	return false, nil
}

// Forget implements store.Pieces. What is written to the piece afterwards could
// be taken for verified if its bit stayed, so the bit is gone from the device when
// Forget returns.
func (p *Pieces) Forget(piece int) error {
	if err := p.check("forget", piece, 0, 0); err != nil {
		return err
	}
	p.syncMu.Lock()
	defer p.syncMu.Unlock()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return errClosed()
	}
	if p.pm != nil {
		if err := p.pm.forget(piece); err != nil {
			return wrap("write", p.show(p.ws.dir+"/"+mapName), err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.have.Clear(piece)
	p.suspect.Clear(piece)
	p.touched.Clear(piece)
	p.tainted.Clear(piece)
	if p.unsynced.Clear(piece) {
		p.pending -= int64(p.m.PieceSize(piece))
	}
	return nil
}

// forget takes a piece out of the verified set and out of the marks.
func (pm *pieceMap) forget(piece int) error {
	v := pm.verified.Clone()
	v.Clear(piece)
	if err := pm.keepOnly(v); err != nil {
		return err
	}
	return pm.mark(piece, false)
}

// Sync implements store.Pieces.
func (p *Pieces) Sync() error {
	p.syncMu.Lock()
	defer p.syncMu.Unlock()
	if err := p.sync(); err != nil {
		return err
	}
	return p.takeLost()
}

// takeLost returns the error that a sync in the background met, once.
func (p *Pieces) takeLost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.lost
	p.lost = nil
	return err
}

// sync makes durable what is committed: first the files and the folders they
// are in, then the bits. It is called with syncMu held.
func (p *Pieces) sync() error {
	p.mu.Lock()
	batch := p.unsynced.Clone()
	p.batch = batch
	dirs := p.dirs
	p.dirs = map[string]struct{}{}
	closed, failed := p.closed, p.failed
	p.mu.Unlock()
	if closed {
		return errClosed()
	}
	if failed != nil {
		return failed
	}
	if batch.Count() == 0 && len(dirs) == 0 {
		return nil
	}
	first := p.syncFiles()
	if err := p.syncDirs(dirs); err != nil {
		return errors.Join(first, err)
	}
	p.mu.Lock()
	p.batch, p.synced = nil, batch // without what a failed sync took away
	p.mu.Unlock()
	err := p.saveMap(batch)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.synced = nil
	if err != nil {
		return errors.Join(first, err)
	}
	for i := batch.Next(0); i >= 0; i = batch.Next(i + 1) {
		if p.unsynced.Clear(i) {
			p.pending -= int64(p.m.PieceSize(i))
		}
	}
	return first
}

func (p *Pieces) syncFiles() (first error) {
	for _, h := range p.open.takeDirty() {
		err := h.Sync()
		p.open.put(h, false)
		if err != nil {
			p.loseFile(h.index, err)
			if first == nil {
				first = p.errLost(h.index, err)
			}
		}
	}
	return first
}

// syncDirs makes names durable. A folder that cannot be synced may lose any of
// its files, so nothing can be kept from then on.
func (p *Pieces) syncDirs(dirs map[string]struct{}) error {
	for _, dir := range sorted(dirs) {
		if err := p.t.SyncDir(dir); err != nil {
			return p.fail(wrap("sync folder", p.show(dir), err), dirs)
		}
	}
	return nil
}

// sorted returns folders, those above first.
func sorted(dirs map[string]struct{}) []string {
	return slices.Sorted(maps.Keys(dirs))
}

// fail ends a sync. Unless there only was no room, it is the end of keeping.
func (p *Pieces) fail(err error, dirs map[string]struct{}) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for dir := range dirs {
		p.dirs[dir] = struct{}{}
	}
	if !errors.Is(err, fault.Full) {
		p.failed = err
	}
	return err
}

func (p *Pieces) saveMap(batch *content.Bitfield) error {
	if p.pm == nil || batch.Count() == 0 {
		return nil
	}
	v := p.pm.verified.Clone()
	for i := batch.Next(0); i >= 0; i = batch.Next(i + 1) {
		v.Set(i)
	}
	if err := p.pm.save(v); err != nil {
		return p.fail(wrap("write", p.show(p.ws.dir+"/"+mapName), err), nil)
	}
	return nil
}

// loseFile takes back what a failed sync of file i may have lost: the system
// calls those bytes clean now and does not try again.
func (p *Pieces) loseFile(i int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kindOf(err) != fault.Full {
		p.broken[i] = p.errLost(i, err)
	}
	first, end := p.pieceRange(i)
	for ; first < end; first++ {
		if p.touched.Has(first) {
			p.tainted.Set(first)
		}
		if p.synced != nil && p.synced.Has(first) {
			continue
		}
		if p.batch != nil {
			p.batch.Clear(first)
		}
		if !p.unsynced.Clear(first) {
			continue
		}
		p.pending -= int64(p.m.PieceSize(first))
		p.have.Clear(first)
		if p.pm != nil {
			// A mark that cannot be cleared costs a hash, after which the
			// piece is committed anew.
			_ = p.pm.mark(first, false)
		}
	}
}

func (p *Pieces) errLost(i int, err error) error {
	name := p.show(p.files[i].final)
	if kindOf(err) == fault.Full {
		return fault.Errorf(fault.Full, "sync %s: %w", name, err)
	}
	return fault.Errorf(kindOf(err), "sync %s: %w; what was written last is lost: check the device, then start again", name, err)
}
