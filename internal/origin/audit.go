package origin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// entry makes a line of the audit log. outcome is "ok" or what outcome() says of an error.
func (s *Server) entry(c Caller, action, object, outcome, detail string) catalog.Entry {
	e := catalog.Entry{
		Time: s.now(), Actor: "nobody", Action: action, Object: plain(object, 1200),
		Outcome: outcome, Request: plain(c.Request, 64), Detail: plain(detail, 300),
	}
	switch {
	case c.Link != nil:
		e.Actor = fmt.Sprintf("link %d", c.Link.ID)
	case c.User.ID != 0:
		e.User, e.Actor = c.User.ID, c.User.Name
	}
	if c.Remote.IsValid() {
		e.Remote = c.Remote.Unmap().WithZone("").String()
	}
	return e
}

// plain makes foreign text safe to show and at most max bytes long.
func plain(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > max {
		text = strings.ToValidUTF8(text[:max-3], "") + "..."
	}
	return text
}

// change runs f in one Update and writes down what came of it: with f's detail when it
// returned nil; when it was refused, in an Update of its own, what was tried.
//
// f may run again after a lost commit: it sets what it captures.
func (s *Server) change(ctx context.Context, c Caller, action, object string, f func(*catalog.Tx) (detail string, _ error)) error {
	return s.record(ctx, c, action, object, s.update, f)
}

// changeAccess is change for what may end somebody's access: caches of credentials and
// permissions end with it, on all instances, and running transfers are decided anew.
func (s *Server) changeAccess(ctx context.Context, c Caller, action, object string, f func(*catalog.Tx) (detail string, _ error)) error {
	return s.record(ctx, c, action, object, s.updateAccess, f)
}

type updater func(context.Context, func(*catalog.Tx) error) error

func (s *Server) record(ctx context.Context, c Caller, action, object string, update updater, f func(*catalog.Tx) (string, error)) error {
	err := update(ctx, func(tx *catalog.Tx) error {
		detail, err := f(tx)
		if err != nil {
			return err
		}
		return tx.Audit.Append(s.entry(c, action, object, "ok", detail))
	})
	if err != nil {
		s.refuse(ctx, c, action, object, err)
	}
	return err
}

// refuse writes down what was tried and not done. What failed for no fault of the caller's is
// for the log of the program, and what nobody tried is for nobody's: anyone could fill
// the audit log with it.
func (s *Server) refuse(ctx context.Context, c Caller, action, object string, why error) {
	if !refusable(why) || c.Link == nil && c.User.ID == 0 {
		return
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // who hangs up is written down as well
	defer cancel()
	err := s.update(ctx, func(tx *catalog.Tx) error {
		return tx.Audit.Append(s.entry(c, action, object, outcome(why), ""))
	})
	if err != nil {
		s.cfg.Log.Error("refused, and not in the audit log", "action", action, "object", object, "request", c.Request, "err", err)
	}
}

func refusable(err error) bool {
	for _, k := range []fault.Kind{
		fault.Unauthenticated, fault.Permission, fault.NotFound, fault.Gone, fault.Exists,
		fault.Quota, fault.Limited, fault.Precondition, fault.Corrupt, fault.Invalid,
	} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
