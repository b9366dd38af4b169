package origin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// running is a transfer that ends when the permission for it does.
type running struct {
	c      Caller
	action policy.Action
	col    catalog.CollectionID
	cut    func()
}

// runningSet is the transfers under way.
type runningSet struct {
	mu  sync.Mutex // guards the fields below
	all map[*running]struct{}

	// What follows is the watch's own.
	epoch int64
	until time.Time // decide about everything until then
}

// begin adds a transfer. cut may be nil.
func (r *runningSet) begin(c Caller, a policy.Action, col catalog.CollectionID, cut func()) *running {
	run := &running{c: c, action: a, col: col, cut: cut}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[*running]struct{})
	}
	r.all[run] = struct{}{}
	return run
}

// end removes a transfer.
func (r *runningSet) end(run *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, run)
}

func (r *runningSet) list() []*running {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.all))
}

// doubt is how long after somebody's access ended everything is decided again at each look: a
// transfer may have begun on a decision, and a credential, remembered for a second each.
const doubt = 3 * time.Second

// watch ends transfers whose permission ended. It is called once a second, by one
// goroutine.
func (s *Server) watch(ctx context.Context) error {
	r := &s.files.running
	list := r.list()
	if len(list) == 0 {
		return nil
	}
	now := s.now()
	var end []*running
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		end = nil
		epoch, err := tx.Sessions.Epoch()
		if err != nil {
			return fmt.Errorf("read epoch: %w", err)
		}
		if epoch != r.epoch {
			r.epoch, r.until = epoch, now.Add(doubt)
		}
		if now.After(r.until.Add(time.Hour)) || now.Before(r.until.Add(-doubt)) { // the clock was set
			r.until = now
		}
		all := now.Before(r.until)
		seen := make(map[watched]error)
		for _, run := range list {
			if !all && !run.lapsed(now) {
				continue
			}
			key := run.key()
			verdict, known := seen[key]
			if !known {
				verdict = s.goesOn(tx, run)
				seen[key] = verdict
			}
			switch {
			case verdict == nil:
			case refusable(verdict):
				end = append(end, run)
			default:
				return verdict
			}
		}
		return nil
	})
	if err != nil {
		r.epoch = -1 // ask again about all
		return err
	}
	s.cut(end)
	return nil
}

// cut ends transfers.
func (s *Server) cut(end []*running) {
	for _, run := range end {
		s.files.running.end(run)
		s.files.tally.refused(s.entry(run.c, "cut", fmt.Sprintf("collection %d", run.col), "ended", ""), run.c, fault.Gone)
		if run.cut != nil {
			run.cut()
		}
	}
}

// watched is what transfers have in common that are decided alike.
type watched struct {
	user           int64
	session, token int64
	proof          content.Hash
	link           catalog.LinkID
	password       string
	action         policy.Action
	col            catalog.CollectionID
}

func (run *running) key() watched {
	k := watched{
		user: run.c.Subject.User, session: run.c.Session, token: run.c.Token, proof: run.c.proof,
		action: run.action, col: run.col,
	}
	if run.c.Link != nil {
		k.link, k.password = run.c.Link.ID, run.c.Link.Password
	}
	return k
}

// lapsed says whether what the transfer began with has run out. Sessions get longer while
// they are used, so that a lapsed one is looked up.
func (run *running) lapsed(now time.Time) bool {
	at := run.c.Subject.Expires
	if l := run.c.Subject.Link; l != nil {
		at = l.Expires
	}
	return !at.IsZero() && !now.Before(at)
}

// goesOn decides about a transfer under way.
func (s *Server) goesOn(tx *catalog.Tx, run *running) error {
	c, err := s.present(tx, run.c)
	if err != nil {
		return err
	}
	col, err := tx.Collections.Collection(run.col)
	if errors.Is(err, fault.NotFound) {
		return fault.Errorf(fault.Gone, "the collection was deleted")
	}
	if err != nil {
		return err
	}
	return s.may(tx, c, run.action, col)
}

// sortEntries puts entries in an order that does not depend on a map's.
func sortEntries(log []catalog.Entry) {
	slices.SortFunc(log, func(a, b catalog.Entry) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Actor, b.Actor), cmp.Compare(a.Action, b.Action),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Outcome, b.Outcome))
	})
}
