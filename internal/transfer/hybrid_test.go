package transfer

import (
	"net/netip"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/discover"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

func TestTheModelSaysWhichSourcesAreUsed(t *testing.T) {
	files := testFiles(1 << 20)
	type use struct{ dht, lan, server, dialed, incoming bool }
	for _, c := range []struct {
		name   string
		via    Via
		server error // what it answers with
		say    func(n *node)
		want   use
	}{
		{"the server alone", ViaServer, nil, nil, use{server: true}},
		{"the server alone, and it is gone", ViaServer, unreachable, nil, use{server: true}},
		{"the server alone, whatever the node says", ViaServer, nil, func(n *node) { n.UseSwarm(true) }, use{server: true}},
		{"peers alone", ViaPeers, nil, nil, use{dht: true, lan: true, dialed: true, incoming: true}},
		{"peers alone, whatever the node says", ViaPeers, nil, func(n *node) { n.UseSwarm(false) }, use{dht: true, lan: true, dialed: true, incoming: true}},
		{"both, and the server answers", ViaBoth, nil, nil, use{lan: true, server: true, incoming: true}},
		{"both, unsaid", "", nil, nil, use{lan: true, server: true, incoming: true}},
		{"both, and the server is gone", ViaBoth, unreachable, nil, use{dht: true, lan: true, server: true, dialed: true, incoming: true}},
		{"both, and there is a crowd", ViaBoth, nil, func(n *node) { n.UseSwarm(true) }, use{dht: true, lan: true, server: true, dialed: true, incoming: true}},
		{"both, and the server was taken away", ViaBoth, nil, func(n *node) { n.SetOrigins() }, use{dht: true, lan: true, dialed: true, incoming: true, server: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tor := makeTorrent(t, forms[1], 32<<10, files, false)
				o := newServer(tor, files)
				o.down, o.rate = c.server, 20_000
				listener := w.start(tor, nil, nil)
				dht, lan := &oracle{name: "dht", found: []discover.Found{{Addr: listener.at(), Source: "dht"}}}, &oracle{name: "lan"}
				got := w.start(tor, nil, func(cfg *Config) {
					cfg.Via, cfg.Origins = c.via, []Origin{o}
					cfg.Finders = []discover.Finder{dht, lan}
				})
				got.AddPeers("server", listener.at())
				if c.say != nil {
					<-time.After(100 * time.Millisecond)
					c.say(got)
				}
				<-time.After(5 * time.Second)
				seen := use{dht: dht.joined.Load() > 0, lan: lan.joined.Load() > 0, server: len(o.asked()) > 0}
				seen.dialed = len(listener.Status().Peers) > 0
				caller := w.start(tor, nil, nil)
				caller.AddPeers("link", got.at())
				<-time.After(time.Second)
				seen.incoming = len(caller.Status().Peers) > 0
				if seen != c.want {
					t.Errorf("used %+v, want %+v", seen, c.want)
				}
			})
		})
	}
}

func TestTheSwarmIsLeftWhenTheCrowdIsGone(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[2], 32<<10, files, false)
		o := newServer(tor, files)
		o.rate = 20_000
		dht := &oracle{name: "dht"}
		got := w.start(tor, nil, with(from(o), func(cfg *Config) { cfg.Finders = []discover.Finder{dht} }))
		for round := int32(1); round <= 3; round++ {
			got.UseSwarm(true)
			got.UseSwarm(true)
			<-time.After(time.Second)
			if dht.joined.Load() != 2*round || dht.left.Load() != 2*(round-1) {
				t.Fatalf("joined %d, left %d times in round %d", dht.joined.Load(), dht.left.Load(), round)
			}
			got.UseSwarm(false)
			<-time.After(time.Second)
			if dht.left.Load() != 2*round {
				t.Fatalf("left %d times in round %d", dht.left.Load(), round)
			}
		}
	})
}

func TestNearPeersAreDialedWhateverTheModel(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		o := newServer(tor, files)
		o.rate = 20_000
		far := w.start(tor, fullMemory(tor.Manifest, files), nil)
		near := w.start(tor, fullMemory(tor.Manifest, files), nil)
		got := w.start(tor, nil, with(from(o), nearby(near.host.Addr())))
		got.AddPeers("server", far.at(), near.at())
		got.finishes(10 * time.Second)
		s := got.Status()
		if s.FromLAN == 0 || s.FromLAN != s.FromPeers || s.FromLAN+s.FromOrigin != tor.Manifest.TotalBytes() {
			t.Errorf("%d bytes from the LAN, %d from peers, %d from the server", s.FromLAN, s.FromPeers, s.FromOrigin)
		}
		if n := near.Status(); n.ToPeers != s.FromLAN {
			t.Errorf("the peer gave %d bytes, %d came", n.ToPeers, s.FromLAN)
		}
	})
}

