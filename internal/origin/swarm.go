package origin

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// SwarmRequest is a node that takes part in the swarm of a share; api.SwarmJoin has the meaning of its fields.
type SwarmRequest struct {
	Node     peer.ID
	Addrs    []netip.AddrPort // where it listens, the best first
	InfoHash content.Hash
	Torrent  bool
	Total    int64
	Have     int64
	Rate     float64
	Wait     time.Duration
	Seen     int64
	Leave    bool
	Keep     time.Time
	Served   *Served
}

// Served is bytes of content by who gave them.
type Served struct{ Server, LAN, Peers int64 }

// SwarmState is the answer; api.SwarmAnswer has the meaning of its fields.
type SwarmState struct {
	State      int64
	Server     peer.ID
	Time       time.Time
	InfoHash   content.Hash
	Audience   peer.Audience
	Name       string
	Ticket     string
	Capability []byte
	Denials    [][]byte
	Torrent    []byte
	Files      []string // of each file that is no padding, its path below what the caller asked for
	Peers      []netip.AddrPort
	Swarm      bool
	Spare      bool
	Upload     bool
	Copies     int
	Holders    int
	Next       time.Duration

	Crowd content.Hash // names those among whom it goes, for Swarm* and a Gate
}

// joining is a node at the door: who asks, and for what, as decided in one transaction.
type joining struct {
	place
	c       Caller
	link    bool // by a link
	top     bool // what the link itself leads to, not something below it
	pending bool // the content is still being uploaded
	form    form
}

// own is the link whose metadata it is about; nil for a place.
func (j *joining) own() *catalog.Link {
	if j.link && j.top {
		return j.c.Link
	}
	return nil
}

func (j *joining) key() shareKey {
	if l := j.own(); l != nil {
		return shareKey{link: l.ID, form: j.form}
	}
	return shareKey{node: j.place.top.ID, form: j.form}
}

// audience says for whom the share is.
func (j *joining) audience() peer.Audience {
	switch {
	case !j.link:
		return peer.Network
	case j.c.Link.Audience == peer.Public:
		return peer.Public
	case restricted(j.c.Link):
		return peer.Network
	}
	return peer.Link
}

// restricted says whether nobody may hold a ticket of a link.
func restricted(l *catalog.Link) bool { return l.Password != "" || l.MaxDownloads > 0 }

// JoinSwarm takes part in the swarm of what a link, or a place the caller may read, leads to now. It waits up to
// r.Wait while nothing has changed since r.Seen. base is the URL under which the caller reaches the server, for what
// the ticket names. fault.Precondition: the content is not r.InfoHash any more. fault.Busy: the metadata is
// being made. It counts a download of a limited link once per node and day. Who may not any more is told by LastWord.
func (s *Server) JoinSwarm(ctx context.Context, c Caller, at Place, r SwarmRequest, base string) (SwarmState, error) {
	if r.Node.IsZero() {
		return SwarmState{}, fault.Errorf(fault.Invalid, "join: no node")
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return SwarmState{}, err
	}
	var share, crowd content.Hash
	over := time.NewTimer(min(r.Wait, swarmInterval))
	defer over.Stop()
	for first := true; ; first = false {
		st, again, err := s.joinOnce(ctx, c, at, r, base, keys)
		if err != nil {
			if !first { // it was there, and is not any more
				r.InfoHash = share
				s.leaves(crowd, r.Node)
			}
			return s.LastWord(ctx, r, err)
		}
		if share, crowd = st.InfoHash, st.Crowd; r.Leave || r.Wait <= 0 {
			return st, nil
		}
		var pace time.Duration
		switch {
		case st.State == r.Seen: // nothing new
		case first && again:
			pace = againAfter
		default:
			return st, nil
		}
		switch s.await(ctx, st, over.C, pace) {
		case waitEnded:
			return st, nil
		case waitOver: // once more, so that the answer is of now
			r.Wait = 0
		case waitNews:
		}
	}
}

