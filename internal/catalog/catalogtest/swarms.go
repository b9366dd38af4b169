package catalogtest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// testSwarms holds layers, capabilities, ledger and keepers to the contract.
func testSwarms(t *testing.T, open Open) {
	c := open(t)
	number := byte(100)
	for name, test := range map[string]func(*testing.T, *shelf){
		"piece layers come and go with their content":             layersOfContent,
		"a source is found by all it is known by":                 sourceFound,
		"a source is denied once, and what concerns a share":      sourceDenied,
		"what cannot be valid any more is forgotten":              capabilitiesSwept,
		"the ledger adds up by share, account and transfer":       ledgerSums,
		"what a node says less than before is a new transfer":     ledgerReports,
		"an offer is its account's, and its keeping goes with it": keeperOffers,
	} {
		number++
		t.Run(name, func(t *testing.T) { test(t, newShelf(t, c, open, number)) })
	}
}

// link makes a link to a new file of 10 bytes.
func (s *shelf) link(tx *catalog.Tx, name string) (catalog.LinkID, error) {
	n, err := s.put(tx, s.in.Root, name, 1)
	if err != nil {
		return 0, err
	}
	return tx.Links.CreateLink(catalog.Link{
		Token: s.in.Name + name, Kind: catalog.ShareLink, Node: n.ID, Audience: peer.Link, By: s.owner, Created: day(),
	})
}

func layersOfContent(t *testing.T, s *shelf) {
	sum, layer := s.tenBytes(1), bytes.Repeat([]byte{7}, 64)
	err := s.Update(context.Background(), func(tx *catalog.Tx) error { return tx.Layers.SetLayer(sum.Root, 1<<15, layer) })
	is(t, "a layer of unknown content", err, fault.NotFound)
	update(t, s, func(tx *catalog.Tx) error {
		_, err := tx.Contents.Claim(sum, day())
		is(t, "half a hash", tx.Layers.SetLayer(sum.Root, 1<<15, layer[1:]), fault.Invalid)
		is(t, "no hash", tx.Layers.SetLayer(sum.Root, 1<<15, nil), fault.Invalid)
		return errors.Join(err, tx.Layers.SetLayer(sum.Root, 1<<15, make([]byte, 32)), tx.Layers.SetLayer(sum.Root, 1<<15, layer))
	})
	read := func(pieceLength int64) (got []byte, err error) {
		err = s.View(context.Background(), func(tx *catalog.Tx) (err error) {
			got, err = tx.Layers.Layer(sum.Root, pieceLength)
			return err
		})
		return got, err
	}
	if got, err := read(1 << 15); err != nil || !bytes.Equal(got, layer) {
		t.Errorf("got %x, %v", got, err)
	}
	_, err = read(1 << 16)
	is(t, "another piece length", err, fault.NotFound)
	update(t, s, func(tx *catalog.Tx) error {
		return errors.Join(tx.Contents.SetRemoving(sum.Root), tx.Contents.Drop(sum.Root))
	})
	_, err = read(1 << 15)
	is(t, "a layer of content that is gone", err, fault.NotFound)
}

// sourceOf is a source of this shelf.
func (s *shelf) source(n byte) catalog.Source {
	return catalog.Source{
		ID: capability.Source{s.number, n}, User: s.owner, Session: int64(n), Collection: s.in.ID, Terms: hash(n), Created: day(),
	}
}

func (s *shelf) node(n byte) peer.ID { return peer.ID{s.number, n} }

