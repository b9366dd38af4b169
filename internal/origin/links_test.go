package origin

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// share makes a link by ann and fails the test when that fails.
func (d *desk) share(path string, edit func(*LinkRequest)) LinkView {
	d.t.Helper()
	r := LinkRequest{At: at(path), Kind: catalog.ShareLink}
	if edit != nil {
		edit(&r)
	}
	v, err := d.CreateLink(d.ctx, d.ann, r)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// by comes by a link.
func (d *desk) by(v LinkView) Caller {
	d.t.Helper()
	c, err := d.ByLink(d.ctx, from(9), v.Link.Token, "")
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *desk) byErr(v LinkView) error {
	_, err := d.ByLink(d.ctx, from(9), v.Link.Token, "")
	return err
}

func TestCreateLinkRefuses(t *testing.T) {
	d := newDesk(t)
	d.put("f", "x")
	bob := d.hire("bob", policy.Publisher)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.List | policy.Publish}))
	link := d.by(d.share("", nil))
	past := d.clock()
	for _, c := range []struct {
		name   string
		caller Caller
		r      LinkRequest
		kind   fault.Kind
	}{
		{"nobody", from(1), LinkRequest{At: at("f"), Kind: "share"}, fault.Unauthenticated},
		{"somebody who may not read", bob, LinkRequest{At: at("f"), Kind: "share"}, fault.Permission},
		{"a token that may not publish", d.token(d.ann, policy.Read, false), LinkRequest{At: at(""), Kind: "upload"}, fault.Permission},
		{"who came by a link", link, LinkRequest{At: at("f"), Kind: "share"}, fault.Permission},
		{"what is absent", d.ann, LinkRequest{At: at("absent"), Kind: "share"}, fault.NotFound},
		{"an upload link into a file", d.ann, LinkRequest{At: at("f"), Kind: "upload"}, fault.Invalid},
		{"no kind", d.ann, LinkRequest{At: at("f")}, fault.Invalid},
		{"an end in the past", d.ann, LinkRequest{At: at("f"), Kind: "share", Expires: past}, fault.Invalid},
		{"an end nobody lives to see", d.ann, LinkRequest{At: at("f"), Kind: "share", Expires: past.AddDate(9000, 0, 0)}, fault.Invalid},
		{"a limit below zero", d.ann, LinkRequest{At: at("f"), Kind: "share", MaxDownloads: -1}, fault.Invalid},
		{"downloads of an upload link", d.ann, LinkRequest{At: at(""), Kind: "upload", MaxDownloads: 1}, fault.Invalid},
		{"bytes of a share link", d.ann, LinkRequest{At: at(""), Kind: "share", MaxBytes: 1}, fault.Invalid},
		{"a public upload link", d.ann, LinkRequest{At: at(""), Kind: "upload", Audience: peer.Public}, fault.Invalid},
		{"a public link with a password", d.ann, LinkRequest{At: at(""), Kind: "share", Audience: peer.Public, Password: "x"}, fault.Invalid},
		{"a public link with a limit", d.ann, LinkRequest{At: at(""), Kind: "share", Audience: peer.Public, MaxDownloads: 1}, fault.Invalid},
		{"an audience that has no links", d.ann, LinkRequest{At: at(""), Kind: "share", Audience: peer.Network}, fault.Invalid},
		{"a long password", d.ann, LinkRequest{At: at(""), Kind: "share", Password: strings.Repeat("x", 300)}, fault.Invalid},
		{"a long note", d.ann, LinkRequest{At: at(""), Kind: "share", Note: strings.Repeat("x", 501)}, fault.Invalid},
		{"a note that is no text", d.ann, LinkRequest{At: at(""), Kind: "share", Note: "\x00"}, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := d.CreateLink(d.ctx, c.caller, c.r)
			want(t, err, c.kind)
		})
	}
}

