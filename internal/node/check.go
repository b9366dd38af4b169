package node

import (
	"context"
	"runtime"
	"sync"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/store"
)

// Span is a run of bytes of one file.
type Span struct {
	Path     string
	From, To int64 // bytes [From, To) of the file
}

// BadPiece is a piece that is not what the torrent says.
type BadPiece struct {
	Piece int
	Why   error
	Spans []Span // the bytes of files it covers, padding left out
}

// check hashes every piece of p that is neither verified nor known to be absent,
// in parallel, commits the good ones and returns the others in order. Absent ones
// count as bad. The error is that of ctx, or of p when it fails as a whole.
func check(ctx context.Context, t *metainfo.Torrent, p store.Pieces, w Watch) ([]BadPiece, error) {
	m := t.Manifest
	c := &checker{t: t, p: p, w: w, have: p.Have(), total: m.TotalBytes(), bad: make([]error, m.NumPieces())}
	w.hashing(0, c.total)
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() { c.work(next) })
	}
	var err error
	for i := range m.NumPieces() {
		select {
		case next <- i:
		case <-ctx.Done():
			err = fault.Wrap(fault.Closed, ctx.Err())
		}
		if err != nil {
			break
		}
	}
	close(next)
	workers.Wait()
	if err != nil {
		return nil, err
	}
	var bad []BadPiece
	for i, why := range c.bad {
		if why != nil {
			bad = append(bad, BadPiece{Piece: i, Why: why, Spans: spans(m, i)})
		}
	}
	return bad, nil
}

type checker struct {
	t    *metainfo.Torrent
	p    store.Pieces
	w    Watch
	have *content.Bitfield
	bad  []error // by piece, each written by one worker

	mu          sync.Mutex // guards done, and orders calls of w
	done, total int64
}

func (c *checker) work(next <-chan int) {
	buf := make([]byte, c.t.Manifest.PieceLength)
	for i := range next {
		size := c.t.Manifest.PieceSize(i)
		if !c.have.Has(i) {
			c.bad[i] = c.piece(i, buf[:size])
		}
		c.mu.Lock()
		c.done += int64(size)
		c.w.hashing(min(c.done, c.total), c.total)
		c.mu.Unlock()
	}
}

func (c *checker) piece(i int, buf []byte) error {
	err := c.p.ReadAt(buf, i, 0)
	if err == nil {
		err = c.t.Manifest.CheckPiece(c.t.Layers, i, buf)
	}
	if err == nil {
		err = c.p.Commit(i)
	}
	return err
}

// spans returns which bytes of which files piece i covers.
func spans(m *content.Manifest, i int) []Span {
	var out []Span
	for _, e := range m.Extents(nil, i, 0, m.PieceSize(i)) {
		if e.File >= 0 && !m.Files[e.File].Pad {
			out = append(out, Span{FilePath(m, e.File), e.Offset, e.Offset + int64(e.Length)})
		}
	}
	return out
}
