package transfer

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/swarm"
)

// Limits on what is asked of one origin.
const (
	maxStretch   = 4 << 20 // bytes of one request
	maxStretches = 3       // requests under way
	// Small files cannot be joined: of theirs more are under way, up to so many, and
	// together so many bytes.
	manyStretches = 12
	smallTogether = 1 << 20
	// patienceFor is for how long a small request waits for neighbours while others
	// are under way.
	patienceFor = 50 * time.Millisecond
)

// stretch is blocks that follow each other in one file, asked for at once. Of v1
// content the last block may reach into the files that follow.
type stretch struct {
	o      *origin
	blocks []swarm.Block
	skip   bool  // a stream from the beginning of the file will do
	tape   *tape // instead of blocks: a whole file, read forwards
	ctx    context.Context
	cancel context.CancelFunc

	waits atomic.Int64 // since when the server owes us bytes, Unix nanoseconds; 0: it does not

	// set by the reader before what it reports
	first  time.Duration // to the answer to the first request; 0: none yet
	ranged bool          // the server gives ranges after all

	// owner's fields
	idle    time.Time // since when a tape waits for us; zero: it does not
	next    int       // blocks that came
	dropped []bool    // blocks that were taken back
	left    int       // blocks still wanted
	over    bool      // nobody wants to know more
}

// waited returns for how long the server has owed us bytes.
func (s *stretch) waited(now time.Time) time.Duration {
	at := s.waits.Load()
	if at == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, at))
}

// abandon makes the reader end.
func (s *stretch) abandon() {
	s.over = true
	s.cancel()
	if s.tape != nil {
		s.tape.close()
	}
}

// came notes that b has come and reports whether it was still wanted.
func (s *stretch) came(b swarm.Block) bool {
	if s.tape != nil {
		return true
	}
	wanted := !s.dropped[s.next]
	if wanted {
		s.left--
	}
	s.next++
	return wanted
}

// drop takes b back and reports whether it was part of s.
func (s *stretch) drop(b swarm.Block) bool {
	if s.tape != nil {
		return s.tape.remove(b)
	}
	for i := s.next; i < len(s.blocks); i++ {
		if s.blocks[i] == b && !s.dropped[i] {
			s.dropped[i] = true
			s.left--
			return true
		}
	}
	return false
}

// rest returns what is wanted and has not come.
func (s *stretch) rest() []swarm.Block {
	if s.tape != nil {
		return s.tape.rest()
	}
	var rest []swarm.Block
	for i := s.next; i < len(s.blocks); i++ {
		if !s.dropped[i] {
			rest = append(rest, s.blocks[i])
		}
	}
	return rest
}

// ask turns pending blocks into requests. While some are under way a small one
// waits a little for neighbours, so that requests grow with the rate.
func (t *Transfer) ask(o *origin) {
	if o.id == 0 || t.sw == nil {
		return
	}
	if o.sequential {
		t.askForwards(o)
		return
	}
	for len(o.pending) > 0 && len(o.runs) < manyStretches && (o.atOnce == 0 || len(o.runs) < o.atOnce) {
		run, rest := t.neighbours(o.pending)
		size, whole := sizeOf(run), t.endsFile(run[len(run)-1])
		switch {
		case len(o.runs) >= maxStretches && (!whole || size+o.underWay() > smallTogether):
			return
		case len(o.runs) > 0 && !whole && t.now.Sub(o.since) < patienceFor && size < t.fairShare(o):
			return
		}
		o.pending, o.since = rest, t.now
		t.startStretch(&stretch{o: o, blocks: run})
	}
}

// fairShare is how large a request should be, that as many as may be under way are
// about alike.
func (t *Transfer) fairShare(o *origin) int {
	return min((sizeOf(o.pending)+o.underWay())/(maxStretches+1), maxStretch)
}

