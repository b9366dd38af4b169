package content

import (
	"context"
	"crypto/sha1"
	"errors"
	"hash"
	"io"
	"sync"
	"sync/atomic"

	"tandem/internal/fault"
)

const (
	readSize = 256 << 10 // bytes read at once: fits a core's cache, so that both hashes find it there
	runSize  = 4 << 20   // bytes a worker takes at once, or one piece
)

// Digest is what HashFiles computes.
type Digest struct {
	Pieces1 []SHA1   // v1 piece hashes; nil unless asked for
	Roots   []Hash   // by file, zero for empty files; nil unless v2 was asked for
	Layers  [][]Hash // by file, the piece layer of files longer than a piece
}

// OpenFunc opens file i of a manifest. The Closer may be nil.
type OpenFunc = func(file int) (io.ReaderAt, io.Closer, error)

// HashFiles hashes the files of m, of which PieceLength, HasV2 and the files'
// paths and lengths are set and Seal was called. Open is called at least once
// for every few MiB and need not be cheap; it is called from several goroutines,
// and at most workers files are open at a time. Progress, which may be nil, is
// called with the bytes hashed since its last call, from one goroutine at a time.
//
// The error is of kind fault.Invalid for a manifest that cannot be hashed,
// fault.Changed when a file is shorter than it should be, fault.Closed when ctx
// ended, or what open or a read returned.
func HashFiles(ctx context.Context, m *Manifest, v1, v2 bool, open OpenFunc, workers int, progress func(bytes int64)) (*Digest, error) {
	if err := m.checkHashable(v1, v2); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j := &hashJob{ctx: ctx, m: m, open: open, progress: progress, out: m.emptyDigest(v1, v2)}
	j.runPieces = max(1, int(runSize/m.PieceLength))
	runs := (m.NumPieces() + j.runPieces - 1) / j.runPieces
	var wg sync.WaitGroup
	for range max(1, min(workers, runs)) {
		wg.Go(func() {
			if err := j.work(); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, fault.Wrap(fault.Closed, err)
		}
		return nil, err
	}
	m.finishRoots(j.out)
	return j.out, nil
}

// checkHashable refuses what would hash wrongly or not at all.
func (m *Manifest) checkHashable(v1, v2 bool) error {
	p := m.PieceLength
	switch {
	case !v1 && !v2:
		return fault.Errorf(fault.Invalid, "hash: neither v1 nor v2 asked for")
	case p <= 0 || p > MaxPieceLength:
		return fault.Errorf(fault.Invalid, "hash: piece length %d is out of range", p)
	case v2 && (!m.HasV2 || p < MinPieceLength || p&(p-1) != 0):
		return fault.Errorf(fault.Invalid, "hash: files do not stand as v2 needs them")
	}
	if err := CheckFiles(m.Files); err != nil {
		return err
	}
	if n := (m.span + p - 1) / p; n > MaxPieces {
		return fault.Errorf(fault.Invalid, "hash: %d pieces of %d bytes, more than %d", n, p, MaxPieces)
	}
	return nil
}

// emptyDigest allocates what the workers fill in, each its own places.
func (m *Manifest) emptyDigest(v1, v2 bool) *Digest {
	d := new(Digest)
	if v1 {
		d.Pieces1 = make([]SHA1, m.NumPieces())
	}
	if v2 {
		d.Roots = make([]Hash, len(m.Files))
		d.Layers = make([][]Hash, len(m.Files))
		for i := range m.Files {
			if n := m.filePieces(i); n > 1 {
				d.Layers[i] = make([]Hash, n)
			}
		}
	}
	return d
}

// finishRoots computes the roots of files that have a piece layer.
func (m *Manifest) finishRoots(d *Digest) {
	var pad Hash
	for range m.v2Layer(d) {
		pad = parent(pad, pad)
	}
	for i, layer := range d.Layers {
		if layer != nil {
			d.Roots[i] = MerkleRoot(layer, ceilPow2(len(layer)), pad)
		}
	}
}

func (m *Manifest) v2Layer(d *Digest) int {
	if d.Layers == nil {
		return 0
	}
	return m.pieceLayer()
}

// hashJob is one call of HashFiles.
type hashJob struct {
	ctx       context.Context
	m         *Manifest
	open      OpenFunc
	out       *Digest
	runPieces int
	next      atomic.Int64 // run to take

	mu       sync.Mutex // serialises progress
	progress func(int64)
}

// work hashes run after run until none is left.
func (j *hashJob) work() error {
	w := &hashWorker{job: j, file: -1, sha: sha1.New(), buf: make([]byte, min(readSize, j.m.span))}
	defer w.close()
	pieces := j.m.NumPieces()
	for {
		first := int(j.next.Add(1)-1) * j.runPieces
		if first >= pieces {
			return nil
		}
		if err := w.run(first, min(first+j.runPieces, pieces)); err != nil {
			return err
		}
	}
}

// hashWorker is what one goroutine needs; buffers and the open file are reused.
type hashWorker struct {
	job     *hashJob
	buf     []byte
	sha     hash.Hash
	leaves  []Hash
	extents []Extent

	file   int // that reader reads; -1: none
	reader io.ReaderAt
	closer io.Closer
}

// run hashes the pieces [first, end).
func (w *hashWorker) run(first, end int) error {
	m := w.job.m
	at, stop := int64(first)*m.PieceLength, min(int64(end)*m.PieceLength, m.span)
	for at < stop {
		if err := w.job.ctx.Err(); err != nil {
			return err
		}
		end := stop
		if w.job.out.Pieces1 == nil { // only v1 sees the gaps between files
			f := &m.Files[m.FileAt(at)]
			if end = min(stop, f.Offset+f.Length); at >= end {
				at = (at/m.PieceLength + 1) * m.PieceLength
				continue
			}
		}
		p := w.buf[:min(int64(len(w.buf)), end-at)]
		n, err := w.fill(p, at)
		if err != nil {
			return err
		}
		w.consume(p, at)
		at += int64(len(p))
		w.job.report(n)
	}
	return nil
}

func (j *hashJob) report(n int64) {
	if j.progress == nil || n == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.progress(n)
}

// fill reads the piece space at at into p and returns how much of it is content.
func (w *hashWorker) fill(p []byte, at int64) (content int64, err error) {
	m := w.job.m
	w.extents = m.Extents(w.extents[:0], int(at/m.PieceLength), int(at%m.PieceLength), len(p))
	for _, e := range w.extents {
		part := p[:e.Length]
		p = p[e.Length:]
		if e.File < 0 {
			clear(part)
			continue
		}
		if err := w.use(e.File); err != nil {
			return 0, err
		}
		n, err := w.reader.ReadAt(part, e.Offset)
		if n < len(part) {
			name := quotePath(m.Files[e.File].Path)
			if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return 0, fault.Errorf(fault.Changed, "hash %s: shorter than it was", name)
			}
			return 0, fault.Errorf(fault.KindOf(err), "hash %s: %w", name, err)
		}
		content += int64(n)
	}
	return content, nil
}

