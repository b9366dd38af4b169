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

const (
	maxAgent = 200 // bytes of what a client calls itself
	// maxSessions is how many sessions an account has; a further one ends the one not
	// seen for longest.
	maxSessions = 100
	// touchEvery is how exact Seen is.
	touchEvery = time.Minute
	// maxAhead is how far in the future a session may have been seen: more, and the clock was set
	// back, and nobody knows how old the session is.
	maxAhead = 5 * time.Minute
)

// errLogin is the answer to every login that fails, whatever the cause.
func errLogin() error { return fault.Errorf(fault.Unauthenticated, "wrong name or password") }

// Login checks a password and begins a session; secret is its cookie and bearer token. Whether the account
// exists, is disabled or the password is wrong: the same work, fault.Unauthenticated and
// the same text. fault.Limited after too many failures from one address or on one
// name; RetryAfter tells how long.
func (s *Server) Login(ctx context.Context, c Caller, name, password, agent string) (secret string, _ Caller, _ error) {
	c = nobody(c)
	if len(password) > maxPassword {
		return "", c, errLogin() // whoever it is: no account has such a password
	}
	guesses := []guess{byName("login", name), byAddress("login", c.Remote)}
	var user catalog.User
	var cred catalog.Credential
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if err := s.limit(tx, guesses...); err != nil {
			return err
		}
		user, cred, err = passwordOf(tx, name)
		return err
	})
	if err != nil {
		return "", c, fmt.Errorf("sign in: %w", err)
	}
	right, err := s.checkPassword(ctx, cred.Secret, password)
	if err != nil {
		return "", c, fmt.Errorf("sign in: %w", err)
	}
	if !right || user.Disabled {
		object := "unknown user" // what was typed may be a password
		if user.ID != 0 {
			object = "user " + user.Name
		}
		return "", c, fmt.Errorf("sign in: %w", s.countFailure(ctx, c, "login", object, errLogin(), guesses...))
	}
	fresh := ""
	if s.aged(cred.Secret) {
		if fresh, err = s.hashPassword(ctx, password); err != nil {
			return "", c, fmt.Errorf("sign in: %w", err)
		}
	}
	return s.begin(ctx, c, cred, fresh, agent, guesses)
}

// nobody is c before it proved anything.
func nobody(c Caller) Caller { return Caller{}.asking(c) }

// asking is c with what is the request's own, not the credential's, of r.
func (c Caller) asking(r Caller) Caller {
	c.Remote, c.Request, c.Node = r.Remote, r.Request, r.Node
	return c
}

// passwordOf finds an account and its password by name; both are zero where there is none.
func passwordOf(tx *catalog.Tx, name string) (u catalog.User, cred catalog.Credential, err error) {
	name, err = canonicalName("user", name)
	if err != nil {
		return u, cred, nil
	}
	u, err = tx.Accounts.UserByName(name)
	if errors.Is(err, fault.NotFound) {
		return catalog.User{}, cred, nil
	}
	if err != nil {
		return u, cred, fmt.Errorf("read account: %w", err)
	}
	cred, err = tx.Accounts.Credential(u.ID, catalog.Password)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return u, cred, fmt.Errorf("read password: %w", err)
	}
	return u, cred, nil
}

