package origin

import (
	"context"
	"fmt"

	"tandem/internal/catalog"
	"tandem/internal/policy"
)

// Groups returns all groups with their members' names.
func (s *Server) Groups(ctx context.Context, c Caller) (list []GroupView, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return err
		}
		list = nil
		for after := ""; ; {
			groups, err := tx.Accounts.Groups(after, mostPage)
			if err != nil {
				return err
			}
			for _, g := range groups {
				view, err := groupView(tx, g)
				if err != nil {
					return err
				}
				list = append(list, view)
				after = g.Name
			}
			if len(groups) < mostPage {
				return nil
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	return list, nil
}

func groupView(tx *catalog.Tx, g catalog.Group) (GroupView, error) {
	members, err := tx.Accounts.Members(g.ID)
	if err != nil {
		return GroupView{}, fmt.Errorf("members of %q: %w", g.Name, err)
	}
	v := GroupView{Group: g}
	for _, u := range members {
		v.Members = append(v.Members, u.Name)
	}
	return v, nil
}

func (s *Server) CreateGroup(ctx context.Context, c Caller, name string) (g catalog.Group, _ error) {
	name, err := canonicalName("group", name)
	if err != nil {
		return g, err
	}
	err = s.change(ctx, c, "group-create", "group "+name, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		id, err := tx.Accounts.CreateGroup(name, s.now())
		if err != nil {
			return "", err
		}
		g, err = tx.Accounts.Group(id)
		return "", err
	})
	if err != nil {
		return catalog.Group{}, fmt.Errorf("create group %q: %w", name, err)
	}
	return g, nil
}

// DeleteGroup takes away what its members had by it.
func (s *Server) DeleteGroup(ctx context.Context, c Caller, name string) error {
	name, err := canonicalName("group", name)
	if err != nil {
		return err
	}
	err = s.changeAccess(ctx, c, "group-delete", "group "+name, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		g, err := tx.Accounts.GroupByName(name)
		if err != nil {
			return "", err
		}
		return "", tx.Accounts.DeleteGroup(g.ID)
	})
	if err != nil {
		return fmt.Errorf("delete group %q: %w", name, err)
	}
	return nil
}

// SetMember adds user to group or takes it out; what is so already is fine.
func (s *Server) SetMember(ctx context.Context, c Caller, group, user string, member bool) error {
	group, err := canonicalName("group", group)
	if err == nil {
		user, err = canonicalName("user", user)
	}
	if err != nil {
		return err
	}
	action, change := "group-remove", s.changeAccess
	if member {
		action, change = "group-add", s.change
	}
	err = change(ctx, c, action, "group "+group, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		g, err := tx.Accounts.GroupByName(group)
		if err != nil {
			return "", fmt.Errorf("group %q: %w", group, err)
		}
		u, err := tx.Accounts.UserByName(user)
		if err != nil {
			return "", fmt.Errorf("user %q: %w", user, err)
		}
		if member {
			return "user=" + user, tx.Accounts.AddMember(g.ID, u.ID)
		}
		return "user=" + user, tx.Accounts.RemoveMember(g.ID, u.ID)
	})
	if err != nil {
		return fmt.Errorf("change members: %w", err)
	}
	return nil
}
