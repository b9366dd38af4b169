package node

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"tandem/internal/capability"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transfer"
)

func TestWhatAServerSharesArrives(t *testing.T) {
	for _, audience := range []peer.Audience{peer.Public, peer.Link, peer.Network} {
		for _, via := range []transfer.Via{transfer.ViaServer, transfer.ViaBoth} {
			t.Run(audience.String()+" via "+string(via), func(t *testing.T) {
				f := newFakeOrigin(t, audience, 300_000)
				o := f.options()
				o.Via, o.Dir = via, t.TempDir()
				it := begin(t, testNode(t, nil), o)
				await(t, "completion", it.Completed(), it)
				await(t, "the end", it.Done(), it)
				f.arrived(o.Dir)
				s := it.Status()
				if s.FromServer != int64(len(f.content)) || s.FromPeers != 0 || s.Via != string(via) || s.Server != f.addr {
					t.Errorf("the last snapshot is %+v", s)
				}
				f.expect("it has left, and said what it took", func() bool {
					return len(f.left) == 1 && f.left[0].Served.Server == int64(len(f.content)) && f.left[0].Have == int64(len(f.content))
				})
			})
		}
	}
}

func TestAServerThatDies(t *testing.T) {
	for _, audience := range []peer.Audience{peer.Public, peer.Link, peer.Network} {
		for _, at := range []int64{0, 40, 95} {
			if at == 0 && audience == peer.Network { // nobody has a capability then: see the restart
				continue
			}
			t.Run(audience.String()+" at "+string(rune('0'+at/10))+"0 %", func(t *testing.T) {
				f := newFakeOrigin(t, audience, 1<<20)
				o := f.options()
				_, full := f.holder(o)
				f.change(func() { f.most, f.hidden = f.sent+at*int64(len(f.content))/100, true })
				o.Dir = t.TempDir()
				n := testNode(t, nil)
				if at == 0 {
					f.kill()
					o.Peers = []string{full.String()}
				}
				it := begin(t, n, o)
				if at > 0 {
					await(t, "silence", f.silent, it)
					f.kill()
					it.t.AddPeers("test", full)
				}
				await(t, "completion", it.Completed(), it)
				f.arrived(o.Dir)
				if s := it.Status(); s.FromPeers == 0 || at == 0 && s.FromServer != 0 {
					t.Errorf("the last snapshot is %+v", s)
				}
			})
		}
	}
}

func TestAServerThatComesBackIsTakenUpAgain(t *testing.T) {
	f := newFakeOrigin(t, peer.Link, 1<<20)
	f.most = int64(len(f.content)) / 2
	o := f.options()
	o.Dir = t.TempDir()
	it := begin(t, testNode(t, nil), o)
	await(t, "silence", f.silent, it)
	f.kill()
	eventually(t, "the user is told", func() bool { return strings.Contains(it.Status().Notice, "away") })
	f.back()
	await(t, "completion", it.Completed(), it)
	f.arrived(o.Dir)
}

func TestARestrictedGetGoesOnAfterTheServersEnd(t *testing.T) {
	f := newFakeOrigin(t, peer.Network, 1<<20)
	o := f.options()
	_, full := f.holder(o)
	f.change(func() { f.most, f.hidden = f.sent+int64(len(f.content))/2, true })
	o.Dir = t.TempDir()
	state := t.TempDir()
	first := testNode(t, func(c *Config) { c.StateDir = state })
	it := begin(t, first, o)
	await(t, "silence", f.silent, it)
	f.kill()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	o.Peers = []string{full.String()}
	it = begin(t, testNode(t, func(c *Config) { c.StateDir = state }), o)
	await(t, "completion", it.Completed(), it)
	f.arrived(o.Dir)
	if s := it.Status(); s.FromPeers == 0 {
		t.Errorf("the last snapshot is %+v", s)
	}
	stranger := testNode(t, nil)
	stranger.patience = 0
	if _, err := stranger.Get(t.Context(), o, Watch{}); !errors.Is(err, fault.Unreachable) {
		t.Errorf("a node without a capability gets %v", err)
	}
}

