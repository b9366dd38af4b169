package origin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// How long what the server signs holds, where nothing ends it earlier.
const (
	bearerLife = 7 * 24 * time.Hour // of whoever holds a link's ticket
	nodeLife   = 24 * time.Hour     // of one node
	// bearerSpare is what a bearer's end is written down for beyond what is signed, so that it is not written each
	// time somebody joins.
	bearerSpare = 24 * time.Hour
)

const mostDenials = 256 // that concern one share and are told at once

// pass is what a node is given to show to others.
type pass struct {
	doc     []byte
	until   time.Time
	denials [][]byte
}

// allow gives a node what it shows to others: the capability, which is issued anew when it is near its
// end, and what was taken back.
func (s *Server) allow(ctx context.Context, c Caller, at Place, j *joining, sh *shared, node peer.ID, keys *keys) (pass, error) {
	var p pass
	if j.audience() == peer.Public {
		return p, nil
	}
	var until time.Time
	var from capability.Source
	// Before the decision: a denial that comes behind it is not older than what was signed on it.
	began := s.now()
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if p.denials, err = tx.Capabilities.Denials(sh.hash, s.now(), mostDenials); err != nil {
			return err
		}
		from, until, err = s.issued(tx, j, sh, node)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		from, until, err = s.issue(ctx, c, at, sh, node)
	}
	if err != nil {
		return p, err
	}
	if j.audience() == peer.Link {
		node = peer.ID{}
	}
	p.until = until
	p.doc, err = keys.capability(sh.hash, node, from, began, until)
	return p, err
}

// capability signs what was allowed; a zero node is whoever holds the ticket.
func (k *keys) capability(share content.Hash, node peer.ID, from capability.Source, began, until time.Time) ([]byte, error) {
	began = began.Truncate(time.Second)
	if until.Before(began) {
		return nil, fault.Errorf(fault.Gone, "this has just ended")
	}
	return capability.Capability{
		Server: k.id, Share: share, Node: node, Rights: capability.Fetch | capability.Serve, Source: from,
		Issued: began, NotAfter: until,
	}.Sign(k.sign)
}

// issued returns until when a node is allowed by what was issued before. fault.NotFound when something has to be
// issued.
func (s *Server) issued(tx *catalog.Tx, j *joining, sh *shared, node peer.ID) (from capability.Source, until time.Time, _ error) {
	end, err := s.ending(tx, j)
	if err != nil {
		return from, until, err
	}
	src, err := tx.Capabilities.Source(sourceOf(j))
	if err != nil {
		return from, until, err
	}
	if j.audience() == peer.Link {
		node = peer.ID{}
	}
	known, err := tx.Capabilities.Issued(src.ID, sh.hash, node)
	if err != nil {
		return from, until, err
	}
	now := s.now()
	if node.IsZero() {
		until = sooner(now.Add(bearerLife), end)
	} else {
		until = sooner(now.Add(nodeLife*2/3), end)
	}
	if known.Before(until) {
		return from, until, fault.Errorf(fault.NotFound, "it is near its end")
	}
	if !node.IsZero() {
		until = sooner(known, end)
	}
	return src.ID, until, nil
}

// sooner is the earlier of a time and of an end, which is none when zero, in whole seconds.
func sooner(t, end time.Time) time.Time {
	if !end.IsZero() && end.Before(t) {
		t = end
	}
	return t.Truncate(time.Second)
}

// issue allows a node to take part, after everything was decided again.
func (s *Server) issue(ctx context.Context, c Caller, at Place, sh *shared, node peer.ID) (from capability.Source, until time.Time, _ error) {
	var fresh capability.Source
	if err := s.random(fresh[:]); err != nil {
		return from, until, err
	}
	err := s.progress(ctx, func(tx *catalog.Tx) error {
		j, err := s.knock(tx, c, at)
		if err != nil {
			return err
		}
		src, err := s.source(tx, j, fresh)
		if err != nil {
			return err
		}
		if j.link && j.c.Link.MaxDownloads > 0 {
			if err := s.countJoin(tx, j.c.Link.ID, node, sh.total); err != nil {
				return err
			}
		}
		end, err := s.ending(tx, j)
		if err != nil {
			return err
		}
		if err := tx.Audit.Append(s.entry(j.c, "join", joinedName(j), "ok", "node="+node.Short())); err != nil {
			return err
		}
		now := s.now()
		from, until = src.ID, sooner(now.Add(nodeLife), end)
		if j.audience() == peer.Link {
			until = sooner(now.Add(bearerLife), end)
			return tx.Capabilities.Issue(from, sh.hash, peer.ID{}, sooner(now.Add(bearerLife+bearerSpare), end))
		}
		return tx.Capabilities.Issue(from, sh.hash, node, until)
	})
	if errors.Is(err, fault.Gone) && c.Link != nil {
		s.files.tally.refused(s.entry(c, "join", asked(c, at), outcome(err), ""), c, err)
	}
	return from, until, err
}

