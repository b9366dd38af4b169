package origin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/policy"
)

// swarmWatch is what watchSwarms knows of its last look.
type swarmWatch struct {
	kick chan struct{} // of capacity 1: somebody's access may have ended just now

	mu     sync.Mutex // guards the field below
	counts map[content.Hash]int

	// What follows is the watch's own.
	epoch   int64
	looked  time.Time // when everything was decided about last
	until   time.Time // decide about everything until then
	swept   time.Time
	warned  time.Time
	settled time.Time // when pending links were looked at last
	busy    time.Duration
	below   map[catalog.LinkID]bool // warned that copies are missing
}

// denied returns how many denials concern a share.
func (w *swarmWatch) denied(share content.Hash) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[share]
}

// wake has access looked at now rather than within the second.
func (w *swarmWatch) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

const (
	// lookAgain is how often all that is allowed is decided about though no access was changed: grants end by
	// themselves, files are deleted.
	lookAgain = time.Minute
	// clocksApart is how far the clocks of instances may be apart: what another signed just now is denied, too. Nothing
	// that is allowed again is, since it comes from another source.
	clocksApart = 2 * time.Second

	sourcePage = 500
	sweepSwarm = 10 * time.Minute
)

// watchSwarms takes back what would not be allowed now, ends the waiting of links whose content has come, and
// forgets who is gone. It is called once a second, by one goroutine.
func (s *Server) watchSwarms(ctx context.Context) error {
	s.pruneSwarms()
	return errors.Join(s.watchAllowed(ctx), s.watchPending(ctx), s.watchCopies(ctx), s.sweepSwarms(ctx))
}

// pruneSwarms forgets who was not seen, and tells large crowds what they were not told at once.
func (s *Server) pruneSwarms() {
	d, now := &s.swarm, s.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, sw := range d.swarms {
		d.prune(sw, now)
		if sw.dirty && !now.Before(sw.quiet) {
			sw.tell(now)
		}
		if len(sw.members) == 0 {
			d.forget(sw)
		}
	}
}

// watchAllowed decides again about all that capabilities came from, when somebody's access may have ended.
func (s *Server) watchAllowed(ctx context.Context) error {
	w, now := &s.swarm.watch, s.now()
	var epoch int64
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		epoch, err = tx.Sessions.Epoch()
		return err
	})
	if err != nil {
		return err
	}
	if epoch != w.epoch {
		w.epoch, w.until = epoch, now.Add(doubt)
	}
	if age := now.Sub(w.looked); !now.Before(w.until) && age >= 0 && age < lookAgain {
		return nil
	}
	if err := s.denyAll(ctx); err != nil {
		w.epoch = -1 // again
		return fmt.Errorf("take back what is not allowed any more: %w", err)
	}
	w.looked = now
	return s.tellDenied(ctx)
}

