package origin

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/peer"
)

// Bounds of what is remembered of swarms. All of it is in memory: nodes join again within an interval.
const (
	swarmInterval = 60 * time.Second
	memberLasts   = 2 * swarmInterval
	// promiseLasts is how long a full copy that was promised to be kept counts without being seen: a
	// restart of its machine.
	promiseLasts = 15 * time.Minute

	mostSwarms     = 10_000
	mostMembers    = 2_000   // of a swarm
	mostOfAll      = 100_000 // members of all swarms
	mostPerAddress = 64      // members of a swarm from one global address
	mostAddrs      = 4       // of one member that others are told
	mostPeers      = 50      // that a node is told at once
)

// swarmDesk is what the server remembers of the swarms that nodes joined here.
type swarmDesk struct {
	keyring
	shares shareDesk
	books  books
	watch  swarmWatch
	// tracked says which swarm keys are those of public links.
	tracked *cache[content.SHA1, bool]

	mu      sync.Mutex              // guards the fields below
	swarms  map[content.Hash]*swarm // by crowd
	byShare map[content.Hash]*swarm // by share: the newest
	members int
	waiting int // long polls
	rng     *rand.Rand
}

// swarm is who takes part in a share, and can reach each other.
type swarm struct {
	crowd   content.Hash
	share   content.Hash
	name    string
	pieces  int
	size    int64
	copies  int   // wanted by the link that asks for the most
	state   int64 // changes with everything members should know
	denials int   // that concern it, when they were last looked at
	members map[peer.ID]*member

	news  chan struct{} // closed when there are any
	dirty bool          // changed since news was closed
	quiet time.Time     // not to be closed for members alone before
}

// member is one node.
type member struct {
	from    netip.Addr // where it asks from
	addrs   []netip.AddrPort
	have    int64
	rate    float64
	seen    time.Time
	keep    time.Time // it has promised to keep a copy until then
	told    int64     // the state that it was told last
	toldAt  time.Time
	expires time.Time
}

// live says whether a member is there, and whole whether it has, or is trusted to have, a copy.
func (m *member) live(now time.Time) bool {
	return now.Before(m.expires) && !m.seen.After(now.Add(memberLasts)) // the clock was set back
}

func (m *member) whole(size int64) bool { return m.have >= size }

// open makes what the zero value lacks; seed is for the order in which members are told.
func (d *swarmDesk) open(seed [32]byte) {
	d.shares.open()
	d.watch.kick = make(chan struct{}, 1)
	d.watch.epoch = -1
	d.tracked = newCache[content.SHA1, bool](time.Second, 10_000)
	d.swarms = make(map[content.Hash]*swarm)
	d.byShare = make(map[content.Hash]*swarm)
	d.rng = rand.New(rand.NewChaCha8(seed))
}

// swarmOf returns the swarm of a crowd, which is made if need be; nil when there are too many. d.mu is held.
func (d *swarmDesk) swarmOf(crowd content.Hash, sh *shared, now time.Time) *swarm {
	sw := d.swarms[crowd]
	if sw == nil {
		if len(d.swarms) >= mostSwarms {
			return nil
		}
		sw = &swarm{
			crowd: crowd, share: sh.hash, name: sh.name, pieces: sh.pieces, size: sh.total,
			// Numbers of before a restart mean nothing now.
			state: now.UnixMicro(), members: make(map[peer.ID]*member), news: make(chan struct{}),
			denials: d.watch.denied(sh.hash),
		}
		d.swarms[crowd], d.byShare[sh.hash] = sw, sw
	}
	return sw
}

// find returns the swarm of a crowd, or the newest of a share; nil: there is none. d.mu is held.
func (d *swarmDesk) find(hash content.Hash) *swarm {
	if sw := d.swarms[hash]; sw != nil {
		return sw
	}
	return d.byShare[hash]
}

// forget removes a swarm. d.mu is held.
func (d *swarmDesk) forget(sw *swarm) {
	close(sw.news) // who waits joins again
	delete(d.swarms, sw.crowd)
	if d.byShare[sw.share] == sw {
		delete(d.byShare, sw.share)
	}
	d.members -= len(sw.members)
}

// CrowdOf names those among whom a share goes from node to node: all who take part in it, but for plain links, each
// of which has a secret of its own.
func (s *Server) CrowdOf(c Caller, share content.Hash) content.Hash {
	if c.Link == nil || c.Link.Audience != peer.Link || restricted(c.Link) {
		return share
	}
	return sha256.Sum256(fmt.Appendf(share[:len(share):len(share)], "tandem/v1/crowd\x00%d", c.Link.ID))
}

// changed says that members have news. At a large crowd's door they are not told of each who comes: that would be
// everybody's work for each. d.mu is held.
func (sw *swarm) changed(now time.Time, atOnce bool) {
	sw.state++
	sw.dirty = true
	const few = 64
	if atOnce || len(sw.members) <= few || !now.Before(sw.quiet) || sw.quiet.After(now.Add(time.Hour)) {
		sw.tell(now)
	}
}

// tell answers who waits. d.mu is held.
func (sw *swarm) tell(now time.Time) {
	close(sw.news)
	sw.news, sw.dirty = make(chan struct{}), false
	sw.quiet = now.Add(time.Duration(len(sw.members)) * 10 * time.Millisecond)
}

// SwarmChanged answers who waits for news of a crowd. It does not wait, and any hash will do.
func (s *Server) SwarmChanged(crowd content.Hash) {
	d := &s.swarm
	d.mu.Lock()
	defer d.mu.Unlock()
	if sw := d.find(crowd); sw != nil {
		sw.changed(s.now(), true)
	}
}

