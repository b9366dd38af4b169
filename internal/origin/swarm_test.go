package origin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// base is where the server of these tests is reached.
const base = "https://files.example"

// node is a node of the tests.
func node(n int) peer.ID { return peer.ID{1, byte(n >> 8), byte(n)} }

// joins joins as a node with an address of its own.
func (d *desk) joins(c Caller, at Place, n int, edit func(*SwarmRequest)) (SwarmState, error) {
	r := SwarmRequest{Node: node(n), Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)}), 7000)}}
	if edit != nil {
		edit(&r)
	}
	return d.JoinSwarm(d.ctx, c, at, r, base)
}

// joined is joins, which must not fail.
func (d *desk) joined(c Caller, at Place, n int, edit func(*SwarmRequest)) SwarmState {
	d.t.Helper()
	st, err := d.joins(c, at, n, edit)
	if err != nil {
		d.t.Fatal(err)
	}
	return st
}

// paper reads the capability of an answer.
func (d *desk) paper(st SwarmState) capability.Capability {
	d.t.Helper()
	doc, err := capability.Parse(st.Capability, st.Server)
	if err != nil {
		d.t.Fatal(err)
	}
	return doc.(capability.Capability)
}

// linked comes by a link that is made with edit.
func (d *desk) linked(path string, edit func(*LinkRequest)) Caller {
	d.t.Helper()
	return d.by(d.share(path, edit))
}

func limited(r *LinkRequest) { r.MaxDownloads = 1 }
func locked(r *LinkRequest)  { r.Password = "open sesame" }

