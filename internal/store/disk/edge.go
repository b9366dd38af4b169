package disk

import (
	"bytes"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// In v1 content a piece may hold the end of a file that already stands under
// its final name, never to be written, and the beginning of one that is still to
// come. Of such a piece, what is fetched for the former is kept in memory, the
// edge, until the piece is verified: then the file either holds the very same
// bytes or is a different one.

// maxEdges bounds the memory of all edges of a working copy, in bytes.
const maxEdges = 64 << 20

// fixed reports whether file i is never written.
func (p *Pieces) fixed(i int) bool {
	st := p.files[i].state
	return st == adopted || st == sealed
}

// writeEdge keeps b, which belongs to a file that is not written.
func (p *Pieces) writeEdge(b []byte, piece, begin int, e content.Extent) error {
	p.edgesMu.Lock()
	defer p.edgesMu.Unlock()
	p.names.RLock()
	only := true
	p.eachFile(piece, func(i int) bool {
		only = p.fixed(i)
		return only
	})
	name := p.files[e.File].path
	p.names.RUnlock()
	buf := p.edges[piece]
	if buf == nil {
		if only || int64(len(p.edges)+1)*p.m.PieceLength > maxEdges {
			return p.errDifferent(name)
		}
		buf = make([]byte, p.m.PieceSize(piece))
		err := p.eachFixed(piece, func(part []byte, at int, _ content.Extent) error {
			copy(buf[at:], part)
			return nil
		})
		if err != nil {
			return err
		}
		if p.edges == nil {
			p.edges = map[int][]byte{}
		}
		p.edges[piece] = buf
		p.edgeCount.Add(1)
	}
	copy(buf[begin:], b)
	return nil
}

// readEdge fills b from the edge of a piece if it has one and file is fixed.
func (p *Pieces) readEdge(b []byte, piece, begin, file int) bool {
	p.edgesMu.Lock()
	defer p.edgesMu.Unlock()
	buf := p.edges[piece]
	if buf == nil {
		return false
	}
	p.names.RLock()
	defer p.names.RUnlock()
	if !p.fixed(file) {
		return false
	}
	copy(b, buf[begin:])
	return true
}

// settleEdge compares the edge of a verified piece with the files.
func (p *Pieces) settleEdge(piece int) error {
	if p.edgeCount.Load() == 0 {
		return nil
	}
	p.edgesMu.Lock()
	defer p.edgesMu.Unlock()
	buf := p.edges[piece]
	if buf == nil {
		return nil
	}
	err := p.eachFixed(piece, func(part []byte, at int, e content.Extent) error {
		if !bytes.Equal(part, buf[at:at+len(part)]) {
			p.names.RLock()
			defer p.names.RUnlock()
			return p.errDifferent(p.files[e.File].path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	delete(p.edges, piece)
	p.edgeCount.Add(-1)
	return nil
}

// eachFixed reads what fixed files hold of a piece; at is its place there.
func (p *Pieces) eachFixed(piece int, f func(part []byte, at int, e content.Extent) error) error {
	at := 0
	for _, e := range p.m.Extents(nil, piece, 0, p.m.PieceSize(piece)) {
		p.names.RLock()
		use := e.File >= 0 && p.fixed(e.File)
		p.names.RUnlock()
		if use {
			part := make([]byte, e.Length)
			if err := p.readFile(e.File, part, e.Offset); err != nil {
				return err
			}
			if err := f(part, at, e); err != nil {
				return err
			}
		}
		at += e.Length
	}
	return nil
}

func (p *Pieces) errDifferent(path string) error {
	return fault.Errorf(fault.Exists,
		"write %s: a different file has that name; move it away, choose another folder, or mend it with verify --repair", p.show(path))
}