func sourceFound(t *testing.T, s *shelf) {
	src := s.source(1)
	update(t, s, func(tx *catalog.Tx) error { return tx.Capabilities.AddSource(src) })
	is(t, "the same ID again", s.Update(context.Background(), func(tx *catalog.Tx) error { return tx.Capabilities.AddSource(src) }), fault.Exists)
	view(t, s, func(tx *catalog.Tx) error {
		got, err := tx.Capabilities.Source(src)
		if err != nil || got.ID != src.ID || got.User != src.User || !got.NotAfter.IsZero() || !got.Denied.IsZero() {
			t.Errorf("got %+v, %v", got, err)
		}
		for name, edit := range map[string]func(*catalog.Source){
			"link": func(c *catalog.Source) { c.Link = 1 }, "user": func(c *catalog.Source) { c.User++ },
			"session": func(c *catalog.Source) { c.Session++ }, "token": func(c *catalog.Source) { c.Token++ },
			"collection": func(c *catalog.Source) { c.Collection = 0 }, "terms": func(c *catalog.Source) { c.Terms = hash(99) },
		} {
			other := src
			edit(&other)
			_, err := tx.Capabilities.Source(other)
			is(t, "another "+name, err, fault.NotFound)
		}
		return nil
	})
}

func sourceDenied(t *testing.T, s *shelf) {
	src, other := s.source(1), s.source(2)
	share, later := content.Hash{s.number}, day().Add(time.Hour)
	update(t, s, func(tx *catalog.Tx) error {
		is(t, "issue from nothing", tx.Capabilities.Issue(src.ID, share, s.node(1), later), fault.NotFound)
		return errors.Join(tx.Capabilities.AddSource(src), tx.Capabilities.AddSource(other),
			tx.Capabilities.Issue(src.ID, share, s.node(1), later), tx.Capabilities.Issue(src.ID, share, s.node(1), later.Add(time.Hour)),
			tx.Capabilities.Issue(src.ID, share, peer.ID{}, later), tx.Capabilities.Issue(other.ID, content.Hash{s.number, 1}, s.node(1), later))
	})
	list := func(now time.Time) (ids []capability.Source) {
		view(t, s, func(tx *catalog.Tx) error {
			list, err := tx.Capabilities.Sources(now, capability.Source{s.number}, 2)
			for _, src := range list {
				if ids = append(ids, src.ID); !src.NotAfter.Equal(later) && !src.NotAfter.Equal(later.Add(time.Hour)) {
					t.Errorf("good until %v", src.NotAfter)
				}
			}
			return err
		})
		return ids
	}
	if got := list(later); !slices.Equal(got, []capability.Source{src.ID, other.ID}) {
		t.Errorf("sources %x", got)
	}
	if got := list(later.Add(time.Minute)); !slices.Equal(got, []capability.Source{src.ID}) {
		t.Errorf("sources of which something is valid %x", got)
	}
	update(t, s, func(tx *catalog.Tx) error {
		at, err := tx.Capabilities.Issued(src.ID, share, s.node(1))
		if !at.Equal(later.Add(time.Hour)) {
			t.Errorf("issued until %v", at)
		}
		_, absent := tx.Capabilities.Issued(src.ID, share, s.node(2))
		is(t, "issued to nobody", absent, fault.NotFound)
		is(t, "a denial of nothing", tx.Capabilities.Deny(capability.Source{99, 99}, day(), []byte("d")), fault.NotFound)
		is(t, "no denial", tx.Capabilities.Deny(src.ID, day(), nil), fault.Invalid)
		return errors.Join(err, tx.Capabilities.Deny(src.ID, day(), []byte("first")), tx.Capabilities.Deny(src.ID, later, []byte("second")))
	})
	view(t, s, func(tx *catalog.Tx) error {
		got, err := tx.Capabilities.Denials(share, day(), 10)
		if len(got) != 1 || string(got[0]) != "first" {
			t.Errorf("denials %q", got)
		}
		none, err2 := tx.Capabilities.Denials(content.Hash{s.number, 1}, day(), 10)
		over, err3 := tx.Capabilities.Denials(share, later.Add(2*time.Hour), 10)
		counts, err4 := tx.Capabilities.DeniedShares(day())
		if len(none)+len(over) != 0 || counts[share] != 1 || counts[content.Hash{s.number, 1}] != 0 {
			t.Errorf("of another share %q, later %q, counts %v", none, over, counts)
		}
		of, err5 := tx.Capabilities.SourcesOf(share, s.node(1), later, 10)
		if len(of) != 1 || of[0].ID != src.ID || of[0].Denied.IsZero() {
			t.Errorf("sources of a node: %+v", of)
		}
		if of, _ := tx.Capabilities.SourcesOf(share, s.node(2), later, 10); len(of) != 0 {
			t.Errorf("sources of a node that was given nothing: %+v", of)
		}
		_, found := tx.Capabilities.Source(src)
		is(t, "a denied source", found, fault.NotFound)
		return errors.Join(err, err2, err3, err4, err5)
	})
	is(t, "issue from a denied source", s.Update(context.Background(), func(tx *catalog.Tx) error {
		return tx.Capabilities.Issue(src.ID, share, s.node(3), later)
	}), fault.NotFound)
}