func TestALinkShowsWhatIsBelowIt(t *testing.T) {
	d := newDesk(t)
	d.put("pub/a.txt", "a")
	d.put("pub/sub/b.txt", "b")
	d.put("secret", "s")
	c := d.by(d.share("pub", nil))
	got, err := d.walked(c, Place{Collection: "ignored"})
	ok(t, err)
	if !slices.Equal(got, []string{"a.txt", "sub/", "sub/b.txt"}) {
		t.Fatalf("got %q", got)
	}
	e, err := d.Stat(d.ctx, c, Place{Path: "a.txt"})
	ok(t, err)
	if e.By != "" || e.Path != "a.txt" {
		t.Fatalf("a stranger is told %+v", e)
	}
	for _, path := range []string{"../secret", "secret", "/secret"} {
		if text, err := d.read(c, Place{Collection: "c", Path: path}); err == nil {
			t.Fatalf("%q leads out: %q", path, text)
		}
	}
	one := d.by(d.share("pub/a.txt", nil))
	if text, err := d.read(one, Place{}); err != nil || text != "a" {
		t.Fatalf("got %q, %v", text, err)
	}
	if _, err := d.Stat(d.ctx, one, Place{}); err != nil {
		t.Fatal(err)
	}
	_, err = d.read(one, Place{Path: "a.txt"})
	want(t, err, fault.NotFound)
}

func TestALinkFollowsWhatItLeadsTo(t *testing.T) {
	d := newDesk(t)
	d.put("a/f", "x")
	v := d.share("a", nil)
	_, err := d.Move(d.ctx, d.ann, at("a"), at("b"))
	ok(t, err)
	if text, err := d.read(d.by(v), Place{Path: "f"}); err != nil || text != "x" {
		t.Fatalf("got %q, %v", text, err)
	}
	if v, err = d.LinkInfo(d.ctx, d.ann, v.Link.ID); err != nil || v.At != at("b") || !v.Live || v.By != "ann" {
		t.Fatalf("got %+v, %v", v, err)
	}
	c := d.by(v)
	n, err := d.Trash(d.ctx, d.ann, at("b"))
	ok(t, err)
	want(t, d.byErr(v), fault.Gone)
	_, err = d.read(c, Place{Path: "f"})
	want(t, err, fault.Gone)
	if v, err = d.LinkInfo(d.ctx, d.ann, v.Link.ID); err != nil || v.Live {
		t.Fatalf("got %+v, %v", v, err)
	}
	_, err = d.Restore(d.ctx, d.ann, "c", n.ID)
	ok(t, err)
	ok(t, d.byErr(v))
	ok(t, d.forget("b"))
	if err := d.byErr(v); !errors.Is(err, fault.Gone) && !errors.Is(err, fault.NotFound) {
		t.Fatalf("purged: %v", err)
	}
}

func TestALinkEnds(t *testing.T) {
	for name, end := range map[string]func(*desk, LinkView) error{
		"when it is revoked":    func(d *desk, v LinkView) error { return d.RevokeLink(d.ctx, d.ann, v.Link.ID) },
		"when its time is over": func(d *desk, _ LinkView) error { d.pass(time.Hour); return nil },
		"when an admin ends it": func(d *desk, v LinkView) error { return d.RevokeLink(d.ctx, d.root, v.Link.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.put("f", "x")
			v := d.share("f", func(r *LinkRequest) { r.Expires = d.clock().Add(time.Hour) })
			c := d.by(v)
			_, err := d.read(c, Place{})
			ok(t, err)
			ok(t, end(d, v))
			want(t, d.byErr(v), fault.Gone)
			d.pass(time.Second)
			if c.Subject.Link.Expires.After(d.clock()) { // revoked: with the next ByLink, which is for each request
				return
			}
			_, err = d.read(c, Place{})
			want(t, err, fault.Gone)
		})
	}
}