// underWay returns how many bytes have been asked for and not come.
func (o *origin) underWay() int {
	n := 0
	for _, s := range o.runs {
		n += sizeOf(s.blocks[s.next:])
	}
	return n
}

// endsFile reports whether nothing of the file follows b: waiting for neighbours is
// in vain.
func (t *Transfer) endsFile(b swarm.Block) bool {
	f := &t.manifest.Files[t.manifest.FileAt(t.offset(b))]
	return t.offset(b)+int64(b.Length) >= f.Offset+f.Length
}

func sizeOf(blocks []swarm.Block) int {
	n := 0
	for _, b := range blocks {
		n += b.Length
	}
	return n
}

// neighbours parts blocks into those that follow each other from the first on,
// within its file and a request's size, and the others.
func (t *Transfer) neighbours(blocks []swarm.Block) (run, rest []swarm.Block) {
	m := t.manifest
	f := &m.Files[m.FileAt(t.offset(blocks[0]))]
	size := 0
	at := t.offset(blocks[0])
	for i, b := range blocks {
		if t.offset(b) != at || at >= f.Offset+f.Length || size+b.Length > maxStretch {
			rest = append(rest, b)
			continue
		}
		if run == nil {
			run = make([]swarm.Block, 0, len(blocks)-i)
		}
		run = append(run, b)
		at += int64(b.Length)
		size += b.Length
	}
	return run, rest
}

// offset is where a block begins in the piece space.
func (t *Transfer) offset(b swarm.Block) int64 {
	return int64(b.Piece)*t.manifest.PieceLength + int64(b.Begin)
}

// startStretch starts the reader of a stretch.
func (t *Transfer) startStretch(s *stretch) {
	s.left, s.dropped = len(s.blocks), make([]bool, len(s.blocks))
	s.ctx, s.cancel = context.WithCancel(t.ctx)
	s.waits.Store(t.now.UnixNano())
	s.o.runs = append(s.o.runs, s)
	t.wg.Add(1)
	go t.fetch(s)
}

// errSequential says that a server gives whole files only.
var errSequential = errors.New("whole files only")

// errEarly says that a stream ended before its time.
var errEarly = fault.Errorf(fault.Unreachable, "the stream ended early")

// fetch is the reader of a stretch.
func (t *Transfer) fetch(s *stretch) {
	defer t.wg.Done()
	defer s.cancel()
	var err error
	if h := newHasher(t.manifest, &t.runs); s.tape != nil {
		err = t.play(s, h)
	} else {
		err = t.fetchBlocks(s, h)
	}
	t.mail.put(event{kind: evStretch, body: s, err: err})
}

// fetchBlocks reads the blocks of s in order. A stream that breaks after it brought
// something is asked for again from there.
func (t *Transfer) fetchBlocks(s *stretch, h *hasher) error {
	for at := 0; at < len(s.blocks); {
		n, err := t.readBlocks(s, h, s.blocks[at:])
		at += n
		switch {
		case err == nil, s.ctx.Err() != nil:
			return err
		case n == 0 || !errors.Is(err, errEarly):
			return err
		}
	}
	return nil
}

// readBlocks reads blocks from new streams and returns how many came.
func (t *Transfer) readBlocks(s *stretch, h *hasher, blocks []swarm.Block) (int, error) {
	f := &feed{t: t, s: s}
	for _, b := range blocks {
		f.add(b)
	}
	defer f.close()
	for i, b := range blocks {
		if err := t.readBlock(s, h, f, b); err != nil {
			return i, err
		}
	}
	return len(blocks), nil
}

