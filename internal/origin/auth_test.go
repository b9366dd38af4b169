package origin

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func TestSetupTakesItsTokenOnce(t *testing.T) {
	o := emptyOffice(t)
	old, err := o.SetupToken(o.ctx)
	ok(t, err)
	token, err := o.instance().SetupToken(o.ctx)
	ok(t, err)
	if old == token || !strings.HasPrefix(token, setupPrefix) {
		t.Fatalf("tokens %q and %q: want a new one at each start", old, token)
	}
	_, err = o.Setup(o.ctx, from(1), old, "root", rightPassword)
	want(t, err, fault.Unauthenticated)
	_, err = o.Setup(o.ctx, from(1), token, "root", "short")
	want(t, err, fault.Invalid)
	u, err := o.Setup(o.ctx, from(1), token, "root", rightPassword)
	ok(t, err)
	if u.Role != policy.Admin || u.Name != "root" {
		t.Fatalf("got %+v", u)
	}
	_, err = o.Setup(o.ctx, from(1), token, "root2", rightPassword)
	want(t, err, fault.Gone)
	if again, err := o.SetupToken(o.ctx); err != nil || again != "" {
		t.Fatalf("got %q, %v: want no token while there is an admin", again, err)
	}
	o.login("root")
}

func TestSetupIsNotGuessed(t *testing.T) {
	o := emptyOffice(t)
	token, err := o.SetupToken(o.ctx)
	ok(t, err)
	for range freePerAddress {
		_, err := o.Setup(o.ctx, from(1), "guess", "root", rightPassword)
		want(t, err, fault.Unauthenticated)
	}
	_, err = o.Setup(o.ctx, from(1), token, "root", rightPassword)
	want(t, err, fault.Limited)
	if n := o.people.hasher.counter.Load(); n != 0 {
		t.Fatalf("guesses cost %d hashes", n)
	}
	_, err = o.Setup(o.ctx, from(2), token, "root", rightPassword)
	ok(t, err)
}

func TestMakeAdminEndsTheSetupToken(t *testing.T) {
	o := emptyOffice(t)
	token, err := o.SetupToken(o.ctx)
	ok(t, err)
	_, err = o.MakeAdmin(o.ctx, "root", rightPassword)
	ok(t, err)
	_, err = o.MakeAdmin(o.ctx, "ROOT", rightPassword)
	want(t, err, fault.Exists)
	_, err = o.Setup(o.ctx, from(1), token, "other", rightPassword)
	want(t, err, fault.Gone)
	if l := o.log(); l[0] != "command line|setup|user root|ok" {
		t.Fatalf("got %q", l)
	}
}

// N14: nobody learns from a failed login which accounts there are.
func TestFailedLoginsLookAlike(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	o.hire("ann", policy.Reader)
	yes := true
	_, err := o.UpdateUser(o.ctx, root, "ann", UserChange{Disabled: &yes})
	ok(t, err)
	var bare catalog.UserID
	err = o.cat.Update(o.ctx, func(tx *catalog.Tx) (err error) {
		bare, err = tx.Accounts.CreateUser(catalog.User{Name: "bare", Role: policy.Reader, Created: o.clock()})
		if err != nil {
			return err
		}
		id, err := tx.Accounts.CreateUser(catalog.User{Name: "damaged", Role: policy.Reader, Created: o.clock()})
		if err != nil {
			return err
		}
		return tx.Accounts.SetCredential(catalog.Credential{User: id, Kind: catalog.Password, Secret: "$1$x", Changed: o.clock()})
	})
	ok(t, err)
	if bare == 0 {
		t.Fatal("no account")
	}
	for i, c := range []struct{ what, name, password, object string }{
		{"wrong password", "root", "wrong password", "user root"},
		{"no password", "root", "", "user root"},
		{"unknown account", "nobody", rightPassword, "unknown user"},
		{"disabled account, right password", "ann", rightPassword, "user ann"},
		{"disabled account, wrong password", "ann", "wrong password", "user ann"},
		{"account without a password", "bare", rightPassword, "user bare"},
		{"account with a damaged password", "damaged", rightPassword, "user damaged"},
		{"a name of another case", "Root", rightPassword, "unknown user"},
		{"what can be no name", "a/b\x00\xff", rightPassword, "unknown user"},
		{"a very long name", strings.Repeat("x", 5000), rightPassword, "unknown user"},
	} {
		t.Run(c.what, func(t *testing.T) {
			before, lines := o.people.hasher.counter.Load(), len(o.log())
			secret, in, err := o.Login(o.ctx, from(i), c.name, c.password, "")
			want(t, err, fault.Unauthenticated)
			if err.Error() != "sign in: wrong name or password" {
				t.Errorf("text %q", err)
			}
			if n := o.people.hasher.counter.Load() - before; n != 1 {
				t.Errorf("%d hashes, want 1", n)
			}
			if secret != "" || in.Subject.Known || in.Session != 0 {
				t.Errorf("got %q, %+v", secret, in)
			}
			if l := o.log()[lines:]; len(l) != 1 || l[0] != "nobody|login|"+c.object+"|unauthenticated" {
				t.Errorf("audit log: %q", l)
			}
		})
	}
}