// enter records what a node says of itself; false when there is no room for it. d.mu is held.
func (d *swarmDesk) enter(sw *swarm, from netip.Addr, r SwarmRequest, now time.Time) bool {
	m := sw.members[r.Node]
	news := false
	if m == nil {
		if len(sw.members) >= mostMembers || d.members >= mostOfAll || sw.crowded(from) {
			return false
		}
		m = new(member)
		sw.members[r.Node] = m
		d.members++
		news = true
	}
	addrs := r.Addrs[:min(len(r.Addrs), mostAddrs)]
	whole := m.whole(sw.size)
	news = news || !slices.Equal(m.addrs, addrs)
	m.addrs = slices.Clone(addrs)
	m.from, m.have, m.rate, m.keep = from, max(0, min(r.Have, sw.size)), r.Rate, r.Keep
	m.seen, m.expires = now, now.Add(memberLasts)
	if news || m.whole(sw.size) != whole {
		sw.changed(now, false)
	}
	return true
}

// crowded says whether too many come from one address of the Internet.
func (sw *swarm) crowded(from netip.Addr) bool {
	if !from.IsValid() || from.IsLoopback() || from.IsPrivate() || from.IsLinkLocalUnicast() {
		return false
	}
	n := 0
	for _, m := range sw.members {
		if m.from == from {
			n++
		}
	}
	return n >= mostPerAddress
}

// leave forgets a node. d.mu is held.
func (d *swarmDesk) leave(sw *swarm, node peer.ID, now time.Time) {
	if sw.members[node] != nil {
		delete(sw.members, node)
		d.members--
		sw.changed(now, false)
	}
}

// prune forgets who was not seen for too long. Who promised to keep a copy stays somewhat longer, as
// a copy. d.mu is held.
func (d *swarmDesk) prune(sw *swarm, now time.Time) {
	before := len(sw.members)
	maps.DeleteFunc(sw.members, func(_ peer.ID, m *member) bool {
		return !m.live(now) && !m.promised(sw.size, now)
	})
	if gone := before - len(sw.members); gone > 0 {
		d.members -= gone
		sw.changed(now, false)
	}
}

// promised says whether a copy counts that is not seen.
func (m *member) promised(size int64, now time.Time) bool {
	age := now.Sub(m.seen)
	return m.whole(size) && now.Before(m.keep) && age >= 0 && age < promiseLasts
}

// holders counts the live copies. d.mu is held.
func (sw *swarm) holders(now time.Time) (n int) {
	for _, m := range sw.members {
		if m.whole(sw.size) && (m.live(now) || m.promised(sw.size, now)) {
			n++
		}
	}
	return n
}

// peers returns where other members than node can be reached, each member's addresses together, in
// random order. d.mu is held.
func (d *swarmDesk) peers(sw *swarm, node peer.ID, most int, now time.Time) []netip.AddrPort {
	ids := make([]peer.ID, 0, len(sw.members))
	for id, m := range sw.members {
		if id != node && len(m.addrs) > 0 && m.live(now) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b peer.ID) int { return slices.Compare(a[:], b[:]) })
	d.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	var addrs []netip.AddrPort
	for _, id := range ids[:min(len(ids), most)] {
		for _, a := range sw.members[id].addrs {
			if !slices.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs
}

// SwarmMembers returns how many nodes are in a crowd now.
func (s *Server) SwarmMembers(crowd content.Hash) (n int) {
	now := s.now()
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	if sw := s.swarm.find(crowd); sw != nil {
		for _, m := range sw.members {
			if m.live(now) {
				n++
			}
		}
	}
	return n
}

// SwarmShare returns the number of pieces and the size of what a crowd shares, false when nobody has joined it here.
func (s *Server) SwarmShare(crowd content.Hash) (pieces int, size int64, ok bool) {
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	sw := s.swarm.find(crowd)
	if sw == nil {
		return 0, 0, false
	}
	return sw.pieces, sw.size, true
}

// SwarmAddrs returns where these nodes can be reached, of those that are in a crowd now.
func (s *Server) SwarmAddrs(crowd content.Hash, nodes []peer.ID) []netip.AddrPort {
	now := s.now()
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	sw := s.swarm.find(crowd)
	if sw == nil {
		return nil
	}
	var addrs []netip.AddrPort
	for _, id := range nodes {
		if m := sw.members[id]; m != nil && m.live(now) {
			addrs = append(addrs, m.addrs...)
		}
	}
	return addrs
}

// holdersOf counts the live copies of what a link leads to.
func (s *Server) holdersOf(l *catalog.Link) int {
	now := s.now()
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	if sw := s.swarm.swarms[s.crowdOf(l)]; sw != nil {
		return sw.holders(now)
	}
	return 0
}

// crowdOf is the crowd of what a link leads to.
func (s *Server) crowdOf(l *catalog.Link) content.Hash {
	return s.CrowdOf(Caller{Link: l}, l.Meta.Share)
}

// someAddrs returns where up to most members can be reached, for a ticket.
func (s *Server) someAddrs(l *catalog.Link, most int) []netip.AddrPort {
	now := s.now()
	s.swarm.mu.Lock()
	defer s.swarm.mu.Unlock()
	if sw := s.swarm.swarms[s.crowdOf(l)]; sw != nil {
		addrs := s.swarm.peers(sw, peer.ID{}, most, now)
		return addrs[:min(len(addrs), most)]
	}
	return nil
}
