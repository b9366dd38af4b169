package origin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func joinNames(names []string) string { return strings.Join(names, "/") }

// Versions returns a file's versions, the newest first; the first is current. It needs Read.
func (s *Server) Versions(ctx context.Context, c Caller, at Place) ([]catalog.Version, error) {
	var list []catalog.Version
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		p, err := s.find(tx, c, policy.ReadFile, at)
		if err != nil {
			return err
		}
		if err := notByLink(c); err != nil {
			return err
		}
		n, err := p.file(tx)
		if err != nil {
			return err
		}
		list, err = tx.Tree.Versions(n.ID)
		return err
	})
	return list, err
}

// file is node for what must be a file.
func (p spot) file(tx *catalog.Tx) (catalog.Node, error) {
	n, err := p.node(tx)
	if err == nil && n.Folder {
		return n, fault.Errorf(fault.Invalid, "%s: it is a folder", p.at(p.names))
	}
	return n, err
}

// version returns version id of n; no other file's.
func (p spot) version(tx *catalog.Tx, n catalog.Node, id catalog.VersionID) (catalog.Version, error) {
	if id == 0 || id == n.Version.ID {
		return n.Version, nil
	}
	v, err := tx.Tree.Version(id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return v, err
	}
	if err != nil || v.Node != n.ID {
		return v, fault.Errorf(fault.NotFound, "%s: it has no version %d", p.at(p.names), id)
	}
	return v, nil
}

// RestoreVersion makes a copy of an older version the current one. It counts for the caller's quota.
func (s *Server) RestoreVersion(ctx context.Context, c Caller, at Place, id catalog.VersionID) (Entry, error) {
	var e Entry
	err := s.change(ctx, c, "restore-version", asked(c, at), func(tx *catalog.Tx) (string, error) {
		p, err := s.find(tx, c, policy.PublishFile, at)
		if err != nil {
			return "", err
		}
		if err := notByLink(c); err != nil {
			return "", err
		}
		n, err := p.file(tx)
		if err != nil {
			return "", err
		}
		v, err := p.version(tx, n, id)
		if err != nil {
			return "", err
		}
		if v.Sum.Size > 0 {
			if known, err := tx.Contents.Content(v.Sum.Root); err != nil || known.State != catalog.Ready {
				return "", errors.Join(fault.Errorf(fault.Corrupt, "%s: the content of version %d is damaged", p.at(p.names), id), err)
			}
		}
		v.By, v.Via, v.Created = c.User.ID, 0, s.now()
		if err := s.pay(tx, v.By, p.col.ID, v.Sum.Size); err != nil {
			return "", err
		}
		if n, err = tx.Tree.PutFile(n.Parent, n.Name, v); err != nil {
			return "", err
		}
		e, err = p.entry(tx, authors{}, n, p.names)
		return fmt.Sprintf("version=%d", id), err
	})
	return e, err
}

// pay asks whether size more bytes are within the quotas. What PutFile counts in the same Update is then exact.
func (s *Server) pay(tx *catalog.Tx, who catalog.UserID, col catalog.CollectionID, size int64) error {
	if size == 0 {
		return nil
	}
	if err := tx.Quotas.Reserve(who, col, size); err != nil {
		return err
	}
	return tx.Quotas.Release(who, col, size)
}

// Found is a hit of Search.
type Found struct {
	Collection string
	Entry      Entry
}

// Search looks for text in names in one collection, or in all the caller may list when collection is "".
func (s *Server) Search(ctx context.Context, c Caller, collection, text string, limit int) ([]Found, error) {
	if text = norm.NFC.String(text); text == "" || len(text) > 240 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, fault.Errorf(fault.Invalid, "search: what to look for must have 1 to 240 bytes of text")
	}
	if limit <= 0 {
		limit = pageUsual
	}
	limit = min(limit, pageMost)
	var out []Found
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		out = nil
		if err := notByLink(c); err != nil {
			return err
		}
		in, err := s.searchable(tx, c, collection)
		if err != nil || len(in) == 0 {
			return err
		}
		var ids []catalog.CollectionID
		for _, col := range in {
			ids = append(ids, col.ID)
		}
		hits, err := tx.Tree.Search(ids, text, limit)
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		who := authors{}
		for _, hit := range hits {
			i := slices.Index(ids, hit.Node.Collection)
			e, err := spot{col: in[i]}.entry(tx, who, hit.Node, hit.Path)
			if err != nil {
				return err
			}
			out = append(out, Found{Collection: in[i].Name, Entry: e})
		}
		return nil
	})
	return out, err
}

// searchable returns the collections that c may list.
func (s *Server) searchable(tx *catalog.Tx, c Caller, collection string) ([]catalog.Collection, error) {
	if collection != "" {
		p, err := s.find(tx, c, policy.ListFiles, Place{Collection: collection})
		return []catalog.Collection{p.col}, err
	}
	if !c.Subject.Known {
		return nil, s.may(tx, c, policy.UseAccount, catalog.Collection{})
	}
	var all []catalog.Collection
	var err error
	if c.Subject.Role == policy.Admin {
		for after, more := "", true; more && err == nil; {
			var page []catalog.Collection
			if page, err = tx.Collections.Collections(after, pageMost); len(page) > 0 {
				after = page[len(page)-1].Name
			}
			all, more = append(all, page...), len(page) == pageMost
		}
	} else {
		all, err = tx.Collections.Visible(c.User.ID, s.now())
	}
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return slices.DeleteFunc(all, func(col catalog.Collection) bool {
		return s.may(tx, c, policy.ListFiles, col) != nil
	}), nil
}
