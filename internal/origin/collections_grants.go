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

// Grants returns who has which rights on a collection, besides its owner and admins. Those that
// have lapsed are among them.
func (s *Server) Grants(ctx context.Context, c Caller, collection string) (list []GrantView, _ error) {
	collection, err := canonicalCollection(collection)
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		list = nil
		col, err := s.named(tx, c, policy.AdministerCollection, collection)
		if err != nil {
			return err
		}
		grants, err := tx.Collections.Grants(col.ID)
		if err != nil {
			return err
		}
		for _, g := range grants {
			name, err := subjectName(tx, g)
			if err != nil {
				return err
			}
			list = append(list, GrantView{Subject: name, Group: g.Group != 0, Rights: g.Rights, NotAfter: g.NotAfter})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	return list, nil
}

func subjectName(tx *catalog.Tx, g catalog.Grant) (string, error) {
	if g.Group != 0 {
		group, err := tx.Accounts.Group(g.Group)
		if err != nil {
			return "", fmt.Errorf("read group: %w", err)
		}
		return group.Name, nil
	}
	u, err := tx.Accounts.User(g.User)
	if err != nil {
		return "", fmt.Errorf("read account: %w", err)
	}
	return u.Name, nil
}

// SetGrant replaces what subject has on the collection; no rights takes it away.
func (s *Server) SetGrant(ctx context.Context, c Caller, collection string, g GrantView) error {
	if err := s.setGrant(ctx, c, collection, g); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	return nil
}

func (s *Server) setGrant(ctx context.Context, c Caller, collection string, g GrantView) error {
	collection, err := canonicalCollection(collection)
	if err != nil {
		return err
	}
	kind := "user"
	if g.Group {
		kind = "group"
	}
	if g.Subject, err = canonicalName(kind, g.Subject); err != nil {
		return err
	}
	if g.Rights&^policy.AllRights != 0 {
		return fault.Errorf(fault.Invalid, "unknown rights")
	}
	if g.Rights != 0 && !g.NotAfter.IsZero() && !g.NotAfter.After(s.now()) {
		return fault.Errorf(fault.Invalid, "it would have lapsed already")
	}
	return s.changeAccess(ctx, c, "grant", collection, func(tx *catalog.Tx) (string, error) {
		col, err := s.named(tx, c, policy.AdministerCollection, collection)
		if err != nil {
			return "", err
		}
		grant := catalog.Grant{Collection: col.ID, Rights: g.Rights, NotAfter: utc(g.NotAfter)}
		if g.Group {
			group, err := tx.Accounts.GroupByName(g.Subject)
			if err != nil {
				return "", absentSubject(kind, g.Subject, err)
			}
			grant.Group = group.ID
		} else {
			user, err := tx.Accounts.UserByName(g.Subject)
			if err != nil {
				return "", absentSubject(kind, g.Subject, err)
			}
			grant.User = user.ID
		}
		if err := tx.Collections.SetGrant(grant); err != nil {
			return "", err
		}
		detail := fmt.Sprintf("%s=%s rights=%s", kind, g.Subject, rightNames(g.Rights))
		if g.Rights != 0 && !g.NotAfter.IsZero() {
			detail += " until=" + grant.NotAfter.Format(time.RFC3339)
		}
		return detail, nil
	})
}

func absentSubject(kind, name string, err error) error {
	if errors.Is(err, fault.NotFound) {
		return fault.Errorf(fault.NotFound, "%s %q: there is none of that name", kind, name)
	}
	return fmt.Errorf("%s %q: %w", kind, name, err)
}
