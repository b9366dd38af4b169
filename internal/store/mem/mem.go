// Package mem keeps a working copy in memory: simple and exact, for tests and
// the simulator.
package mem

import (
	"sync"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// Pieces is a working copy in memory. It implements store.Pieces.
type Pieces struct {
	m    *content.Manifest
	hook func(op string, piece int) error

	mu      sync.Mutex // guards the fields below
	data    [][]byte   // by piece, without padding; nil until written
	have    *content.Bitfield
	synced  *content.Bitfield // of have
	suspect *content.Bitfield
	final   []bool // by file
	closed  bool
	removed bool
}

// New returns an empty working copy of m.
func New(m *content.Manifest) *Pieces {
	n := m.NumPieces()
	return &Pieces{
		m: m, data: make([][]byte, n), final: make([]bool, len(m.Files)),
		have: content.NewBitfield(n), synced: content.NewBitfield(n), suspect: content.NewBitfield(n),
	}
}

// NewFull returns a finished working copy of m, which holds files; those of
// padding are ignored.
func NewFull(m *content.Manifest, files [][]byte) *Pieces {
	p := New(m)
	for i := range p.data {
		p.data[i] = make([]byte, m.PieceSize(i))
		at := 0
		for _, e := range m.Extents(nil, i, 0, len(p.data[i])) {
			if e.File >= 0 {
				copy(p.data[i][at:at+e.Length], files[e.File][e.Offset:])
			}
			at += e.Length
		}
		p.have.Set(i)
		p.synced.Set(i)
	}
	for i := range p.final {
		p.final[i] = !m.Files[i].Pad
	}
	return p
}

// File returns what stands under the final name of file i, if anything does.
func (p *Pieces) File(i int) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.final[i] {
		return nil, false
	}
	return p.file(i), true
}

func (p *Pieces) file(i int) []byte {
	f := &p.m.Files[i]
	b := make([]byte, 0, f.Length)
	for at := f.Offset; at < f.Offset+f.Length; {
		piece, begin := int(at/p.m.PieceLength), int(at%p.m.PieceLength)
		n := min(p.m.PieceLength-int64(begin), f.Offset+f.Length-at)
		b = append(b, p.data[piece][begin:begin+int(n)]...)
		at += n
	}
	return b
}

// Inject makes every call of p ask hook first; an error of hook becomes the
// call's. Op is the name of the method, piece -1 where there is none. It must
// be called before p is used.
func (p *Pieces) Inject(hook func(op string, piece int) error) { p.hook = hook }

// Reopen returns what a new process finds after p was closed, killed (crash
// false) or cut off from power (crash true). p is of no use afterwards.
func (p *Pieces) Reopen(crash bool) *Pieces {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := New(p.m)
	q.hook = p.hook
	copy(q.final, p.final)
	for i := range p.data {
		switch {
		case p.removed && p.standing(i):
			q.suspect.Set(i) // under its final name, and nobody knows
		case p.removed:
		case p.synced.Has(i):
			q.have.Set(i)
			q.synced.Set(i)
		case p.have.Has(i) || p.suspect.Has(i):
			q.suspect.Set(i)
		}
		if !crash && !p.removed || p.synced.Has(i) {
			q.data[i] = p.data[i]
		} else if p.data[i] != nil && !p.removed {
			q.data[i] = make([]byte, len(p.data[i])) // the file is there, sparse
		}
	}
	p.closed = true
	return q
}

// standing reports whether all files of a piece have their final names.
func (p *Pieces) standing(piece int) bool {
	for _, e := range p.m.Extents(nil, piece, 0, p.m.PieceSize(piece)) {
		if e.File >= 0 && !p.final[e.File] {
			return false
		}
	}
	return true
}

// begin is the first step of every call.
func (p *Pieces) begin(op string, piece int) error {
	if p.hook != nil {
		if err := p.hook(op, piece); err != nil {
			return err
		}
	}
	if p.closed {
		return fault.Errorf(fault.Closed, "%s: working copy is closed", op)
	}
	return nil
}

