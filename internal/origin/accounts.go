package origin

import (
	"context"
	"fmt"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// Pages of what is listed by name.
const (
	usualPage = 200
	mostPage  = 1000
)

func page(limit int) int {
	if limit <= 0 {
		return usualPage
	}
	return min(limit, mostPage)
}

// maxQuota keeps sums of quotas far from overflow.
const maxQuota = 1 << 60

func checkQuota(n int64) error {
	if n < 0 || n > maxQuota {
		return fault.Errorf(fault.Invalid, "quota %d: must be 0 to %d bytes", n, int64(maxQuota))
	}
	return nil
}

func checkRole(r policy.Role) error {
	if r < policy.Reader || r > policy.Admin {
		return fault.Errorf(fault.Invalid, "role must be reader, publisher or admin")
	}
	return nil
}

func roleName(r policy.Role) string {
	switch r {
	case policy.Reader:
		return "reader"
	case policy.Publisher:
		return "publisher"
	case policy.Admin:
		return "admin"
	}
	return "none"
}

// newAccount checks what somebody chose for an account and returns the canonical name.
func newAccount(name, password string) (string, error) {
	name, err := canonicalName("user", name)
	if err != nil {
		return "", err
	}
	return name, checkNewPassword(name, password)
}

// addUser makes an account with a password that was hashed before.
func (s *Server) addUser(tx *catalog.Tx, u catalog.User, hash string) (_ catalog.User, err error) {
	u.Created = s.now()
	if u.ID, err = tx.Accounts.CreateUser(u); err != nil {
		return u, err
	}
	return u, s.setPassword(tx, u.ID, hash)
}

// Users returns accounts by name, those behind after; limit is cut to 1,000, 0: 200.
func (s *Server) Users(ctx context.Context, c Caller, after string, limit int) (list []catalog.User, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return err
		}
		list, err = tx.Accounts.Users(after, page(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return list, nil
}

// User returns an account: to who may manage people, and to anybody the own one.
func (s *Server) User(ctx context.Context, c Caller, name string) (u catalog.User, _ error) {
	name, err := canonicalName("user", name)
	if err != nil {
		return u, err
	}
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		action := policy.ManageUsers
		if c.User.ID != 0 && c.User.Name == name {
			action = policy.UseAccount
		}
		if err := s.may(tx, c, action, catalog.Collection{}); err != nil {
			return err
		}
		u, err = tx.Accounts.UserByName(name)
		return err
	})
	if err != nil {
		return catalog.User{}, fmt.Errorf("user %q: %w", name, err)
	}
	return u, nil
}

// CreateUser makes an account with a password that its owner should change.
func (s *Server) CreateUser(ctx context.Context, c Caller, name, password string, role policy.Role, quota int64) (u catalog.User, _ error) {
	fail := func(err error) (catalog.User, error) {
		return catalog.User{}, fmt.Errorf("create user %q: %w", plain(name, 80), err)
	}
	name, err := newAccount(name, password)
	if err == nil {
		err = checkRole(role)
	}
	if err == nil {
		err = checkQuota(quota)
	}
	if err != nil {
		return fail(err)
	}
	object := "user " + name
	if err := s.allowed(ctx, c, policy.ManageUsers, "user-create", object); err != nil {
		return fail(err)
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return fail(err)
	}
	err = s.change(ctx, c, "user-create", object, func(tx *catalog.Tx) (_ string, err error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		u, err = s.addUser(tx, catalog.User{Name: name, Role: role, Quota: quota}, hash)
		return fmt.Sprintf("role=%s quota=%d", roleName(role), quota), err
	})
	if err != nil {
		return fail(err)
	}
	return u, nil
}

// allowed asks may before work that no Update should wait for; the Update asks again.
func (s *Server) allowed(ctx context.Context, c Caller, a policy.Action, action, object string) error {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error { return s.may(tx, c, a, catalog.Collection{}) })
	if err != nil {
		s.refuse(ctx, c, action, object, err)
	}
	return err
}

// UpdateUser refuses to leave the server without an admin. Disabling and a new password end all sessions.
func (s *Server) UpdateUser(ctx context.Context, c Caller, name string, change UserChange) (u catalog.User, _ error) {
	fail := func(err error) (catalog.User, error) {
		return catalog.User{}, fmt.Errorf("change user %q: %w", plain(name, 80), err)
	}
	name, err := canonicalName("user", name)
	if err == nil {
		err = change.check(name)
	}
	if err != nil {
		return fail(err)
	}
	object, hash := "user "+name, ""
	if change.Password != nil {
		if err := s.allowed(ctx, c, policy.ManageUsers, "user-change", object); err != nil {
			return fail(err)
		}
		if hash, err = s.hashPassword(ctx, *change.Password); err != nil {
			return fail(err)
		}
	}
	err = s.changeAccess(ctx, c, "user-change", object, func(tx *catalog.Tx) (_ string, err error) {
		if err := s.may(tx, c, policy.ManageUsers, catalog.Collection{}); err != nil {
			return "", err
		}
		u, err = s.applyUser(tx, name, change, hash)
		return change.String(), err
	})
	if err != nil {
		return fail(err)
	}
	return u, nil
}

func (ch UserChange) check(name string) error {
	if ch.Role != nil {
		if err := checkRole(*ch.Role); err != nil {
			return err
		}
	}
	if ch.Quota != nil {
		if err := checkQuota(*ch.Quota); err != nil {
			return err
		}
	}
	if ch.Password != nil {
		return checkNewPassword(name, *ch.Password)
	}
	return nil
}

// String says what changes, for the audit log.
func (ch UserChange) String() string {
	var parts []string
	if ch.Role != nil {
		parts = append(parts, "role="+roleName(*ch.Role))
	}
	if ch.Disabled != nil {
		parts = append(parts, fmt.Sprintf("disabled=%t", *ch.Disabled))
	}
	if ch.Quota != nil {
		parts = append(parts, fmt.Sprintf("quota=%d", *ch.Quota))
	}
	if ch.Password != nil {
		parts = append(parts, "password=new")
	}
	return strings.Join(parts, " ")
}

func (s *Server) applyUser(tx *catalog.Tx, name string, ch UserChange, hash string) (catalog.User, error) {
	u, err := tx.Accounts.UserByName(name)
	if err != nil {
		return u, err
	}
	if ch.Role != nil {
		u.Role = *ch.Role
	}
	if ch.Disabled != nil {
		u.Disabled = *ch.Disabled
	}
	if ch.Quota != nil {
		u.Quota = *ch.Quota
	}
	if err := tx.Accounts.UpdateUser(u); err != nil {
		return u, err
	}
	if n, err := tx.Accounts.Admins(); err != nil {
		return u, fmt.Errorf("count admins: %w", err)
	} else if n == 0 {
		return u, fault.Errorf(fault.Permission, "the server would be left without an admin")
	}
	if hash != "" {
		if err := s.setPassword(tx, u.ID, hash); err != nil {
			return u, err
		}
		if err := s.passed(tx, byName("login", u.Name)); err != nil { // who is locked out gets in again
			return u, err
		}
	}
	if u.Disabled || hash != "" {
		if err := tx.Sessions.EndSessionsOf(u.ID, 0); err != nil {
			return u, fmt.Errorf("end sessions: %w", err)
		}
	}
	return u, nil
}
