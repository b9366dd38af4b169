package origin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

func says(lan, peers int64) func(*SwarmRequest) {
	return func(r *SwarmRequest) { r.Served = &Served{Server: 1 << 40, LAN: lan, Peers: peers} }
}

// lines returns the ledger by share, user or transfer.
func (d *desk) lines(c Caller, by string) []LedgerLine {
	d.t.Helper()
	ok(d.t, d.keepBooks(d.ctx, true))
	lines, err := d.Ledger(d.ctx, c, by)
	ok(d.t, err)
	return lines
}

// The server counts what it sent itself, and believes nodes about the rest within reason.
func TestTheLedger(t *testing.T) {
	d := newDesk(t)
	d.put("f", "0123456789") // 10 bytes: nobody needs more than 20
	bob := d.hire("bob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	share := d.joined(bob, at("f"), 1, says(1, 2)).InfoHash
	d.Sent(bob, share, node(1), 7)
	line := func(want Served) {
		t.Helper()
		lines := d.lines(d.root, "transfer")
		if len(lines) != 1 || lines[0].Served != want || lines[0].Node != node(1) || lines[0].InfoHash != share || lines[0].User != "bob" || lines[0].Name != "f" {
			t.Fatalf("got %+v, want %+v", lines, want)
		}
	}
	line(Served{7, 1, 2})
	d.joined(bob, at("f"), 1, says(1, 2)) // said again: nothing new
	line(Served{7, 1, 2})
	d.joined(bob, at("f"), 1, says(2, 5))
	d.joined(bob, at("f"), 1, says(3, 6))
	line(Served{7, 3, 6})
	d.joined(bob, at("f"), 1, says(1, 1)) // begun anew
	line(Served{7, 4, 7})
	d.joined(bob, at("f"), 1, says(5, 1<<50))
	line(Served{7, 8, 21})
	d.Sent(bob, share, node(1), -3)
	d.Sent(bob, share, node(2), 100)               // has not joined
	d.Sent(bob, content.Hash{77}, node(1), 1000)   // no share of ours
	d.Sent(bob, content.Hash{}, peer.ID{}, 10_000) // a browser
	link := d.linked("f", nil)
	d.Sent(link, content.Hash{}, peer.ID{}, 100_000) // a browser by a link
	line(Served{7, 8, 21})
	byUser := map[string]Served{}
	for _, l := range d.lines(d.root, "user") {
		byUser[l.Name] = l.Served
	}
	if len(byUser) != 2 || byUser["bob"] != (Served{11_107, 8, 21}) || byUser["by links"] != (Served{Server: 100_000}) {
		t.Fatalf("by user: %+v", byUser)
	}
	if l := d.lines(d.root, "share"); len(l) != 1 || l[0].Served != (Served{7, 8, 21}) || l[0].Name != "f" {
		t.Fatalf("by share: %+v", l)
	}
	// Each sees its own; the maker of a link what went by it.
	if l := d.lines(bob, "user"); len(l) != 1 || l[0].Name != "bob" {
		t.Fatalf("bob sees %+v", l)
	}
	if l := d.lines(d.ann, "user"); len(l) != 1 || l[0].Served.Server != 100_000 {
		t.Fatalf("ann sees %+v", l)
	}
	if v, err := d.LinkInfo(d.ctx, d.ann, link.Link.ID); err != nil || v.Served != (Served{Server: 100_000}) {
		t.Fatalf("the link's: %+v, %v", v.Served, err)
	}
	for name, c := range map[string]struct {
		caller Caller
		by     string
		kind   fault.Kind
	}{"nobody": {from(1), "user", fault.Unauthenticated}, "a link": {link, "user", fault.Permission}, "by something else": {d.root, "day", fault.Invalid}} {
		_, err := d.Ledger(d.ctx, c.caller, c.by)
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Old transfers are one line for each share and account.
	d.pass(ledgerKeeps + time.Second)
	ok(t, d.sweepSwarms(d.ctx))
	root := d.login("root")
	if l := d.lines(root, "transfer"); len(l) != 0 {
		t.Fatalf("old transfers: %+v", l)
	}
	if l := d.lines(root, "share"); len(l) != 1 || l[0].Served != (Served{7, 8, 21}) {
		t.Fatalf("by share, later: %+v", l)
	}
}

// outage is a catalog whose Updates can be made to fail.
type outage struct {
	catalog.Catalog
	err error
}

func (f *outage) Update(ctx context.Context, do func(*catalog.Tx) error) error {
	if f.err != nil {
		return f.err
	}
	return f.Catalog.Update(ctx, do)
}

// What cannot be written down now is written later, once.
func TestTheLedgerWaitsForTheCatalog(t *testing.T) {
	d := newDesk(t)
	d.put("f", "0123456789")
	st := d.joined(d.ann, at("f"), 1, says(1, 2))
	d.Sent(d.ann, st.InfoHash, node(1), 3)
	away := &outage{d.cfg.Catalog, fault.Errorf(fault.Unreachable, "away")}
	d.cfg.Catalog = away
	want(t, d.keepBooks(d.ctx, true), fault.Unreachable)
	d.Sent(d.ann, st.InfoHash, node(1), 4)
	away.err = nil
	d.joined(d.ann, at("f"), 1, says(2, 2))
	for range 2 {
		if l := d.lines(d.root, "transfer"); len(l) != 1 || l[0].Served != (Served{7, 2, 2}) {
			t.Fatalf("got %+v", l)
		}
	}
}

// A node's download of a limited link is counted when it joins, once a day, and what it then fetches from
// the server is part of it, twice over.
func TestLimitedLinksAreCountedByNode(t *testing.T) {
	d := newDesk(t)
	d.put("f", "0123456789")
	v := d.share("f", func(r *LinkRequest) { r.MaxDownloads = 2 })
	downloads := func(want int64) {
		t.Helper()
		if v, err := d.LinkInfo(d.ctx, d.ann, v.Link.ID); err != nil || v.Link.Downloads != want {
			t.Fatalf("%d downloads, want %d (%v)", v.Link.Downloads, want, err)
		}
	}
	st := d.joined(d.by(v), Place{}, 1, nil)
	downloads(1)
	d.joined(d.by(v), Place{}, 1, nil)
	c := d.by(v)
	c.Node = node(1)
	for range 4 {
		text, err := d.read(c, Place{})
		if ok(t, err); text != "0123456789" {
			t.Fatalf("got %q", text)
		}
	}
	downloads(1)
	d.joined(d.by(v), Place{}, 2, nil)
	downloads(2)
	_, err := d.joins(d.by(v), Place{}, 3, nil)
	want(t, err, fault.Gone)
	d.joined(d.by(v), Place{}, 1, nil) // its download goes on
	if _, err := d.read(c, Place{}); err != nil {
		t.Fatal(err)
	}
	stranger := d.by(v)
	stranger.Node = node(3)
	_, err = d.read(stranger, Place{})
	want(t, err, fault.Gone)
	d.Sent(c, st.InfoHash, node(1), 21) // more than twice
	ok(t, d.keepBooks(d.ctx, true))
	_, err = d.read(c, Place{})
	want(t, err, fault.Gone)
	d.pass(resumeWithin)
	_, err = d.joins(d.by(v), Place{}, 1, nil) // a day later it is another download
	want(t, err, fault.Gone)
}

// offers makes or renews an offer, and returns what is to be kept, by link.
func (d *desk) offers(c Caller, n int, space int64) []string {
	d.t.Helper()
	k, err := d.SetKeeper(d.ctx, c, Keeper{Node: node(n), Space: space})
	ok(d.t, err)
	var used int64
	list := []string{}
	for _, kept := range k.Keep {
		in, err := d.ByLink(d.ctx, from(9), kept.Token, "")
		ok(d.t, err)
		list = append(list, in.Link.Note)
		used += kept.Size
	}
	if used != k.Used || used > space {
		d.t.Fatalf("%d bytes, said to be %d, of %d", used, k.Used, space)
	}
	return list
}

// Room is given to what lacks most, never more than there is, and never to whom may not read it.
func TestKeepersAreAskedForWhatLacksMost(t *testing.T) {
	d := newDesk(t)
	wants := func(note string, size, copies int, edit func(*LinkRequest)) LinkView {
		d.put(note, string(noise(byte(size), size)))
		return d.share(note, func(r *LinkRequest) {
			r.Note, r.Copies = note, copies
			if edit != nil {
				edit(r)
			}
		})
	}
	wants("one", 100, 1, nil)
	three := wants("three", 100, 3, nil)
	two := wants("two", 100, 2, nil)
	wants("none", 100, 0, nil)
	wants("large", 1000, 3, nil)
	wants("locked", 100, 3, locked)
	is := func(got []string, want ...string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("asked to keep %v, want %v", got, want)
		}
	}
	is(d.offers(d.ann, 1, 250), "three", "two")
	is(d.offers(d.ann, 1, 250), "three", "two")
	is(d.offers(d.ann, 2, 350), "one", "three", "two")
	is(d.offers(d.ann, 3, 350), "three") // two has its two, one its one
	is(d.offers(d.ann, 4, 350))
	is(d.offers(d.ann, 5, 5000), "large")
	d.joined(d.by(two), Place{}, 60, func(r *SwarmRequest) { r.Have, r.Total = 100, 100 })
	bob, zoe := d.hire("bob", policy.Reader), d.hire("zoe", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	is(d.offers(zoe, 6, 5000)) // may not read it, and so is not told
	is(d.offers(bob, 7, 5000), "large")
	is(d.offers(zoe, 8, 5000))
	wants("public", 50, 1, func(r *LinkRequest) { r.Audience = peer.Public })
	is(d.offers(zoe, 8, 5000), "public")
	// A keeper that is gone does not count; one with less room keeps what it had first.
	d.pass(keeperLasts)
	is(d.offers(d.ann, 4, 350), "one", "three", "two", "public")
	is(d.offers(d.ann, 1, 150), "three")
	ok(t, d.RevokeLink(d.ctx, d.ann, three.Link.ID))
	is(d.offers(d.ann, 1, 150), "two")
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob"}))
	is(d.offers(bob, 7, 5000))
	_, err := d.SetKeeper(d.ctx, bob, Keeper{Node: node(1), Space: 1})
	want(t, err, fault.Exists)
	for _, c := range []struct {
		who Caller
		n   int
	}{{bob, 1}, {zoe, 2}, {d.ann, 5}, {d.root, 8}} {
		list, err := d.Keepers(d.ctx, c.who)
		if ok(t, err); len(list) != c.n {
			t.Fatalf("%s sees %d offers, want %d", c.who.User.Name, len(list), c.n)
		}
		for _, k := range list {
			for _, kept := range k.Keep {
				if (kept.Token != "") != (k.User == c.who.User.Name) {
					t.Fatalf("%s is told the links of %s", c.who.User.Name, k.User)
				}
			}
		}
	}
	is(d.offers(zoe, 8, 0))
	_, err = d.Keeper(d.ctx, zoe, node(8))
	want(t, err, fault.NotFound)
	if k, err := d.Keeper(d.ctx, d.ann, node(1)); err != nil || k.User != "ann" || k.Space != 150 {
		t.Fatalf("got %+v, %v", k, err)
	}
	_, err = d.SetKeeper(d.ctx, from(1), Keeper{Node: node(9), Space: 1})
	want(t, err, fault.Unauthenticated)
	_, err = d.SetKeeper(d.ctx, d.linked("one", nil), Keeper{Node: node(9), Space: 1})
	want(t, err, fault.Permission)
	_, err = d.SetKeeper(d.ctx, d.ann, Keeper{Space: 1})
	want(t, err, fault.Invalid)
}
