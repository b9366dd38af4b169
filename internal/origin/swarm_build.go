package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

// place is where some content stands.
type place struct {
	col   catalog.Collection
	top   catalog.Node
	above []string // from the collection's root
}

// described is content of which metadata is to be made.
type described struct {
	print content.Hash
	m     *content.Manifest // files, and as many sums
	sums  []content.FileSum
	total int64
}

// print sums up what stands at a place now.
func (s *Server) print(ctx context.Context, at place) (content.Hash, error) {
	if !at.top.Folder {
		p, sum := newPrinting(true), at.top.Version.Sum
		p.add("", sum.Size, sum.Root)
		return p.sum(), nil
	}
	changed, err := s.cfg.Catalog.Changed(ctx)
	if err != nil {
		return content.Hash{}, err
	}
	d := &s.swarm.shares
	now, writes := s.now(), s.writes()
	d.mu.Lock()
	known, ok := d.prints[at.top.ID]
	d.mu.Unlock()
	if age := now.Sub(known.at); ok && (known.changed == changed || known.writes == writes && age >= 0 && age < printFor) {
		return known.print, nil
	}
	p := newPrinting(false)
	err = s.walkFiles(ctx, at, func(names []string, sum content.FileSum) error {
		p.add(joinNames(names), sum.Size, sum.Root)
		return nil
	})
	if err != nil {
		return content.Hash{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.prints) >= mostShares {
		clear(d.prints)
	}
	d.prints[at.top.ID] = printed{p.sum(), changed, writes, now}
	return p.sum(), nil
}

// walkFiles calls f for each file below a folder, in BEP 52's order, which is Walk's.
func (s *Server) walkFiles(ctx context.Context, at place, f func(names []string, sum content.FileSum) error) error {
	w := walk{s: s, any: true, p: spot{col: at.col, base: at.top.ID, link: true}}
	n := 0
	for e, err := range w.below(ctx, at.top) {
		if err != nil {
			return err
		}
		if e.Node.Folder {
			continue
		}
		if n++; n > content.MaxFiles {
			return fault.Errorf(fault.Invalid, "more than %d files", content.MaxFiles)
		}
		names, err := splitPath(e.Path)
		if err != nil {
			return err
		}
		if err := f(names, e.Node.Version.Sum); err != nil {
			return err
		}
	}
	return nil
}

// errNothing is why an empty folder has no metadata.
var errNothing = fault.Errorf(fault.Invalid, "there is nothing in it")

// describe reads what stands at a place.
func (s *Server) describe(ctx context.Context, at place, f form) (*described, error) {
	d := &described{m: &content.Manifest{Name: at.top.Name, HasV1: f.v1(), HasV2: f.v2()}}
	m := d.m
	if m.Name == "" {
		m.Name = at.col.Name
	}
	if m.Single = !at.top.Folder; m.Single {
		sum := at.top.Version.Sum
		m.Files = []content.File{{Path: []string{m.Name}, Length: sum.Size}}
		d.sums, d.total = []content.FileSum{sum}, sum.Size
		var err error
		if d.print, err = s.print(ctx, at); err != nil {
			return nil, err
		}
	} else {
		p := newPrinting(false)
		err := s.walkFiles(ctx, at, func(names []string, sum content.FileSum) error {
			p.add(joinNames(names), sum.Size, sum.Root)
			m.Files = append(m.Files, content.File{Path: names, Length: sum.Size})
			d.sums = append(d.sums, sum)
			d.total += sum.Size
			return nil
		})
		if err != nil {
			return nil, err
		}
		d.print = p.sum()
	}
	if len(m.Files) == 0 || d.total == 0 && f.v1() {
		return nil, errNothing
	}
	m.PieceLength = content.PieceLength(d.total)
	m.Seal()
	return d, nil
}

// build makes the metadata of what d describes. It hashes at most so many bytes; fault.Busy when more would
// be needed. Each, which may be nil, is called now and then while it hashes.
func (s *Server) build(ctx context.Context, d *described, f form, most int64, each func()) (*shared, error) {
	digest, err := s.digest(ctx, d, f, most, each)
	if err != nil {
		return nil, err
	}
	t, err := metainfo.Build(d.m, digest, metainfo.BuildOptions{V1: f.v1(), V2: f.v2(), CreatedBy: "tandem"})
	if err != nil {
		return nil, err
	}
	torrent, err := t.Encode()
	if err != nil {
		return nil, err
	}
	sh, _, err := parseShared(torrent)
	if err != nil {
		return nil, err
	}
	sh.print = d.print
	return sh, nil
}

// digest hashes what has to be. The roots of files are known; for v2 alone only the layers of files longer than
// a piece are missing, and those are remembered.
func (s *Server) digest(ctx context.Context, d *described, f form, most int64, each func()) (*content.Digest, error) {
	if f.v1() {
		if d.total > most {
			return nil, errToHash()
		}
		return s.hashAll(ctx, d, f, each)
	}
	digest := &content.Digest{Roots: make([]content.Hash, len(d.sums)), Layers: make([][]content.Hash, len(d.sums))}
	missing, err := s.knownLayers(ctx, d, digest)
	if err != nil {
		return nil, err
	}
	var bytes int64
	for _, i := range missing {
		bytes += d.sums[i].Size
	}
	if bytes > most {
		return nil, errToHash()
	}
	for _, i := range missing {
		layer, err := s.hashLayer(ctx, d.sums[i], d.m.PieceLength, each)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", joinNames(d.m.Files[i].Path), err)
		}
		digest.Layers[i] = layer
		if most == allBytes { // what is done at once would be done again as fast as it is read
			if err := s.keepLayer(ctx, d.sums[i].Root, d.m.PieceLength, layer); err != nil {
				return nil, err
			}
		}
	}
	return digest, nil
}

