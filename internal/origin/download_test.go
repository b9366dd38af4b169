package origin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

func TestARepeatedOpenAsksNoDatabase(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	open := func() (asked int64) {
		t.Helper()
		before := d.cat.views.Load() + d.cat.updates.Load()
		if got, err := d.read(d.ann, at("f")); err != nil || got != "text" {
			t.Fatalf("got %q, %v", got, err)
		}
		return d.cat.views.Load() + d.cat.updates.Load() - before
	}
	if open() == 0 {
		t.Fatal("the first one was not decided about")
	}
	if n := open(); n != 0 {
		t.Fatalf("the second one asked %d times", n)
	}
	d.pass(time.Second)
	if open() == 0 {
		t.Fatal("a decision is older than a second")
	}
	d.pass(-5 * time.Second)
	if open() == 0 {
		t.Fatal("a decision is from the future")
	}
	d.put("g", "")
	if open() == 0 {
		t.Fatal("a decision is from before an Update")
	}
}

// What was remembered for one is not for another.
func TestDecisionsAreRememberedForWhoTheyWereMade(t *testing.T) {
	d := newDesk(t)
	bob := d.hire("bob", policy.Publisher)
	d.put("f", "text")
	list := d.token(d.ann, policy.List, false)
	_, err := d.read(d.ann, at("f"))
	ok(t, err)
	for name, c := range map[string]struct {
		caller Caller
		kind   fault.Kind
	}{
		"nobody":         {from(1), fault.Unauthenticated},
		"somebody else":  {bob, fault.NotFound},
		"a narrow token": {list, fault.Permission},
	} {
		if _, err := d.read(c.caller, at("f")); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ok(t, d.Logout(d.ctx, d.ann))
	gone := d.ann
	gone.Subject.Expires = d.clock()
	_, err = d.read(gone, at("f"))
	want(t, err, fault.Unauthenticated)
}

func TestDamagedContentIsNeverGivenAsGood(t *testing.T) {
	d := newDesk(t)
	e := d.put("f", "text")
	root := e.Node.Version.Sum.Root
	d.blobs.Damage(root, true)
	_, err := d.read(d.ann, at("f"))
	want(t, err, fault.Corrupt)
	ok(t, d.blobs.Remove(d.ctx, root))
	_, err = d.read(d.ann, at("f"))
	want(t, err, fault.Corrupt)
	ok(t, d.flush(d.ctx))
	if log := d.log(); !slices.Contains(log, "ann|damaged|c/f|corrupt") {
		t.Fatalf("not written down: %q", log)
	}
}

func TestDownloadsAreCountedTogether(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	for range 3 {
		_, err := d.read(d.ann, at("f"))
		ok(t, err)
	}
	_, err := d.read(d.root, at("f"))
	ok(t, err)
	_, err = d.read(d.token(d.ann, policy.List, false), at("f"))
	want(t, err, fault.Permission)
	got, err := d.Open(d.ctx, d.ann, at("f"), 0, 0, nil)
	ok(t, err)
	ok(t, got.Close(2, errors.New("the cable was pulled")))
	_ = got.Close(2, nil) // counted once
	ok(t, d.flush(d.ctx))
	ok(t, d.flush(d.ctx))
	var lines []string
	err = d.cat.View(d.ctx, func(tx *catalog.Tx) error {
		list, err := tx.Audit.Entries(0, catalog.AuditFilter{Action: "get"}, 100)
		for _, e := range list {
			lines = append(lines, fmt.Sprintf("%s %s %s %s", e.Actor, e.Object, e.Outcome, e.Detail))
		}
		return err
	})
	ok(t, err)
	if want := []string{"ann c/f ok count=4 bytes=14", "ann c/f scope count=1 bytes=0", "root c/f ok count=1 bytes=4"}; !slices.Equal(lines, want) {
		t.Fatalf("got %q", lines)
	}
}

func TestCountsAreKeptUntilTheyAreWritten(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	l := &lame{Catalog: d.cfg.Catalog}
	d.cfg.Catalog = l
	_, err := d.read(d.ann, at("f"))
	ok(t, err)
	l.failing(func(int) bool { return true })
	want(t, d.flush(d.ctx), fault.Unreachable)
	_, err = d.read(d.ann, at("f"))
	ok(t, err)
	l.failing(nil)
	ok(t, d.flush(d.ctx))
	err = d.cat.View(d.ctx, func(tx *catalog.Tx) error {
		list, err := tx.Audit.Entries(0, catalog.AuditFilter{Action: "get"}, 100)
		if len(list) != 1 || list[0].Detail != "count=2 bytes=8" {
			t.Errorf("got %+v", list)
		}
		return err
	})
	ok(t, err)
}

func TestWhatIsCountedIsBounded(t *testing.T) {
	d := newDesk(t)
	for i := range tallyMost + 1000 {
		d.files.tally.transfer(d.Server, d.ann, "get", fmt.Sprint("c/", i), 1, 0)
	}
	lines, _ := d.files.tally.empty()
	var bytes int64
	for _, l := range lines {
		bytes += l.bytes
	}
	if len(lines) > tallyMost+1 || bytes != tallyMost+1000 {
		t.Fatalf("%d lines for %d bytes", len(lines), bytes)
	}
}

// N16: what ends somebody's access ends what it gets, and puts, within a second or so.
func TestATransferEndsWithThePermissionForIt(t *testing.T) {
	type end func(d *desk, bob Caller, l LinkView) error
	for name, c := range map[string]struct {
		by  string
		end end
	}{
		"the session ends": {"session", func(d *desk, bob Caller, _ LinkView) error { return d.Logout(d.ctx, bob) }},
		"the grant is taken": {"session", func(d *desk, _ Caller, _ LinkView) error {
			return d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob"})
		}},
		"the account is disabled":          {"session", func(d *desk, _ Caller, _ LinkView) error { return disable(d, "bob") }},
		"the token is deleted":             {"token", func(d *desk, bob Caller, _ LinkView) error { return d.DeleteToken(d.ctx, bob, 1) }},
		"the link is revoked":              {"link", func(d *desk, _ Caller, l LinkView) error { return d.RevokeLink(d.ctx, d.ann, l.Link.ID) }},
		"the link's maker loses the right": {"link", func(d *desk, _ Caller, _ LinkView) error { return disable(d, "ann") }},
		"the link ends":                    {"link", func(d *desk, _ Caller, _ LinkView) error { d.pass(2 * time.Hour); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.put("f", "text")
			bob := d.hire("bob", policy.Reader)
			ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
			l, err := d.CreateLink(d.ctx, d.ann, LinkRequest{At: at("f"), Kind: catalog.ShareLink, Expires: d.clock().Add(time.Hour)})
			ok(t, err)
			caller, where := bob, at("f")
			switch c.by {
			case "token":
				caller = d.token(bob, policy.Read, false)
			case "link":
				caller, err = d.ByLink(d.ctx, from(9), l.Link.Token, "")
				ok(t, err)
				where = Place{}
			}
			var cut, kept atomic.Int32
			got, err := d.Open(d.ctx, caller, where, 0, 0, func() { cut.Add(1) })
			ok(t, err)
			other, err := d.Open(d.ctx, d.root, at("f"), 0, 0, func() { kept.Add(1) })
			ok(t, err)
			ok(t, d.watch(d.ctx))
			if cut.Load() != 0 {
				t.Fatal("ended without a reason")
			}
			d.pass(time.Minute)
			ok(t, d.watch(d.ctx))
			ok(t, c.end(d, bob, l))
			d.pass(time.Second)
			ok(t, d.watch(d.ctx))
			ok(t, d.watch(d.ctx))
			if cut.Load() != 1 || kept.Load() != 0 {
				t.Fatalf("cut %d times, and another's %d", cut.Load(), kept.Load())
			}
			ok(t, got.Close(0, nil))
			ok(t, other.Close(0, nil))
			if n := len(d.files.running.list()); n != 0 {
				t.Fatalf("%d transfers are still known", n)
			}
		})
	}
}

func disable(d *desk, name string) error {
	yes := true
	_, err := d.UpdateUser(d.ctx, d.root, name, UserChange{Disabled: &yes})
	return err
}

// A transfer that began on a decision remembered from before is found as well.
func TestATransferThatBeginsLateIsFoundToo(t *testing.T) {
	d := newDesk(t)
	d.put("f", "text")
	bob := d.hire("bob", policy.Reader)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Read}))
	keep, err := d.Open(d.ctx, d.root, at("f"), 0, 0, nil)
	ok(t, err)
	_, err = d.read(bob, at("f"))
	ok(t, err)
	other := d.instance() // this one's caches do not end
	ok(t, other.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob"}))
	ok(t, d.watch(d.ctx))
	cut := false
	got, err := d.Open(d.ctx, bob, at("f"), 0, 0, func() { cut = true })
	ok(t, err)
	d.pass(time.Second)
	ok(t, d.watch(d.ctx))
	if !cut {
		t.Fatal("it goes on")
	}
	ok(t, got.Close(0, nil))
	ok(t, keep.Close(0, nil))
	_, err = d.Open(d.ctx, bob, at("f"), 0, 0, nil)
	want(t, err, fault.NotFound)
}