// N10: a link is never more than its maker.
func TestALinkIsBoundByItsMaker(t *testing.T) {
	d := newDesk(t)
	d.put("f", "x")
	bob := d.hire("bob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	v, err := d.CreateLink(d.ctx, bob, LinkRequest{At: at("f"), Kind: catalog.ShareLink})
	ok(t, err)
	_, err = d.read(d.by(v), Place{})
	ok(t, err)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob"}))
	_, err = d.read(d.by(v), Place{})
	want(t, err, fault.Gone)
}

func TestLinksWithAPassword(t *testing.T) {
	d := newDesk(t)
	d.put("f", "x")
	v := d.share("f", func(r *LinkRequest) { r.Password = "open sesame" })
	if v.Link.Password == "open sesame" || v.Link.Password == "" {
		t.Fatalf("kept as %q", v.Link.Password)
	}
	_, err := d.read(d.by(v), Place{})
	want(t, err, fault.Unauthenticated)
	_, err = d.UnlockLink(d.ctx, from(9), v.Link.Token, "wrong")
	want(t, err, fault.Unauthenticated)
	proof, err := d.UnlockLink(d.ctx, from(9), v.Link.Token, "open sesame")
	ok(t, err)
	other := d.instance()
	other.cfg.Blobs = d.blobs
	unlocked := func(proof string) error {
		c, err := other.ByLink(d.ctx, from(9), v.Link.Token, proof)
		if err != nil {
			return err
		}
		_, err = other.Stat(d.ctx, c, Place{})
		return err
	}
	ok(t, unlocked(proof))
	second := d.share("f", func(r *LinkRequest) { r.Password = "open sesame" })
	c, err := d.ByLink(d.ctx, from(9), second.Link.Token, proof)
	ok(t, err)
	if !c.Subject.Link.Locked {
		t.Fatal("a proof opens another link")
	}
	for _, bad := range []string{proof[1:], proof + "A", "AAAA", "%", strings.Repeat("A", 54), strings.Repeat("x", 5000)} {
		want(t, unlocked(bad), fault.Unauthenticated)
	}
	d.pass(24 * time.Hour)
	want(t, unlocked(proof), fault.Unauthenticated)
	proof, err = d.UnlockLink(d.ctx, from(9), v.Link.Token, "open sesame")
	ok(t, err)
	d.pass(-48 * time.Hour) // the clock is set back: the proof would hold for too long
	want(t, unlocked(proof), fault.Unauthenticated)
	d.pass(48 * time.Hour)
	ok(t, unlocked(proof))
	ann := d.login("ann")
	word := "another one"
	_, err = d.UpdateLink(d.ctx, ann, v.Link.ID, LinkChange{Password: &word})
	ok(t, err)
	d.pass(time.Second)
	want(t, unlocked(proof), fault.Unauthenticated)
	none := ""
	_, err = d.UpdateLink(d.ctx, ann, v.Link.ID, LinkChange{Password: &none})
	ok(t, err)
	d.pass(time.Second)
	ok(t, unlocked(""))
}

func TestGuessingIsLimited(t *testing.T) {
	d := newDesk(t)
	d.put("f", "x")
	v := d.share("f", func(r *LinkRequest) { r.Password = "open sesame" })
	var limited int
	for i := range 30 { // each from another address: the link counts
		_, err := d.UnlockLink(d.ctx, from(100+i), v.Link.Token, "wrong")
		if errors.Is(err, fault.Limited) {
			limited++
		} else {
			want(t, err, fault.Unauthenticated)
		}
	}
	if limited != 20 {
		t.Fatalf("%d of 30 were limited", limited)
	}
	_, err := d.UnlockLink(d.ctx, from(200), v.Link.Token, "open sesame")
	want(t, err, fault.Limited)
	if _, ok := RetryAfter(err); !ok {
		t.Fatal("nobody says when to try again")
	}
	limited = 0
	for i := range 20 { // tokens, from one address
		_, err := d.ByLink(d.ctx, from(300), fmt.Sprintf("%022d", i), "")
		if errors.Is(err, fault.Limited) {
			limited++
		} else {
			want(t, err, fault.NotFound)
		}
	}
	if limited != 15 {
		t.Fatalf("%d of 20 were limited", limited)
	}
	_, err = d.ByLink(d.ctx, from(301), v.Link.Token, "")
	ok(t, err)
	for _, token := range []string{"", "x", "../../etc/passwd000000", strings.Repeat("a", 100_000)} {
		if _, err := d.ByLink(d.ctx, from(302), token, ""); err == nil {
			t.Fatalf("%.30q is a link", token)
		}
	}
}

func TestALimitedLinkGivesNoMore(t *testing.T) {
	d := newDesk(t)
	d.put("f", "0123456789")
	v := d.share("f", func(r *LinkRequest) { r.MaxDownloads = 2 })
	open := func(n int, start int64) error {
		c, err := d.ByLink(d.ctx, from(n), v.Link.Token, "")
		if err != nil {
			return err
		}
		got, err := d.Open(d.ctx, c, Place{}, 0, start, nil)
		if err != nil {
			return err
		}
		return got.Close(1, nil)
	}
	ok(t, open(1, 0))
	ok(t, open(1, 4)) // goes on
	ok(t, open(2, 0))
	want(t, open(3, 0), fault.Gone)
	want(t, open(3, 5), fault.Gone) // began none
	ok(t, open(1, 6))               // still may go on
	want(t, open(1, 1), fault.Gone) // had it twice
	c := d.by(v)
	_, err := d.Stat(d.ctx, c, Place{})
	want(t, err, fault.Gone)
	if v, err = d.LinkInfo(d.ctx, d.ann, v.Link.ID); err != nil || v.Link.Downloads != 2 {
		t.Fatalf("%d downloads, %v", v.Link.Downloads, err)
	}
	more := int64(3)
	_, err = d.UpdateLink(d.ctx, d.ann, v.Link.ID, LinkChange{MaxDownloads: &more})
	ok(t, err)
	var fine int
	each(16, 16, func(i int) {
		if err := open(10+i, 0); err == nil {
			fine++ // only one gets here
		} else if !errors.Is(err, fault.Gone) {
			t.Error(err)
		}
	})
	if fine != 1 {
		t.Fatalf("%d of 16 at once", fine)
	}
}

func TestDownloadsOfALinkAreCounted(t *testing.T) {
	d := newDesk(t)
	d.put("f", "x")
	v := d.share("f", nil)
	for range 3 {
		_, err := d.read(d.by(v), Place{})
		ok(t, err)
	}
	ok(t, d.flush(d.ctx))
	v, err := d.LinkInfo(d.ctx, d.ann, v.Link.ID)
	ok(t, err)
	if v.Link.Downloads != 3 {
		t.Fatalf("%d", v.Link.Downloads)
	}
	if log := d.log(); !slices.Contains(log, fmt.Sprintf("link %d|get|c/f|ok", v.Link.ID)) {
		t.Fatalf("got %q", log)
	}
}

func TestAnUploadLinkTakesAndShowsNothing(t *testing.T) {
	d := newDesk(t)
	d.put("in/x", "mine")
	v := d.share("in", func(r *LinkRequest) { r.Kind, r.MaxBytes = catalog.UploadLink, 300_000 })
	c := d.by(v)
	put := func(path string, data []byte) (Entry, error) {
		e, _, err := d.Put(d.ctx, c, UploadRequest{At: Place{Collection: "c", Path: path}, Size: int64(len(data))}, bytes.NewReader(data))
		return e, err
	}
	e, err := put("x", []byte("theirs"))
	ok(t, err)
	if e.Path != "x (2)" || e.By != "" || e.Node.Version.Via != v.Link.ID {
		t.Fatalf("got %+v", e)
	}
	if e, err = put("x/below a file", []byte("y")); err != nil || e.Path != "x (3)/below a file" {
		t.Fatalf("got %+v, %v", e, err)
	}
	if got, err := d.read(d.ann, at("in/x")); err != nil || got != "mine" {
		t.Fatalf("what was there is now %q, %v", got, err)
	}
	data := noise(1, 200_000)
	u, err := d.BeginUpload(d.ctx, c, UploadRequest{At: Place{Path: "big"}, Size: int64(len(data))})
	ok(t, err)
	_, err = put("more", data)
	want(t, err, fault.Quota)
	_, err = d.BeginUpload(d.ctx, c, UploadRequest{At: Place{Path: "more"}, Size: int64(len(data))})
	want(t, err, fault.Quota)
	_, got, err := d.WriteUpload(d.ctx, c, u.ID, 0, bytes.NewReader(data))
	ok(t, err)
	if got.Path != "big" {
		t.Fatalf("got %+v", got)
	}
	if u, err = d.BeginUpload(d.ctx, c, UploadRequest{At: Place{Path: "again"}, Size: 50_000}); err != nil {
		t.Fatal(err)
	}
	want(t, d.DropUpload(d.ctx, d.ann, u.ID), fault.NotFound) // hers is another way in
	ok(t, d.DropUpload(d.ctx, c, u.ID))
	info, err := d.LinkInfo(d.ctx, d.ann, v.Link.ID)
	ok(t, err)
	if info.Link.Bytes != 200_000+6+1 {
		t.Fatalf("%d bytes are counted", info.Link.Bytes)
	}
	results, err := d.PutBatch(d.ctx, c, Place{}, []BatchFile{{Path: "x", Content: []byte("batch")}, {Path: "huge", Content: data}})
	ok(t, err)
	if results[0].Err != nil || results[0].Entry.Path != "x (4)" || !errors.Is(results[1].Err, fault.Quota) {
		t.Fatalf("got %+v", results)
	}
	ok(t, d.RevokeLink(d.ctx, d.ann, v.Link.ID))
	d.pass(time.Second)
	_, err = put("late", []byte("z"))
	want(t, err, fault.Gone)
}

func TestWhoManagesLinks(t *testing.T) {
	d := newDesk(t)
	d.put("f", "x")
	bob := d.hire("bob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	mine, err := d.CreateLink(d.ctx, bob, LinkRequest{At: at("f"), Kind: catalog.ShareLink, Note: "for ann"})
	ok(t, err)
	hers := d.share("f", nil)
	note := "new"
	for _, c := range []struct {
		name   string
		caller Caller
		link   LinkView
		kind   fault.Kind // Other: fine
	}{
		{"one's own", bob, mine, fault.Other},
		{"who administers the collection", d.ann, mine, fault.Other},
		{"an admin", d.root, mine, fault.Other},
		{"another's is absent", bob, hers, fault.NotFound},
		{"nobody", from(1), hers, fault.Unauthenticated},
		{"a link", d.by(hers), hers, fault.Permission},
		{"a token that could have made it", d.token(bob, policy.Read, false), mine, fault.Other},
		{"a token that could not", d.token(bob, policy.List, false), mine, fault.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := d.LinkInfo(d.ctx, c.caller, c.link.Link.ID)
			_, changed := d.UpdateLink(d.ctx, c.caller, c.link.Link.ID, LinkChange{Note: &note})
			for _, err := range []error{err, changed} {
				if c.kind == fault.Other {
					ok(t, err)
				} else {
					want(t, err, c.kind)
				}
			}
			if c.kind != fault.Other {
				want(t, d.RevokeLink(d.ctx, c.caller, c.link.Link.ID), c.kind)
			}
		})
	}
	for name, c := range map[string]struct {
		caller Caller
		in     string
		n      int
		kind   fault.Kind
	}{
		"one's own":              {bob, "", 1, 0},
		"all of a collection":    {d.ann, "c", 2, 0},
		"not all for a reader":   {bob, "c", 0, fault.Permission},
		"nobody":                 {from(1), "", 0, fault.Unauthenticated},
		"a token's own":          {d.token(bob, policy.Read, false), "", 1, 0},
		"none that it could not": {d.token(bob, policy.List, false), "", 0, 0},
	} {
		got, err := d.Links(d.ctx, c.caller, c.in)
		if c.kind != 0 {
			want(t, err, c.kind)
		} else if err != nil || len(got) != c.n {
			t.Errorf("%s: %d links, %v", name, len(got), err)
		}
	}
	ok(t, d.RevokeLink(d.ctx, bob, mine.Link.ID))
	ok(t, d.RevokeLink(d.ctx, bob, mine.Link.ID))
}

func FuzzProof(f *testing.F) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	l := catalog.Link{ID: 7, Password: "$argon2id$x"}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	good := makeProof(secret, l, now.Add(time.Hour))
	for _, seed := range []string{"", "AAAA", good, good[:20], good + "=", good + "\n", good[:9] + "\r\n" + good[9:], strings.ToLower(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, proof string) {
		if checkProof(secret, l, proof, now) != (proof == good) {
			t.Fatalf("%q", proof)
		}
	})
}