// unlocked comes by a link with the password of locked.
func (d *desk) unlocked(v LinkView) Caller {
	d.t.Helper()
	proof, err := d.UnlockLink(d.ctx, from(9), v.Link.Token, "open sesame")
	if err != nil {
		d.t.Fatal(err)
	}
	c, err := d.ByLink(d.ctx, from(9), v.Link.Token, proof)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// Who is given a capability, for whom, until when, and who is not.
func TestWhoMayJoin(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	readers := map[string]Caller{}
	for name, rights := range map[string]policy.Rights{"bob": policy.Read, "lister": policy.List, "zoe": 0, "gone": policy.Read} {
		readers[name] = d.hire(name, policy.Reader)
		ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: name, Rights: rights}))
	}
	soon := d.clock().Add(time.Hour)
	hour := d.hire("hour", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "hour", Rights: policy.Read, NotAfter: soon}))
	disabled := true
	_, err := d.UpdateUser(d.ctx, d.root, "gone", UserChange{Disabled: &disabled})
	ok(t, err)
	token := func(rights policy.Rights, until time.Time) Caller {
		secret, _, err := d.CreateToken(d.ctx, d.ann, "t", rights, false, until)
		ok(t, err)
		c, err := d.Authenticate(d.ctx, from(60_000), secret)
		ok(t, err)
		return c
	}
	ended := token(policy.Read, d.clock().Add(time.Minute))
	d.pass(time.Minute)
	used := d.linked("f", limited)
	d.joined(used, Place{}, 77, nil)
	revoked := d.share("f", nil)
	gone := d.by(revoked)
	ok(t, d.RevokeLink(d.ctx, d.ann, revoked.Link.ID))
	lockedLink := d.share("f", locked)
	day, week := d.clock().Add(24*time.Hour), d.clock().Add(7*24*time.Hour)
	const bearer, bound, none = "whoever holds the ticket", "the node", "nobody"
	for _, c := range []struct {
		name     string
		c        Caller
		at       Place
		refused  fault.Kind // Other: not
		audience peer.Audience
		who      string
		until    time.Time
	}{
		{"the owner", d.ann, at("f"), fault.Other, peer.Network, bound, day},
		{"an admin", d.root, at("f"), fault.Other, peer.Network, bound, day},
		{"who was granted to read", readers["bob"], at("f"), fault.Other, peer.Network, bound, day},
		{"whose grant ends soon", hour, at("f"), fault.Other, peer.Network, bound, soon},
		{"a token for reading", token(policy.Read, time.Time{}), at("f"), fault.Other, peer.Network, bound, day},
		{"a token that ends soon", token(policy.Read, soon), at("f"), fault.Other, peer.Network, bound, soon},
		{"a link", d.linked("f", nil), Place{}, fault.Other, peer.Link, bearer, week},
		{"a link that ends soon", d.linked("f", func(r *LinkRequest) { r.Expires = soon }), Place{}, fault.Other, peer.Link, bearer, soon},
		{"a link whose password was given", d.unlocked(lockedLink), Place{}, fault.Other, peer.Network, bound, day},
		{"a limited link", d.linked("f", limited), Place{}, fault.Other, peer.Network, bound, day},
		{"a public link", d.linked("f", func(r *LinkRequest) { r.Audience = peer.Public }), Place{}, fault.Other, peer.Public, none, time.Time{}},
		{"what is absent", d.ann, at("absent"), fault.NotFound, 0, "", time.Time{}},
		{"nobody", from(1), at("f"), fault.Unauthenticated, 0, "", time.Time{}},
		{"without a grant", readers["zoe"], at("f"), fault.NotFound, 0, "", time.Time{}},
		{"who may only list", readers["lister"], at("f"), fault.Permission, 0, "", time.Time{}},
		{"a disabled account", readers["gone"], at("f"), fault.Unauthenticated, 0, "", time.Time{}},
		{"an expired token", ended, at("f"), fault.Unauthenticated, 0, "", time.Time{}},
		{"a token for something else", token(policy.Publish, time.Time{}), at("f"), fault.Permission, 0, "", time.Time{}},
		{"a link whose password was not given", d.by(lockedLink), Place{}, fault.Unauthenticated, 0, "", time.Time{}},
		{"a link that is used up", used, Place{}, fault.Gone, 0, "", time.Time{}},
		{"a revoked link", gone, Place{}, fault.Gone, 0, "", time.Time{}},
		{"an upload link", d.linked("", func(r *LinkRequest) { r.Kind = "upload" }), Place{}, fault.Permission, 0, "", time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, err := d.joins(c.c, c.at, 1, nil)
			if c.refused != fault.Other {
				want(t, err, c.refused)
				return
			}
			ok(t, err)
			if st.Audience != c.audience {
				t.Fatalf("for %v, want %v", st.Audience, c.audience)
			}
			if c.who == none {
				if st.Capability != nil || !strings.HasPrefix(st.Ticket, "magnet:?") {
					t.Fatalf("got %x, %q", st.Capability, st.Ticket)
				}
				return
			}
			doc := d.paper(st)
			if !doc.NotAfter.Equal(c.until) || (doc.Node == node(1)) != (c.who == bound) || (c.who == bearer) != (st.Ticket != "") {
				t.Fatalf("for %v until %v, want %v; ticket %q", doc.Node, doc.NotAfter, c.until, st.Ticket)
			}
			both := capability.Fetch | capability.Serve
			ok(t, doc.Allows(st.InfoHash, node(1), both, d.clock()))
			if err := doc.Allows(st.InfoHash, node(2), both, d.clock()); (err == nil) != (c.who == bearer) {
				t.Fatalf("another node: %v", err)
			}
			if c.who == bearer {
				ticket, err := metainfo.ParseTicket(st.Ticket)
				if ok(t, err); ticket.InfoHash != st.InfoHash || !ticket.NotAfter.Equal(c.until) || ticket.Server != st.Server {
					t.Fatalf("got %+v", ticket)
				}
			}
		})
	}
}

