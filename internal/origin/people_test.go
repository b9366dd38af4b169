package origin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/catalog"
	"tandem/internal/catalog/catalogtest"
	"tandem/internal/catalog/sqlite"
	"tandem/internal/fault"
	"tandem/internal/policy"
	"tandem/internal/store/mem"
)

const rightPassword = "correct horse"

// office is a Server with people in it, and a clock that the test turns.
type office struct {
	*Server
	t   *testing.T
	ctx context.Context
	cat *counted

	mu   sync.Mutex
	time time.Time
}

// counted counts what a catalog is asked.
type counted struct {
	catalog.Catalog
	views, updates atomic.Int64
}

func (c *counted) View(ctx context.Context, f func(*catalog.Tx) error) error {
	c.views.Add(1)
	return c.Catalog.View(ctx, f)
}

func (c *counted) Update(ctx context.Context, f func(*catalog.Tx) error) error {
	c.updates.Add(1)
	return c.Catalog.Update(ctx, f)
}

// newOffice has one admin, "root".
func newOffice(t *testing.T) *office {
	t.Helper()
	o := emptyOffice(t)
	if _, err := o.MakeAdmin(o.ctx, "root", rightPassword); err != nil {
		t.Fatal(err)
	}
	return o
}

func emptyOffice(t *testing.T) *office {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	cat, err := sqlite.Open(t.Context(), catalogtest.Blank(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cat.Close(); err != nil {
			t.Error(err)
		}
	})
	o := &office{t: t, ctx: t.Context(), cat: &counted{Catalog: cat}, time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	o.Server = o.instance()
	return o
}

// instance is another Server on the same catalog.
func (o *office) instance() *Server {
	o.t.Helper()
	var seed [32]byte
	copy(seed[:], o.t.Name())
	seed[31] = byte(o.cat.updates.Load())
	s, err := New(o.ctx, Config{
		Catalog: o.cat, Blobs: mem.NewBlobs(o.clock), Now: o.clock, Rand: rand.NewChaCha8(seed),
		Passwords: Argon2{Time: 1, Memory: 8, Threads: 1},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.time
}

// pass turns the clock, also back.
func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.time = o.time.Add(d)
}

// from is nobody, at an address that only n has.
func from(n int) Caller {
	return Caller{Remote: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Request: fmt.Sprint("r", n)}
}

// login signs in from an address where nobody failed.
func (o *office) login(name string) Caller {
	o.t.Helper()
	_, c, err := o.Login(o.ctx, from(60_000), name, rightPassword, "test")
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

// secretOf signs in and returns the secret.
func (o *office) secretOf(name string) string {
	o.t.Helper()
	secret, _, err := o.Login(o.ctx, from(60_000), name, rightPassword, "test")
	if err != nil {
		o.t.Fatal(err)
	}
	return secret
}

// hire makes an account and signs in.
func (o *office) hire(name string, role policy.Role) Caller {
	o.t.Helper()
	if _, err := o.CreateUser(o.ctx, o.login("root"), name, rightPassword, role, 0); err != nil {
		o.t.Fatal(err)
	}
	return o.login(name)
}

// token makes an API token and signs in by it.
func (o *office) token(c Caller, limit policy.Rights, server bool) Caller {
	o.t.Helper()
	secret, _, err := o.CreateToken(o.ctx, c, "t", limit, server, time.Time{})
	if err != nil {
		o.t.Fatal(err)
	}
	in, err := o.Authenticate(o.ctx, from(60_000), secret)
	if err != nil {
		o.t.Fatal(err)
	}
	return in
}

// log returns the whole audit log as "actor action object outcome".
func (o *office) log() (lines []string) {
	o.t.Helper()
	err := o.cat.View(o.ctx, func(tx *catalog.Tx) error {
		list, err := tx.Audit.Entries(0, catalog.AuditFilter{}, 1000)
		for _, e := range list {
			lines = append(lines, fmt.Sprintf("%s|%s|%s|%s", e.Actor, e.Action, e.Object, e.Outcome))
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return lines
}

func (o *office) epoch() (n int64) {
	o.t.Helper()
	err := o.cat.View(o.ctx, func(tx *catalog.Tx) (err error) {
		n, err = tx.Sessions.Epoch()
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// want fails unless err is of the kind.
func want(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewRefusesWhatItCannotWorkWith(t *testing.T) {
	_, err := New(t.Context(), Config{})
	want(t, err, fault.Invalid)
	o := emptyOffice(t)
	_, err = New(o.ctx, Config{Catalog: o.cat, Blobs: mem.NewBlobs(nil), Passwords: Argon2{Time: 1, Memory: 1, Threads: 1}})
	want(t, err, fault.Invalid)
	ended, cancel := context.WithCancel(o.ctx)
	cancel()
	if _, err := New(ended, Config{Catalog: o.cat, Blobs: mem.NewBlobs(nil)}); err == nil {
		t.Fatal("started without an answer from the catalog")
	}
}

func TestReadyAsksCatalogAndStore(t *testing.T) {
	o := emptyOffice(t)
	ok(t, o.Ready(o.ctx))
	ok(t, o.cat.Close())
	if err := o.Ready(o.ctx); err == nil {
		t.Fatal("ready without a catalog")
	}
}

func TestRunSweepsAndEnds(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	o.pass(31 * 24 * time.Hour)
	ok(t, o.sweepPeople(o.ctx))
	// Swept, it is as unknown as any: a guess.
	_, err := o.Authenticate(o.ctx, from(1), secret)
	want(t, err, fault.Unauthenticated)
	if l := o.log(); l[len(l)-1] != "nobody|authenticate||unauthenticated" {
		t.Fatalf("the session is still there: %q", l)
	}
	ctx, cancel := context.WithCancel(o.ctx)
	cancel()
	ok(t, o.runPeople(ctx))
}

// mayAll are the refusals a caller can meet, in a table of who and what.
func TestMaySaysWhyNot(t *testing.T) {
	o := newOffice(t)
	root, ann := o.login("root"), o.hire("ann", policy.Publisher)
	bob := o.hire("bob", policy.Reader)
	for _, name := range []string{"open", "dark"} {
		if _, err := o.CreateCollection(o.ctx, ann, name); err != nil {
			t.Fatal(err)
		}
	}
	ok(t, o.SetGrant(o.ctx, ann, "open", GrantView{Subject: "bob", Rights: policy.List}))
	link := func(edit func(*policy.Link)) Caller {
		l := policy.Link{Allows: policy.Read, Creator: policy.Subject{User: ann.Subject.User}}
		if edit != nil {
			edit(&l)
		}
		return Caller{Subject: policy.Subject{Link: &l}, Link: &catalog.Link{ID: 3}}
	}
	for _, c := range []struct {
		name   string
		caller Caller
		action policy.Action
		col    string
		kind   fault.Kind // Other: allowed
	}{
		{"nobody is asked to sign in", from(1), policy.ListFiles, "open", fault.Unauthenticated},
		{"nobody is asked to sign in for what is absent", from(1), policy.ListFiles, "absent", fault.Unauthenticated},
		{"the owner may", ann, policy.AdministerCollection, "dark", fault.Other},
		{"an admin may", root, policy.AdministerCollection, "dark", fault.Other},
		{"who has a grant may", bob, policy.ListFiles, "open", fault.Other},
		{"who has another grant is refused", bob, policy.ReadFile, "open", fault.Permission},
		{"who has no grant finds nothing", bob, policy.ListFiles, "dark", fault.NotFound},
		{"what is absent is found by nobody", root, policy.ListFiles, "absent", fault.NotFound},
		{"a token is kept to its scope", o.token(ann, policy.List, false), policy.PublishFile, "open", fault.Permission},
		{"a link opens what its creator may", link(nil), policy.ReadFile, "dark", fault.Other},
		{"a link does what it was made for", link(nil), policy.PublishFile, "dark", fault.Permission},
		{"a locked link asks for its password", link(func(l *policy.Link) { l.Locked = true }), policy.ReadFile, "dark", fault.Unauthenticated},
		{"a used link is gone", link(func(l *policy.Link) { l.UsedUp = true }), policy.ReadFile, "dark", fault.Gone},
		{"a link of somebody who may not is gone", link(func(l *policy.Link) { l.Creator.User = bob.Subject.User }), policy.ReadFile, "dark", fault.Gone},
		{"a link of nobody is gone", link(func(l *policy.Link) { l.Creator.User = 999 }), policy.ReadFile, "dark", fault.Gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rights policy.Rights
			err := o.cat.View(o.ctx, func(tx *catalog.Tx) error {
				col, err := o.collection(tx, c.caller, c.action, c.col)
				if err != nil {
					return err
				}
				rights, err = o.rights(tx, c.caller, col)
				return err
			})
			if c.kind == fault.Other {
				ok(t, err)
				if rights == 0 {
					t.Fatal("allowed, and no rights")
				}
				return
			}
			want(t, err, c.kind)
		})
	}
}

// N16, and what happens to a running transfer when it is decided anew.
func TestRenewFindsTheCallerAsItIsNow(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	renew := func(c Caller) (in Caller, err error) {
		err = o.cat.View(o.ctx, func(tx *catalog.Tx) error {
			in, err = o.renew(tx, c)
			return err
		})
		return in, err
	}
	ann := o.hire("ann", policy.Publisher)
	key := o.token(ann, policy.Read, false)
	reader := policy.Reader
	_, err := o.UpdateUser(o.ctx, root, "ann", UserChange{Role: &reader})
	ok(t, err)
	for _, c := range []Caller{ann, key} {
		in, err := renew(c)
		ok(t, err)
		if in.Subject.Role != policy.Reader || in.Subject.Limit != c.Subject.Limit || in.proof != c.proof {
			t.Fatalf("got %+v", in.Subject)
		}
	}
	ok(t, o.DeleteToken(o.ctx, ann, key.Token))
	ok(t, o.Logout(o.ctx, ann))
	for name, c := range map[string]Caller{"token": key, "session": ann, "nobody": from(1)} {
		if _, err := renew(c); !errors.Is(err, fault.Unauthenticated) {
			t.Fatalf("%s: got %v", name, err)
		}
	}
	byLink := Caller{Subject: policy.Subject{Link: &policy.Link{}}}
	_, err = renew(byLink)
	ok(t, err)
}