// begin makes a session for the holder of cred, which was found right, unless it was changed
// or used up since. fresh, if any, replaces its hash.
func (s *Server) begin(ctx context.Context, c Caller, cred catalog.Credential, fresh, agent string, guesses []guess) (string, Caller, error) {
	secret, hash, err := s.secret(sessionPrefix)
	if err != nil {
		return "", c, fmt.Errorf("sign in: %w", err)
	}
	var in Caller
	err = s.update(ctx, func(tx *catalog.Tx) error {
		if err := s.limit(tx, guesses...); err != nil { // also without a failure: tries run side by side
			return err
		}
		now := s.now()
		u, err := tx.Accounts.User(cred.User)
		if err != nil || u.Disabled {
			return errLogin()
		}
		if got, err := tx.Accounts.Credential(u.ID, catalog.Password); err != nil || got.Secret != cred.Secret {
			return errLogin()
		}
		if fresh != "" {
			renewed := cred
			renewed.Secret = fresh
			if err := tx.Accounts.SetCredential(renewed); err != nil {
				return fmt.Errorf("renew hash: %w", err)
			}
		}
		if err := s.passed(tx, guesses[0]); err != nil {
			return err
		}
		session := catalog.Session{
			Hash: hash, User: u.ID, Created: now, Seen: now, Expires: now.Add(s.cfg.SessionTTL),
			Agent: plain(agent, maxAgent), Remote: s.entry(c, "", "", "", "").Remote,
		}
		if err := addSession(tx, &session); err != nil {
			return err
		}
		in = sessionCaller(nobody(c), u, session)
		return tx.Audit.Append(s.entry(in, "login", "user "+u.Name, "ok", fmt.Sprintf("session=%d", session.ID)))
	})
	if err != nil {
		return "", c, fmt.Errorf("sign in: %w", err)
	}
	return secret, in, nil
}

// addSession makes a session and ends the oldest where there are too many.
func addSession(tx *catalog.Tx, session *catalog.Session) error {
	list, err := tx.Sessions.SessionsOf(session.User)
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	for ; len(list) >= maxSessions; list = list[1:] {
		for i := range list {
			if list[i].Seen.Before(list[0].Seen) {
				list[0], list[i] = list[i], list[0]
			}
		}
		if err := tx.Sessions.EndSession(session.User, list[0].ID); err != nil {
			return fmt.Errorf("end oldest session: %w", err)
		}
		if err := tx.Sessions.Bump(); err != nil {
			return err
		}
	}
	session.ID, err = tx.Sessions.CreateSession(*session)
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	return nil
}

func sessionCaller(c Caller, u catalog.User, session catalog.Session) Caller {
	c.User, c.Session, c.proof = u, session.ID, session.Hash
	c.Subject = accountSubject(u)
	c.Subject.Expires = session.Expires
	return c
}

func tokenCaller(c Caller, u catalog.User, t catalog.Token) Caller {
	c.User, c.Token, c.proof = u, t.ID, t.Hash
	c.Subject = accountSubject(u)
	c.Subject.Limit, c.Subject.Server, c.Subject.Expires = t.Limit, t.Server, t.Expires
	return c
}

// Logout ends the caller's session.
func (s *Server) Logout(ctx context.Context, c Caller) error {
	if c.Session == 0 {
		return fault.Errorf(fault.Invalid, "sign out: not signed in by a session")
	}
	err := s.changeAccess(ctx, c, "logout", "user "+c.User.Name, func(tx *catalog.Tx) (string, error) {
		return fmt.Sprintf("session=%d", c.Session), tx.Sessions.EndSession(c.User.ID, c.Session)
	})
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// Sessions returns the caller's sessions that hold, the latest seen first as the catalog has them.
func (s *Server) Sessions(ctx context.Context, c Caller) (list []catalog.Session, _ error) {
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return err
		}
		all, err := tx.Sessions.SessionsOf(c.User.ID)
		if err != nil {
			return err
		}
		list = nil
		for _, session := range all {
			if sessionHolds(session, s.now()) {
				list = append(list, session)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return list, nil
}

// EndSession ends one of the caller's own sessions.
func (s *Server) EndSession(ctx context.Context, c Caller, id int64) error {
	err := s.changeAccess(ctx, c, "session-end", "user "+c.User.Name, func(tx *catalog.Tx) (string, error) {
		if err := s.may(tx, c, policy.UseAccount, catalog.Collection{}); err != nil {
			return "", err
		}
		return fmt.Sprintf("session=%d", id), tx.Sessions.EndSession(c.User.ID, id)
	})
	if err != nil {
		return fmt.Errorf("end session %d: %w", id, err)
	}
	return nil
}
