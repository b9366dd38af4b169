package origin

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

func whole(r *SwarmRequest) { r.Have, r.Total = 4, 4 }

func TestMembers(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	t.Run("are told of each other, until they leave or are not seen", func(t *testing.T) { comeAndGo(t, d) })
	t.Run("with a whole copy count while they are seen, and somewhat longer when they promised", func(t *testing.T) { promises(t, d) })
	t.Run("of two links to one content, which have two secrets, are not told of each other", func(t *testing.T) { crowds(t, d) })
}

func comeAndGo(t *testing.T, d *desk) {
	c := d.linked("f", nil)
	crowd := d.joined(c, Place{}, 1, whole).Crowd
	if st := d.joined(c, Place{}, 1, whole); len(st.Peers) != 0 || st.Holders != 1 || st.Swarm {
		t.Fatalf("alone: %+v", st)
	}
	st := d.joined(c, Place{}, 2, nil)
	if len(st.Peers) != 1 || st.Holders != 1 || !st.Swarm || d.SwarmMembers(crowd) != 2 {
		t.Fatalf("with another: %+v", st)
	}
	d.joined(c, Place{}, 3, func(r *SwarmRequest) { r.Addrs = nil }) // cannot be reached
	if st = d.joined(c, Place{}, 2, nil); len(st.Peers) != 1 {
		t.Fatalf("told of who cannot be reached: %v", st.Peers)
	}
	if pieces, size, there := d.SwarmShare(crowd); pieces != 1 || size != 4 || !there {
		t.Fatalf("%d pieces, %d bytes, %v", pieces, size, there)
	}
	if addrs := d.SwarmAddrs(crowd, []peer.ID{node(1), node(77)}); len(addrs) != 1 || addrs[0].Addr() != netip.MustParseAddr("10.9.0.1") {
		t.Fatalf("got %v", addrs)
	}
	d.joined(c, Place{}, 2, func(r *SwarmRequest) { r.Leave = true })
	if n := d.SwarmMembers(crowd); n != 2 {
		t.Fatalf("%d after one left", n)
	}
	d.pass(memberLasts)
	d.pruneSwarms()
	if _, _, there := d.SwarmShare(crowd); there || d.swarm.members != 0 || len(d.swarm.byShare) != 0 {
		t.Fatal("an empty swarm is remembered")
	}
}

func promises(t *testing.T, d *desk) {
	v := d.share("f", func(r *LinkRequest) { r.Copies = 2 })
	var log bytes.Buffer
	d.swarm.watch.warned = time.Time{}
	d.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	ok(t, d.watchCopies(d.ctx))
	c := d.by(v)
	d.joined(c, Place{}, 1, whole)
	d.joined(c, Place{}, 2, func(r *SwarmRequest) { whole(r); r.Keep = d.clock().Add(time.Hour) })
	d.joined(c, Place{}, 3, func(r *SwarmRequest) { r.Keep = d.clock().Add(time.Hour) }) // has nothing yet
	holders := func() int {
		d.pruneSwarms()
		v, err := d.LinkInfo(d.ctx, d.ann, v.Link.ID)
		ok(t, err)
		return v.Holders
	}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 2}, {memberLasts, 1}, {promiseLasts, 0}} {
		d.pass(step.pass)
		if n := holders(); n != step.want {
			t.Fatalf("after %v more: %d live copies, want %d", step.pass, n, step.want)
		}
		ok(t, d.watchCopies(d.ctx))
	}
	if n := strings.Count(log.String(), "fewer live copies"); n != 1 {
		t.Fatalf("warned %d times:\n%s", n, log.String())
	}
}

func crowds(t *testing.T, d *desk) {
	bound := d.joined(d.linked("f", limited), Place{}, 1, nil)
	place := d.joined(d.ann, at("f"), 2, nil)
	if bound.Crowd != place.Crowd || len(place.Peers) != 1 {
		t.Fatalf("one network, and not one crowd: %+v", place)
	}
	first, second := d.joined(d.linked("f", nil), Place{}, 3, nil), d.joined(d.linked("f", nil), Place{}, 4, nil)
	if len(first.Peers)+len(second.Peers) != 0 || first.Crowd == second.Crowd || first.InfoHash != place.InfoHash {
		t.Fatalf("told %v and %v", first.Peers, second.Peers)
	}
}

// bare is a Server that remembers swarms and no more, and its clock.
func bare() (*Server, *time.Time) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &Server{cfg: Config{Now: func() time.Time { return now }}}
	s.swarm.open([32]byte{1})
	return s, &now
}

// However many fakes come, memory has an end, and who was there is served on.
func TestSwarmsAreBounded(t *testing.T) {
	o, clock := bare()
	d, now := &o.swarm, *clock
	enter := func(share byte, n int, from string) bool {
		sh := &shared{hash: content.Hash{share}, total: 4, pieces: 1}
		r := SwarmRequest{Node: node(n), Addrs: make([]netip.AddrPort, 8)}
		return d.enter(d.swarmOf(sh.hash, sh, now), netip.MustParseAddr(from), r, now)
	}
	for n := range mostMembers {
		if !enter(1, n, "10.0.0.1") {
			t.Fatalf("no room for member %d", n)
		}
	}
	if enter(1, mostMembers, "10.0.0.1") || !enter(1, 5, "10.0.0.1") {
		t.Fatal("more than there is room for, or an old one put out")
	}
	if got := len(d.swarms[content.Hash{1}].members[node(0)].addrs); got != mostAddrs {
		t.Fatalf("%d addresses of one", got)
	}
	for n := range mostPerAddress {
		if !enter(2, n, "203.0.113.5") {
			t.Fatalf("no room for %d of an address", n)
		}
	}
	if enter(2, mostPerAddress, "203.0.113.5") || !enter(2, mostPerAddress, "203.0.113.6") {
		t.Fatal("one address takes it all, or keeps others out")
	}
	d.members = mostOfAll
	if enter(3, 1, "10.0.0.1") {
		t.Fatal("more than all")
	}
	for n := range mostSwarms {
		d.swarmOf(content.Hash{9, byte(n >> 8), byte(n)}, &shared{}, now)
	}
	if d.swarmOf(content.Hash{8}, &shared{}, now) != nil || len(d.swarms) != mostSwarms {
		t.Fatalf("%d swarms", len(d.swarms))
	}
	d.waiting = mostWaiting
	if how := o.await(t.Context(), SwarmState{Crowd: content.Hash{1}, State: d.swarms[content.Hash{1}].state}, nil, 0); how != waitEnded {
		t.Fatalf("waits beside %d others", mostWaiting)
	}
}

