package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/transfer"
)

// firstPatience is how long a server that cannot be reached is waited for when nothing is known
// of what it shares.
const firstPatience = 2 * time.Second

// getFrom fetches what a server shares. With a ticket or magnet link in the source, or when it was begun
// before, it goes on without the server; otherwise the server says first what it is.
func (n *Node) getFrom(ctx context.Context, kind string, at *place, o GetOptions, r record, w Watch) (*Item, error) {
	it, err := n.getAt(ctx, kind, at, o, r, w)
	if err != nil {
		at.c.Close()
		return nil, err
	}
	return it, nil
}

func (n *Node) getAt(ctx context.Context, kind string, at *place, o GetOptions, r record, w Watch) (*Item, error) {
	id, first, err := n.identify(ctx, at, w)
	if err != nil {
		return nil, fmt.Errorf("get from %s: %w", at.host(), err)
	}
	src, err := id.source()
	if err != nil {
		return nil, fmt.Errorf("get from %s: %w", at.host(), err)
	}
	if err := n.guarded(src); err != nil {
		return nil, fmt.Errorf("get from %s: %w", at.host(), err)
	}
	if src.guard != nil && len(id.Capability) > 0 {
		if _, err := src.guard.accept(id.Capability); err != nil {
			src.guard.end()
			return nil, fmt.Errorf("get from %s: %w", at.host(), err)
		}
	}
	via := o.Via
	if via == "" {
		via = transfer.ViaBoth
	}
	s := n.newSession(at, id, src, via)
	s.until = o.Until
	return n.begin(ctx, kind, src, o, r, plan{session: s, first: first, via: via, done: s.completed})
}

// identify finds out what is shared there: from what stands behind the URL, from the server, or from what was kept
// of an earlier run. The answer, if the server was asked, is the session's first.
func (n *Node) identify(ctx context.Context, at *place, w Watch) (*identity, *api.SwarmAnswer, error) {
	kept := n.memory(at.key).recall()
	if at.fragment != "" {
		src, err := ParseSource(at.fragment)
		if err != nil {
			return nil, nil, err
		}
		id := &identity{Server: src.server, InfoHash: src.want, Audience: src.Audience, Name: src.Name, Link: at.fragment}
		if src.Magnet != nil {
			if id.InfoHash = src.Magnet.InfoHash2; id.InfoHash.IsZero() {
				id.InfoHash = padded(src.Magnet.InfoHash1)
			}
		}
		if kept != nil && kept.InfoHash == id.InfoHash && kept.Server == id.Server {
			id.Capability, id.torrent = kept.Capability, kept.torrent
		}
		return id, nil, nil
	}
	a, err := n.ask(ctx, at, kept != nil, w)
	if err == nil {
		id, err := identityOf(a)
		return id, &a, err
	}
	if kept != nil && away(err) {
		w.warn(fmt.Sprintf("%s is away (%v); going on with what is known of it", at.host(), err))
		return kept, nil, nil
	}
	if at.token != "" && errors.Is(err, fault.Unauthenticated) {
		err = fault.Wrap(fault.Unauthenticated, fmt.Errorf("%w: %w", ErrPassword, err))
	}
	return nil, nil, err
}

// away reports whether a failure is that nobody answered, or nobody who knew.
func away(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unreachable, fault.Timeout:
		return true
	case fault.NotFound:
		return problemOf(err) == nil
	}
	return client.IsLost(err)
}

// ask asks the server what is there. It waits for metadata that is being made, and, when nothing else is known,
// a little for a server that is away.
func (n *Node) ask(ctx context.Context, at *place, known bool, w Watch) (api.SwarmAnswer, error) {
	j := n.admission(at, false)
	j.Torrent = true
	began, told := time.Now(), false
	for {
		a, err := at.join(ctx, j)
		if err == nil || ctx.Err() != nil {
			return a, err
		}
		again := firstRetry
		switch p := problemOf(err); {
		case p != nil && p.Status == http.StatusLocked:
			again = min(max(time.Duration(p.RetryAfter)*time.Second, firstRetry), mostRetry)
			if !told {
				told = true
				w.warn(at.host() + " prepares it; this may take a while for large files")
			}
		case away(err) && !known && time.Since(began) < n.patience:
		default:
			return a, err
		}
		if pause(ctx, again); ctx.Err() != nil {
			return a, fault.Wrap(fault.Closed, ctx.Err())
		}
	}
}

// completed is called when every wanted byte is in place: the server is told, and what was kept for a restart
// is needed no more when nothing is to be served.
func (s *session) completed(keep time.Duration) {
	select {
	case s.poke <- struct{}{}:
	default:
	}
	if keep > 0 {
		return
	}
	if err := s.memory.forget(); err != nil {
		s.n.log.Warn("forget share", "err", err)
	}
}
