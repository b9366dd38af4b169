package origin

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// maxTokens is how many API tokens an account has.
const maxTokens = 100

// ChangePassword ends all other sessions of the caller. A wrong old password is fault.Permission, and
// limited as a login is.
func (s *Server) ChangePassword(ctx context.Context, c Caller, old, new string) error {
	if err := s.changePassword(ctx, c, old, new); err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}

func (s *Server) changePassword(ctx context.Context, c Caller, old, new string) error {
	if err := checkNewPassword(c.User.Name, new); err != nil {
		return err
	}
	object := "user " + c.User.Name
	guesses := []guess{byName("login", c.User.Name), byAddress("login", c.Remote)}
	var cred catalog.Credential
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return err
		}
		if err := s.limit(tx, guesses...); err != nil {
			return err
		}
		_, cred, err = passwordOf(tx, c.User.Name)
		return err
	})
	if err != nil {
		s.refuse(ctx, c, "password", object, err)
		return err
	}
	right, err := s.checkPassword(ctx, cred.Secret, old)
	if err != nil {
		return err
	}
	if !right {
		return s.countFailure(ctx, c, "password", object, errOldPassword(), guesses...)
	}
	hash, err := s.hashPassword(ctx, new)
	if err != nil {
		return err
	}
	return s.changeAccess(ctx, c, "password", object, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return "", err
		}
		if err := s.limit(tx, guesses...); err != nil {
			return "", err
		}
		if got, err := tx.Accounts.Credential(c.User.ID, catalog.Password); err != nil || got.Secret != cred.Secret {
			return "", errOldPassword()
		}
		if err := s.setPassword(tx, c.User.ID, hash); err != nil {
			return "", err
		}
		return "", tx.Sessions.EndSessionsOf(c.User.ID, c.Session)
	})
}

// errOldPassword does not say that the caller has to sign in again.
func errOldPassword() error { return fault.Errorf(fault.Permission, "the old password is wrong") }

func (s *Server) setPassword(tx *catalog.Tx, user catalog.UserID, hash string) error {
	err := tx.Accounts.SetCredential(catalog.Credential{
		User: user, Kind: catalog.Password, Secret: hash, Changed: s.now(),
	})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// CreateToken makes an API token no stronger than the caller: its rights, its reach and its end are
// within those of what the caller signed in with.
func (s *Server) CreateToken(ctx context.Context, c Caller, name string, limit policy.Rights, server bool, expires time.Time) (secret string, t catalog.Token, _ error) {
	fail := func(err error) (string, catalog.Token, error) {
		return "", catalog.Token{}, fmt.Errorf("create token: %w", err)
	}
	name = strings.TrimSpace(name)
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxName || plain(name, 8*maxName) != name:
		return fail(fault.Errorf(fault.Invalid, "its name must have 1 to %d characters", maxName))
	case limit&^policy.AllRights != 0:
		return fail(fault.Errorf(fault.Invalid, "unknown rights"))
	case limit == 0 && !server:
		return fail(fault.Errorf(fault.Invalid, "it would be good for nothing: name at least one right"))
	case !expires.IsZero() && !expires.After(s.now()):
		return fail(fault.Errorf(fault.Invalid, "it would have expired already"))
	}
	secret, hash, err := s.secret(tokenPrefix)
	if err != nil {
		return fail(err)
	}
	err = s.change(ctx, c, "token-create", "token "+name, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return "", err
		}
		if err := narrower(c, limit, server, expires); err != nil {
			return "", err
		}
		list, err := tx.Sessions.TokensOf(c.User.ID)
		if err != nil {
			return "", fmt.Errorf("read tokens: %w", err)
		}
		if len(list) >= maxTokens {
			return "", fault.Errorf(fault.Quota, "there are %d already: delete one first", len(list))
		}
		t = catalog.Token{
			Hash: hash, User: c.User.ID, Name: name, Limit: limit, Server: server,
			Created: s.now(), Expires: utc(expires),
		}
		if t.ID, err = tx.Sessions.CreateToken(t); err != nil {
			return "", err
		}
		return fmt.Sprintf("token=%d rights=%s server=%t", t.ID, rightNames(limit), server), nil
	})
	if err != nil {
		return fail(err)
	}
	return secret, t, nil
}

// narrower says whether a token for limit, server and expires is within what c signed in with.
func narrower(c Caller, limit policy.Rights, server bool, expires time.Time) error {
	wider := func(what string) error {
		return &refused{fault.Permission, policy.OutOfScope, "it would " + what + " that made it"}
	}
	end := c.Subject.Expires
	switch {
	case !c.Subject.Limit.Has(limit):
		return wider("allow more than the token")
	case server && !c.Subject.Server:
		return wider("reach further than the token")
	case c.Token != 0 && !end.IsZero() && (expires.IsZero() || expires.After(end)):
		return wider("last longer than the token")
	}
	return nil
}

// utc is t as the catalog keeps it; zero stays zero.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// rightNames is r in words, for the audit log.
func rightNames(r policy.Rights) string {
	var names []string
	for _, n := range []struct {
		right policy.Rights
		name  string
	}{{policy.List, "list"}, {policy.Read, "read"}, {policy.Publish, "publish"}, {policy.Administer, "administer"}} {
		if r&n.right != 0 {
			names = append(names, n.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

// Tokens returns the caller's API tokens.
func (s *Server) Tokens(ctx context.Context, c Caller) (list []catalog.Token, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return err
		}
		list, err = tx.Sessions.TokensOf(c.User.ID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return list, nil
}

// DeleteToken ends one of the caller's own tokens.
func (s *Server) DeleteToken(ctx context.Context, c Caller, id int64) error {
	err := s.changeAccess(ctx, c, "token-delete", "user "+c.User.Name, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return "", err
		}
		return fmt.Sprintf("token=%d", id), tx.Sessions.DeleteToken(c.User.ID, id)
	})
	if err != nil {
		return fmt.Errorf("delete token %d: %w", id, err)
	}
	return nil
}