func TestAPasswordTypedAsANameIsNotWrittenDown(t *testing.T) {
	o := newOffice(t)
	const secret = "hunter2hunter2"
	_, _, err := o.Login(o.ctx, from(1), secret, "", "")
	want(t, err, fault.Unauthenticated)
	for _, l := range o.log() {
		if strings.Contains(l, secret) {
			t.Fatalf("audit log: %q", l)
		}
	}
}

func TestLoginBeginsASession(t *testing.T) {
	o := newOffice(t)
	secret, in, err := o.Login(o.ctx, from(1), "root", rightPassword, "cu\x1brl\u202e/8")
	ok(t, err)
	c, err := o.Authenticate(o.ctx, from(2), secret)
	ok(t, err)
	if c.User.Name != "root" || c.Session != in.Session || c.Remote != from(2).Remote || c.Request != from(2).Request {
		t.Fatalf("got %+v", c)
	}
	list, err := o.Sessions(o.ctx, c)
	ok(t, err)
	if len(list) != 1 || list[0].Agent != "cu?rl?/8" || list[0].Remote != "10.0.0.1" || list[0].Hash == hashSecret("") {
		t.Fatalf("got %+v", list)
	}
	// The two ways of writing an e are one password.
	_, err = o.UpdateUser(o.ctx, c, "root", UserChange{Password: ptr("caf\u00e9 au lait")})
	ok(t, err)
	_, _, err = o.Login(o.ctx, from(1), "root", "cafe\u0301 au lait", "")
	ok(t, err)
}

func ptr[T any](v T) *T { return &v }

func TestLoginRenewsAHashOfAnotherCost(t *testing.T) {
	o := newOffice(t)
	stored := func() (secret string) {
		ok(t, o.cat.View(o.ctx, func(tx *catalog.Tx) error {
			c, err := tx.Accounts.Credential(1, catalog.Password)
			secret = c.Secret
			return err
		}))
		return secret
	}
	old := stored()
	dear := o.instance()
	var err error
	dear.people.hasher, err = newHasher(Argon2{Time: 2, Memory: 16, Threads: 1}, dear.people.random)
	ok(t, err)
	_, _, err = dear.Login(o.ctx, from(1), "root", rightPassword, "")
	ok(t, err)
	if now := stored(); now == old || !strings.Contains(now, "m=16,t=2,p=1") {
		t.Fatalf("still %q", now)
	}
	_, _, err = o.Login(o.ctx, from(1), "root", rightPassword, "") // back to the usual cost
	ok(t, err)
	before := o.people.hasher.counter.Load()
	_, _, err = o.Login(o.ctx, from(1), "root", rightPassword, "")
	ok(t, err)
	if n := o.people.hasher.counter.Load() - before; n != 1 {
		t.Fatalf("%d hashes for a login at the usual cost", n)
	}
}

func TestAnAccountHasABoundedNumberOfSessions(t *testing.T) {
	o := newOffice(t)
	first := o.secretOf("root")
	ok(t, o.cat.Update(o.ctx, func(tx *catalog.Tx) error {
		for i := range maxSessions {
			at := o.clock().Add(time.Duration(i) * time.Millisecond)
			s := catalog.Session{Hash: hashSecret(fmt.Sprint(i)), User: 1, Created: at, Seen: at, Expires: at.Add(time.Hour)}
			if err := addSession(tx, &s); err != nil {
				return err
			}
		}
		return nil
	}))
	list, err := o.Sessions(o.ctx, o.login("root"))
	ok(t, err)
	if len(list) != maxSessions {
		t.Fatalf("%d sessions", len(list))
	}
	_, err = o.Authenticate(o.ctx, from(1), first)
	want(t, err, fault.Unauthenticated)
}

