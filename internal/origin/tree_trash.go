package origin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// purgeStep is how many nodes one Update of Purge removes.
const purgeStep = 500

// Trash moves a file or folder to the trash; Restore takes it back, under a free name if its own is taken.
func (s *Server) Trash(ctx context.Context, c Caller, at Place) (catalog.Node, error) {
	var n catalog.Node
	err := s.change(ctx, c, "trash", asked(c, at), func(tx *catalog.Tx) (string, error) {
		p, err := s.find(tx, c, policy.PublishFile, at)
		if err != nil {
			return "", err
		}
		if err := notByLink(c); err != nil {
			return "", err
		}
		if len(p.names) == 0 {
			return "", fault.Errorf(fault.Invalid, "%s: a collection itself cannot go to the trash", p.at(nil))
		}
		if n, err = p.node(tx); err != nil {
			return "", err
		}
		if err := tx.Tree.Trash(n.ID, c.User.ID, s.now()); err != nil {
			return "", fmt.Errorf("%s: %w", p.at(p.names), err)
		}
		n, err = tx.Tree.Node(n.ID)
		return fmt.Sprintf("node=%d", n.ID), err
	})
	return n, err
}

// TrashedEntry is something in the trash.
type TrashedEntry struct {
	Node catalog.Node
	Path string // where it was
	By   string
	Goes time.Time // when it is removed for good
}

// TrashList returns what is in the trash of a collection, by number; it needs Publish, as Restore does.
func (s *Server) TrashList(ctx context.Context, c Caller, collection string, after catalog.NodeID, limit int) ([]TrashedEntry, error) {
	if limit <= 0 {
		limit = pageUsual
	}
	limit = min(limit, pageMost)
	var out []TrashedEntry
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		out = nil
		p, err := s.find(tx, c, policy.PublishFile, Place{Collection: collection})
		if err != nil {
			return err
		}
		if err := notByLink(c); err != nil {
			return err
		}
		nodes, err := tx.Tree.Trashed(p.col.ID, after, limit)
		if err != nil {
			return fmt.Errorf("trash of %s: %w", p.col.Name, err)
		}
		keep := p.col.KeepTrash
		if keep <= 0 {
			keep = s.cfg.KeepTrash
		}
		who := authors{}
		for _, n := range nodes {
			names, _, err := tx.Tree.Path(n.ID)
			if err != nil {
				return fmt.Errorf("trash of %s: %w", p.col.Name, err)
			}
			by, err := who.of(tx, n.TrashedBy)
			if err != nil {
				return err
			}
			out = append(out, TrashedEntry{Node: n, Path: joinNames(names), By: by, Goes: n.Trashed.Add(keep)})
		}
		return nil
	})
	return out, err
}

// Restore takes something back from the trash: to the folder it was in, or the nearest above it that is still
// there, and under a free name if its own is taken.
func (s *Server) Restore(ctx context.Context, c Caller, collection string, id catalog.NodeID) (Entry, error) {
	var e Entry
	object := fmt.Sprintf("%s, trash %d", collection, id)
	err := s.change(ctx, c, "restore", object, func(tx *catalog.Tx) (string, error) {
		p, n, err := s.trashed(tx, c, policy.PublishFile, collection, id)
		if err != nil {
			return "", err
		}
		parent, err := liveParent(tx, p.col.Root, n)
		if err != nil {
			return "", err
		}
		name := n.Name
		if _, err := tx.Tree.Child(parent, name); err == nil {
			if name, err = s.freeName(tx, parent, name); err != nil {
				return "", err
			}
		} else if !errors.Is(err, fault.NotFound) {
			return "", err
		}
		if n, err = tx.Tree.Untrash(id, parent, name); err != nil {
			return "", fmt.Errorf("restore %s: %w", object, err)
		}
		names, _, err := tx.Tree.Path(n.ID)
		if err != nil {
			return "", err
		}
		e, err = p.entry(tx, authors{}, n, names)
		return "to=" + e.Path, err
	})
	return e, err
}

// liveParent returns the folder n was in, or the nearest above it that is not in the trash.
func liveParent(tx *catalog.Tx, root catalog.NodeID, n catalog.Node) (catalog.NodeID, error) {
	for id := n.Parent; id != root && id != 0; {
		_, live, err := tx.Tree.Path(id)
		if err != nil {
			return 0, fmt.Errorf("restore: %w", err)
		}
		if live {
			return id, nil
		}
		above, err := tx.Tree.Node(id)
		if err != nil {
			return 0, fmt.Errorf("restore: %w", err)
		}
		id = above.Parent
	}
	return root, nil
}

// trashed finds something in the trash of a collection.
func (s *Server) trashed(tx *catalog.Tx, c Caller, a policy.Action, collection string, id catalog.NodeID) (spot, catalog.Node, error) {
	p, err := s.find(tx, c, a, Place{Collection: collection})
	if err != nil {
		return p, catalog.Node{}, err
	}
	if err := notByLink(c); err != nil {
		return p, catalog.Node{}, err
	}
	n, err := tx.Tree.Node(id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return p, n, err
	}
	if err != nil || n.Collection != p.col.ID || n.Trashed.IsZero() {
		return p, n, fault.Errorf(fault.NotFound, "trash of %s: nothing there has number %d", p.col.Name, id)
	}
	return p, n, nil
}

// Purge removes for good; it needs Administer. A big folder goes in steps: when one fails, the rest stays in the trash.
func (s *Server) Purge(ctx context.Context, c Caller, collection string, id catalog.NodeID) error {
	object := fmt.Sprintf("%s, trash %d", collection, id)
	done := false
	err := s.change(ctx, c, "purge", object, func(tx *catalog.Tx) (detail string, _ error) {
		_, n, err := s.trashed(tx, c, policy.AdministerCollection, collection, id)
		if err != nil {
			return "", err
		}
		names, _, err := tx.Tree.Path(id)
		if err != nil {
			return "", err
		}
		done, err = tx.Tree.Purge(n.ID, purgeStep)
		return "was=" + joinNames(names), err
	})
	for err == nil && !done {
		err = s.update(ctx, func(tx *catalog.Tx) error {
			var err error
			done, err = tx.Tree.Purge(id, purgeStep)
			if errors.Is(err, fault.NotFound) { // the sweep was quicker
				done, err = true, nil
			}
			return err
		})
	}
	return err
}
