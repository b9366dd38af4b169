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

// How long an invitation holds.
const (
	usualInvitation = 7 * 24 * time.Hour
	mostInvitation  = 365 * 24 * time.Hour
	maxNote         = 200 // bytes
)

// Invite makes an invitation for one account. ttl 0: 7 days.
func (s *Server) Invite(ctx context.Context, c Caller, role policy.Role, group, note string, ttl time.Duration) (token string, inv catalog.Invitation, _ error) {
	fail := func(err error) (string, catalog.Invitation, error) {
		return "", catalog.Invitation{}, fmt.Errorf("invite: %w", err)
	}
	if ttl == 0 {
		ttl = usualInvitation
	}
	if ttl < 0 || ttl > mostInvitation {
		return fail(fault.Errorf(fault.Invalid, "it must hold between no time and %v", mostInvitation))
	}
	if err := checkRole(role); err != nil {
		return fail(err)
	}
	var err error
	if group != "" {
		if group, err = canonicalName("group", group); err != nil {
			return fail(err)
		}
	}
	token, hash, err := s.secret(invitationPrefix)
	if err != nil {
		return fail(err)
	}
	now := s.now()
	made := catalog.Invitation{
		Hash: hash, Role: role, Note: plain(note, maxNote), By: c.User.ID,
		Created: now, Expires: now.Add(ttl).Truncate(time.Microsecond),
	}
	err = s.change(ctx, c, "invite", "role "+roleName(role), func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		inv = made
		if group != "" {
			g, err := tx.Accounts.GroupByName(group)
			if err != nil {
				return "", fmt.Errorf("group %q: %w", group, err)
			}
			inv.Group = g.ID
		}
		id, err := tx.Accounts.CreateInvitation(inv)
		inv.ID = id
		return fmt.Sprintf("invitation=%d group=%s", id, group), err
	})
	if err != nil {
		return fail(err)
	}
	return token, inv, nil
}

// Invitations returns those not taken, the newest first.
func (s *Server) Invitations(ctx context.Context, c Caller) (list []catalog.Invitation, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return err
		}
		list, err = tx.Accounts.Invitations()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("invitations: %w", err)
	}
	return list, nil
}

func (s *Server) WithdrawInvitation(ctx context.Context, c Caller, id int64) error {
	err := s.change(ctx, c, "invitation-withdraw", fmt.Sprintf("invitation %d", id), func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		return "", tx.Accounts.DeleteInvitation(id)
	})
	if err != nil {
		return fmt.Errorf("withdraw invitation %d: %w", id, err)
	}
	return nil
}

// Invited says what an invitation's token is good for, to show before it is taken. Guessing is limited.
// fault.NotFound for an unknown token, fault.Gone for one that was taken or has expired.
func (s *Server) Invited(ctx context.Context, c Caller, token string) (inv catalog.Invitation, _ error) {
	c = nobody(c)
	err := s.guarded(ctx, c, "invitation-accept", "", func(tx *catalog.Tx) (err error) {
		inv, err = s.invitation(tx, token)
		return err
	}, byAddress("invitation", c.Remote))
	if err != nil {
		return catalog.Invitation{}, fmt.Errorf("invitation: %w", err)
	}
	return inv, nil
}

// invitation finds one that holds. It is worth no more than who made it still is.
func (s *Server) invitation(tx *catalog.Tx, token string) (inv catalog.Invitation, err error) {
	absent := fault.Errorf(fault.NotFound, "there is none with this token")
	if !wellFormed(invitationPrefix, token) {
		return inv, absent
	}
	inv, err = tx.Accounts.Invitation(hashSecret(token))
	if errors.Is(err, fault.NotFound) {
		return inv, absent
	}
	if err != nil {
		return inv, fmt.Errorf("read invitation: %w", err)
	}
	if inv.Taken != 0 || !s.now().Before(inv.Expires) {
		return inv, fault.Errorf(fault.Gone, "it was taken or has expired: ask for another")
	}
	by, err := tx.Accounts.User(inv.By)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return inv, fmt.Errorf("read account: %w", err)
	}
	if err != nil || s.may(tx, Caller{User: by, Subject: accountSubject(by)}, policy.ManageUsers, catalog.Collection{}) != nil {
		return inv, fault.Errorf(fault.Gone, "who made it may not invite any more")
	}
	return inv, nil
}

// AcceptInvitation makes the account that an invitation's token is good for.
func (s *Server) AcceptInvitation(ctx context.Context, c Caller, token, name, password string) (u catalog.User, _ error) {
	fail := func(err error) (catalog.User, error) {
		return catalog.User{}, fmt.Errorf("accept invitation: %w", err)
	}
	name, err := newAccount(name, password)
	if err != nil {
		return fail(err)
	}
	c = nobody(c)
	if _, err := s.Invited(ctx, c, token); err != nil {
		return catalog.User{}, err
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return fail(err)
	}
	err = s.update(ctx, func(tx *catalog.Tx) error {
		inv, err := s.invitation(tx, token)
		if err != nil {
			return err
		}
		if u, err = s.addUser(tx, catalog.User{Name: name, Role: inv.Role}, hash); err != nil {
			return err
		}
		if err := joinGroup(tx, inv.Group, u.ID); err != nil {
			return err
		}
		if err := tx.Accounts.TakeInvitation(inv.ID, u.ID); err != nil {
			return err
		}
		c := Caller{User: u, Remote: c.Remote, Request: c.Request}
		return tx.Audit.Append(s.entry(c, "invitation-accept", "user "+name, "ok",
			fmt.Sprintf("invitation=%d role=%s", inv.ID, roleName(inv.Role))))
	})
	if err != nil {
		return fail(err)
	}
	return u, nil
}

// joinGroup makes user a member, unless the group is gone.
func joinGroup(tx *catalog.Tx, group catalog.GroupID, user catalog.UserID) error {
	if group == 0 {
		return nil
	}
	_, err := tx.Accounts.Group(group)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		err = tx.Accounts.AddMember(group, user)
	}
	if err != nil {
		return fmt.Errorf("join group: %w", err)
	}
	return nil
}