// LastWord is for a node whose request to join was refused: when something that it was allowed in the share that it
// names is taken back, the answer tells it, and through it others for whom this server may be out of reach. Otherwise it
// returns refused.
func (s *Server) LastWord(ctx context.Context, r SwarmRequest, refused error) (SwarmState, error) {
	var st SwarmState
	if !accessEnded(refused) || r.InfoHash.IsZero() || r.Node.IsZero() || r.Leave {
		return st, refused
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return st, err
	}
	st = SwarmState{Server: keys.id, InfoHash: r.InfoHash, Crowd: r.InfoHash, Next: swarmInterval, State: s.now().UnixMicro()}
	st.Audience = peer.Network
	known, denied, err := s.deniedTo(ctx, r.InfoHash, r.Node)
	if err == nil && !known { // it came with a ticket, if at all
		st.Audience = peer.Link
		_, denied, err = s.deniedTo(ctx, r.InfoHash, peer.ID{})
	}
	if err != nil {
		return SwarmState{}, err
	}
	if !denied {
		return SwarmState{}, refused
	}
	err = s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		st.Denials, err = tx.Capabilities.Denials(r.InfoHash, s.now(), mostDenials)
		return err
	})
	st.Time = s.now()
	return st, err
}

// deniedTo says whether node (zero: whoever holds a ticket) was allowed anything in a share, and whether some of that
// is denied; it denies what is to be.
func (s *Server) deniedTo(ctx context.Context, share content.Hash, node peer.ID) (known, denied bool, _ error) {
	var bad []catalog.Source
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) error {
		bad, known, denied = nil, false, false
		list, err := tx.Capabilities.SourcesOf(share, node, s.now(), mostDenials)
		if err != nil {
			return err
		}
		known = len(list) > 0
		for _, src := range list {
			good := src.Denied.IsZero()
			if good {
				if good, err = s.stands(tx, src); err != nil {
					return err
				}
				if !good { // the watch was not there yet
					bad = append(bad, src)
				}
			}
			denied = denied || !good
		}
		return nil
	})
	if err == nil {
		err = s.deny(ctx, bad)
	}
	return known, denied, err
}

// accessEnded says whether err is that somebody may not, or may not any more.
func accessEnded(err error) bool {
	return errors.Is(err, fault.Gone) || errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.Permission) || errors.Is(err, fault.NotFound)
}

// joinOnce decides, records and answers. again: the node was told the same a moment ago.
func (s *Server) joinOnce(ctx context.Context, c Caller, at Place, r SwarmRequest, base string, keys *keys) (st SwarmState, again bool, _ error) {
	var j *joining
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		j, err = s.knock(tx, c, at)
		return err
	})
	if err != nil {
		return st, false, err
	}
	if j.pending {
		settled, err := s.settleLink(ctx, *j.c.Link)
		if err != nil {
			return st, false, err
		}
		if settled {
			return s.joinOnce(ctx, c, at, r, base, keys)
		}
	}
	sh, err := s.share(ctx, j)
	if err != nil {
		return st, false, err
	}
	if !r.InfoHash.IsZero() && r.InfoHash != sh.hash {
		return st, false, fault.Errorf(fault.Precondition, "the content has changed on the server: there is a newer version")
	}
	st = SwarmState{
		Server: keys.id, Time: s.now(), InfoHash: sh.hash, Audience: j.audience(), Name: sh.name,
		Upload: j.pending, Next: swarmInterval, Crowd: s.CrowdOf(j.c, sh.hash),
	}
	if r.Leave {
		s.report(j, sh, r)
		s.leaves(st.Crowd, r.Node)
		return st, again, nil
	}
	p, err := s.allow(ctx, c, at, j, sh, r.Node, keys)
	if err != nil {
		return st, false, err
	}
	st.Capability, st.Denials = p.doc, p.denials
	if l := j.own(); l != nil {
		st.Copies = l.Copies
	}
	s.report(j, sh, r)
	again = s.enters(j, sh, r, &st)
	switch st.Audience {
	case peer.Link:
		st.Ticket = ticketOf(keys, j.c.Link, sh, p.doc, p.until, st.Peers)
	case peer.Public:
		st.Ticket = magnetOf(j.c.Link, sh, base, st.Peers)
	}
	if r.Torrent {
		st.Torrent, st.Files = sh.torrent, sh.files
	}
	return st, again, nil
}

