package origin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Pages of a listing.
const (
	pageUsual = 200
	pageMost  = 1000
)

// Stat needs List; of a file Read is enough, and so it is of what a link leads to.
func (s *Server) Stat(ctx context.Context, c Caller, at Place) (Entry, error) {
	var e Entry
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		p, n, err := s.look(tx, c, at)
		if err != nil {
			return err
		}
		e, err = p.entry(tx, authors{}, n, p.names)
		return err
	})
	return e, err
}

// look finds what the caller may see at a place, or may at least read.
func (s *Server) look(tx *catalog.Tx, c Caller, at Place) (spot, catalog.Node, error) {
	p, denied := s.find(tx, c, policy.ListFiles, at)
	if errors.Is(denied, fault.Permission) {
		var err error
		if p, err = s.find(tx, c, policy.ReadFile, at); err != nil {
			return p, catalog.Node{}, denied
		}
	} else if denied != nil {
		return p, catalog.Node{}, denied
	}
	n, err := p.node(tx)
	if err == nil && denied != nil && n.Folder && len(p.names) > 0 {
		return p, catalog.Node{}, denied
	}
	return p, n, err
}

// List returns a page of a folder, names behind after; limit is cut to 1,000, 0: 200.
// Of a file it returns the file as Folder, and no Entries.
func (s *Server) List(ctx context.Context, c Caller, at Place, after string, limit int) (Listing, error) {
	if len(after) > content.MaxComponent || !utf8.ValidString(after) || strings.ContainsRune(after, 0) {
		return Listing{}, fault.Errorf(fault.Invalid, "list: %q is no name to go on behind", after)
	}
	if limit <= 0 {
		limit = pageUsual
	}
	limit = min(limit, pageMost)
	var out Listing
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		out = Listing{}
		p, err := s.find(tx, c, policy.ListFiles, at)
		if err != nil {
			return err
		}
		n, err := p.node(tx)
		if err != nil {
			return err
		}
		if out.Rights, err = s.rights(tx, c, p.col); err != nil {
			return err
		}
		who := authors{}
		if out.Folder, err = p.entry(tx, who, n, p.names); err != nil || !n.Folder {
			return err
		}
		children, err := tx.Tree.Children(n.ID, after, limit+1)
		if err != nil {
			return fmt.Errorf("%s: %w", p.at(p.names), err)
		}
		if len(children) > limit {
			children = children[:limit]
			out.Next = children[limit-1].Name
		}
		out.Entries, err = p.entries(tx, who, children, p.names)
		return err
	})
	return out, err
}

