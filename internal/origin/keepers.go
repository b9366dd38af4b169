package origin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

const (
	// keeperLasts is how long a keeper counts that does not renew its offer.
	keeperLasts = 15 * time.Minute
	mostKept    = 10_000 // links that want copies, and shares of one keeper
	mostKeepers = 1000
)

// Keeper is a node that offers room for copies.
type Keeper struct {
	Node  peer.ID
	User  string
	Space int64 // bytes
	Used  int64
	Seen  time.Time
	Keep  []Kept // what it is asked to keep
}

// Kept is a share that a keeper is asked to keep.
type Kept struct {
	Token    string // of the link
	InfoHash content.Hash
	Size     int64
}

// SetKeeper offers k.Space at k.Node, or takes the offer back with Space 0, and returns what the server asks it to
// keep: of links that want more copies than there are those that the account could read anyway, the largest
// lack first, never more than Space.
func (s *Server) SetKeeper(ctx context.Context, c Caller, k Keeper) (Keeper, error) {
	if k.Node.IsZero() || k.Space < 0 {
		return Keeper{}, fault.Errorf(fault.Invalid, "keep: no node, or room below zero")
	}
	now := s.now()
	var out Keeper
	err := s.progress(ctx, func(tx *catalog.Tx) error {
		out = Keeper{Node: k.Node}
		c, err := s.present(tx, c)
		if err != nil {
			return err
		}
		if _, err := s.own(tx, c); err != nil {
			return err
		}
		offer := catalog.Keeper{Node: k.Node, User: c.User.ID, Space: k.Space, Created: now, Seen: now}
		if err := tx.Keepers.SetKeeper(offer); err != nil {
			return err
		}
		if k.Space == 0 {
			return nil
		}
		if err := s.unkeep(tx, c, k.Node, k.Space); err != nil {
			return err
		}
		if err := s.assign(tx, c, k.Node, k.Space); err != nil {
			return err
		}
		out, err = s.viewKeeper(tx, k.Node)
		return err
	})
	return out, err
}

// keepable says whether the account of a keeper may be asked to keep what a link leads to. It is told the link's
// token, and so only of what it could read anyway.
func (s *Server) keepable(tx *catalog.Tx, c Caller, l *catalog.Link) (bool, error) {
	if l.Copies <= 0 || !l.Revoked.IsZero() || ranOut(l.Expires, s.now()) || restricted(l) || l.Torrent != catalog.TorrentMade {
		return false, nil
	}
	err := s.linkStands(tx, linkSource(l))
	if err == nil && l.Audience != peer.Public {
		var col catalog.Collection
		if col, err = tx.Collections.Collection(l.Collection); err == nil {
			err = s.may(tx, c, policy.ReadFile, col)
		}
	}
	if err != nil && refusable(err) {
		return false, nil
	}
	return err == nil, err
}