// joinedName names what a node joins in the audit log.
func joinedName(j *joining) string {
	if j.pending {
		return objectName(j.col.Name, []string{j.c.Link.Pending})
	}
	return objectName(j.col.Name, j.above)
}

// source finds or makes what capabilities for j come from.
func (s *Server) source(tx *catalog.Tx, j *joining, fresh capability.Source) (catalog.Source, error) {
	src, err := tx.Capabilities.Source(sourceOf(j))
	if !errors.Is(err, fault.NotFound) {
		return src, err
	}
	src = sourceOf(j)
	src.ID, src.Created = fresh, s.now()
	return src, tx.Capabilities.AddSource(src)
}

// sourceOf names what capabilities for j come from.
func sourceOf(j *joining) catalog.Source {
	if j.link {
		return linkSource(j.c.Link)
	}
	return catalog.Source{User: j.c.User.ID, Session: j.c.Session, Token: j.c.Token, Collection: j.col.ID}
}

func linkSource(l *catalog.Link) catalog.Source { return catalog.Source{Link: l.ID, Terms: termsOf(l)} }

// termsOf sums up what a link asks of who comes: what was issued on other terms is denied.
func termsOf(l *catalog.Link) content.Hash {
	return sha256.Sum256(fmt.Appendf(nil, "tandem/v1/terms\x00%t\x00%s", restricted(l), l.Password))
}

// downloadOf names the download of a limited link that a node's join was.
func downloadOf(node peer.ID) string { return "node " + node.String() }

// countJoin counts a download of a limited link, once per node and day. What it then fetches from the server, twice
// over, is part of it.
func (s *Server) countJoin(tx *catalog.Tx, id catalog.LinkID, node peer.ID, size int64) error {
	now := s.now()
	err := tx.Links.ContinueDownload(id, downloadOf(node), 0, now)
	if !errors.Is(err, fault.Gone) {
		return err
	}
	err = tx.Links.BeginDownload(id, downloadOf(node), 2*size, now, now.Add(resumeWithin))
	if errors.Is(err, fault.Gone) {
		err = &refused{kind: fault.Gone, reason: policy.LinkUsedUp, text: "this link has no downloads left"}
	}
	return err
}

// ending returns when what j stands on ends by itself; zero: never.
func (s *Server) ending(tx *catalog.Tx, j *joining) (time.Time, error) {
	var end time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	reader := j.c.User.ID
	if j.link {
		earlier(j.c.Link.Expires)
		reader = j.c.Link.By
	} else if j.c.Token != 0 { // sessions last longer while they are used
		earlier(j.c.Subject.Expires)
	}
	granted, err := s.grantEnds(tx, reader, j.col)
	earlier(granted)
	return end, err
}

// grantEnds returns when the last of somebody's grants to read a collection ends; zero when it needs none, or
// one does not end.
func (s *Server) grantEnds(tx *catalog.Tx, id catalog.UserID, col catalog.Collection) (end time.Time, _ error) {
	u, err := tx.Accounts.User(id)
	if err != nil || u.Role == policy.Admin || col.Owner == id {
		return end, err
	}
	grants, err := tx.Collections.Grants(col.ID)
	if err != nil {
		return end, err
	}
	groups, err := tx.Accounts.GroupsOf(id)
	if err != nil {
		return end, err
	}
	for _, g := range grants {
		mine := g.User == id && id != 0
		for _, group := range groups {
			mine = mine || g.Group == group.ID
		}
		switch {
		case !mine || g.Rights&(policy.Read|policy.Administer) == 0:
		case g.NotAfter.IsZero():
			return time.Time{}, nil
		case g.NotAfter.After(end):
			end = g.NotAfter
		}
	}
	return end, nil
}
