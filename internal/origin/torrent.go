package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

const (
	torrentLook  = 15 * time.Second // how often to look for what another instance, or a crash, left
	torrentLease = 2 * time.Minute  // how long an instance has to say that it is still at it
)

// makeTorrents makes the metadata of links, one at a time, and hashes what nodes wait for, until ctx ends.
func (s *Server) makeTorrents(ctx context.Context) {
	s.links.open()
	tick := time.NewTicker(torrentLook)
	defer tick.Stop()
	for {
		for more := true; more && ctx.Err() == nil; {
			queued, err := s.makeQueued(ctx)
			made, err2 := s.makeTorrent(ctx)
			if more = queued || made; ctx.Err() == nil && errors.Join(err, err2) != nil {
				s.cfg.Log.Warn("metadata is made later", "err", errors.Join(err, err2))
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

// makeTorrent makes the metadata of one link, if there is one that no other instance is at.
func (s *Server) makeTorrent(ctx context.Context) (made bool, _ error) {
	l, err := s.claimTorrent(ctx)
	if err != nil || l.ID == 0 {
		return false, err
	}
	sh, print, err := s.metadataOf(ctx, &l)
	switch {
	case ctx.Err() != nil:
		return false, errors.Join(ctx.Err(), s.dropTorrentLease(ctx, l.ID))
	case err != nil && (errors.Is(err, fault.Unreachable) || fault.KindOf(err) == fault.Other):
		return false, err // the lease runs out, and it is tried again
	case errors.Is(err, errNothing):
		return true, s.failTorrent(ctx, l.ID, print)
	case err != nil:
		s.cfg.Log.Error("metadata of a link cannot be made", "link", l.ID, "err", err)
		return true, s.failTorrent(ctx, l.ID, print)
	}
	return true, s.keepMetadata(ctx, &l, sh)
}

// failTorrent says that there is no metadata of this content.
func (s *Server) failTorrent(ctx context.Context, id catalog.LinkID, print content.Hash) error {
	d := &s.swarm.shares
	d.mu.Lock()
	if len(d.failed) >= mostShares {
		clear(d.failed)
	}
	d.failed[id] = print
	d.mu.Unlock()
	return s.update(ctx, func(tx *catalog.Tx) error {
		if err := tx.Settings.Set(torrentKey(id), ""); err != nil {
			return err
		}
		return tx.Links.SetTorrent(id, catalog.TorrentFailed, nil, catalog.Metadata{})
	})
}

// metadataOf makes the metadata of what a link leads to now.
func (s *Server) metadataOf(ctx context.Context, l *catalog.Link) (_ *shared, print content.Hash, _ error) {
	var at place
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if at.top, err = tx.Tree.Node(l.Node); err != nil {
			return err
		}
		at.col, err = tx.Collections.Collection(l.Collection)
		return err
	})
	if err != nil {
		return nil, print, err
	}
	d, err := s.describe(ctx, at, formOf(l))
	if err != nil {
		return nil, print, err
	}
	renewed := s.now()
	sh, err := s.build(ctx, d, formOf(l), allBytes, func() {
		if now := s.now(); now.Sub(renewed) > torrentLease/4 {
			renewed = now
			if err := s.renewTorrentLease(ctx, l.ID); err != nil {
				s.cfg.Log.Warn("lease of metadata", "link", l.ID, "err", err)
			}
		}
	})
	return sh, d.print, err
}

// queued is a place whose metadata nodes wait for.
type queued struct {
	at   place
	form form
}

// enqueue has a place's content hashed. When too many wait it is dropped: who wants it asks again.
func (s *Server) enqueue(q queued) {
	d := &s.swarm.shares
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, other := range d.queue {
		if other.at.top.Version.ID == q.at.top.Version.ID && other.at.top.ID == q.at.top.ID && other.form == q.form {
			return
		}
	}
	if len(d.queue) < mostQueued {
		d.queue = append(d.queue, q)
	}
	s.links.wake()
}

// makeQueued makes the metadata of one place that nodes wait for. It stays in the queue meanwhile, so
// that it is not put there again.
func (s *Server) makeQueued(ctx context.Context) (made bool, _ error) {
	d := &s.swarm.shares
	d.mu.Lock()
	if len(d.queue) == 0 {
		d.mu.Unlock()
		return false, nil
	}
	q := d.queue[0]
	d.mu.Unlock()
	t, err := s.describe(ctx, q.at, q.form)
	if err == nil {
		var sh *shared
		if sh, err = s.build(ctx, t, q.form, allBytes, nil); err == nil {
			d.put(shareKey{node: q.at.top.ID, form: q.form}, sh)
		}
	}
	d.mu.Lock()
	d.queue = d.queue[1:]
	d.mu.Unlock()
	return true, err
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