// Two nodes on a LAN behind a slow line fetch each piece across it about once,
// since they tell each other what they fetch.
func TestALANFetchesEachPieceOnce(t *testing.T) {
	const size = 4 << 20
	files := testFiles(size)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 64<<10, files, false)
		full := fullMemory(tor.Manifest, files)
		o := newServer(tor, files)
		o.rate = 100_000
		var all []*node
		var addrs []netip.Addr
		for range 4 {
			addrs = append(addrs, w.net.Host(netip.AddrFrom4([4]byte{10, 0, 0, byte(len(addrs) + 1)})).Addr())
		}
		for range 4 {
			all = append(all, w.start(tor, nil, with(from(o), nearby(addrs...))))
		}
		for _, n := range all {
			for _, p := range all {
				if n != p {
					n.AddPeers("lan", p.at())
				}
			}
		}
		for _, n := range all {
			n.finishes(3 * time.Minute)
			if !n.store.holds(full) {
				t.Error("a copy differs")
			}
		}
		if copies := float64(o.gave()) / size; copies > 1.2 {
			t.Errorf("the server sent %.2f copies", copies)
		}
	})
}

// Nodes told of each other's fetches do without a LAN, too: what one gets from the
// server, the others get from it.
func TestACrowdTakesLittleMoreThanACopy(t *testing.T) {
	const size = 4 << 20
	files := testFiles(size)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		o := newServer(tor, files)
		o.rate = 30_000
		var all []*node
		for range 6 {
			n := w.start(tor, nil, with(from(o), func(cfg *Config) { cfg.Up = limiter(500_000) }))
			n.UseSwarm(true)
			for _, p := range all {
				n.AddPeers("server", p.at())
			}
			n.SpareOrigin(true)
			all = append(all, n)
		}
		for _, n := range all {
			n.finishes(5 * time.Minute)
		}
		if copies := float64(o.gave()) / size; copies > 1.3 {
			t.Errorf("the server sent %.2f copies", copies)
		}
	})
}

func TestPiecesThatNobodyHasAreNamed(t *testing.T) {
	files := testFiles(1 << 20)
	bubble(t, func(t *testing.T, w *world) {
		tor := makeTorrent(t, forms[1], 32<<10, files, false)
		o := newServer(tor, files)
		o.rate = 10_000
		got := w.start(tor, nil, with(from(o), linkShare(tor, 7, true)))
		some := content.NewBitfield(tor.Manifest.NumPieces())
		for i := range 20 {
			some.Set(i)
		}
		s := newMemory(tor.Manifest)
		s.fill(files, some)
		holder := w.start(tor, s, linkShare(tor, 7, true))
		got.AddPeers("link", holder.at())
		<-time.After(time.Second)
		if l := got.Status().Lost; l != nil {
			t.Errorf("lost while the server answers: %v", l)
		}
		o.kill(unreachable)
		<-time.After(20 * time.Second)
		lost := got.Status().Lost
		missing := 0
		for _, l := range lost {
			missing += l.Last - l.First + 1
			if l.First < 20 {
				t.Errorf("lost %+v, which a peer has", l)
			}
		}
		if st := got.Status(); missing != st.Swarm.Wanted-st.Swarm.Have || missing == 0 {
			t.Errorf("%d pieces lost, %d of %d here", missing, st.Swarm.Have, st.Swarm.Wanted)
		}
		o.kill(nil)
		got.finishes(5 * time.Minute)
		if got.Status().Lost != nil {
			t.Error("lost although complete")
		}
	})
}

func TestConfigurationsThatContradictThemselves(t *testing.T) {
	files := testFiles(100)
	tor := makeTorrent(t, forms[1], 16<<10, files, false)
	w := newWorld(t)
	defer w.close()
	base := func(change func(*Config)) Config {
		cfg := w.prepare(tor, nil, linkShare(tor, 1, true)).cfg
		change(&cfg)
		return cfg
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		ok     bool
	}{
		{"a link share", func(*Config) {}, true},
		{"a network share with a guard", func(c *Config) { c.Audience, c.Guard = peer.Network, &guard{} }, true},
		{"a network share without a guard", func(c *Config) { c.Audience = peer.Network }, false},
		{"a network share of two keys", func(c *Config) {
			c.Audience, c.Guard, c.Keys = peer.Network, &guard{}, []content.SHA1{{1}, {2}}
		}, false},
		{"a network share without an info-hash", func(c *Config) {
			c.Audience, c.Guard, c.Torrent, c.Want = peer.Network, &guard{}, nil, content.Hash{}
		}, false},
		{"an unknown model", func(c *Config) { c.Via = "carrier pigeon" }, false},
		{"an unknown audience", func(c *Config) { c.Audience = 9 }, false},
	} {
		_, err := New(base(c.change))
		if c.ok != (err == nil) || (err != nil && fault.KindOf(err) != fault.Invalid) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

var _ transport.Guard = (*guard)(nil)