// readBlock reads one block from r, hashes it and hands it to the owner.
func (t *Transfer) readBlock(s *stretch, h *hasher, r io.Reader, b swarm.Block) error {
	s.waits.Store(0) // what may take long now is ours
	k := t.budget.get()
	s.waits.Store(time.Now().UnixNano())
	k.n, k.piece, k.begin = b.Length, b.Piece, b.Begin
	_, err := io.ReadFull(r, k.data[:k.n])
	if err == nil {
		s.waits.Store(0)
		err = waitAll(s.ctx, t.cfg.Down, k.n)
	}
	if err != nil {
		t.budget.put(k)
		return err
	}
	h.hash(k.piece, k.begin, k)
	if !t.mail.putWait(event{kind: evStreamed, body: s, block: k}) {
		t.budget.put(k)
		return fault.Errorf(fault.Closed, "transfer ended")
	}
	return nil
}

// place is where a block belongs.
func (k *block) place() swarm.Block { return swarm.Block{Piece: k.piece, Begin: k.begin, Length: k.n} }

// feed reads extents one after the other, each from a stream of its own.
type feed struct {
	t    *Transfer
	s    *stretch
	ext  []content.Extent // still to be read
	cur  *Stream          // of ext[0]; nil: not asked for
	span Span             // pieces of what was added
	some bool
}

// add puts the extents of b behind the others.
func (f *feed) add(b swarm.Block) {
	was := len(f.ext)
	f.ext = f.t.manifest.Extents(f.ext, b.Piece, b.Begin, b.Length)
	if !f.some {
		f.some, f.span.First = true, b.Piece
	}
	f.span.Last = b.Piece
	if was == 0 || was == len(f.ext) {
		return
	}
	last, x := &f.ext[was-1], f.ext[was]
	if last.File == x.File && (x.File < 0 || last.Offset+int64(last.Length) == x.Offset) {
		last.Length += x.Length
		f.ext = slices.Delete(f.ext, was, was+1)
	}
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	for len(f.ext) > 0 && f.ext[0].Length == 0 {
		f.close()
		f.ext = f.ext[1:]
	}
	if len(f.ext) == 0 {
		return 0, io.EOF
	}
	x := &f.ext[0]
	p = p[:min(len(p), x.Length)]
	n := len(p)
	if x.File < 0 {
		clear(p)
	} else {
		if err := f.open(x); err != nil {
			return 0, err
		}
		var err error
		if n, err = f.cur.Read(p); n == 0 && err != nil {
			return 0, broken(err)
		}
	}
	x.Length -= n
	x.Offset += int64(n)
	return n, nil
}

// open asks for an extent unless that was done.
func (f *feed) open(x *content.Extent) error {
	if f.cur != nil {
		return nil
	}
	span := f.span
	span.File, span.Off, span.Len = x.File, x.Offset, int64(x.Length)
	st, err := f.t.openSpan(f.s, span)
	if err != nil {
		return err
	}
	f.cur = st
	if !st.Sequential || x.Offset == 0 {
		return nil
	}
	if !f.s.skip {
		return errSequential
	}
	return skip(f.s, st, x.Offset)
}

// openSpan asks the origin of s for a span.
func (t *Transfer) openSpan(s *stretch, span Span) (*Stream, error) {
	began := time.Now()
	s.waits.Store(began.UnixNano())
	st, err := s.o.src.Open(s.ctx, span)
	if err != nil {
		return nil, err
	}
	if s.first == 0 {
		s.first = max(time.Since(began), 1)
	}
	return st, nil
}

// skip reads n bytes and throws them away.
func skip(s *stretch, r io.Reader, n int64) error {
	for n > 0 {
		k, err := io.CopyN(io.Discard, r, min(n, 1<<20))
		n -= k
		s.waits.Store(time.Now().UnixNano())
		if err != nil {
			return broken(err)
		}
	}
	return nil
}

// broken is the error of a stream that failed, whatever it says: the next request
// will tell what is the matter.
func broken(err error) error {
	if errors.Is(err, errEarly) || err == io.EOF {
		return errEarly
	}
	return fault.Errorf(fault.Unreachable, "%w: %w", errEarly, err)
}

func (f *feed) close() {
	if f.cur != nil {
		_ = f.cur.Close()
		f.cur = nil
	}
}
