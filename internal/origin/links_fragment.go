package origin

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
)

// ticketAddrs is how many addresses of peers a link brings along.
const ticketAddrs = 4

// Fragment returns what stands behind "#" in the link to hand out: a ticket, a magnet link of a public one, or ""
// where nobody may hold a ticket or the metadata is still being made (Ready tells). base is the URL of the server.
func (v LinkView) Fragment(base string) string {
	if v.share == nil {
		return v.ticket
	}
	return magnetOf(&v.Link, v.share, base, v.addrs)
}

// LinkFragment is LinkView.Fragment of a link that c may manage, and whether it is final.
func (s *Server) LinkFragment(ctx context.Context, c Caller, id catalog.LinkID, base string) (fragment string, ready bool, err error) {
	v, err := s.LinkInfo(ctx, c, id)
	return v.Fragment(base), v.Ready, err
}

// ticketOf makes the ticket of a link.
func ticketOf(k *keys, l *catalog.Link, sh *shared, doc []byte, until time.Time, addrs []netip.AddrPort) string {
	t := metainfo.Ticket{
		InfoHash: sh.hash, Secret: k.linkSecret(l.Token, sh.hash), Server: k.id, Capability: doc,
		Addrs: addrs[:min(len(addrs), ticketAddrs)], Name: sh.name, NotAfter: until,
	}
	return t.String()
}

// magnetOf makes the magnet link of a public link.
func magnetOf(l *catalog.Link, sh *shared, base string, addrs []netip.AddrPort) string {
	m := metainfo.Magnet{
		InfoHash1: sh.v1, Name: sh.name, Length: sh.total,
		Trackers: []string{announceURL(base)}, WebSeeds: []string{seedURL(base, l.Token, sh)},
	}
	if sh.hash.Truncated() != sh.v1 {
		m.InfoHash2 = sh.hash
	}
	for _, a := range addrs[:min(len(addrs), ticketAddrs)] {
		m.Peers = append(m.Peers, a.String())
	}
	return m.String()
}

func announceURL(base string) string { return base + "/announce" }

// seedURL is where a BitTorrent client finds the content by HTTP (BEP 19): a single file itself, or what
// stands before the content's name.
func seedURL(base, token string, sh *shared) string {
	if len(sh.files) == 1 && sh.files[0] == "" {
		return base + "/s/" + token + "/download"
	}
	return base + "/s/" + token + "/seed/"
}

// TorrentFile returns the .torrent of a public link, with the server at base as tracker and web seed. fault.Busy
// while it is being made, fault.NotFound when there is none.
func (s *Server) TorrentFile(ctx context.Context, c Caller, base string) (torrent []byte, name string, _ error) {
	if c.Link == nil || c.Link.Audience != peer.Public {
		return nil, "", fault.Errorf(fault.NotFound, "this link has no torrent")
	}
	var j *joining
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		j, err = s.knock(tx, c, Place{})
		return err
	})
	if err != nil {
		return nil, "", err
	}
	sh, err := s.share(ctx, j)
	if err != nil {
		return nil, "", err
	}
	t, err := metainfo.Parse(sh.torrent)
	if err != nil {
		return nil, "", fault.Errorf(fault.Corrupt, "metadata of link %d: %w", c.Link.ID, err)
	}
	t.Trackers, t.WebSeeds = [][]string{{announceURL(base)}}, []string{seedURL(base, c.Link.Token, sh)}
	if torrent, err = t.Encode(); err != nil {
		return nil, "", err
	}
	return torrent, strings.TrimSuffix(sh.name, ".torrent") + ".torrent", nil
}