// knock decides whether c may take part in what stands at a place, and finds it.
func (s *Server) knock(tx *catalog.Tx, c Caller, at Place) (*joining, error) {
	c, err := s.present(tx, c)
	if err != nil {
		return nil, err
	}
	j := &joining{c: c, link: c.Link != nil, form: formOf(c.Link)}
	if j.link {
		names, err := splitPath(at.Path)
		if err != nil {
			return nil, err
		}
		if j.top = len(names) == 0; c.Link.Pending != "" {
			return j, s.knockPending(tx, j)
		}
		if c.Link.Kind != catalog.ShareLink {
			return nil, notByLink(c)
		}
		if !j.top { // something below it has metadata of its own, without a v1 half
			j.form = formV2
		}
		if err := j.freshRights(tx); err != nil {
			return nil, err
		}
	}
	p, err := s.find(tx, j.c, policy.ReadFile, at)
	if err != nil {
		return nil, err
	}
	n, err := p.node(tx)
	if err != nil {
		return nil, err
	}
	if n.Folder {
		if err := s.may(tx, j.c, policy.ListFiles, p.col); err != nil {
			return nil, err
		}
	}
	j.place = place{col: p.col, top: n, above: p.full()}
	return j, nil
}

// freshRights gives a link the rights of what it leads to now: it may have been pending when it was looked up.
func (j *joining) freshRights(tx *catalog.Tx) error {
	n, err := tx.Tree.Node(j.c.Link.Node)
	if errors.Is(err, fault.NotFound) {
		return errLinkEnded()
	}
	if err != nil {
		return err
	}
	sub := *j.c.Subject.Link
	sub.Allows = allows(j.c.Link.Kind, n.Folder)
	j.c.Subject.Link = &sub
	return nil
}

// knockPending is knock for a link whose content is still to come: it gives no right to anything on the server.
func (s *Server) knockPending(tx *catalog.Tx, j *joining) error {
	if !j.top {
		return fault.Errorf(fault.NotFound, "what this link leads to is still being uploaded")
	}
	col, err := tx.Collections.Collection(j.c.Link.Collection)
	if errors.Is(err, fault.NotFound) {
		return errLinkEnded()
	}
	if err != nil {
		return err
	}
	sub := *j.c.Subject.Link
	sub.Allows = policy.Read
	asks := j.c
	asks.Subject.Link = &sub
	j.pending, j.col = true, col
	return s.may(tx, asks, policy.ReadFile, col)
}

// leaves forgets a node.
func (s *Server) leaves(crowd content.Hash, node peer.ID) {
	now := s.now()
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	if sw := s.swarm.swarms[crowd]; sw != nil {
		s.swarm.leave(sw, node, now)
	}
}

// enters records a node and tells it of the others. again: it was told the same a moment ago.
func (s *Server) enters(j *joining, sh *shared, r SwarmRequest, st *SwarmState) (again bool) {
	d, now := &s.swarm, s.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	sw := d.swarmOf(st.Crowd, sh, now)
	if sw == nil {
		return false
	}
	if j.own() != nil {
		sw.copies = st.Copies
	}
	d.prune(sw, now)
	d.enter(sw, j.c.Remote.Unmap(), r, now)
	st.State, st.Holders = sw.state, sw.holders(now)
	st.Peers = d.peers(sw, r.Node, mostPeers, now)
	st.Swarm = len(sw.members) > 1
	if m := sw.members[r.Node]; m != nil {
		age := now.Sub(m.toldAt)
		again = r.Seen != 0 && m.told == sw.state && age >= 0 && age < againAfter
		m.told, m.toldAt = sw.state, now
	}
	return again
}

const (
	// mostWaiting is how many requests are held at once; others are answered as things are.
	mostWaiting = 4096
	// againAfter is how soon who asks again and again is answered. It saw another instance's state, or
	// missed an answer: it is to have one, and not in a tight loop.
	againAfter = time.Second
)

// waited says how waiting went.
type waited int

const (
	waitNews  waited = iota // there may be
	waitOver                // the time is over
	waitEnded               // who asked is gone, or there is no room to wait
)

// await waits until there is news of what st tells, over says so, or a pace (0: none) is kept.
func (s *Server) await(ctx context.Context, st SwarmState, over <-chan time.Time, pace time.Duration) waited {
	d := &s.swarm
	d.mu.Lock()
	sw := d.swarms[st.Crowd]
	if sw == nil || d.waiting >= mostWaiting {
		d.mu.Unlock()
		return waitEnded
	}
	if sw.state != st.State && !sw.dirty {
		d.mu.Unlock()
		return waitNews
	}
	news := sw.news
	d.waiting++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.waiting--
		d.mu.Unlock()
	}()
	var paced <-chan time.Time
	if pace > 0 {
		t := time.NewTimer(pace)
		defer t.Stop()
		paced = t.C
	}
	select {
	case <-news:
		return waitNews
	case <-over:
		return waitOver
	case <-paced:
		return waitOver
	case <-ctx.Done():
		return waitEnded
	}
}
