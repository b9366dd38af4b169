package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

const (
	torrentLook  = 15 * time.Second // how often to look for what another instance, or a crash, left
	torrentLease = 2 * time.Minute  // how long an instance has to say that it is still at it
)

// makeTorrents makes the .torrent files of public links, one at a time, until ctx ends.
func (s *Server) makeTorrents(ctx context.Context) {
	s.links.open()
	tick := time.NewTicker(torrentLook)
	defer tick.Stop()
	for {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = s.makeTorrent(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("torrent of a link is made later", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.links.wanted:
		}
	}
}

// makeTorrent makes one .torrent, if one is wanted that no other instance makes.
func (s *Server) makeTorrent(ctx context.Context) (made bool, _ error) {
	l, err := s.claimTorrent(ctx)
	if err != nil || l.ID == 0 {
		return false, err
	}
	state := catalog.TorrentMade
	data, err := s.torrentOf(ctx, l)
	switch {
	case ctx.Err() != nil:
		return false, errors.Join(ctx.Err(), s.dropTorrentLease(ctx, l.ID))
	case err != nil && (errors.Is(err, fault.Unreachable) || fault.KindOf(err) == fault.Other):
		return false, err // the lease runs out, and it is tried again
	case err != nil:
		s.cfg.Log.Error("torrent of a link cannot be made", "link", l.ID, "err", err)
		state, data = catalog.TorrentFailed, nil
	}
	err = s.update(ctx, func(tx *catalog.Tx) error {
		if err := tx.Settings.Set(torrentKey(l.ID), ""); err != nil {
			return err
		}
		return tx.Links.SetTorrent(l.ID, state, data, catalog.Metadata{})
	})
	return err == nil, err
}

// torrentKey is the setting that says until when an instance is at the .torrent of a link.
func torrentKey(id catalog.LinkID) string { return fmt.Sprintf("torrent/%d", id) }

// claimTorrent returns a link whose .torrent this instance is now to make; none has ID 0.
func (s *Server) claimTorrent(ctx context.Context) (catalog.Link, error) {
	var l catalog.Link
	var wanted []catalog.Link
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		var err error
		wanted, err = tx.Links.TorrentsWanted(16)
		return err
	})
	if err != nil || len(wanted) == 0 {
		return l, err
	}
	err = s.progress(ctx, func(tx *catalog.Tx) error {
		l = catalog.Link{}
		for _, w := range wanted {
			now, err := tx.Links.Link(w.ID)
			if errors.Is(err, fault.NotFound) || err == nil && now.Torrent != catalog.TorrentWanted {
				continue
			}
			if err != nil {
				return err
			}
			free, err := s.leaseTorrent(tx, w.ID)
			if err != nil {
				return err
			}
			if free {
				l = now
				return nil
			}
		}
		return nil
	})
	return l, err
}

// leaseTorrent takes the making of a .torrent unless somebody has it.
func (s *Server) leaseTorrent(tx *catalog.Tx, id catalog.LinkID) (bool, error) {
	now := s.now()
	text, err := tx.Settings.Get(torrentKey(id))
	if err != nil && !errors.Is(err, fault.NotFound) {
		return false, err
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		// A lease far ahead is from before the clock was set back.
		if left := time.UnixMicro(n).Sub(now); left > 0 && left <= torrentLease {
			return false, nil
		}
	}
	return true, tx.Settings.Set(torrentKey(id), strconv.FormatInt(now.Add(torrentLease).UnixMicro(), 10))
}

// renewTorrentLease goes on with it.
func (s *Server) renewTorrentLease(ctx context.Context, id catalog.LinkID) error {
	return s.progress(ctx, func(tx *catalog.Tx) error {
		return tx.Settings.Set(torrentKey(id), strconv.FormatInt(s.now().Add(torrentLease).UnixMicro(), 10))
	})
}

func (s *Server) dropTorrentLease(ctx context.Context, id catalog.LinkID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	return s.progress(ctx, func(tx *catalog.Tx) error { return tx.Settings.Set(torrentKey(id), "") })
}

// torrentOf hashes what a link leads to now.
func (s *Server) torrentOf(ctx context.Context, l catalog.Link) ([]byte, error) {
	m, sums, err := s.manifest(ctx, l)
	if err != nil {
		return nil, err
	}
	open := func(i int) (io.ReaderAt, io.Closer, error) {
		f, err := s.bytes(ctx, sums[i])
		if err != nil {
			return nil, nil, err
		}
		if at, ok := f.(io.ReaderAt); ok {
			return at, f, nil
		}
		return &seekReader{f: f}, f, nil
	}
	renewed := s.now()
	d, err := content.HashFiles(ctx, m, true, true, open, max(1, runtime.GOMAXPROCS(0)/2), func(int64) {
		if now := s.now(); now.Sub(renewed) > torrentLease/4 {
			renewed = now
			if err := s.renewTorrentLease(ctx, l.ID); err != nil {
				s.cfg.Log.Warn("lease of a torrent", "link", l.ID, "err", err)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range sums {
		if d.Roots[i] != sums[i].Root {
			return nil, fault.Errorf(fault.Corrupt, "%s: the content does not match its hash", joinNames(m.Files[i].Path))
		}
	}
	t, err := metainfo.Build(m, d, metainfo.BuildOptions{V1: true, V2: true, CreatedBy: "tandem", Created: s.now()})
	if err != nil {
		return nil, err
	}
	return t.Encode()
}

// manifest describes what a link leads to, files in BEP 52's order, which is Walk's.
func (s *Server) manifest(ctx context.Context, l catalog.Link) (*content.Manifest, []content.FileSum, error) {
	w := walk{s: s}
	var top catalog.Node
	var col catalog.Collection
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		var err error
		if top, err = tx.Tree.Node(l.Node); err != nil {
			return err
		}
		col, err = tx.Collections.Collection(l.Collection)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	m := &content.Manifest{Name: top.Name, HasV1: true, HasV2: true}
	if m.Name == "" {
		m.Name = col.Name
	}
	if !top.Folder {
		m.Single = true
		sum := top.Version.Sum
		m.Files = []content.File{{Path: []string{top.Name}, Length: sum.Size}}
		m.PieceLength = content.PieceLength(sum.Size)
		m.Seal()
		return m, []content.FileSum{sum}, nil
	}
	w.p = spot{col: col, base: top.ID, link: true}
	w.any = true
	var sums []content.FileSum
	var total int64
	for e, err := range w.below(ctx, top) {
		if err != nil {
			return nil, nil, err
		}
		if e.Node.Folder {
			continue
		}
		if len(sums) == content.MaxFiles {
			return nil, nil, fault.Errorf(fault.Invalid, "more than %d files", content.MaxFiles)
		}
		names, err := splitPath(e.Path)
		if err != nil {
			return nil, nil, err
		}
		sum := e.Node.Version.Sum
		total += sum.Size
		sums = append(sums, sum)
		m.Files = append(m.Files, content.File{Path: names, Length: sum.Size})
	}
	if total == 0 {
		return nil, nil, fault.Errorf(fault.Invalid, "there is nothing in it")
	}
	m.PieceLength = content.PieceLength(total)
	m.Seal()
	return m, sums, nil
}

// seekReader reads anywhere from what can only seek.
type seekReader struct {
	mu sync.Mutex // guards the place in f
	f  io.ReadSeeker
}

func (r *seekReader) ReadAt(b []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.f.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r.f, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