// denyAll denies every source that would not give a capability now.
func (s *Server) denyAll(ctx context.Context) error {
	var after capability.Source
	for {
		var bad []catalog.Source
		n := 0
		err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
			bad = nil
			page, err := tx.Capabilities.Sources(s.now(), after, sourcePage)
			if err != nil {
				return err
			}
			for _, src := range page {
				good, err := s.stands(tx, src)
				if err != nil {
					return err
				}
				if !good {
					bad = append(bad, src)
				}
			}
			if n = len(page); n > 0 {
				after = page[n-1].ID
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.deny(ctx, bad); err != nil {
			return err
		}
		if n < sourcePage {
			return nil
		}
	}
}

// deny signs and keeps denials of sources that still do not stand. What is allowed on other terms
// comes from a new source.
func (s *Server) deny(ctx context.Context, bad []catalog.Source) error {
	if len(bad) == 0 {
		return nil
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return err
	}
	return s.progress(ctx, func(tx *catalog.Tx) error {
		now := s.now()
		for _, src := range bad {
			good, err := s.stands(tx, src)
			if err != nil {
				return err
			}
			if good {
				continue
			}
			d := capability.Denial{Server: keys.id, Source: src.ID, Issued: now.Add(clocksApart), NotAfter: src.NotAfter.Add(time.Second)}
			if d.NotAfter.Before(d.Issued) {
				d.NotAfter = d.Issued
			}
			doc, err := d.Sign(keys.sign)
			if err != nil {
				return err
			}
			if err := tx.Capabilities.Deny(src.ID, now, doc); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellDenied answers who waits in swarms that a new denial concerns, whichever instance made it.
func (s *Server) tellDenied(ctx context.Context) error {
	d, now := &s.swarm, s.now()
	var counts map[content.Hash]int
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		counts, err = tx.Capabilities.DeniedShares(now)
		return err
	})
	if err != nil {
		d.watch.epoch = -1
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch.mu.Lock()
	d.watch.counts = counts
	d.watch.mu.Unlock()
	for _, sw := range d.swarms {
		if n := counts[sw.share]; sw.denials != n {
			sw.denials = n
			sw.changed(now, true)
		}
	}
	return nil
}

// stands says whether a source would give its capabilities now.
func (s *Server) stands(tx *catalog.Tx, src catalog.Source) (bool, error) {
	var err error
	if src.Link != 0 {
		err = s.linkStands(tx, src)
	} else {
		err = s.accountStands(tx, src)
	}
	if err != nil && refusable(err) {
		return false, nil
	}
	return err == nil, err
}

// linkStands is stands for a link; what is wrong is an error that is refusable.
func (s *Server) linkStands(tx *catalog.Tx, src catalog.Source) error {
	l, err := tx.Links.Link(src.Link)
	if err != nil {
		return err
	}
	if !l.Revoked.IsZero() || src.Terms != termsOf(&l) || !l.Expires.IsZero() && src.NotAfter.After(l.Expires) {
		return errLinkEnded()
	}
	sub := policy.Link{Allows: policy.Read, Creator: policy.Subject{User: int64(l.By)}}
	if l.Pending == "" {
		if _, live, err := tx.Tree.Path(l.Node); err != nil || !live {
			return errors.Join(err, errLinkEnded())
		}
	}
	col, err := tx.Collections.Collection(l.Collection)
	if err != nil {
		return err
	}
	return s.may(tx, Caller{Subject: policy.Subject{Link: &sub}, Link: &l}, policy.ReadFile, col)
}

// accountStands is stands for an account's access to a collection by one session or token.
func (s *Server) accountStands(tx *catalog.Tx, src catalog.Source) error {
	u, err := tx.Accounts.User(src.User)
	if err != nil {
		return err
	}
	c, err := s.credential(tx, u, src)
	if err != nil {
		return err
	}
	col, err := tx.Collections.Collection(src.Collection)
	if err != nil {
		return err
	}
	if err := s.stillValid(c); err != nil {
		return err
	}
	return s.may(tx, c, policy.ReadFile, col)
}

// credential is who a source's session or token says it is.
func (s *Server) credential(tx *catalog.Tx, u catalog.User, src catalog.Source) (Caller, error) {
	if src.Session != 0 {
		list, err := tx.Sessions.SessionsOf(u.ID)
		for _, session := range list {
			if session.ID == src.Session && sessionHolds(session, s.now()) {
				return sessionCaller(Caller{}, u, session), nil
			}
		}
		return Caller{}, errors.Join(err, errSecretUnless(err))
	}
	list, err := tx.Sessions.TokensOf(u.ID)
	for _, t := range list {
		if t.ID == src.Token {
			return tokenCaller(Caller{}, u, t), nil
		}
	}
	return Caller{}, errors.Join(err, errSecretUnless(err))
}

// errSecretUnless is that there is no such credential, unless that could not be looked up.
func errSecretUnless(err error) error {
	if err != nil {
		return nil
	}
	return errSecret()
}

// sweepSwarms forgets what can be of no use any more.
func (s *Server) sweepSwarms(ctx context.Context) error {
	w, now := &s.swarm.watch, s.now()
	if age := now.Sub(w.swept); age >= 0 && age < sweepSwarm {
		return nil
	}
	w.swept = now
	return s.progress(ctx, func(tx *catalog.Tx) error {
		// Those of clocks that are somewhat behind still need them.
		if err := tx.Capabilities.SweepCapabilities(now.Add(-capability.Skew)); err != nil {
			return err
		}
		return tx.Ledger.SweepLedger(now.Add(-ledgerKeeps))
	})
}

// watchCopies warns, once, of links that have fewer live copies than they should.
func (s *Server) watchCopies(ctx context.Context) error {
	w, now := &s.swarm.watch, s.now()
	if age := now.Sub(w.warned); age >= 0 && age < memberLasts/2 {
		return nil
	}
	first := w.warned.IsZero() // nobody can have joined yet
	w.warned = now
	if first {
		return nil
	}
	var list []catalog.Link
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		list, err = tx.Links.CopiedLinks(mostKept)
		return err
	})
	if err != nil {
		return err
	}
	below := make(map[catalog.LinkID]bool)
	for _, l := range list {
		if ranOut(l.Expires, now) {
			continue
		}
		if n := s.holdersOf(&l); n < l.Copies {
			if below[l.ID] = true; !w.below[l.ID] {
				s.cfg.Log.Warn("a link has fewer live copies than it should", "link", l.ID, "copies", n, "wanted", l.Copies)
			}
		}
	}
	w.below = below
	return nil
}
