package origin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// Authenticate finds who holds secret, a session's or an API token's, and completes c. Wrong ones are limited
// as passwords are: after too many different ones from one address the answer to a further one is
// fault.Limited. A right one always passes, since whoever has one did not guess. Answers
// are remembered for at most a second.
func (s *Server) Authenticate(ctx context.Context, c Caller, secret string) (Caller, error) {
	c = nobody(c)
	hash, now, gen := hashSecret(secret), s.now(), s.people.access.Load()
	known, done := s.people.known.turn(ctx, hash, gen, now)
	if done == nil {
		known = known.asking(c)
		return known, s.stillValid(known)
	}
	defer done()
	if _, ok := s.people.strange.get(hash, 0, now); ok {
		return c, errSecret() // the same wrong one again is no further guess
	}
	var in Caller
	var seen time.Time
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		in, seen, err = s.holder(tx, c, secret, hash)
		return err
	})
	switch {
	case errors.Is(err, fault.NotFound):
		return c, s.wrongSecret(ctx, c, hash)
	case err != nil:
		return c, fmt.Errorf("authenticate: %w", err)
	}
	if err := s.stillValid(in); err != nil {
		return c, err
	}
	s.touch(ctx, &in, seen, now)
	s.people.known.put(hash, in, gen, now)
	return in, nil
}

func errSecret() error {
	return fault.Errorf(fault.Unauthenticated, "not signed in, or the session or token has ended: sign in again")
}

// stillValid says whether what c is known by holds at this moment.
func (s *Server) stillValid(c Caller) error {
	e := c.Subject.Expires
	if c.Subject.Disabled || !e.IsZero() && !s.now().Before(e) {
		return errSecret()
	}
	return nil
}

// holder finds who holds secret, and when it was last seen; fault.NotFound when nobody does. One
// that has ended is fault.Unauthenticated: its holder did not guess.
func (s *Server) holder(tx *catalog.Tx, c Caller, secret string, hash content.Hash) (Caller, time.Time, error) {
	switch {
	case wellFormed(sessionPrefix, secret):
		return s.sessionHolder(tx, c, hash)
	case wellFormed(tokenPrefix, secret):
		return s.tokenHolder(tx, c, hash)
	}
	return c, time.Time{}, fault.Errorf(fault.NotFound, "not a secret of ours")
}

func (s *Server) sessionHolder(tx *catalog.Tx, c Caller, hash content.Hash) (Caller, time.Time, error) {
	session, err := tx.Sessions.Session(hash)
	if err != nil {
		return c, time.Time{}, err
	}
	if !sessionHolds(session, s.now()) {
		return c, time.Time{}, errSecret()
	}
	u, err := tx.Accounts.User(session.User)
	if err != nil {
		return c, time.Time{}, err
	}
	return sessionCaller(c, u, session), session.Seen, nil
}

func (s *Server) tokenHolder(tx *catalog.Tx, c Caller, hash content.Hash) (Caller, time.Time, error) {
	t, err := tx.Sessions.Token(hash)
	if err != nil {
		return c, time.Time{}, err
	}
	u, err := tx.Accounts.User(t.User)
	if err != nil {
		return c, time.Time{}, err
	}
	return tokenCaller(c, u, t), t.Seen, nil
}

// sessionHolds says whether a session is good at now. One that was seen far in the future is not: the clock was
// set back, and it would last longer than it should.
func sessionHolds(session catalog.Session, now time.Time) bool {
	return now.Before(session.Expires) && !session.Seen.After(now.Add(maxAhead))
}

// touch moves on when c's session or token was seen, and with it the end of a session. That
// may fail: it is for information, and the next request tries again.
func (s *Server) touch(ctx context.Context, c *Caller, seen, now time.Time) {
	if age := now.Sub(seen); age >= 0 && age < touchEvery {
		return
	}
	err := s.cfg.Catalog.Update(ctx, func(tx *catalog.Tx) error {
		if c.Session != 0 {
			return tx.Sessions.TouchSession(c.Session, now)
		}
		return tx.Sessions.TouchToken(c.Token, now)
	})
	if err != nil {
		s.cfg.Log.Warn("when a credential was seen is not written down", "user", c.User.Name, "err", err)
		return
	}
	if c.Session != 0 {
		c.Subject.Expires = now.Add(s.cfg.SessionTTL)
	}
}

// wrongSecret counts a guess and returns the answer to give.
func (s *Server) wrongSecret(ctx context.Context, c Caller, hash content.Hash) error {
	from := byAddress("token", c.Remote)
	// Most wrong ones come when too many did: they cost no write.
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error { return s.limit(tx, from) })
	if err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	answer := s.countFailure(ctx, c, "authenticate", "", errSecret(), from)
	if errors.Is(answer, fault.Unauthenticated) {
		s.people.strange.put(hash, struct{}{}, 0, s.now())
	}
	return answer
}

// renew returns c as it is now: its session or token must still be there, its account open, its role
// is today's. fault.Unauthenticated when that ended. Of who shows a link, may
// reads anew what the creator may; the link itself is for who keeps links to renew.
func (s *Server) renew(tx *catalog.Tx, c Caller) (Caller, error) {
	if c.Subject.Link != nil {
		return c, nil
	}
	var in Caller
	var err error
	switch {
	case c.Session != 0:
		in, _, err = s.sessionHolder(tx, c, c.proof)
	case c.Token != 0:
		in, _, err = s.tokenHolder(tx, c, c.proof)
	default:
		err = errSecret()
	}
	if errors.Is(err, fault.NotFound) {
		err = errSecret()
	}
	if err == nil {
		err = s.stillValid(in)
	}
	if err != nil {
		return c, err
	}
	return in, nil
}