func capabilitiesSwept(t *testing.T, s *shelf) {
	short, long, idle, denied := s.source(1), s.source(2), s.source(3), s.source(4)
	share, later := content.Hash{s.number}, day().Add(2*time.Hour)
	update(t, s, func(tx *catalog.Tx) error {
		for _, src := range []catalog.Source{short, long, idle, denied} {
			if err := tx.Capabilities.AddSource(src); err != nil {
				return err
			}
		}
		return errors.Join(tx.Capabilities.Issue(short.ID, share, s.node(1), later), tx.Capabilities.Issue(long.ID, share, s.node(1), later),
			tx.Capabilities.Issue(long.ID, share, s.node(2), later.Add(time.Hour)),
			tx.Capabilities.Issue(denied.ID, share, s.node(1), later), tx.Capabilities.Issue(denied.ID, share, s.node(2), later.Add(time.Hour)),
			tx.Capabilities.Deny(denied.ID, day(), []byte("d")))
	})
	for _, step := range []struct {
		at       time.Time
		there    []capability.Source
		concerns int // denials
	}{
		{day().Add(time.Minute), []capability.Source{short.ID, long.ID, idle.ID}, 1},
		{later.Add(time.Minute), []capability.Source{long.ID}, 1},
		{later.Add(2 * time.Hour), nil, 0},
	} {
		update(t, s, func(tx *catalog.Tx) error { return tx.Capabilities.SweepCapabilities(step.at) })
		view(t, s, func(tx *catalog.Tx) error {
			var there []capability.Source
			for _, src := range []catalog.Source{short, long, idle} {
				if _, err := tx.Capabilities.Source(src); err == nil {
					there = append(there, src.ID)
				}
			}
			counts, err := tx.Capabilities.DeniedShares(day())
			if !slices.Equal(there, step.there) || counts[share] != step.concerns {
				t.Errorf("swept at %v: %x are there, %d denials", step.at, there, counts[share])
			}
			return err
		})
	}
}