// Whatever ends somebody's access takes its capabilities back, and nobody else's.
func TestWhatIsTakenBack(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	d.put("other", "other")
	member := func(n int) Caller {
		name := fmt.Sprint("member", n)
		c := d.hire(name, policy.Reader)
		ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: name, Rights: policy.Read}))
		return c
	}
	group := func() Caller {
		c := d.hire("grouped", policy.Reader)
		_, err := d.CreateGroup(d.ctx, d.root, "g")
		ok(t, err)
		ok(t, d.SetMember(d.ctx, d.root, "g", "grouped", true))
		ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "g", Group: true, Rights: policy.Read}))
		return c
	}
	bystander := d.joined(d.linked("f", nil), Place{}, 900, nil)
	other := d.joined(d.linked("other", nil), Place{}, 901, nil)
	yes, password, one, soon, nothing := true, "new", int64(1), d.clock().Add(time.Hour), ""
	link := func(edit func(*LinkRequest), change LinkChange) func() (SwarmState, func() error) {
		return func() (SwarmState, func() error) {
			v := d.share("f", edit)
			c := d.by(v)
			if v.Link.Password != "" {
				c = d.unlocked(v)
			}
			return d.joined(c, Place{}, 1, nil), func() error {
				_, err := d.UpdateLink(d.ctx, d.ann, v.Link.ID, change)
				return err
			}
		}
	}
	for _, c := range []struct {
		name  string
		begin func() (SwarmState, func() error)
		after time.Duration // until it is looked at though nothing says that access ended
	}{
		{"a revoked link", func() (SwarmState, func() error) {
			v := d.share("f", nil)
			return d.joined(d.by(v), Place{}, 1, nil), func() error { return d.RevokeLink(d.ctx, d.ann, v.Link.ID) }
		}, 0},
		{"a link that got a password", link(nil, LinkChange{Password: &password}), 0},
		{"a link that got another password", link(locked, LinkChange{Password: &password}), 0},
		{"a link that lost its password", link(locked, LinkChange{Password: &nothing}), 0},
		{"a link that got a limit", link(nil, LinkChange{MaxDownloads: &one}), 0},
		{"a link that now ends sooner", link(nil, LinkChange{Expires: &soon}), 0},
		{"a link to what is in the trash", func() (SwarmState, func() error) {
			d.put("folder/f", "text")
			v := d.share("folder/f", nil)
			return d.joined(d.by(v), Place{}, 1, nil), func() error {
				_, err := d.Trash(d.ctx, d.ann, at("folder/f"))
				return err
			}
		}, lookAgain},
		{"a link of who may not read any more", func() (SwarmState, func() error) {
			m := member(1)
			v, err := d.CreateLink(d.ctx, m, LinkRequest{At: at("f"), Kind: "share"})
			ok(t, err)
			return d.joined(d.by(v), Place{}, 1, nil), func() error {
				return d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "member1"})
			}
		}, 0},
		{"a grant that was taken", func() (SwarmState, func() error) {
			return d.joined(member(2), at("f"), 1, nil), func() error {
				return d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "member2"})
			}
		}, 0},
		{"a grant that was made smaller", func() (SwarmState, func() error) {
			return d.joined(member(3), at("f"), 1, nil), func() error {
				return d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "member3", Rights: policy.List})
			}
		}, 0},
		{"a disabled account", func() (SwarmState, func() error) {
			return d.joined(member(4), at("f"), 1, nil), func() error {
				_, err := d.UpdateUser(d.ctx, d.root, "member4", UserChange{Disabled: &yes})
				return err
			}
		}, 0},
		{"who left a group", func() (SwarmState, func() error) {
			return d.joined(group(), at("f"), 1, nil), func() error { return d.SetMember(d.ctx, d.root, "g", "grouped", false) }
		}, 0},
		{"an ended session", func() (SwarmState, func() error) {
			m := member(5)
			return d.joined(m, at("f"), 1, nil), func() error { return d.Logout(d.ctx, m) }
		}, 0},
		{"a deleted token", func() (SwarmState, func() error) {
			m := d.token(d.ann, policy.Read, false)
			return d.joined(m, at("f"), 1, nil), func() error { return d.DeleteToken(d.ctx, d.ann, m.Token) }
		}, 0},
		{"a changed password", func() (SwarmState, func() error) {
			m := member(6)
			fresh := "correct horse 2"
			return d.joined(m, at("f"), 1, nil), func() error {
				_, err := d.UpdateUser(d.ctx, d.root, "member6", UserChange{Password: &fresh})
				return err
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, end := c.begin()
			doc := d.paper(st)
			ok(t, d.watchAllowed(d.ctx))
			if d.denies(st.InfoHash, doc) {
				t.Fatal("denied before anything has ended")
			}
			ok(t, end())
			d.pass(c.after)
			ok(t, d.watchAllowed(d.ctx))
			if !d.denies(st.InfoHash, doc) {
				t.Fatal("not denied")
			}
			if d.denies(st.InfoHash, d.paper(bystander)) || d.denies(other.InfoHash, d.paper(other)) {
				t.Fatal("others are denied with it")
			}
		})
	}
}

