package origin

import (
	"context"
	"errors"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

const (
	mostPending  = 1000            // links looked at whose content is still to come
	pendingAgain = 5 * time.Second // when to try again what needs the content
)

// checkPending reads the .torrent of content that is still to be uploaded.
func (r *LinkRequest) checkPending() (*shared, error) {
	switch {
	case r.Kind != catalog.ShareLink || r.Audience != peer.Link:
		return nil, fault.Errorf(fault.Invalid, "link: only a share link of audience link can be made ahead of its content")
	case r.Password != "" || r.MaxDownloads != 0:
		return nil, fault.Errorf(fault.Invalid, "link: a link made ahead of its content has neither a password nor a limit of downloads; set them later")
	}
	sh, t, err := parseShared(r.Torrent)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "link: %w", err)
	}
	m := t.Manifest
	switch {
	case !m.HasV2 || m.HasV1:
		return nil, fault.Errorf(fault.Invalid, "link: the torrent is not v2 alone")
	case t.Layers == nil || !t.Layers.Complete():
		return nil, fault.Errorf(fault.Invalid, "link: the torrent is without its piece layers")
	case len(t.Links) > 0:
		return nil, fault.Errorf(fault.Invalid, "link: the torrent has symbolic links")
	}
	// Kept is what is needed, and no trackers or comments of somebody's choice.
	t.Trackers, t.WebSeeds, t.Comment, t.CreatedBy, t.Created = nil, nil, "", "", time.Time{}
	if sh.torrent, err = t.Encode(); err != nil {
		return nil, err
	}
	sh.print = printOf(m)
	return sh, nil
}

// watchPending ends the waiting of links whose content has come. Comparing folders takes its time, so that it
// is done at most for a twentieth of it.
func (s *Server) watchPending(ctx context.Context) error {
	w, now := &s.swarm.watch, s.now()
	if age := now.Sub(w.settled); age >= 0 && age < 20*w.busy {
		return nil
	}
	var list []catalog.Link
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		list, err = tx.Links.PendingLinks(mostPending)
		return err
	})
	if err != nil {
		return err
	}
	for _, l := range list {
		if ranOut(l.Expires, now) {
			continue
		}
		if _, err := s.settleLink(ctx, l); err != nil && !refusable(err) {
			return err
		}
	}
	w.settled = s.now()
	w.busy = w.settled.Sub(now)
	return nil
}

// settleLink ends a link's waiting when what it was made for is where it should come.
func (s *Server) settleLink(ctx context.Context, l catalog.Link) (settled bool, _ error) {
	names, err := splitPath(l.Pending)
	if err != nil {
		return false, err
	}
	var at place
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if at.col, err = tx.Collections.Collection(l.Collection); err != nil {
			return err
		}
		at.top, err = tx.Tree.Resolve(at.col.Root, names)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if print, err := s.print(ctx, at); err != nil || print != l.Meta.Print {
		return false, err
	}
	err = s.update(ctx, func(tx *catalog.Tx) error {
		if n, err := tx.Tree.Resolve(at.col.Root, names); err != nil || n.ID != at.top.ID || n.Version.ID != at.top.Version.ID {
			return errors.Join(err, errMoved)
		}
		return tx.Links.SettleLink(l.ID, at.top.ID)
	})
	if errors.Is(err, errMoved) || errors.Is(err, fault.NotFound) { // another time, or by somebody else
		return false, nil
	}
	if err == nil {
		s.SwarmChanged(s.crowdOf(&l))
	}
	return err == nil, err
}

var errMoved = fault.Errorf(fault.Changed, "it was changed meanwhile")

// pendingLink is CreateLink's part for content that is still to come: who may upload it there may link it.
func pendingLink(tx *catalog.Tx, l catalog.Link, sh *shared, p spot) (catalog.LinkID, error) {
	l.Node, l.Collection, l.Pending = 0, p.col.ID, joinNames(p.full())
	id, err := tx.Links.CreateLink(l)
	if err != nil {
		return 0, err
	}
	return id, tx.Links.SetTorrent(id, catalog.TorrentMade, sh.torrent, sh.metadata())
}