// Tracks reports whether a swarm key is one of a live public link, for the tracker.
func (s *Server) Tracks(key content.SHA1) bool {
	d := &s.swarm
	gen, now := s.writes(), s.now()
	if known, ok := d.tracked.get(key, gen, now); ok {
		return known
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryFor)
	defer cancel()
	var live bool
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		live = false
		list, err := tx.Links.PublicLinks(key, 100)
		if err != nil {
			return err
		}
		for _, l := range list {
			if ranOut(l.Expires, now) || l.Torrent != catalog.TorrentMade {
				continue
			}
			err := s.linkStands(tx, linkSource(&l))
			if live = err == nil; live || !refusable(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.cfg.Log.Warn("tracker: which content is shared cannot be seen", "err", err)
		return false
	}
	d.tracked.put(key, live, gen, now)
	return live
}

// handOut fills in what a view of a link hands out. missing: it has to be written down first.
func (s *Server) handOut(tx *catalog.Tx, v *LinkView, k *keys) (missing bool, _ error) {
	l := &v.Link
	now := s.now()
	v.Pending = l.Pending != ""
	v.Ready = l.Kind != catalog.ShareLink || restricted(l) || l.Torrent == catalog.TorrentMade || l.Torrent == catalog.TorrentFailed
	if l.Torrent != catalog.TorrentMade || l.Kind != catalog.ShareLink {
		return false, nil
	}
	v.Holders = s.holdersOf(l)
	if restricted(l) || !l.Revoked.IsZero() || ranOut(l.Expires, now) {
		return false, nil
	}
	name := v.name
	sh := &shared{hash: l.Meta.Share, v1: l.Meta.V1, name: name, total: l.Meta.Total, files: []string{"folder"}}
	if v.single {
		sh.files[0] = ""
	}
	addrs := s.someAddrs(l, ticketAddrs)
	if l.Audience == peer.Public {
		v.share, v.addrs = sh, addrs
		return false, nil
	}
	from, until, err := s.bearer(tx, l)
	if errors.Is(err, fault.NotFound) {
		v.Ready = false
		return true, nil
	}
	if err != nil {
		return false, err
	}
	doc, err := k.capability(l.Meta.Share, peer.ID{}, from, now, until)
	if err != nil {
		return false, err
	}
	v.ticket = ticketOf(k, l, sh, doc, until, addrs)
	return false, nil
}

// bearer returns what whoever holds the ticket of a link is allowed by; fault.NotFound when that has to be
// written down.
func (s *Server) bearer(tx *catalog.Tx, l *catalog.Link) (from capability.Source, until time.Time, _ error) {
	col, err := tx.Collections.Collection(l.Collection)
	if err != nil {
		return from, until, err
	}
	j := &joining{link: true, top: true, c: Caller{Link: l}, place: place{col: col}}
	return s.issued(tx, j, &shared{hash: l.Meta.Share}, peer.ID{})
}

// issueBearer writes down that whoever holds the ticket of a link may take part.
func (s *Server) issueBearer(tx *catalog.Tx, id catalog.LinkID, fresh capability.Source) error {
	l, err := tx.Links.Link(id)
	if err != nil || l.Kind != catalog.ShareLink || l.Audience != peer.Link || restricted(&l) || l.Torrent != catalog.TorrentMade {
		return err
	}
	if err := s.linkStands(tx, linkSource(&l)); err != nil {
		if refusable(err) {
			return nil
		}
		return err
	}
	col, err := tx.Collections.Collection(l.Collection)
	if err != nil {
		return err
	}
	j := &joining{link: true, top: true, c: Caller{Link: &l}, place: place{col: col}}
	src, err := s.source(tx, j, fresh)
	if err != nil {
		return err
	}
	end, err := s.ending(tx, j)
	if err != nil {
		return err
	}
	until := sooner(s.now().Add(bearerLife+bearerSpare), end)
	return tx.Capabilities.Issue(src.ID, l.Meta.Share, peer.ID{}, until)
}

// issueBearers is issueBearer for links of which a view found nothing written down.
func (s *Server) issueBearers(ctx context.Context, ids []catalog.LinkID) error {
	fresh := make([]capability.Source, len(ids))
	for i := range fresh {
		if err := s.random(fresh[i][:]); err != nil {
			return err
		}
	}
	return s.progress(ctx, func(tx *catalog.Tx) error {
		for i, id := range ids {
			if err := s.issueBearer(tx, id, fresh[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// refresh makes a link's metadata, if that is quick, when it has none or its content is another by now; otherwise
// it has it made.
func (s *Server) refresh(ctx context.Context, l catalog.Link) error {
	if l.Kind != catalog.ShareLink || l.Pending != "" || !l.Revoked.IsZero() {
		return nil
	}
	j := &joining{link: true, top: true, c: Caller{Link: &l}, form: formOf(&l)}
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		if j.place.top, err = tx.Tree.Node(l.Node); err != nil {
			return err
		}
		j.col, err = tx.Collections.Collection(l.Collection)
		return err
	})
	if err == nil {
		_, err = s.share(ctx, j)
	}
	if err == nil || refusable(err) || errors.Is(err, fault.Busy) {
		return nil // the view says how far it is
	}
	return err
}