// span checks a range and says how much of it is not the padding at the end of
// a piece.
func (p *Pieces) span(op string, piece, begin, length int) (int, error) {
	if uint(piece) >= uint(len(p.data)) {
		return 0, fault.Errorf(fault.Invalid, "%s piece %d: there are %d", op, piece, len(p.data))
	}
	size := int(p.m.PieceLength)
	if p.m.HasV1 {
		size = p.m.PaddedSize(piece)
	}
	if begin < 0 || begin > size || length > size-begin {
		return 0, fault.Errorf(fault.Invalid, "%s piece %d: %d bytes at %d are outside of its %d", op, piece, length, begin, size)
	}
	return max(0, min(length, p.m.PieceSize(piece)-begin)), nil
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.begin("ReadAt", piece); err != nil {
		return err
	}
	n, err := p.span("read", piece, begin, len(b))
	if err != nil {
		return err
	}
	if n > 0 && p.data[piece] == nil {
		return fault.Errorf(fault.NotFound, "read piece %d: nothing was written yet", piece)
	}
	if n > 0 {
		copy(b[:n], p.data[piece][begin:])
	}
	clear(b[n:])
	return nil
}

// WriteAt implements store.Pieces.
func (p *Pieces) WriteAt(b []byte, piece, begin int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.begin("WriteAt", piece); err != nil {
		return err
	}
	n, err := p.span("write", piece, begin, len(b))
	if err != nil {
		return err
	}
	if p.have.Has(piece) {
		return fault.Errorf(fault.Invalid, "write piece %d: it is verified already", piece)
	}
	if p.data[piece] == nil {
		p.data[piece] = make([]byte, p.m.PieceSize(piece))
	}
	at := 0
	for _, e := range p.m.Extents(nil, piece, begin, n) {
		if e.File >= 0 {
			copy(p.data[piece][begin+at:], b[at:at+e.Length])
		}
		at += e.Length
	}
	return nil
}

// Commit implements store.Pieces.
func (p *Pieces) Commit(piece int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.begin("Commit", piece); err != nil {
		return err
	}
	if _, err := p.span("commit", piece, 0, 0); err != nil {
		return err
	}
	if p.data[piece] == nil {
		return fault.Errorf(fault.NotFound, "commit piece %d: it was never written", piece)
	}
	p.have.Set(piece)
	p.suspect.Clear(piece)
	return nil
}

// Forget implements store.Pieces.
func (p *Pieces) Forget(piece int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.begin("Forget", piece); err != nil {
		return err
	}
	if _, err := p.span("forget", piece, 0, 0); err != nil {
		return err
	}
	p.have.Clear(piece)
	p.synced.Clear(piece)
	p.suspect.Clear(piece)
	return nil
}

// Sync implements store.Pieces. Nothing is durable before it: there is no second
// and no 64 MiB here.
func (p *Pieces) Sync() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sync("Sync")
}

func (p *Pieces) sync(op string) error {
	if err := p.begin(op, -1); err != nil {
		return err
	}
	p.synced = p.have.Clone()
	return nil
}

// Finish implements store.Pieces.
func (p *Pieces) Finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.sync("Finish"); err != nil {
		return err
	}
	for i := range p.m.Files {
		f := &p.m.Files[i]
		done := !f.Pad
		if f.Length > 0 {
			end := int((f.Offset + f.Length - 1) / p.m.PieceLength)
			for piece := int(f.Offset / p.m.PieceLength); piece <= end; piece++ {
				done = done && p.have.Has(piece)
			}
		}
		p.final[i] = p.final[i] || done
	}
	return nil
}

// Close implements store.Pieces.
func (p *Pieces) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	err := p.sync("Close")
	p.closed = true
	return err
}

// Remove implements store.Pieces.
func (p *Pieces) Remove() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.begin("Remove", -1); err != nil {
		return err
	}
	p.closed, p.removed = true, true
	return nil
}
