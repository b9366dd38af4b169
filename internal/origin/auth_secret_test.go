package origin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func (o *office) asks() int64 { return o.cat.views.Load() + o.cat.updates.Load() }

func TestARepeatedSecretDoesNotReachTheDatabase(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	_, err := o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	before := o.asks()
	for i := range 100 {
		c, err := o.Authenticate(o.ctx, from(i), secret)
		ok(t, err)
		if c.Remote != from(i).Remote || c.Request != from(i).Request {
			t.Fatalf("got another's %+v", c)
		}
	}
	if n := o.asks() - before; n != 0 {
		t.Fatalf("%d questions to the database", n)
	}
	o.pass(time.Second)
	_, err = o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	if o.asks() == before {
		t.Fatal("remembered for longer than a second")
	}
}

// N16: what ends access here ends it at once, elsewhere within a second.
func TestEndedAccessIsNotRemembered(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	o.hire("ann", policy.Publisher)
	elsewhere := o.instance()
	for name, end := range map[string]func(c Caller) error{
		"signing out":  func(c Caller) error { return o.Logout(o.ctx, c) },
		"session":      func(c Caller) error { return o.EndSession(o.ctx, c, c.Session) },
		"new password": func(Caller) error { return o.update1(root, UserChange{Password: ptr(rightPassword)}) },
		"disabled": func(Caller) error {
			err := o.update1(root, UserChange{Disabled: ptr(true)})
			return errors.Join(err, o.update1(root, UserChange{Disabled: ptr(false)}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			secret := o.secretOf("ann")
			c, err := o.Authenticate(o.ctx, from(1), secret)
			ok(t, err)
			_, err = elsewhere.Authenticate(o.ctx, from(1), secret)
			ok(t, err)
			before := o.epoch()
			ok(t, end(c))
			if o.epoch() == before {
				t.Error("running transfers are not told")
			}
			_, err = o.Authenticate(o.ctx, from(1), secret)
			want(t, err, fault.Unauthenticated)
			o.pass(time.Second)
			_, err = elsewhere.Authenticate(o.ctx, from(1), secret)
			want(t, err, fault.Unauthenticated)
			o.pass(time.Hour)
		})
	}
}

func (o *office) update1(root Caller, ch UserChange) error {
	_, err := o.UpdateUser(o.ctx, root, "ann", ch)
	return err
}

func TestADisabledAccountsTokensEnd(t *testing.T) {
	o := newOffice(t)
	root, ann := o.login("root"), o.hire("ann", policy.Publisher)
	secret, _, err := o.CreateToken(o.ctx, ann, "ci", policy.Read, false, time.Time{})
	ok(t, err)
	_, err = o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	ok(t, o.update1(root, UserChange{Disabled: ptr(true)}))
	_, err = o.Authenticate(o.ctx, from(1), secret)
	want(t, err, fault.Unauthenticated)
}

func TestASessionLastsWhileItIsUsed(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	for range 10 { // 200 days
		o.pass(20 * 24 * time.Hour)
		_, err := o.Authenticate(o.ctx, from(1), secret)
		ok(t, err)
	}
	o.pass(30*24*time.Hour - time.Second)
	_, err := o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	o.pass(30 * 24 * time.Hour)
	_, err = o.Authenticate(o.ctx, from(1), secret)
	want(t, err, fault.Unauthenticated)
}

func TestARememberedSessionEndsOnTime(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	o.pass(30*24*time.Hour - 30*time.Second)
	s := o.instance()
	s.cfg.SessionTTL = time.Millisecond // so that touching does not move the end beyond this moment
	_, err := s.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	o.pass(100 * time.Millisecond)
	_, err = s.Authenticate(o.ctx, from(1), secret)
	want(t, err, fault.Unauthenticated)
}

func TestSeenIsWrittenOnceAMinute(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	key, _, err := o.CreateToken(o.ctx, o.login("root"), "ci", policy.Read, false, time.Time{})
	ok(t, err)
	for _, secret := range []string{secret, key} {
		_, err = o.Authenticate(o.ctx, from(1), secret)
		ok(t, err)
		o.pass(time.Minute)
		before := o.cat.updates.Load()
		for range 59 {
			_, err := o.Authenticate(o.ctx, from(1), secret)
			ok(t, err)
			o.pass(time.Second)
		}
		if n := o.cat.updates.Load() - before; n != 1 {
			t.Fatalf("%d writes in a minute", n)
		}
	}
	c, err := o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	list, err := o.Sessions(o.ctx, c)
	ok(t, err)
	for _, s := range list {
		if s.ID == c.Session && (o.clock().Sub(s.Seen) > 2*time.Minute || s.Expires.Sub(s.Seen) != 30*24*time.Hour) {
			t.Fatalf("seen %v, expires %v", s.Seen, s.Expires)
		}
	}
}

// A session of before the clock was set back must not last longer than it should.
func TestASessionFromTheFutureDoesNotHold(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	o.pass(-3 * time.Minute) // a correction
	_, err := o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	o.pass(30*24*time.Hour - time.Second)
	ok(t, o.cat.View(o.ctx, func(tx *catalog.Tx) error {
		s, err := tx.Sessions.Session(hashSecret(secret))
		if err == nil && s.Expires.Sub(o.clock()) > time.Second {
			t.Errorf("after a correction it holds until %v, at %v", s.Expires, o.clock())
		}
		return err
	}))
	secret = o.secretOf("root")
	o.pass(-365 * 24 * time.Hour)
	_, err = o.Authenticate(o.ctx, from(1), secret)
	want(t, err, fault.Unauthenticated)
	list, err := o.Sessions(o.ctx, o.login("root"))
	ok(t, err)
	if len(list) != 1 {
		t.Fatalf("shows %d sessions", len(list))
	}
}

func TestWrongSecretsAreLimited(t *testing.T) {
	o := newOffice(t)
	right := o.secretOf("root")
	guessAt := func(i int) error {
		_, err := o.Authenticate(o.ctx, from(1), fmt.Sprintf("%s%043d", tokenPrefix, i))
		return err
	}
	for range 20 { // the same again is no further guess
		want(t, guessAt(0), fault.Unauthenticated)
	}
	for i := range freePerAddress - 1 {
		want(t, guessAt(1+i), fault.Unauthenticated)
	}
	err := guessAt(9)
	want(t, err, fault.Limited)
	if d, ok := RetryAfter(err); !ok || d != firstWait {
		t.Fatalf("wait %v, %v", d, ok)
	}
	updates := o.cat.updates.Load()
	for i := range 20 {
		want(t, guessAt(100+i), fault.Limited)
	}
	if o.cat.updates.Load() != updates {
		t.Fatal("refused guesses cost writes")
	}
	_, err = o.Authenticate(o.ctx, from(1), right) // whoever has one did not guess
	ok(t, err)
	_, err = o.Authenticate(o.ctx, from(2), "nonsense")
	want(t, err, fault.Unauthenticated)
}

func TestAnEndedSecretIsNoGuess(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	o.pass(31 * 24 * time.Hour)
	for range 3 * freePerAddress {
		_, err := o.Authenticate(o.ctx, from(1), secret)
		want(t, err, fault.Unauthenticated)
	}
	ok(t, o.tryLogin(1, rightPassword))
}

func TestSecretsAreKeptAsHashes(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	key, _, err := o.CreateToken(o.ctx, o.login("root"), "ci", policy.Read, false, time.Time{})
	ok(t, err)
	inv, _, err := o.Invite(o.ctx, o.login("root"), policy.Reader, "", "", 0)
	ok(t, err)
	var dump strings.Builder
	ok(t, o.cat.Dump(o.ctx, &dump))
	for _, s := range []string{secret, key, inv, rightPassword} {
		if strings.Contains(dump.String(), s) {
			t.Fatalf("%q is in the catalog", s)
		}
	}
}

// N10: what is derived is never wider than what it was made with.
func TestATokenMakesNoWiderToken(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	soon := o.clock().Add(time.Hour)
	make := func(c Caller, limit policy.Rights, server bool, end time.Time) (Caller, error) {
		secret, _, err := o.CreateToken(o.ctx, c, "t", limit, server, end)
		if err != nil {
			return Caller{}, err
		}
		return o.Authenticate(o.ctx, from(1), secret)
	}
	parent, err := make(root, policy.Read|policy.List, true, soon)
	ok(t, err)
	blind, err := make(root, policy.AllRights, false, soon)
	ok(t, err)
	all, err := make(root, policy.Administer, true, time.Time{})
	ok(t, err)
	for _, c := range []struct {
		name   string
		by     Caller
		limit  policy.Rights
		server bool
		end    time.Time
		kind   fault.Kind // Other: fine
	}{
		{"as wide as its maker", parent, policy.Read | policy.List, true, soon, fault.Other},
		{"narrower", parent, policy.Read, false, soon.Add(-time.Minute), fault.Other},
		{"more rights", parent, policy.Read | policy.Publish, true, soon, fault.Permission},
		{"administering, which brings all", parent, policy.Administer, true, soon, fault.Permission},
		{"longer", parent, policy.Read, true, soon.Add(time.Minute), fault.Permission},
		{"without an end", parent, policy.Read, true, time.Time{}, fault.Permission},
		{"a token without reach makes none", blind, policy.Read, false, soon, fault.Permission},
		{"administering brings the others", all, policy.Read | policy.Publish, false, time.Time{}, fault.Other},
		{"good for nothing", root, 0, false, time.Time{}, fault.Invalid},
		{"rights nobody knows", root, 1 << 7, false, time.Time{}, fault.Invalid},
		{"expired from the start", root, policy.Read, false, soon.Add(-2 * time.Hour), fault.Invalid},
		{"made by nobody", from(1), policy.Read, false, soon, fault.Unauthenticated},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := make(c.by, c.limit, c.server, c.end)
			if c.kind != fault.Other {
				want(t, err, c.kind)
				return
			}
			ok(t, err)
			if in.Subject.Limit != c.limit || in.Subject.Server != c.server || !in.Subject.Expires.Equal(c.end) {
				t.Fatalf("got %+v", in.Subject)
			}
		})
	}
	for _, name := range []string{"", "  ", "a\nb", strings.Repeat("x", 65), "a\u202eb"} {
		_, _, err := o.CreateToken(o.ctx, root, name, policy.Read, false, time.Time{})
		want(t, err, fault.Invalid)
	}
	o.pass(time.Hour)
	_, err = o.Tokens(o.ctx, parent)
	want(t, err, fault.Unauthenticated)
	list, err := o.Tokens(o.ctx, all)
	ok(t, err)
	want(t, o.DeleteToken(o.ctx, o.hire("ann", policy.Reader), list[0].ID), fault.NotFound)
	ok(t, o.cat.Update(o.ctx, func(tx *catalog.Tx) error {
		for i := len(list); i < maxTokens; i++ {
			more := catalog.Token{Hash: hashSecret(fmt.Sprint(i)), User: root.User.ID, Name: "more", Limit: policy.Read, Created: o.clock()}
			if _, err := tx.Sessions.CreateToken(more); err != nil {
				return err
			}
		}
		return nil
	}))
	_, _, err = o.CreateToken(o.ctx, root, "more", policy.Read, false, time.Time{})
	want(t, err, fault.Quota)
}
