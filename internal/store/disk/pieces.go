package disk

import (
	"io"
	"sync"
	"sync/atomic"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// state is what a file of a working copy is to us.
type state uint8

const (
	staged  state = iota // in the workspace, or not made yet: ours to write
	adopted              // found under its final name: read, never written
	sealed               // finished or shared in place: must stay as it was
	mended               // under repair where it stands: written and cut to length
)

// entry is one file of a working copy. Handles.mu guards made and fixed,
// Pieces.names the other fields that change.
type entry struct {
	state  state
	wanted bool
	made   bool     // staged, mended: the file exists
	fixed  bool     // mended: its length is right
	path   string   // where it is now, below the tree
	final  string   // where it belongs, below the tree
	id     identity // adopted, sealed: what it was when found or finished
}

// Pieces is a working copy on disk. Locks are taken in the order of the fields.
type Pieces struct {
	m     *content.Manifest
	t     tree
	label string // the folder of t as the user knows it, for errors

	ws       *Workspace // nil for files that stand under their final names
	pm       *pieceMap  // nil without ws
	readonly bool       // in place, or checking without repair

	loop      syncLoop
	syncBytes int64 // of committed data that make a sync due

	syncMu sync.Mutex   // one sync, Forget or Finish at a time; guards pm.verified
	names  sync.RWMutex // guards where files are
	files  []entry
	open   handles

	edgesMu   sync.Mutex     // guards edges
	edges     map[int][]byte // see edge.go
	edgeCount atomic.Int32

	mu       sync.Mutex          // guards the fields below
	have     *content.Bitfield   // verified
	suspect  *content.Bitfield   // committed by a process that died
	unsynced *content.Bitfield   // in have, not in pm.verified
	batch    *content.Bitfield   // of unsynced, what the sync going on began with; else nil
	synced   *content.Bitfield   // of unsynced, while only its bits are still to be saved; else nil
	touched  *content.Bitfield   // written and not committed since
	tainted  *content.Bitfield   // of touched: a sync of a file of theirs failed
	pending  int64               // bytes of unsynced
	dirs     map[string]struct{} // folders to sync
	made     map[string]struct{} // folders that exist
	broken   map[int]error       // files that failed to sync
	failed   error               // why nothing can be kept any more
	lost     error               // to be told with the next Commit or Sync
	closed   bool
}

func newPieces(m *content.Manifest, t tree, label string) *Pieces {
	n := m.NumPieces()
	p := &Pieces{
		m: m, t: t, label: label, syncBytes: syncBytes,
		files: make([]entry, len(m.Files)),
		have:  content.NewBitfield(n), suspect: content.NewBitfield(n),
		unsynced: content.NewBitfield(n), touched: content.NewBitfield(n), tainted: content.NewBitfield(n),
		dirs: map[string]struct{}{}, made: map[string]struct{}{}, broken: map[int]error{},
	}
	p.open = handles{open: p.openFile, lost: p.loseFile, crowded: p.loop.hurry}
	p.loop.init()
	return p
}

// Have implements store.Pieces.
func (p *Pieces) Have() *content.Bitfield {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.have.Clone()
}

// Suspect implements store.Pieces.
func (p *Pieces) Suspect() *content.Bitfield {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.suspect.Clone()
}

// ReadAt implements store.Pieces.
func (p *Pieces) ReadAt(b []byte, piece, begin int) error {
	if err := p.check("read", piece, begin, len(b)); err != nil {
		return err
	}
	var buf [8]content.Extent
	pos := 0
	for _, e := range p.m.Extents(buf[:0], piece, begin, len(b)) {
		part := b[pos : pos+e.Length]
		pos += e.Length
		if e.File < 0 {
			clear(part)
			continue
		}
		if p.edgeCount.Load() > 0 && p.readEdge(part, piece, begin+pos-e.Length, e.File) {
			continue
		}
		if err := p.readFile(e.File, part, e.Offset); err != nil {
			return err
		}
	}
	clear(b[pos:])
	return nil
}

// WriteAt implements store.Pieces.
func (p *Pieces) WriteAt(b []byte, piece, begin int) error {
	if err := p.check("write", piece, begin, len(b)); err != nil {
		return err
	}
	if err := p.startWrite(piece); err != nil {
		return err
	}
	var buf [8]content.Extent
	pos := 0
	for _, e := range p.m.Extents(buf[:0], piece, begin, len(b)) {
		part := b[pos : pos+e.Length]
		pos += e.Length
		if e.File < 0 {
			continue
		}
		if err := p.writeExtent(part, piece, begin+pos-e.Length, e); err != nil {
			return err
		}
	}
	return nil
}

// check refuses what is outside the piece space.
func (p *Pieces) check(op string, piece, begin, length int) error {
	if uint(piece) >= uint(p.have.Len()) {
		return fault.Errorf(fault.Invalid, "%s piece %d: there are %d", op, piece, p.have.Len())
	}
	size := int(p.m.PieceLength)
	if p.m.HasV1 {
		size = p.m.PaddedSize(piece)
	}
	if begin < 0 || begin > size || length > size-begin {
		return fault.Errorf(fault.Invalid, "%s piece %d: %d bytes at %d are outside of its %d", op, piece, length, begin, size)
	}
	return nil
}

func (p *Pieces) startWrite(piece int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return errClosed()
	case p.readonly:
		return fault.Errorf(fault.Permission, "write piece %d: %s is only read", piece, p.label)
	case p.failed != nil:
		return p.failed
	case p.have.Has(piece):
		return fault.Errorf(fault.Invalid, "write piece %d: it is verified already", piece)
	}
	if len(p.broken) > 0 {
		var err error
		p.eachFile(piece, func(i int) bool {
			err = p.broken[i]
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	p.touched.Set(piece)
	return nil
}

func errClosed() error { return fault.Errorf(fault.Closed, "working copy is closed") }

func (p *Pieces) writeExtent(b []byte, piece, begin int, e content.Extent) error {
	p.names.RLock()
	en := &p.files[e.File]
	st, path := en.state, en.path
	var h *handle
	err := error(nil)
	if st == staged || st == mended {
		if err = p.makeFile(e.File); err == nil {
			h, err = p.open.get(e.File)
		}
	}
	p.names.RUnlock()
	if err != nil {
		return err
	}
	if h == nil {
		return p.writeEdge(b, piece, begin, e)
	}
	if err = p.ready(h); err == nil {
		_, err = h.WriteAt(b, e.Offset)
	}
	p.open.put(h, true)
	return wrap("write", p.show(path), err)
}

// readFile reads from one file, and sees to it that one that must not change
// has not.
func (p *Pieces) readFile(i int, b []byte, off int64) error {
	p.names.RLock()
	h, err := p.open.get(i)
	en := entry{state: p.files[i].state, path: p.files[i].path, id: p.files[i].id}
	p.names.RUnlock()
	if err != nil {
		return err
	}
	n, err := h.ReadAt(b, off)
	if en.state == adopted || en.state == sealed {
		// After the read, so that a change before it or while it went on shows.
		if cerr := p.unchanged(h, &en); cerr != nil {
			p.open.put(h, false)
			return cerr
		}
	}
	p.open.put(h, false)
	switch {
	case n == len(b):
		return nil
	case err != io.EOF:
		return wrap("read", p.show(en.path), err)
	case en.state == staged:
		return fault.Errorf(fault.Changed, "read %s: somebody shortened it", p.show(en.path))
	}
	return fault.Errorf(fault.NotFound, "read %s: it ends before byte %d", p.show(en.path), off+int64(len(b)))
}

// show returns a path below the tree as the user knows it.
func (p *Pieces) show(path string) string { return p.label + "/" + path }

// pieceRange returns the pieces that hold bytes of file i: first up to, not
// including, end.
func (p *Pieces) pieceRange(i int) (first, end int) {
	f := &p.m.Files[i]
	if f.Length == 0 {
		return 0, 0
	}
	return int(f.Offset / p.m.PieceLength), int((f.Offset+f.Length-1)/p.m.PieceLength) + 1
}

// eachFile calls f with the files that have bytes in a piece, without padding,
// until it returns false.
func (p *Pieces) eachFile(piece int, f func(i int) bool) {
	start := int64(piece) * p.m.PieceLength
	for i := p.m.FileAt(start); i < len(p.m.Files) && p.m.Files[i].Offset < start+p.m.PieceLength; i++ {
		e := &p.m.Files[i]
		if e.Length > 0 && !e.Pad && e.Offset+e.Length > start && !f(i) {
			return
		}
	}
}

// allIn reports whether set holds every piece of file i.
func (p *Pieces) allIn(set *content.Bitfield, i int) bool {
	first, end := p.pieceRange(i)
	for ; first < end; first++ {
		if !set.Has(first) {
			return false
		}
	}
	return true
}