func TestClocksThatAreWrong(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "a day behind": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			f := newFakeOrigin(t, peer.Network, 200_000)
			f.lasts = time.Hour
			o := f.options()
			_, full := f.holder(o)
			n := testNode(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(wrong) } })
			o.Dir, o.Via, o.Peers = t.TempDir(), transfer.ViaPeers, []string{full.String()}
			it := begin(t, n, o)
			await(t, "completion", it.Completed(), it)
			f.arrived(o.Dir)
			if s := it.Status(); s.FromServer != 0 || s.FromPeers == 0 {
				t.Errorf("the last snapshot is %+v", s)
			}
		})
	}
}

func TestACapabilityIsRenewedQuietly(t *testing.T) {
	f := newFakeOrigin(t, peer.Network, 50_000)
	f.lasts = 10 * time.Second
	it, _ := f.holder(f.options())
	until := it.guard.until()
	f.change(func() { f.lasts = time.Hour })
	eventually(t, "a later one", func() bool { return it.guard.until().After(until.Add(time.Minute)) })
	if s := it.Status(); s.Notice != "" {
		t.Errorf("the user is told %q", s.Notice)
	}
	eventually(t, "it is written down", func() bool {
		id := it.session.memory.recall()
		v, err := capability.Parse(id.Capability, f.id)
		c, ok := v.(capability.Capability)
		return err == nil && ok && c.NotAfter.After(until.Add(time.Minute))
	})
}

