package origin

import (
	"context"
	"fmt"
	"sync"

	"tandem/internal/catalog"
)

// Bounds of what is counted and not yet written down.
const (
	tallySoon = 10_000 // lines after which it is written before the second is over
	tallyMost = 50_000 // lines; what comes then is counted by who it is for alone
)

// tally counts transfers between two flushes: an audit entry for all of one file that went to one
// account or link.
type tally struct {
	mu    sync.Mutex // guards the fields below
	lines map[tallyKey]*tallyLine
	links map[catalog.LinkID]int64
	kick  chan struct{} // of capacity 1: there is much to write
}

type tallyKey struct {
	user                    catalog.UserID
	link                    catalog.LinkID
	action, object, outcome string
}

type tallyLine struct {
	entry        catalog.Entry
	count, bytes int64
}

// transfer counts one transfer of sent bytes, and a download of link unless that is 0.
func (t *tally) transfer(s *Server, c Caller, action, object string, sent int64, link catalog.LinkID) {
	key := tallyKey{user: c.User.ID, action: action, object: object, outcome: "ok"}
	if c.Link != nil {
		key = tallyKey{link: c.Link.ID, action: action, object: object, outcome: "ok"}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addLink(link, 1)
	if l := t.lines[key]; l != nil {
		l.count++
		l.bytes += sent
		return
	}
	t.put(key, &tallyLine{s.entry(c, action, object, "ok", ""), 1, sent})
}

// add counts e, which has no more than its outcome to say.
func (t *tally) add(e catalog.Entry, link catalog.LinkID, count, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := tallyKey{user: e.User, link: link, action: e.Action, object: e.Object, outcome: e.Outcome}
	if l := t.lines[key]; l != nil {
		l.count += count
		l.bytes += bytes
		return
	}
	t.put(key, &tallyLine{e, count, bytes})
}

// refused counts a refused read, of somebody: anyone could fill the log with nobody's.
func (t *tally) refused(e catalog.Entry, c Caller, err error) {
	if !refusable(err) || c.Link == nil && c.User.ID == 0 {
		return
	}
	var link catalog.LinkID
	if c.Link != nil {
		link = c.Link.ID
	}
	t.add(e, link, 1, 0)
}

func (t *tally) addLink(link catalog.LinkID, n int64) {
	if link == 0 {
		return
	}
	if t.links == nil {
		t.links = make(map[catalog.LinkID]int64)
	}
	t.links[link] += n
}

// put adds a line; t.mu is held.
func (t *tally) put(key tallyKey, l *tallyLine) {
	if t.lines == nil {
		t.lines = make(map[tallyKey]*tallyLine)
	}
	if len(t.lines) >= tallyMost && key.object != "" {
		key.object, l.entry.Object = "", "more files than were counted singly"
		if sum := t.lines[key]; sum != nil {
			sum.count += l.count
			sum.bytes += l.bytes
			return
		}
	}
	t.lines[key] = l
	if len(t.lines) == tallySoon && t.kick != nil {
		select {
		case t.kick <- struct{}{}:
		default:
		}
	}
}

// empty takes out what was counted.
func (t *tally) empty() (map[tallyKey]*tallyLine, map[catalog.LinkID]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines, links := t.lines, t.links
	t.lines, t.links = nil, nil
	return lines, links
}

// restore puts back what could not be written.
func (t *tally) restore(lines map[tallyKey]*tallyLine, links map[catalog.LinkID]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, l := range lines {
		if now := t.lines[key]; now != nil {
			l.count += now.count
			l.bytes += now.bytes
			t.lines[key] = l
			continue
		}
		t.put(key, l)
	}
	for link, n := range links {
		t.addLink(link, n)
	}
}

// flush writes down what was counted. What cannot be written is kept for the next time.
func (s *Server) flush(ctx context.Context) error {
	lines, links := s.files.tally.empty()
	if len(lines) == 0 && len(links) == 0 {
		return nil
	}
	log := make([]catalog.Entry, 0, len(lines))
	for _, l := range lines {
		e := l.entry
		e.Detail = fmt.Sprintf("count=%d bytes=%d", max(1, l.count), l.bytes)
		log = append(log, e)
	}
	sortEntries(log)
	err := s.progress(ctx, func(tx *catalog.Tx) error {
		if err := tx.Links.CountDownloads(links); err != nil {
			return err
		}
		return tx.Audit.Append(log...)
	})
	if err != nil {
		s.files.tally.restore(lines, links)
		return fmt.Errorf("count downloads: %w", err)
	}
	return nil
}