func ledgerSums(t *testing.T, s *shelf) {
	guest := addUser(t, s, s.in.Name+" guest")
	var link catalog.LinkID
	at := day()
	line := func(share, node byte, user catalog.UserID, link catalog.LinkID, name string, server, lan int64) catalog.LedgerLine {
		at = at.Add(time.Second)
		l := catalog.LedgerLine{User: user, Link: link, Name: name, Served: catalog.Served{Server: server, LAN: lan}, Updated: at}
		if share > 0 {
			l.Share = content.Hash{s.number, share}
		}
		if node > 0 {
			l.Node = s.node(node)
		}
		return l
	}
	update(t, s, func(tx *catalog.Tx) (err error) {
		if link, err = s.link(tx, "f"); err != nil {
			return err
		}
		for _, l := range []catalog.LedgerLine{
			line(1, 1, guest, 0, "a", 1, 0), line(1, 1, guest, 0, "", 2, 10), line(1, 2, 0, link, "a", 4, 0),
			line(2, 1, s.owner, 0, "b", 8, 0), line(0, 0, guest, 0, "", 16, 0), line(0, 0, 0, link, "", 32, 0),
		} {
			if err := tx.Ledger.CountServed(l); err != nil {
				return err
			}
		}
		is(t, "bytes below zero", tx.Ledger.CountServed(line(1, 1, guest, 0, "", -1, 0)), fault.Invalid)
		return nil
	})
	sums := func(by catalog.LedgerBy, of catalog.UserID) (got []int64) {
		view(t, s, func(tx *catalog.Tx) error {
			list, err := tx.Ledger.Sums(by, of, 100)
			for _, l := range list {
				got = append(got, l.Served.Server)
				if by != catalog.ByUser && l.Name == "" {
					t.Errorf("by %s: no name: %+v", by, l)
				}
			}
			return err
		})
		return got
	}
	for _, c := range []struct {
		by   catalog.LedgerBy
		of   catalog.UserID
		want []int64 // the newest first
	}{
		{catalog.ByTransfer, guest, []int64{3}},
		{catalog.ByShare, guest, []int64{3}},
		{catalog.ByUser, guest, []int64{19}},
		{catalog.ByTransfer, s.owner, []int64{8, 4}},
		{catalog.ByShare, s.owner, []int64{8, 4}},
		{catalog.ByUser, s.owner, []int64{36, 8}},
	} {
		if got := sums(c.by, c.of); !slices.Equal(got, c.want) {
			t.Errorf("by %s of %d: %v, want %v", c.by, c.of, got, c.want)
		}
	}
	view(t, s, func(tx *catalog.Tx) error {
		got, err := tx.Ledger.LinkServed(link)
		if got != (catalog.Served{Server: 36}) {
			t.Errorf("by the link: %+v", got)
		}
		_, bad := tx.Ledger.Sums("day", 0, 1)
		is(t, "by something else", bad, fault.Invalid)
		return err
	})
	for range 2 {
		update(t, s, func(tx *catalog.Tx) error { return tx.Ledger.SweepLedger(at.Add(time.Hour)) })
		if got := sums(catalog.ByShare, s.owner); !slices.Equal(got, []int64{8, 4}) {
			t.Errorf("by share, swept: %v", got)
		}
	}
	if got := sums(catalog.ByTransfer, s.owner); len(got) != 0 {
		t.Errorf("transfers, swept: %v", got)
	}
}

func ledgerReports(t *testing.T, s *shelf) {
	line := catalog.LedgerLine{Share: content.Hash{s.number}, Node: s.node(1), User: s.owner, Name: "a", Updated: day()}
	for _, step := range []struct{ lan, peers, wantLAN, wantPeers int64 }{
		{1, 2, 1, 2}, {1, 2, 1, 2}, {3, 2, 3, 2}, {3, 9, 3, 9}, {1, 1, 4, 10}, {2, 1, 5, 10}, {0, 0, 5, 10}, {4, 0, 9, 10},
	} {
		line.Served = catalog.Served{Server: 1 << 40, LAN: step.lan, Peers: step.peers}
		update(t, s, func(tx *catalog.Tx) error { return tx.Ledger.ReportServed(line) })
		view(t, s, func(tx *catalog.Tx) error {
			list, err := tx.Ledger.Sums(catalog.ByTransfer, s.owner, 10)
			if len(list) != 1 || list[0].Served != (catalog.Served{LAN: step.wantLAN, Peers: step.wantPeers}) {
				t.Errorf("said %d and %d: %+v", step.lan, step.peers, list)
			}
			return err
		})
	}
}