// In a large crowd not each who comes wakes everybody; a denial does.
func TestLargeCrowdsAreToldInTurns(t *testing.T) {
	o, clock := bare()
	d, now := &o.swarm, *clock
	sh := &shared{hash: content.Hash{1}, total: 4}
	sw := d.swarmOf(sh.hash, sh, now)
	told := func() int {
		n, news := 0, sw.news
		for i := range 1000 {
			d.enter(sw, netip.MustParseAddr("10.0.0.1"), SwarmRequest{Node: node(100 + len(sw.members) + i)}, now)
			if sw.news != news {
				n, news = n+1, sw.news
			}
		}
		return n
	}
	if n := told(); n > 100 {
		t.Fatalf("told %d times of 1000", n)
	}
	*clock = now.Add(time.Minute)
	news := sw.news
	o.pruneSwarms()
	if sw.news == news {
		t.Fatal("never told of the rest")
	}
	news = sw.news
	o.SwarmChanged(sh.hash)
	if sw.news == news {
		t.Fatal("not told at once of what is for all")
	}
	o.SwarmChanged(content.Hash{77})
}

// Whatever order nodes come, go and are forgotten in: the counts agree, and nobody is told of itself.
func TestMembershipAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, clock := bare()
		d, now := &o.swarm, *clock
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			sh := &shared{hash: content.Hash{byte(rapid.IntRange(1, 3).Draw(t, "share"))}, total: 4}
			id := node(rapid.IntRange(1, 5).Draw(t, "node"))
			sw := d.swarmOf(sh.hash, sh, now)
			state := sw.state
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				r := SwarmRequest{Node: id, Have: int64(rapid.IntRange(0, 4).Draw(t, "have")), Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 1, 1, id[2]}), 1)}}
				known := sw.members[id] != nil
				d.enter(sw, netip.Addr{}, r, now)
				if !known && sw.state == state {
					t.Fatal("somebody came, and it is no news")
				}
				for _, a := range d.peers(sw, id, mostPeers, now) {
					if a == r.Addrs[0] {
						t.Fatal("told of itself")
					}
				}
			case 2:
				d.leave(sw, id, now)
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second)
				d.prune(sw, now)
				if len(sw.members) == 0 {
					d.forget(sw)
				}
			}
			n := 0
			for _, sw := range d.swarms {
				n += len(sw.members)
				if sw.holders(now) > len(sw.members) {
					t.Fatal("more copies than members")
				}
			}
			if n != d.members {
				t.Fatalf("%d members, counted %d", n, d.members)
			}
		}
	})
}

// Who asks again and again with what another instance told is answered each second, not in a tight loop; who hangs up
// leaves nothing behind.
func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskInBubble(t)
		d.put("f", "text")
		c := d.linked("f", nil)
		stale := func(r *SwarmRequest) { r.Seen, r.Wait = 17, 50*time.Second }
		begun := time.Now()
		d.joined(c, Place{}, 1, stale)
		if took := time.Since(begun); took > 10*time.Millisecond {
			t.Fatalf("the first waited for %v", took)
		}
		for range 3 {
			begun = time.Now()
			d.joined(c, Place{}, 1, stale)
			if took := time.Since(begun); took < 900*time.Millisecond || took > 2*time.Second {
				t.Fatalf("answered after %v", took)
			}
		}
		st := d.joined(c, Place{}, 1, nil)
		ctx, cancel := context.WithCancel(d.ctx)
		time.AfterFunc(time.Second, cancel)
		_, err := d.JoinSwarm(ctx, c, Place{}, SwarmRequest{Node: node(1), Addrs: []netip.AddrPort{netip.MustParseAddrPort("10.9.0.1:7000")}, Seen: st.State, Wait: time.Hour}, base)
		if ok(t, err); d.swarm.waiting != 0 {
			t.Fatalf("%d still wait", d.swarm.waiting)
		}
		_, err = d.JoinSwarm(d.ctx, c, Place{}, SwarmRequest{}, base)
		want(t, err, fault.Invalid)
	})
}

// Instances have one key, and a backup of the catalog has it too.
func TestServerKey(t *testing.T) {
	o := emptyOffice(t)
	id, err := o.ServerID(o.ctx)
	ok(t, err)
	other, err := o.instance().ServerID(o.ctx)
	if ok(t, err); id != other || id.IsZero() {
		t.Fatalf("%v and %v", id, other)
	}
	k, err := o.keys(o.ctx)
	ok(t, err)
	a, b := k.linkSecret("x", content.Hash{1}), k.linkSecret("y", content.Hash{1})
	if c := k.linkSecret("x", content.Hash{2}); a == b || a == c || a == ([32]byte{}) {
		t.Fatal("secrets of two links, or of two shares, are one")
	}
}
