package origin

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// setupSetting holds the hash of the set-up token, in hex.
const setupSetting = "setup-token"

// SetupToken returns the one-time token of the set-up page: made anew at each start while there is no admin,
// "" once there is one. Only its hash is kept.
func (s *Server) SetupToken(ctx context.Context) (string, error) {
	secret, hash, err := s.secret(setupPrefix)
	if err != nil {
		return "", fmt.Errorf("set up: %w", err)
	}
	token := ""
	err = s.update(ctx, func(tx *catalog.Tx) error {
		token = ""
		n, err := tx.Accounts.Admins()
		if err != nil {
			return fmt.Errorf("count admins: %w", err)
		}
		if n > 0 {
			return tx.Settings.Set(setupSetting, "")
		}
		token = secret
		return tx.Settings.Set(setupSetting, hex.EncodeToString(hash[:]))
	})
	if err != nil {
		return "", fmt.Errorf("set up: %w", err)
	}
	return token, nil
}

// Setup makes the first admin with the one-time token and ends the token.
// fault.Gone when there is an admin, fault.Unauthenticated for a wrong token.
func (s *Server) Setup(ctx context.Context, c Caller, token, name, password string) (catalog.User, error) {
	c = nobody(c)
	name, err := newAccount(name, password)
	if err != nil {
		return catalog.User{}, fmt.Errorf("set up: %w", err)
	}
	check := func(tx *catalog.Tx) error { return s.checkSetup(tx, token) }
	if err := s.guarded(ctx, c, "setup", "", check, byAddress("setup", c.Remote)); err != nil {
		return catalog.User{}, fmt.Errorf("set up: %w", err)
	}
	user, err := s.createAdmin(ctx, c, "setup", name, password, check)
	if err != nil {
		return catalog.User{}, fmt.Errorf("set up: %w", err)
	}
	return user, nil
}

// checkSetup says whether token may make an admin now.
func (s *Server) checkSetup(tx *catalog.Tx, token string) error {
	if n, err := tx.Accounts.Admins(); err != nil {
		return fmt.Errorf("count admins: %w", err)
	} else if n > 0 {
		return fault.Errorf(fault.Gone, "this server is set up already")
	}
	want, err := tx.Settings.Get(setupSetting)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return fmt.Errorf("read set-up token: %w", err)
	}
	hash := hashSecret(token)
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(hex.EncodeToString(hash[:]))) != 1 {
		return fault.Errorf(fault.Unauthenticated, "wrong set-up token: the right one is in what the server printed at its last start")
	}
	return nil
}

// guarded runs check, which proves knowledge of a secret, within limits: when it returns
// fault.Unauthenticated or fault.NotFound, a failure is counted and written down.
func (s *Server) guarded(ctx context.Context, c Caller, action, object string, check func(*catalog.Tx) error, guesses ...guess) error {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		if err := s.limit(tx, guesses...); err != nil {
			return err
		}
		return check(tx)
	})
	if errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.NotFound) {
		return s.countFailure(ctx, c, action, object, err, guesses...)
	}
	return err
}

// countFailure counts a failed guess, writes it down, and returns the answer to give: why, or
// fault.Limited where others were faster to use up the tries, since
// then the answer must say nothing about the guess.
func (s *Server) countFailure(ctx context.Context, c Caller, action, object string, why error, guesses ...guess) error {
	answer := why
	err := s.update(ctx, func(tx *catalog.Tx) error {
		answer = why
		if err := s.limit(tx, guesses...); err != nil {
			answer = err
			return nil
		}
		note, err := s.failed(tx, guesses...)
		if err != nil {
			return err
		}
		return tx.Audit.Append(s.entry(c, action, object, outcome(why), note))
	})
	if err != nil {
		return err
	}
	return answer
}

// MakeAdmin makes an admin without a token: the command line on the server's own data.
// fault.Exists when the name is taken.
func (s *Server) MakeAdmin(ctx context.Context, name, password string) (catalog.User, error) {
	name, err := newAccount(name, password)
	if err != nil {
		return catalog.User{}, fmt.Errorf("make admin: %w", err)
	}
	user, err := s.createAdmin(ctx, Caller{}, "command line", name, password, func(*catalog.Tx) error { return nil })
	if err != nil {
		return catalog.User{}, fmt.Errorf("make admin %q: %w", name, err)
	}
	return user, nil
}

// createAdmin makes an admin if check still passes. The set-up token ends with it.
func (s *Server) createAdmin(ctx context.Context, c Caller, actor, name, password string, check func(*catalog.Tx) error) (user catalog.User, _ error) {
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return user, err
	}
	err = s.update(ctx, func(tx *catalog.Tx) (err error) {
		if err := check(tx); err != nil {
			return err
		}
		user, err = s.addUser(tx, catalog.User{Name: name, Role: policy.Admin}, hash)
		if err != nil {
			return err
		}
		if err := tx.Settings.Set(setupSetting, ""); err != nil {
			return fmt.Errorf("end set-up token: %w", err)
		}
		e := s.entry(c, "setup", "user "+name, "ok", "role=admin")
		e.Actor = actor
		return tx.Audit.Append(e)
	})
	return user, err
}