// unkeep ends what a node is asked to keep and need not, or has no room for any more; what changed is asked for as
// it is now.
func (s *Server) unkeep(tx *catalog.Tx, c Caller, node peer.ID, space int64) error {
	kept, err := tx.Keepers.KeptBy(node)
	if err != nil {
		return err
	}
	slices.SortStableFunc(kept, func(a, b catalog.Kept) int { return a.Since.Compare(b.Since) })
	for _, k := range kept { // the oldest first: it has them most likely
		l, err := tx.Links.Link(k.Link)
		if err != nil {
			return err
		}
		good, err := s.keepable(tx, c, &l)
		if err != nil {
			return err
		}
		if good && l.Meta.Total <= space {
			space -= l.Meta.Total
			k.Share, k.Size = l.Meta.Share, l.Meta.Total
			err = tx.Keepers.Keep(k)
		} else {
			err = tx.Keepers.Unkeep(node, k.Link)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanting is a link that lacks copies.
type wanting struct {
	link catalog.Link
	lack int
}

// assign asks a node to keep what lacks copies most.
func (s *Server) assign(tx *catalog.Tx, c Caller, node peer.ID, space int64) error {
	there, err := tx.Keepers.Keeper(node)
	if err != nil {
		return err
	}
	space -= there.Used
	links, err := tx.Links.CopiedLinks(mostKept)
	if err != nil {
		return err
	}
	var list []wanting
	for _, l := range links {
		if l.Meta.Total > space {
			continue
		}
		lack, err := s.lack(tx, &l, node)
		if err != nil {
			return err
		}
		if lack > 0 {
			list = append(list, wanting{l, lack})
		}
	}
	slices.SortStableFunc(list, func(a, b wanting) int { return cmp.Compare(b.lack, a.lack) })
	for _, w := range list {
		if w.link.Meta.Total > space {
			continue
		}
		good, err := s.keepable(tx, c, &w.link)
		if err != nil {
			return err
		}
		if !good {
			continue
		}
		space -= w.link.Meta.Total
		k := catalog.Kept{Node: node, Link: w.link.ID, Share: w.link.Meta.Share, Size: w.link.Meta.Total, Since: s.now()}
		if err := tx.Keepers.Keep(k); err != nil {
			return err
		}
	}
	return nil
}

// lack is how many copies a link lacks, those counted that keepers were asked for; 0 when node is one of
// them.
func (s *Server) lack(tx *catalog.Tx, l *catalog.Link, node peer.ID) (int, error) {
	kept, err := tx.Keepers.KeptOf(l.ID)
	if err != nil {
		return 0, err
	}
	have := s.holderIDs(l)
	for _, k := range kept {
		if k.Node == node {
			return 0, nil
		}
		keeper, err := tx.Keepers.Keeper(k.Node)
		if err != nil {
			return 0, err
		}
		if age := s.now().Sub(keeper.Seen); age < keeperLasts {
			have[k.Node] = true
		}
	}
	return l.Copies - len(have), nil
}

// viewKeeper shows an offer and what it is asked to keep.
func (s *Server) viewKeeper(tx *catalog.Tx, node peer.ID) (Keeper, error) {
	k, err := tx.Keepers.Keeper(node)
	if err != nil {
		return Keeper{}, err
	}
	u, err := tx.Accounts.User(k.User)
	if err != nil {
		return Keeper{}, err
	}
	v := Keeper{Node: k.Node, User: u.Name, Space: k.Space, Used: k.Used, Seen: k.Seen}
	kept, err := tx.Keepers.KeptBy(node)
	if err != nil {
		return v, err
	}
	for _, k := range kept {
		l, err := tx.Links.Link(k.Link)
		if err != nil {
			return v, err
		}
		v.Keep = append(v.Keep, Kept{Token: l.Token, InfoHash: k.Share, Size: k.Size})
	}
	return v, nil
}

// Keeper returns one offer of the caller's account; an admin sees all, but no links.
func (s *Server) Keeper(ctx context.Context, c Caller, node peer.ID) (Keeper, error) {
	list, err := s.keepers(ctx, c, func(k catalog.Keeper) bool { return k.Node == node })
	if err == nil && len(list) == 0 {
		err = fault.Errorf(fault.NotFound, "keeper %s: there is no such offer", node.Short())
	}
	if err != nil {
		return Keeper{}, err
	}
	return list[0], nil
}

// Keepers lists the caller's offers; an admin sees all, but no links of others.
func (s *Server) Keepers(ctx context.Context, c Caller) ([]Keeper, error) {
	return s.keepers(ctx, c, func(catalog.Keeper) bool { return true })
}

func (s *Server) keepers(ctx context.Context, c Caller, which func(catalog.Keeper) bool) ([]Keeper, error) {
	var out []Keeper
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		out = nil
		of, err := s.own(tx, c)
		if err != nil {
			return err
		}
		list, err := tx.Keepers.Keepers(mostKeepers)
		if err != nil {
			return err
		}
		for _, k := range list {
			if of != 0 && k.User != of || !which(k) {
				continue
			}
			v, err := s.viewKeeper(tx, k.Node)
			if errors.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if k.User != c.User.ID {
				for i := range v.Keep {
					v.Keep[i].Token = ""
				}
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// holderIDs returns who has a live copy of what a link leads to.
func (s *Server) holderIDs(l *catalog.Link) map[peer.ID]bool {
	now := s.now()
	ids := make(map[peer.ID]bool)
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	if sw := s.swarm.swarms[s.crowdOf(l)]; sw != nil {
		for id, m := range sw.members {
			if m.whole(sw.size) && (m.live(now) || m.promised(sw.size, now)) {
				ids[id] = true
			}
		}
	}
	return ids
}
