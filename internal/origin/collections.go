package origin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// maxKeep is the longest that trash and versions are kept.
const maxKeep = 10 * 365 * 24 * time.Hour

// Collections returns those the caller may do anything in, by name.
func (s *Server) Collections(ctx context.Context, c Caller) (list []CollectionView, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		list = nil
		cols, err := s.visible(tx, c)
		if err != nil {
			return err
		}
		for _, col := range cols {
			err := s.may(tx, c, policy.ListFiles, col)
			if errors.Is(err, fault.NotFound) {
				continue
			}
			if err != nil && !errors.Is(err, fault.Permission) { // may know of it, but not list it: a drop box
				return err
			}
			view, err := s.collectionView(tx, c, col)
			if err != nil {
				return err
			}
			list = append(list, view)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("collections: %w", err)
	}
	return list, nil
}

// visible returns the collections that c may know of, and perhaps some more.
func (s *Server) visible(tx *catalog.Tx, c Caller) ([]catalog.Collection, error) {
	sub, _, err := s.subject(tx, c, catalog.Collection{})
	if err != nil {
		return nil, err
	}
	if !sub.Known || sub.Link != nil {
		return nil, refusal(nobody(c), policy.ListFiles, catalog.Collection{}, policy.Decision{Reason: policy.NobodyThere})
	}
	if sub.Role != policy.Admin {
		return tx.Collections.Visible(catalog.UserID(sub.User), s.now())
	}
	var all []catalog.Collection
	for after := ""; ; {
		cols, err := tx.Collections.Collections(after, mostPage)
		if err != nil {
			return nil, err
		}
		all = append(all, cols...)
		if len(cols) < mostPage {
			return all, nil
		}
		after = cols[len(cols)-1].Name
	}
}

func (s *Server) collectionView(tx *catalog.Tx, c Caller, col catalog.Collection) (CollectionView, error) {
	v := CollectionView{Collection: col}
	owner, err := tx.Accounts.User(col.Owner)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return v, fmt.Errorf("read owner: %w", err)
	}
	v.Owner = owner.Name
	if v.Rights, err = s.rights(tx, c, col); err != nil {
		return v, err
	}
	if v.Files, _, err = tx.Tree.Counts(col.ID); err != nil {
		return v, fmt.Errorf("count files: %w", err)
	}
	return v, nil
}

// Collection returns a collection that the caller may do anything in.
func (s *Server) Collection(ctx context.Context, c Caller, name string) (v CollectionView, _ error) {
	name, err := canonicalCollection(name)
	if err != nil {
		return v, err
	}
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		col, err := s.known(tx, c, name)
		if err != nil {
			return err
		}
		v, err = s.collectionView(tx, c, col)
		return err
	})
	if err != nil {
		return CollectionView{}, err
	}
	return v, nil
}

// known finds a collection that c may know of, whatever it may do there.
func (s *Server) known(tx *catalog.Tx, c Caller, name string) (catalog.Collection, error) {
	col, err := s.named(tx, c, policy.ListFiles, name)
	if errors.Is(err, fault.Permission) {
		return tx.Collections.CollectionByName(name)
	}
	return col, err
}

// CreateCollection makes a collection that the caller owns. fault.Exists when anybody's has the name.
func (s *Server) CreateCollection(ctx context.Context, c Caller, name string) (v CollectionView, _ error) {
	name, err := canonicalCollection(name)
	if err != nil {
		return v, fmt.Errorf("create collection: %w", err)
	}
	err = s.change(ctx, c, "collection-create", name, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.CreateCollection, catalog.Collection{}); err != nil {
			return "", err
		}
		col, err := tx.Collections.CreateCollection(catalog.Collection{Name: name, Owner: c.User.ID, Created: s.now()})
		if err != nil {
			return "", err
		}
		v, err = s.collectionView(tx, c, col)
		return fmt.Sprintf("collection=%d", col.ID), err
	})
	if err != nil {
		return CollectionView{}, fmt.Errorf("create collection %q: %w", name, err)
	}
	return v, nil
}

// UpdateCollection renames a collection and changes its quota and how long it keeps things.
func (s *Server) UpdateCollection(ctx context.Context, c Caller, name string, change CollectionChange) (v CollectionView, _ error) {
	name, err := canonicalCollection(name)
	if err == nil {
		err = change.check()
	}
	if err != nil {
		return v, fmt.Errorf("change collection: %w", err)
	}
	err = s.change(ctx, c, "collection-change", name, func(tx *catalog.Tx) (string, error) {
		col, err := s.named(tx, c, policy.AdministerCollection, name)
		if err != nil {
			return "", err
		}
		if change.Quota != nil {
			if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
				return "", err
			}
		}
		if err := tx.Collections.UpdateCollection(change.apply(col)); err != nil {
			return "", err
		}
		if col, err = tx.Collections.Collection(col.ID); err != nil {
			return "", err
		}
		v, err = s.collectionView(tx, c, col)
		return change.String(), err
	})
	if err != nil {
		return CollectionView{}, fmt.Errorf("change collection: %w", err)
	}
	return v, nil
}

// check makes a new name canonical.
func (ch *CollectionChange) check() error {
	if ch.Name != nil {
		name, err := canonicalCollection(*ch.Name)
		if err != nil {
			return err
		}
		ch.Name = &name
	}
	if ch.Quota != nil {
		if err := checkQuota(*ch.Quota); err != nil {
			return err
		}
	}
	for _, d := range []*time.Duration{ch.KeepTrash, ch.KeepVersions} {
		if d != nil && (*d < 0 || *d > maxKeep) {
			return fault.Errorf(fault.Invalid, "time to keep things: must be 0 to %v", maxKeep)
		}
	}
	return nil
}

func (ch CollectionChange) apply(col catalog.Collection) catalog.Collection {
	if ch.Name != nil {
		col.Name = *ch.Name
	}
	if ch.Quota != nil {
		col.Quota = *ch.Quota
	}
	if ch.KeepTrash != nil {
		col.KeepTrash = ch.KeepTrash.Truncate(time.Microsecond)
	}
	if ch.KeepVersions != nil {
		col.KeepVersions = ch.KeepVersions.Truncate(time.Microsecond)
	}
	return col
}

// String says what changes, for the audit log.
func (ch CollectionChange) String() string {
	var parts []string
	if ch.Name != nil {
		parts = append(parts, fmt.Sprintf("name=%q", *ch.Name))
	}
	if ch.Quota != nil {
		parts = append(parts, fmt.Sprintf("quota=%d", *ch.Quota))
	}
	if ch.KeepTrash != nil {
		parts = append(parts, fmt.Sprintf("keep-trash=%v", *ch.KeepTrash))
	}
	if ch.KeepVersions != nil {
		parts = append(parts, fmt.Sprintf("keep-versions=%v", *ch.KeepVersions))
	}
	return strings.Join(parts, " ")
}

// DeleteCollection removes an empty collection; fault.Exists while anything is in it or in its trash.
func (s *Server) DeleteCollection(ctx context.Context, c Caller, name string) error {
	name, err := canonicalCollection(name)
	if err != nil {
		return fmt.Errorf("delete collection: %w", err)
	}
	err = s.changeAccess(ctx, c, "collection-delete", name, func(tx *catalog.Tx) (string, error) {
		col, err := s.named(tx, c, policy.AdministerCollection, name)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("collection=%d", col.ID), tx.Collections.DeleteCollection(col.ID)
	})
	if err != nil {
		return fmt.Errorf("delete collection: %w", err)
	}
	return nil
}