// entries shows the children of the folder at names.
func (p spot) entries(tx *catalog.Tx, who authors, children []catalog.Node, names []string) ([]Entry, error) {
	out := make([]Entry, len(children))
	for i, n := range children {
		var err error
		if out[i], err = p.entry(tx, who, n, append(names[:len(names):len(names)], n.Name)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// MakeFolder makes a folder and those above it; one that is there is fine.
func (s *Server) MakeFolder(ctx context.Context, c Caller, at Place) (Entry, error) {
	var e Entry
	made := 0
	err := s.update(ctx, func(tx *catalog.Tx) error {
		p, err := s.find(tx, c, policy.PublishFile, at)
		if err != nil {
			return err
		}
		if err := notByLink(c); err != nil {
			return err
		}
		if len(p.names) > 0 {
			if err := p.creatable(); err != nil {
				return err
			}
		}
		var id catalog.NodeID
		if id, made, err = s.folders(tx, p.base, p.names, false); err != nil {
			return fmt.Errorf("%s: %w", p.at(p.names), err)
		}
		n, err := tx.Tree.Node(id)
		if err != nil {
			return err
		}
		if e, err = p.entry(tx, authors{}, n, p.names); err != nil || made == 0 {
			return err
		}
		return tx.Audit.Append(s.entry(c, "mkdir", p.object(), "ok", ""))
	})
	if err != nil {
		s.refuse(ctx, c, "mkdir", asked(c, at), err)
		return Entry{}, err
	}
	return e, nil
}

// folders walks down from a folder and makes what is missing. With rename, where a file has the name
// a free one is taken; names then holds it.
func (s *Server) folders(tx *catalog.Tx, from catalog.NodeID, names []string, rename bool) (_ catalog.NodeID, made int, _ error) {
	now := s.now()
	for i, name := range names {
		n, err := tx.Tree.Child(from, name)
		if err == nil && !n.Folder && rename {
			if name, err = s.freeName(tx, from, name); err != nil {
				return 0, made, err
			}
			names[i] = name
			n, err = tx.Tree.MakeFolder(from, name, now)
			made++
		}
		if errors.Is(err, fault.NotFound) {
			n, err = tx.Tree.MakeFolder(from, name, now)
			made++
		}
		if err != nil {
			return 0, made, err
		}
		if !n.Folder {
			return 0, made, fault.Errorf(fault.Exists, "%q is a file", name)
		}
		from = n.ID
	}
	return from, made, nil
}

func (s *Server) freeName(tx *catalog.Tx, folder catalog.NodeID, name string) (string, error) {
	return freeName(name, func(try string) (bool, error) {
		_, err := tx.Tree.Child(folder, try)
		if errors.Is(err, fault.NotFound) {
			return false, nil
		}
		return true, err
	}, func() string {
		text, err := s.randomText(5)
		if err != nil {
			return "new" // the name will be taken, and the search ends
		}
		return text
	})
}

// Move renames or moves within a collection. The folder it goes to must be there. To where it is is fine.
func (s *Server) Move(ctx context.Context, c Caller, from, to Place) (Entry, error) {
	if to.Collection == "" {
		to.Collection = from.Collection
	}
	object := asked(c, from) + " to " + asked(c, to)
	if err := s.fits(ctx, c, from, to); err != nil {
		s.refuse(ctx, c, "move", object, err)
		return Entry{}, err
	}
	var e Entry
	err := s.change(ctx, c, "move", object, func(tx *catalog.Tx) (string, error) {
		a, b, err := s.moveEnds(tx, c, from, to)
		if err != nil {
			return "", err
		}
		n, err := a.node(tx)
		if err != nil {
			return "", err
		}
		if !slices.Equal(a.names, b.names) {
			if n, err = moveTo(tx, n, b); err != nil {
				return "", fmt.Errorf("%s: %w", b.at(b.names), err)
			}
		}
		e, err = b.entry(tx, authors{}, n, b.names)
		return "", err
	})
	return e, err
}

// moveEnds finds both ends of a move, in one collection.
func (s *Server) moveEnds(tx *catalog.Tx, c Caller, from, to Place) (a, b spot, _ error) {
	a, err := s.find(tx, c, policy.PublishFile, from)
	if err != nil {
		return a, b, err
	}
	if err := notByLink(c); err != nil {
		return a, b, err
	}
	if b, err = s.find(tx, c, policy.PublishFile, to); err != nil {
		return a, b, err
	}
	if a.col.ID != b.col.ID {
		return a, b, fault.Errorf(fault.Invalid, "%s: moving from one collection to another is not possible", a.at(a.names))
	}
	if len(a.names) == 0 {
		return a, b, fault.Errorf(fault.Invalid, "%s: a collection itself cannot be moved", a.at(nil))
	}
	return a, b, b.creatable()
}

func moveTo(tx *catalog.Tx, n catalog.Node, b spot) (catalog.Node, error) {
	last := len(b.names) - 1
	parent, err := tx.Tree.Resolve(b.base, b.names[:last])
	if errors.Is(err, fault.NotFound) {
		return n, fault.Errorf(fault.NotFound, "the folder it should go to is not there")
	}
	if err != nil {
		return n, err
	}
	if !parent.Folder {
		return n, fault.Errorf(fault.Exists, "%q is a file", parent.Name)
	}
	return tx.Tree.Move(n.ID, parent.ID, b.names[last])
}

// fits looks whether what is below from still has a path that can be made when it is below to. A
// file that comes while it looks may be missed: it stays within what may be asked for.
func (s *Server) fits(ctx context.Context, c Caller, from, to Place) error {
	old, err := splitPath(from.Path)
	if err != nil {
		return err
	}
	names, err := splitPath(to.Path)
	if err != nil {
		return err
	}
	deeper := len(names) - len(old)
	longer := len(strings.Join(names, "/")) - len(strings.Join(old, "/"))
	if deeper <= 0 && longer <= 0 || c.Link != nil || len(old) == 0 {
		return nil
	}
	for e, err := range s.Walk(ctx, c, from) {
		if errors.Is(err, fault.Permission) {
			return nil // may publish and not list: the limits of asking hold
		}
		if err != nil {
			return err
		}
		if strings.Count(e.Path, "/")+1+deeper > content.MaxDepth || len(e.Path)+longer > content.MaxPath {
			return fault.Errorf(fault.Invalid, "%s: the path of %q would be too long", to, e.Path)
		}
	}
	return nil
}