func TestWhatChangesWhileAPasswordIsCheckedCounts(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	for name, change := range map[string]UserChange{
		"a new password":   {Password: ptr("another password")},
		"a closed account": {Disabled: ptr(true)},
	} {
		t.Run(name, func(t *testing.T) {
			user := strings.ReplaceAll(name, " ", "-")
			o.hire(user, policy.Reader)
			var cred catalog.Credential
			ok(t, o.cat.View(o.ctx, func(tx *catalog.Tx) (err error) {
				_, cred, err = passwordOf(tx, user)
				return err
			}))
			_, err := o.UpdateUser(o.ctx, root, user, change)
			ok(t, err)
			_, _, err = o.begin(o.ctx, from(1), cred, "", "", []guess{byName("login", user)})
			want(t, err, fault.Unauthenticated)
		})
	}
}

// Guesses run side by side: a right one among them must not be told from the others once
// the tries are used up.
func TestARightGuessBeyondTheLimitIsNotAnswered(t *testing.T) {
	o := newOffice(t)
	var cred catalog.Credential
	ok(t, o.cat.View(o.ctx, func(tx *catalog.Tx) (err error) {
		_, cred, err = passwordOf(tx, "root")
		return err
	}))
	for i := range freePerName {
		want(t, o.tryLogin(i, "a wrong password"), fault.Unauthenticated)
	}
	_, _, err := o.begin(o.ctx, from(99), cred, "", "", []guess{byName("login", "root")})
	want(t, err, fault.Limited)
}

func TestGuessesSideBySideAreCountedExactly(t *testing.T) {
	o := newOffice(t)
	var wrong, limited atomic.Int64
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			switch _, _, err := o.Login(o.ctx, from(1), "root", "a wrong password", ""); {
			case errors.Is(err, fault.Unauthenticated):
				wrong.Add(1)
			case errors.Is(err, fault.Limited):
				limited.Add(1)
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if wrong.Load() != freePerAddress || wrong.Load()+limited.Load() != 30 {
		t.Fatalf("%d guesses were answered, %d not", wrong.Load(), limited.Load())
	}
}

func TestLogoutAndEndSession(t *testing.T) {
	o := newOffice(t)
	secret := o.secretOf("root")
	c, err := o.Authenticate(o.ctx, from(1), secret)
	ok(t, err)
	ann := o.hire("ann", policy.Reader)
	want(t, o.EndSession(o.ctx, ann, c.Session), fault.NotFound) // another's
	before := o.epoch()
	ok(t, o.Logout(o.ctx, c))
	if o.epoch() == before {
		t.Fatal("running transfers are not told")
	}
	_, err = o.Authenticate(o.ctx, from(1), secret)
	want(t, err, fault.Unauthenticated)
	other := o.login("ann")
	ok(t, o.EndSession(o.ctx, ann, other.Session))
	list, err := o.Sessions(o.ctx, ann)
	ok(t, err)
	if len(list) != 1 || list[0].ID != ann.Session {
		t.Fatalf("got %+v", list)
	}
	want(t, o.Logout(o.ctx, o.token(ann, policy.Read, false)), fault.Invalid)
}

func TestChangePassword(t *testing.T) {
	o := newOffice(t)
	here, there := o.login("root"), o.secretOf("root")
	want(t, o.ChangePassword(o.ctx, here, "wrong password", "a new password"), fault.Permission)
	want(t, o.ChangePassword(o.ctx, here, rightPassword, "short"), fault.Invalid)
	want(t, o.ChangePassword(o.ctx, from(1), rightPassword, "a new password"), fault.Unauthenticated)
	ok(t, o.ChangePassword(o.ctx, here, rightPassword, "a new password"))
	_, err := o.Authenticate(o.ctx, from(1), there)
	want(t, err, fault.Unauthenticated)
	_, err = o.Sessions(o.ctx, here)
	ok(t, err)
	_, _, err = o.Login(o.ctx, from(1), "root", rightPassword, "")
	want(t, err, fault.Unauthenticated)
	_, _, err = o.Login(o.ctx, from(1), "root", "a new password", "")
	ok(t, err)
	for range freePerAddress - 1 { // and the one above
		want(t, o.ChangePassword(o.ctx, here, "wrong password", "a newer password"), fault.Permission)
	}
	want(t, o.ChangePassword(o.ctx, here, "a new password", "a newer password"), fault.Limited)
}
