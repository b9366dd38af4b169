package origin

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// tryLogin returns the kind of answer to a login of root.
func (o *office) tryLogin(n int, password string) error {
	_, _, err := o.Login(o.ctx, from(n), "root", password, "")
	return err
}

func TestTheAddressThatFailsWaits(t *testing.T) {
	o := newOffice(t)
	for i := range freePerAddress { // at different names
		_, _, err := o.Login(o.ctx, from(1), fmt.Sprint("user", i), "a wrong password", "")
		want(t, err, fault.Unauthenticated)
	}
	err := o.tryLogin(1, rightPassword)
	want(t, err, fault.Limited)
	if d, ok := RetryAfter(err); !ok || d != firstWait {
		t.Fatalf("wait %v, %v", d, ok)
	}
	ok(t, o.tryLogin(2, rightPassword)) // the neighbour does not
	want(t, func() error { _, _, err := o.instance().Login(o.ctx, from(1), "root", rightPassword, ""); return err }(), fault.Limited)
	o.pass(firstWait)
	ok(t, o.tryLogin(1, rightPassword))
	// The success does not clear the address: whoever guesses at others has an account, too.
	want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
	want(t, o.tryLogin(1, rightPassword), fault.Limited)
}

func TestTheNameThatIsGuessedAtWaits(t *testing.T) {
	o := newOffice(t)
	for i := range freePerName {
		want(t, o.tryLogin(i, "a wrong password"), fault.Unauthenticated)
	}
	want(t, o.tryLogin(99, rightPassword), fault.Limited)
	waits := []time.Duration{firstWait}
	for i := range 7 {
		err := o.tryLogin(200, rightPassword)
		d, _ := RetryAfter(err)
		if d != waits[len(waits)-1] {
			t.Fatalf("after %v: wait %v", waits, d)
		}
		o.pass(d - time.Second)
		want(t, o.tryLogin(300+i, rightPassword), fault.Limited)
		o.pass(time.Second)
		want(t, o.tryLogin(400+i, "a wrong password"), fault.Unauthenticated)
		waits = append(waits, min(2*d, longestWait))
	}
	o.pass(longestWait)
	ok(t, o.tryLogin(500, rightPassword))
	// A success clears the name.
	for i := range freePerName - 1 {
		want(t, o.tryLogin(600+i, "a wrong password"), fault.Unauthenticated)
	}
	ok(t, o.tryLogin(700, rightPassword))
}

func TestRefusedTriesDoNotProlongTheWait(t *testing.T) {
	o := newOffice(t)
	for range freePerAddress {
		want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
	}
	lines := len(o.log())
	updates := o.cat.updates.Load()
	for range 50 {
		want(t, o.tryLogin(1, "a wrong password"), fault.Limited)
	}
	if o.cat.updates.Load() != updates || len(o.log()) != lines {
		t.Fatal("tries that are refused cost writes")
	}
	o.pass(firstWait)
	ok(t, o.tryLogin(1, rightPassword))
}

func TestFewFailuresAreForgotten(t *testing.T) {
	o := newOffice(t)
	for range 4 * freePerAddress {
		want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
		o.pass(forgetFew)
	}
	for range freePerAddress {
		want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
	}
	want(t, o.tryLogin(1, rightPassword), fault.Limited)
	o.pass(forgetMany)
	for range freePerAddress {
		want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
	}
}

func TestAnAdminLetsInWhoIsLockedOut(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	o.hire("ann", policy.Reader)
	for i := range freePerName {
		_, _, err := o.Login(o.ctx, from(i), "ann", "a wrong password", "")
		want(t, err, fault.Unauthenticated)
	}
	_, err := o.UpdateUser(o.ctx, root, "ann", UserChange{Password: ptr("a new password")})
	ok(t, err)
	_, _, err = o.Login(o.ctx, from(99), "ann", "a new password", "")
	ok(t, err)
}

func TestALockoutSurvivesNoClockSetBack(t *testing.T) {
	o := newOffice(t)
	for range freePerAddress {
		want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
	}
	o.pass(-365 * 24 * time.Hour)
	ok(t, o.tryLogin(1, rightPassword))
	// The next failure counts on today's clock, and with those before it.
	want(t, o.tryLogin(1, "a wrong password"), fault.Unauthenticated)
	err := o.tryLogin(1, rightPassword)
	want(t, err, fault.Limited)
	if d, _ := RetryAfter(err); d > longestWait {
		t.Fatalf("wait %v", d)
	}
}

func TestWaitIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		g := guess{free: rapid.SampledFrom([]int{freePerAddress, freePerName}).Draw(t, "free")}
		a := catalog.Attempt{
			Count: rapid.IntRange(0, 1<<40).Draw(t, "count"),
			Last:  now.Add(time.Duration(rapid.Int64Range(int64(-3*time.Hour), int64(3*time.Hour)).Draw(t, "ago"))),
		}
		w := g.wait(a, now)
		if w < 0 || w > longestWait {
			t.Fatalf("wait %v", w)
		}
		if a.Count < g.free && w != 0 {
			t.Fatalf("wait %v after %d failures", w, a.Count)
		}
		if later := g.wait(a, now.Add(time.Hour)); later > longestWait || later > 0 && a.Last.Before(now) {
			t.Fatalf("still %v an hour later", later)
		}
		if a.Count >= g.free && a.Last.Equal(now) && w < firstWait {
			t.Fatalf("wait %v right after failure %d", w, a.Count)
		}
	})
}

func TestWhatFailuresAreCountedUnder(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"an address is itself", "192.0.2.7", "192.0.2.8", false},
		{"IPv4 within IPv6 is IPv4", "192.0.2.7", "::ffff:192.0.2.7", true},
		{"a customer has a /56", "2001:db8:1:200::1", "2001:db8:1:2ff::9", true},
		{"another customer has another", "2001:db8:1:200::1", "2001:db8:1:300::1", false},
		{"neighbours on a private network are told apart", "fd00::1", "fd00::2", false},
		{"a zone does not matter", "fe80::1%eth0", "fe80::1", true},
		{"loopback is limited too", "127.0.0.1", "127.0.0.1", true},
		{"the two loopbacks are two", "127.0.0.1", "::1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := byAddress("login", netip.MustParseAddr(c.a)), byAddress("login", netip.MustParseAddr(c.b))
			if (a == b) != c.same {
				t.Fatalf("%q and %q", a.key, b.key)
			}
		})
	}
	if byAddress("login", netip.Addr{}) == byAddress("token", netip.Addr{}) {
		t.Fatal("kinds are counted together")
	}
	if byName("login", "Ann") != byName("login", "ann") {
		t.Fatal("a name in capitals is counted apart")
	}
	if k := byName("login", strings.Repeat("x", 1<<20)).key; len(k) > 100 {
		t.Fatalf("key of %d bytes", len(k))
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", retryLater(fault.Limited, 1500*time.Millisecond, "later"))
	want(t, err, fault.Limited)
	if d, ok := RetryAfter(err); !ok || d != 2*time.Second {
		t.Fatalf("got %v, %v", d, ok)
	}
	if _, ok := RetryAfter(fault.Limited); ok {
		t.Fatal("a wait from nowhere")
	}
}