// denies says whether what nodes of a share are told takes doc back.
func (d *desk) denies(share content.Hash, doc capability.Capability) (denied bool) {
	d.t.Helper()
	err := d.cat.View(d.ctx, func(tx *catalog.Tx) error {
		list, err := tx.Capabilities.Denials(share, d.clock(), mostDenials)
		for _, b := range list {
			v, err := capability.Parse(b, doc.Server)
			ok(d.t, err)
			denial := v.(capability.Denial)
			if denial.Denies(doc) && denial.NotAfter.Before(doc.NotAfter) {
				d.t.Fatalf("the denial may be forgotten %v, and what it denies is good until %v", denial.NotAfter, doc.NotAfter)
			}
			denied = denied || denial.Denies(doc)
		}
		return err
	})
	ok(d.t, err)
	return denied
}

// Access given back is good at once, though what was denied stays so.
func TestAccessGivenBack(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	bob := d.hire("bob", policy.Reader)
	grant := func(r policy.Rights) { ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: r})) }
	grant(policy.Read)
	before := d.paper(d.joined(bob, at("f"), 1, nil))
	grant(0)
	ok(t, d.watchAllowed(d.ctx))
	grant(policy.Read)
	st := d.joined(bob, at("f"), 1, nil)
	if !d.denies(st.InfoHash, before) || d.denies(st.InfoHash, d.paper(st)) {
		t.Fatal("the old is not denied, or the new is")
	}
	// All of it is forgotten when none of it can be valid any more.
	d.pass(9 * 24 * time.Hour)
	ok(t, d.sweepSwarms(d.ctx))
	if st := d.joined(d.by(d.share("f", nil)), Place{}, 2, nil); len(st.Denials) != 0 {
		t.Fatalf("%d denials are kept", len(st.Denials))
	}
}

// A capability is the same until a third of its time is over, and then a new one without being asked.
func TestCapabilitiesAreRenewed(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	link := d.share("f", nil)
	begin := d.clock()
	ends := func(c Caller, at Place) time.Duration { return d.paper(d.joined(c, at, 1, nil)).NotAfter.Sub(begin) }
	const h = time.Hour
	for _, step := range []struct{ pass, node, bearer time.Duration }{
		{0, 24 * h, 7 * 24 * h},
		{7 * h, 24 * h, 7*24*h + 7*h},
		{2 * h, 33 * h, 7*24*h + 9*h},
		{8 * h, 33 * h, 7*24*h + 17*h},
		{48 * h, 89 * h, 9*24*h + 17*h},
	} {
		d.pass(step.pass)
		if got := ends(d.ann, at("f")); got != step.node {
			t.Fatalf("a node's ends after %v, want %v", got, step.node)
		}
		if got := ends(d.by(link), Place{}); got != step.bearer {
			t.Fatalf("a ticket's ends after %v, want %v", got, step.bearer)
		}
	}
	updates := d.cat.updates.Load()
	for range 5 {
		ends(d.by(link), Place{})
	}
	if n := d.cat.updates.Load() - updates; n != 0 {
		t.Fatalf("joining again wrote %d times", n)
	}
}