// An upload under way ends, too.
func TestAnUploadEndsWithThePermissionForIt(t *testing.T) {
	d := newDesk(t)
	bob := d.hire("bob", policy.Publisher)
	ok(t, d.SetGrant(d.ctx, d.ann, "c", GrantView{Subject: "bob", Rights: policy.Publish}))
	u, err := d.BeginUpload(d.ctx, bob, UploadRequest{At: at("f"), Size: 1 << 20})
	ok(t, err)
	body := newStuck(noise(1, 1000))
	done := make(chan error)
	go func() {
		_, _, err := d.WriteUpload(d.ctx, bob, u.ID, 0, body)
		done <- err
	}()
	<-body.reached
	ok(t, d.watch(d.ctx))
	ok(t, d.Logout(d.ctx, bob))
	ok(t, d.watch(d.ctx))
	want(t, <-done, fault.Unauthenticated)
}

// Run does all that each second, and what is left at its end.
func TestRunFilesCountsAndWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskInBubble(t)
		d.put("f", "text")
		_, err := d.read(d.ann, at("f"))
		ok(t, err)
		public := d.by(d.share("f", func(r *LinkRequest) { r.Audience = peer.Public }))
		cut := make(chan struct{})
		got, err := d.Open(d.ctx, d.ann, at("f"), 0, 0, func() { close(cut) })
		ok(t, err)
		ctx, stop := context.WithCancel(d.ctx)
		done := make(chan error)
		go func() { done <- d.runFiles(ctx) }()
		<-time.After(1500 * time.Millisecond)
		d.counted(t, 1)
		_, _, err = d.TorrentFile(d.ctx, public, base)
		ok(t, err)
		ok(t, d.Logout(d.ctx, d.ann))
		begun := time.Now()
		<-cut
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("cut after %v", took)
		}
		ok(t, got.Close(1, nil))
		stop()
		ok(t, <-done)
		d.counted(t, 2)
	})
}

// counted fails unless the audit log has n lines about downloads.
func (d *desk) counted(t *testing.T, n int) {
	t.Helper()
	got := 0
	for _, line := range d.log() {
		if strings.HasPrefix(line, "ann|get|c/f|ok") {
			got++
		}
	}
	if got != n {
		t.Fatalf("%d lines, want %d", got, n)
	}
}