// What the server takes back reaches a node that does not ask the server, by one that does, and is known after a
// restart.
func TestADenialSpreadsAndStays(t *testing.T) {
	f := newFakeOrigin(t, peer.Network, 1<<20)
	o := f.options()
	seed, full := f.holder(o)
	state := t.TempDir()
	n := testNode(t, func(c *Config) { c.StateDir = state })
	o.Dir, o.Peers, o.KeepSeeding = t.TempDir(), []string{full.String()}, Forever
	it := begin(t, n, o)
	await(t, "completion", it.Completed(), it)
	eventually(t, "they are connected", func() bool { return len(it.Status().Peers) == 1 })
	v, err := capability.Parse(seed.guard.Present(), f.id)
	if err != nil {
		t.Fatal(err)
	}
	d := capability.Denial{Server: f.id, Source: v.(capability.Capability).Source, Issued: time.Now().Add(time.Second), NotAfter: time.Now().Add(time.Hour)}
	doc, err := d.Sign(f.key)
	if err != nil {
		t.Fatal(err)
	}
	f.kill() // only one is told
	if _, err := seed.guard.a.take(doc); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*Item{"the one that was told": seed, "the other": it} {
		await(t, name+" ends", other.Done(), other)
		if err := other.Err(); !errors.Is(err, ErrRevoked) || fault.KindOf(err) != fault.Refused {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	again := testNode(t, func(c *Config) { c.StateDir = state })
	it = begin(t, again, o)
	await(t, "the end after a restart", it.Done(), it)
	if err := it.Err(); !errors.Is(err, ErrRevoked) {
		t.Errorf("after a restart: %v", err)
	}
}

func TestContentThatWasReplacedOnTheServer(t *testing.T) {
	f := newFakeOrigin(t, peer.Link, 1<<20)
	o := f.options()
	_, full := f.holder(o)
	f.change(func() { f.newer = true })
	t.Run("its own version comes from nodes", func(t *testing.T) {
		o := o
		o.Dir, o.Peers = t.TempDir(), []string{full.String()}
		it := begin(t, testNode(t, nil), o)
		await(t, "completion", it.Completed(), it)
		f.arrived(o.Dir)
		if s := it.Status(); s.FromServer != 0 {
			t.Errorf("the last snapshot is %+v", s)
		}
	})
	t.Run("and without them the user is told", func(t *testing.T) {
		o := o
		o.Dir = t.TempDir()
		it := begin(t, testNode(t, nil), o)
		eventually(t, "a notice", func() bool { return strings.Contains(it.Status().Notice, "newer version") })
	})
}

func TestPeersOnly(t *testing.T) {
	f := newFakeOrigin(t, peer.Network, 300_000)
	o := f.options()
	f.holder(o)
	f.change(func() { f.swarm = true })
	o.Dir, o.Via = t.TempDir(), transfer.ViaPeers
	it := begin(t, testNode(t, nil), o)
	await(t, "completion", it.Completed(), it)
	if s := it.Status(); s.FromServer != 0 || s.FromPeers < int64(len(f.content)) {
		t.Errorf("the last snapshot is %+v", s)
	}
}

func TestMetadataThatIsBeingMadeIsWaitedFor(t *testing.T) {
	for _, audience := range []peer.Audience{peer.Link, peer.Network} {
		t.Run(audience.String(), func(t *testing.T) {
			f := newFakeOrigin(t, audience, 50_000)
			f.prepare = 1
			o := f.options()
			o.Dir = t.TempDir()
			it := begin(t, testNode(t, nil), o)
			await(t, "completion", it.Completed(), it)
			f.arrived(o.Dir)
		})
	}
}

func TestAPromiseIsKeptUntilItsTime(t *testing.T) {
	f := newFakeOrigin(t, peer.Link, 50_000)
	o := f.options()
	state, until := t.TempDir(), time.Now().Add(time.Hour).Truncate(time.Second)
	keep := KeepOptions{Source: o.Source, Dir: t.TempDir(), Until: until}
	n := testNode(t, func(c *Config) { c.StateDir, c.Persist = state, true })
	if _, err := n.Keep(t.Context(), KeepOptions{Source: o.Source, Until: time.Now().Add(-time.Second)}, Watch{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a promise for the past: %v", err)
	}
	it, err := n.Keep(t.Context(), keep, Watch{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "completion", it.Completed(), it)
	f.expect("the promise is told", func() bool {
		j := f.members[n.ID().String()]
		return j.Keep == until.Unix() && j.Have == int64(len(f.content))
	})
	if s := it.Status(); s.Kind != KindKeep || !s.Until.Equal(until) {
		t.Errorf("the snapshot is %+v", s)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now  time.Time
		kept bool
	}{"before": {time.Now(), true}, "after": {until.Add(time.Second), false}} {
		t.Run("after a restart "+name, func(t *testing.T) {
			n := testNode(t, func(cfg *Config) {
				cfg.StateDir, cfg.Persist, cfg.Now = state, c.kept, func() time.Time { return c.now }
			})
			if !c.kept {
				err := n.restore()
				if err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "it is settled", func() bool {
				list, err := n.status("")
				return err == nil && (c.kept && len(list) == 1 && list[0].State == "seeding" || !c.kept && len(list) == 0)
			})
		})
	}
}

func TestWhatIsPassedOnIsTheServersOwn(t *testing.T) {
	f := newFakeOrigin(t, peer.Network, 50_000)
	n := testNode(t, nil)
	g := n.newGuard(f.id, f.torrent.Manifest.InfoHash2, peer.Network)
	defer g.end()
	f.mu.Lock()
	ours, other := f.capability(n.ID()), f.capability(peer.ID{1})
	f.mu.Unlock()
	if changed, err := g.accept(ours); !changed || err != nil || g.permission() != nil {
		t.Fatalf("our own: %t, %v, %v", changed, err, g.permission())
	}
	if err := g.Check(peer.ID{1}, other); err != nil {
		t.Errorf("another node's own: %v", err)
	}
	bad := append([]byte(nil), ours...)
	bad[len(bad)-1] ^= 1
	for name, c := range map[string]struct {
		node peer.ID
		doc  []byte
		want capability.Reason
	}{
		"nothing":                {n.ID(), nil, capability.Missing},
		"a changed byte":         {n.ID(), bad, capability.Forged},
		"one for another node":   {n.ID(), other, capability.OtherNode},
		"one for another, shown": {peer.ID{2}, other, capability.OtherNode},
	} {
		t.Run(name, func(t *testing.T) {
			if err := g.Check(c.node, c.doc); !errors.Is(err, c.want) || fault.KindOf(err) != fault.Refused {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.node == n.ID() && len(c.doc) > 0 {
				if changed, err := g.accept(c.doc); changed || err == nil {
					t.Errorf("it is taken for ours: %s", hex.EncodeToString(c.doc))
				}
			}
		})
	}
}