func keeperOffers(t *testing.T, s *shelf) {
	guest := addUser(t, s, s.in.Name+" keeper")
	var one, two catalog.LinkID
	offer := func(user catalog.UserID, space int64, at time.Time) error {
		return s.Update(context.Background(), func(tx *catalog.Tx) error {
			return tx.Keepers.SetKeeper(catalog.Keeper{Node: s.node(1), User: user, Space: space, Created: at, Seen: at})
		})
	}
	update(t, s, func(tx *catalog.Tx) (err error) {
		one, err = s.link(tx, "one")
		if err == nil {
			two, err = s.link(tx, "two")
		}
		return err
	})
	kept := func(link catalog.LinkID, size int64) catalog.Kept {
		return catalog.Kept{Node: s.node(1), Link: link, Share: content.Hash{1}, Size: size, Since: day()}
	}
	keep := func(k catalog.Kept) error {
		return s.Update(context.Background(), func(tx *catalog.Tx) error { return tx.Keepers.Keep(k) })
	}
	is(t, "keep without an offer", keep(kept(one, 1)), fault.NotFound)
	is(t, "room below zero", offer(guest, -1, day()), fault.Invalid)
	if err := errors.Join(offer(guest, 100, day()), offer(guest, 200, day().Add(time.Hour)), keep(kept(two, 10)), keep(kept(one, 5)), keep(kept(one, 7))); err != nil {
		t.Fatal(err)
	}
	is(t, "another's node", offer(s.owner, 1, day()), fault.Exists)
	is(t, "another's node, to take it back", offer(s.owner, 0, day()), fault.Exists)
	is(t, "keep no link", keep(kept(noID, 5)), fault.NotFound)
	view(t, s, func(tx *catalog.Tx) error {
		k, err := tx.Keepers.Keeper(s.node(1))
		if k.User != guest || k.Space != 200 || k.Used != 17 || !k.Created.Equal(day()) || !k.Seen.Equal(day().Add(time.Hour)) {
			t.Errorf("got %+v", k)
		}
		by, err2 := tx.Keepers.KeptBy(s.node(1))
		of, err3 := tx.Keepers.KeptOf(two)
		if !slices.Equal(by, []catalog.Kept{kept(one, 7), kept(two, 10)}) || !slices.Equal(of, []catalog.Kept{kept(two, 10)}) {
			t.Errorf("kept by it %+v, of a link %+v", by, of)
		}
		list, err4 := tx.Keepers.Keepers(1000)
		if !slices.Contains(list, k) {
			t.Errorf("listed %+v", list)
		}
		return errors.Join(err, err2, err3, err4)
	})
	update(t, s, func(tx *catalog.Tx) error { return tx.Keepers.Unkeep(s.node(1), two) })
	if err := offer(guest, 0, day()); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *catalog.Tx) error {
		of, err := tx.Keepers.KeptOf(one)
		if len(of) != 0 {
			t.Errorf("kept by nobody: %+v", of)
		}
		_, gone := tx.Keepers.Keeper(s.node(1))
		is(t, "an offer that was taken back", gone, fault.NotFound)
		return err
	})
}

// fillSwarms puts something into the tables of swarms.
func fillSwarms(t *testing.T, c catalog.Catalog, owner catalog.UserID) {
	src := catalog.Source{ID: capability.Source{1}, User: owner, Session: 1, Terms: hash(1), Created: day()}
	line := catalog.LedgerLine{Share: hash(1), Node: peer.ID{1}, User: owner, Name: "<é>", Served: catalog.Served{Server: 1, LAN: 2, Peers: 3}, Updated: day()}
	update(t, c, func(tx *catalog.Tx) error {
		l, err := tx.Links.LinkByToken("tok1")
		if err != nil {
			return err
		}
		pending := catalog.Link{Token: "tok3", Kind: catalog.ShareLink, Collection: l.Collection, Pending: "a/b", Audience: peer.Link, By: owner, Created: day(), Copies: 2}
		return errors.Join(
			second(tx.Links.CreateLink(pending)),
			tx.Layers.SetLayer(hash(1), 1<<15, bytes.Repeat([]byte{0xff, 0}, 32)),
			tx.Capabilities.AddSource(src),
			tx.Capabilities.Issue(src.ID, hash(1), peer.ID{}, day().Add(time.Hour)),
			tx.Capabilities.Deny(src.ID, day(), []byte{0, 1, 0xff}),
			tx.Ledger.CountServed(line),
			tx.Ledger.ReportServed(line),
			tx.Keepers.SetKeeper(catalog.Keeper{Node: peer.ID{2}, User: owner, Space: 100, Created: day(), Seen: day()}),
			tx.Keepers.Keep(catalog.Kept{Node: peer.ID{2}, Link: l.ID, Share: hash(1), Size: 17, Since: day()}),
		)
	})
}