// allBytes is no bound of what is hashed.
const allBytes = 1 << 62

// knownLayers fills in roots and the layers that are known, and returns the files whose layers are not.
func (s *Server) knownLayers(ctx context.Context, d *described, digest *content.Digest) (missing []int, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		missing = nil
		for i, sum := range d.sums {
			digest.Roots[i] = sum.Root
			if sum.Size <= d.m.PieceLength {
				continue
			}
			b, err := tx.Layers.Layer(sum.Root, d.m.PieceLength)
			if errors.Is(err, fault.NotFound) {
				missing = append(missing, i)
				continue
			}
			if err != nil {
				return err
			}
			digest.Layers[i] = hashesOf(b)
		}
		return nil
	})
	return missing, err
}

func hashesOf(b []byte) []content.Hash {
	hashes := make([]content.Hash, len(b)/len(content.Hash{}))
	for i := range hashes {
		copy(hashes[i][:], b[i*len(content.Hash{}):])
	}
	return hashes
}

// keepLayer remembers a layer. That the content went away meanwhile is fine.
func (s *Server) keepLayer(ctx context.Context, root content.Hash, pieceLength int64, layer []content.Hash) error {
	b := make([]byte, 0, len(layer)*len(content.Hash{}))
	for i := range layer {
		b = append(b, layer[i][:]...)
	}
	err := s.progress(ctx, func(tx *catalog.Tx) error { return tx.Layers.SetLayer(root, pieceLength, b) })
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// hashLayer computes the piece layer of one content.
func (s *Server) hashLayer(ctx context.Context, sum content.FileSum, pieceLength int64, each func()) ([]content.Hash, error) {
	m := &content.Manifest{
		Name: "x", Single: true, PieceLength: pieceLength, HasV2: true,
		Files: []content.File{{Path: []string{"x"}, Length: sum.Size}},
	}
	m.Seal()
	d, err := s.hashAll(ctx, &described{m: m, sums: []content.FileSum{sum}, total: sum.Size}, formV2, each)
	if err != nil {
		return nil, err
	}
	return d.Layers[0], nil
}

// hashAll reads all content once.
func (s *Server) hashAll(ctx context.Context, d *described, f form, each func()) (*content.Digest, error) {
	open := func(i int) (io.ReaderAt, io.Closer, error) {
		r, err := s.bytes(ctx, d.sums[i])
		if err != nil {
			return nil, nil, err
		}
		if at, ok := r.(io.ReaderAt); ok {
			return at, r, nil
		}
		return &seekReader{f: r}, r, nil
	}
	progress := func(int64) {}
	if each != nil {
		progress = func(int64) { each() }
	}
	digest, err := content.HashFiles(ctx, d.m, f.v1(), f.v2(), open, max(1, runtime.GOMAXPROCS(0)/2), progress)
	if err != nil || !f.v2() {
		return digest, err
	}
	for i, sum := range d.sums {
		if digest.Roots[i] != sum.Root {
			return nil, fault.Errorf(fault.Corrupt, "%s: the content does not match its hash", joinNames(d.m.Files[i].Path))
		}
	}
	return digest, nil
}
