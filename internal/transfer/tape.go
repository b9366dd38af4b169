package transfer

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"tandem/internal/swarm"
)

// tape is a stream of one whole file, read forwards: what a server sends that knows
// no ranges, or something between it and us that strips them. What is not wanted is
// skipped; what is asked for behind the reader's place waits for the next stream.
type tape struct {
	file   int
	offset int64 // of the file in the piece space

	mu     sync.Mutex // guards the fields below
	cond   sync.Cond
	want   []placed // in order of place
	idle   bool     // the reader waits for something to be asked for
	closed bool
}

// placed is a block and where it begins in the piece space.
type placed struct {
	at int64
	b  swarm.Block
}

func byPlace(a, b placed) int { return cmp.Compare(a.at, b.at) }

func newTape(file int, offset int64) *tape {
	p := &tape{file: file, offset: offset}
	p.cond.L = &p.mu
	return p
}

// add asks for a block at a place of the piece space.
func (p *tape) add(at int64, b swarm.Block) {
	p.mu.Lock()
	x := placed{at, b}
	i, _ := slices.BinarySearchFunc(p.want, x, byPlace)
	p.want = slices.Insert(p.want, i, x)
	p.mu.Unlock()
	p.cond.Signal()
}

// remove takes a request back and reports whether it was here.
func (p *tape) remove(b swarm.Block) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.want)
	p.want = slices.DeleteFunc(p.want, func(x placed) bool { return x.b == b })
	return len(p.want) < n
}

// rest returns what was not read.
func (p *tape) rest() []swarm.Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []swarm.Block
	for _, x := range p.want {
		rest = append(rest, x.b)
	}
	return rest
}

func (p *tape) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cond.Broadcast()
}

// waits reports whether the reader has nothing to do.
func (p *tape) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idle && len(p.want) == 0
}

// next returns the first block asked for that is not behind at, waiting for one
// while nothing at all is asked for. false: there is none, or the tape was closed.
func (p *tape) next(at int64) (placed, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.want) == 0 && !p.closed {
		p.idle = true
		p.cond.Wait()
	}
	p.idle = false
	if p.closed {
		return placed{}, false
	}
	i, _ := slices.BinarySearchFunc(p.want, placed{at: at}, byPlace)
	if i == len(p.want) {
		return placed{}, false
	}
	x := p.want[i]
	p.want = slices.Delete(p.want, i, i+1)
	return x, true
}

// putBack returns what next gave and was not read.
func (p *tape) putBack(x placed) { p.add(x.at, x.b) }

// askForwards is ask for a server that gives whole files only: one stream at a
// time.
func (t *Transfer) askForwards(o *origin) {
	if len(o.runs) > 0 {
		p := o.runs[0].tape
		if p == nil {
			return
		}
		o.pending = slices.DeleteFunc(o.pending, func(b swarm.Block) bool {
			file, whole := t.fileOf(b)
			if whole && file == p.file {
				p.add(t.offset(b), b)
				return true
			}
			return false
		})
		if len(o.pending) > 0 && p.waits() {
			p.close() // the others are in other files
		}
		return
	}
	if len(o.pending) == 0 {
		return
	}
	slices.SortFunc(o.pending, func(a, b swarm.Block) int { return cmp.Compare(t.offset(a), t.offset(b)) })
	file, whole := t.fileOf(o.pending[0])
	if !whole {
		b := o.pending[0]
		o.pending = slices.Delete(o.pending, 0, 1)
		t.startStretch(&stretch{o: o, blocks: []swarm.Block{b}, skip: true})
		return
	}
	t.startStretch(&stretch{o: o, tape: newTape(file, t.manifest.Files[file].Offset)})
	t.askForwards(o)
}

// tapeIdle is for how long a stream is kept of which nothing is wanted.
const tapeIdle = 5 * time.Second

// watchTape closes a tape that nobody reads.
func (t *Transfer) watchTape(s *stretch) {
	switch {
	case !s.tape.waits():
		s.idle = time.Time{}
	case s.idle.IsZero():
		s.idle = t.now
	case t.now.Sub(s.idle) > tapeIdle:
		s.tape.close()
	}
}

// fileOf returns the file a block begins in, and whether it ends there too.
func (t *Transfer) fileOf(b swarm.Block) (file int, whole bool) {
	at := t.offset(b)
	file = t.manifest.FileAt(at)
	f := &t.manifest.Files[file]
	return file, !f.Pad && at+int64(b.Length) <= f.Offset+f.Length
}

// play reads a tape until nothing is wanted that lies ahead.
func (t *Transfer) play(s *stretch, h *hasher) error {
	p := s.tape
	s.waits.Store(0)
	x, ok := p.next(p.offset)
	if !ok {
		return nil
	}
	size := t.manifest.Files[p.file].Length
	st, err := t.openSpan(s, Span{
		File: p.file, Off: x.at - p.offset, Len: size - (x.at - p.offset),
		First: x.b.Piece, Last: int((p.offset + size - 1) / t.manifest.PieceLength),
	})
	if err != nil {
		p.putBack(x)
		return err
	}
	defer st.Close()
	at := x.at
	if st.Sequential {
		at = p.offset
	} else if at > p.offset {
		s.ranged = true
	}
	for ok {
		if err := skip(s, st, x.at-at); err != nil {
			p.putBack(x)
			return err
		}
		if err := t.readBlock(s, h, st, x.b); err != nil {
			p.putBack(x)
			return broken(err)
		}
		at = x.at + int64(x.b.Length)
		s.waits.Store(0)
		if at == p.offset+size {
			return nil
		}
		x, ok = p.next(at)
	}
	return nil
}