// Within a second of the end of access a waiting node is told, and what it is to tell others.
func TestWhoWaitsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskInBubble(t)
		d.put("f", "text")
		ctx, stop := context.WithCancel(d.ctx)
		done := make(chan error)
		go func() { done <- d.runFiles(ctx) }()
		v := d.share("f", nil)
		c := d.by(v)
		first := d.joined(c, Place{}, 1, nil)
		wait := func(r *SwarmRequest) { r.Seen, r.Wait = first.State, 50*time.Second }
		// Nothing happens: the time passes.
		begun := time.Now()
		same := d.joined(c, Place{}, 1, wait)
		if took := time.Since(begun); took != 50*time.Second || same.State != first.State {
			t.Fatalf("answered after %v with state %d, was %d", took, same.State, first.State)
		}
		// Somebody comes.
		answers := make(chan SwarmState)
		ask := func() {
			st, err := d.joins(c, Place{}, 1, wait)
			if err != nil {
				t.Error(err)
			}
			answers <- st
		}
		go ask()
		synctest.Wait()
		begun = time.Now()
		second := d.joined(c, Place{}, 2, nil)
		news := <-answers
		if len(news.Peers) != 1 || news.Peers[0].Addr() != netip.MustParseAddr("10.9.0.2") || len(second.Peers) != 1 || time.Since(begun) > time.Second {
			t.Fatalf("told %v after %v; the other %v", news.Peers, time.Since(begun), second.Peers)
		}
		first = news
		go ask()
		synctest.Wait()
		begun = time.Now()
		ok(t, d.RevokeLink(d.ctx, d.ann, v.Link.ID))
		last := <-answers
		if took := time.Since(begun); took > time.Second || last.Capability != nil || len(last.Denials) != 1 {
			t.Fatalf("after %v told %+v", took, last)
		}
		denial, err := capability.Parse(last.Denials[0], last.Server)
		if ok(t, err); !denial.(capability.Denial).Denies(d.paper(news)) {
			t.Fatal("the denial is another's")
		}
		// Who comes later is told as well, when it says of which share it knows; who never was there is not.
		_, err = d.joins(c, Place{}, 1, nil)
		want(t, err, fault.Gone)
		knows := func(r *SwarmRequest) { r.InfoHash = last.InfoHash }
		if st := d.joined(c, Place{}, 3, knows); len(st.Denials) != 1 || st.Capability != nil || st.Audience != peer.Link {
			t.Fatalf("got %+v", st)
		}
		_, err = d.joins(c, Place{}, 3, func(r *SwarmRequest) { r.InfoHash = content.Hash{77} })
		want(t, err, fault.Gone)
		stop()
		ok(t, <-done)
	})
}

// A node that is refused is told what was taken back from it before the watch has looked, and by whom it was allowed;
// another node's affairs are not its.
func TestTheLastWord(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	bob := d.hire("bob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	st := d.joined(bob, at("f"), 1, nil)
	yes := true
	_, err := d.UpdateUser(d.ctx, d.root, "bob", UserChange{Disabled: &yes})
	ok(t, err)
	refused := fault.Errorf(fault.Unauthenticated, "sign in first")
	ask := SwarmRequest{Node: node(1), InfoHash: st.InfoHash}
	last, err := d.LastWord(d.ctx, ask, refused)
	ok(t, err)
	denial, err := capability.Parse(last.Denials[0], last.Server)
	ok(t, err)
	if !denial.(capability.Denial).Denies(d.paper(st)) || last.Audience != peer.Network {
		t.Fatalf("got %+v", last)
	}
	for name, other := range map[string]struct {
		r       SwarmRequest
		refused error
	}{
		"another node":           {SwarmRequest{Node: node(2), InfoHash: st.InfoHash}, refused},
		"another share":          {SwarmRequest{Node: node(1), InfoHash: content.Hash{1}}, refused},
		"no share":               {SwarmRequest{Node: node(1)}, refused},
		"who leaves":             {SwarmRequest{Node: node(1), InfoHash: st.InfoHash, Leave: true}, refused},
		"no end of access":       {ask, fault.Errorf(fault.Precondition, "there is a newer version")},
		"a catalog that is away": {ask, fault.Errorf(fault.Unreachable, "away")},
	} {
		if got, err := d.LastWord(d.ctx, other.r, other.refused); !errors.Is(err, fault.KindOf(other.refused)) || len(got.Denials) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