// consume hashes p, the piece space at at, which starts on a block.
func (w *hashWorker) consume(p []byte, at int64) {
	m, out := w.job.m, w.job.out
	for len(p) > 0 {
		piece, begin := int(at/m.PieceLength), int(at%m.PieceLength)
		size, end := m.PieceSize(piece), m.PaddedSize(piece)
		if out.Pieces1 == nil {
			end = size
		}
		part := p[:min(len(p), end-begin)]
		p, at = p[len(part):], at+int64(len(part))
		if out.Pieces1 != nil {
			w.sha.Write(part)
		}
		if out.Roots != nil && begin < size {
			w.leaves = Leaves(w.leaves, part[:min(len(part), size-begin)])
		}
		if begin+len(part) == end {
			w.finish(piece)
		}
	}
}

// finish stores the hashes of a piece whose last byte was consumed.
func (w *hashWorker) finish(piece int) {
	m, out := w.job.m, w.job.out
	if out.Pieces1 != nil {
		w.sha.Sum(out.Pieces1[piece][:0])
		w.sha.Reset()
	}
	if out.Roots != nil {
		file := m.FileAt(int64(piece) * m.PieceLength)
		root := fold(w.leaves, m.leafWidth(piece), Hash{})
		w.leaves = w.leaves[:0]
		if layer := out.Layers[file]; layer != nil {
			layer[piece-int(m.Files[file].Offset/m.PieceLength)] = root
		} else {
			out.Roots[file] = root
		}
	}
}

// use makes reader read file.
func (w *hashWorker) use(file int) error {
	if w.file == file {
		return nil
	}
	w.close()
	r, c, err := w.job.open(file)
	if err != nil {
		return fault.Errorf(fault.KindOf(err), "hash %s: %w", quotePath(w.job.m.Files[file].Path), err)
	}
	w.file, w.reader, w.closer = file, r, c
	return nil
}

// close closes the open file, which was only read: its error says nothing.
func (w *hashWorker) close() {
	if w.closer != nil {
		_ = w.closer.Close()
	}
	w.file, w.reader, w.closer = -1, nil, nil
}
