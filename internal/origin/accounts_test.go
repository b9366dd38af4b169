package origin

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func TestUsersAreMadeAndChanged(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	u, err := o.CreateUser(o.ctx, root, "Zoe\u0308", rightPassword, policy.Publisher, 1<<30)
	ok(t, err)
	if u.Name != "Zo\u00eb" || u.Quota != 1<<30 || u.Role != policy.Publisher || u.ID == 0 {
		t.Fatalf("got %+v", u)
	}
	for _, name := range []string{"zo\u00eb", "ZO\u00cb"} {
		_, err = o.CreateUser(o.ctx, root, name, rightPassword, policy.Reader, 0)
		want(t, err, fault.Exists)
	}
	u, err = o.UpdateUser(o.ctx, root, "Zo\u00eb", UserChange{Quota: ptr[int64](5), Role: ptr(policy.Reader)})
	ok(t, err)
	if u.Quota != 5 || u.Role != policy.Reader {
		t.Fatalf("got %+v", u)
	}
	list, err := o.Users(o.ctx, root, "", 0)
	ok(t, err)
	if len(list) != 2 {
		t.Fatalf("got %+v", list)
	}
	self, err := o.User(o.ctx, o.login("Zo\u00eb"), "Zo\u00eb")
	ok(t, err)
	if self.ID != u.ID {
		t.Fatalf("got %+v", self)
	}
	_, err = o.User(o.ctx, o.login("Zo\u00eb"), "root")
	want(t, err, fault.Permission)
}

func TestWhatAnAccountCannotBe(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	for _, c := range []struct {
		what, name, password string
		role                 policy.Role
		quota                int64
	}{
		{"a path", "a/b", rightPassword, policy.Reader, 0},
		{"without a role", "ann", rightPassword, policy.NoRole, 0},
		{"more than an admin", "ann", rightPassword, 4, 0},
		{"in debt", "ann", rightPassword, policy.Reader, -1},
		{"richer than there are bytes", "ann", rightPassword, policy.Reader, 1<<63 - 1},
		{"open to all", "ann", "", policy.Reader, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := o.CreateUser(o.ctx, root, c.name, c.password, c.role, c.quota)
			want(t, err, fault.Invalid)
		})
	}
	for _, ch := range []UserChange{{Role: ptr(policy.Role(7))}, {Quota: ptr[int64](-1)}, {Password: ptr("root")}} {
		_, err := o.UpdateUser(o.ctx, root, "root", ch)
		want(t, err, fault.Invalid)
	}
	_, err := o.UpdateUser(o.ctx, root, "absent", UserChange{})
	want(t, err, fault.NotFound)
}

func TestTheServerKeepsAnAdmin(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	lower, off := UserChange{Role: ptr(policy.Reader)}, UserChange{Disabled: ptr(true)}
	for _, ch := range []UserChange{lower, off, {Role: ptr(policy.Publisher), Disabled: ptr(false)}} {
		_, err := o.UpdateUser(o.ctx, root, "root", ch)
		want(t, err, fault.Permission)
	}
	second := o.hire("second", policy.Admin)
	_, err := o.UpdateUser(o.ctx, second, "root", off)
	ok(t, err)
	// A disabled admin does not count.
	_, err = o.UpdateUser(o.ctx, second, "second", lower)
	want(t, err, fault.Permission)
	if _, err := o.Users(o.ctx, second, "", 0); err != nil {
		t.Fatalf("what was refused was done: %v", err)
	}
}

func TestALowerRoleHoldsAtOnce(t *testing.T) {
	o := newOffice(t)
	root, ann := o.login("root"), o.hire("ann", policy.Publisher)
	_, err := o.CreateCollection(o.ctx, ann, "first")
	ok(t, err)
	before := o.epoch()
	_, err = o.UpdateUser(o.ctx, root, "ann", UserChange{Role: ptr(policy.Reader)})
	ok(t, err)
	if o.epoch() == before {
		t.Fatal("running transfers are not told")
	}
	_, err = o.CreateCollection(o.ctx, ann, "second") // the Caller of before
	want(t, err, fault.Permission)
}

func TestGroups(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	o.hire("ann", policy.Reader)
	_, err := o.CreateGroup(o.ctx, root, "team")
	ok(t, err)
	_, err = o.CreateGroup(o.ctx, root, "Team")
	want(t, err, fault.Exists)
	for range 2 { // again is fine
		ok(t, o.SetMember(o.ctx, root, "team", "ann", true))
	}
	want(t, o.SetMember(o.ctx, root, "team", "absent", true), fault.NotFound)
	want(t, o.SetMember(o.ctx, root, "absent", "ann", true), fault.NotFound)
	want(t, o.SetMember(o.ctx, root, "../team", "ann", true), fault.Invalid)
	list, err := o.Groups(o.ctx, root)
	ok(t, err)
	if len(list) != 1 || list[0].Group.Name != "team" || strings.Join(list[0].Members, ",") != "ann" {
		t.Fatalf("got %+v", list)
	}
	before := o.epoch()
	ok(t, o.SetMember(o.ctx, root, "team", "ann", false))
	ok(t, o.DeleteGroup(o.ctx, root, "team"))
	if o.epoch() < before+2 {
		t.Fatal("running transfers are not told")
	}
	want(t, o.DeleteGroup(o.ctx, root, "team"), fault.NotFound)
}

func TestAnInvitationMakesOneAccount(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	_, err := o.CreateGroup(o.ctx, root, "team")
	ok(t, err)
	token, made, err := o.Invite(o.ctx, root, policy.Publisher, "team", "for Ann", 0)
	ok(t, err)
	if made.Expires.Sub(o.clock()) != 7*24*time.Hour || made.ID == 0 {
		t.Fatalf("got %+v", made)
	}
	shown, err := o.Invited(o.ctx, from(1), token)
	ok(t, err)
	if shown.Role != policy.Publisher || shown.Note != "for Ann" {
		t.Fatalf("got %+v", shown)
	}
	_, err = o.AcceptInvitation(o.ctx, from(1), token, "root", rightPassword)
	want(t, err, fault.Exists)
	_, err = o.AcceptInvitation(o.ctx, from(1), token, "ann", "short")
	want(t, err, fault.Invalid)
	u, err := o.AcceptInvitation(o.ctx, from(1), token, "ann", rightPassword)
	ok(t, err)
	if u.Role != policy.Publisher {
		t.Fatalf("got %+v", u)
	}
	_, err = o.AcceptInvitation(o.ctx, from(1), token, "ann2", rightPassword)
	want(t, err, fault.Gone)
	_, err = o.Invited(o.ctx, from(1), token)
	want(t, err, fault.Gone)
	o.login("ann")
	groups, err := o.Groups(o.ctx, root)
	ok(t, err)
	if strings.Join(groups[0].Members, ",") != "ann" {
		t.Fatalf("got %+v", groups)
	}
	list, err := o.Invitations(o.ctx, root)
	ok(t, err)
	if len(list) != 0 {
		t.Fatalf("a taken invitation is open: %+v", list)
	}
}

func TestAnInvitationEnds(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	second := o.hire("second", policy.Admin)
	for name, c := range map[string]struct {
		end  func(catalog.Invitation)
		kind fault.Kind
	}{
		"at its end": {func(catalog.Invitation) { o.pass(time.Hour) }, fault.Gone},
		"when it is withdrawn": {func(i catalog.Invitation) {
			ok(t, o.WithdrawInvitation(o.ctx, root, i.ID))
			want(t, o.WithdrawInvitation(o.ctx, root, i.ID), fault.NotFound)
		}, fault.NotFound},
		"with the role of who made it": {func(catalog.Invitation) {
			_, err := o.UpdateUser(o.ctx, root, "second", UserChange{Role: ptr(policy.Publisher)})
			ok(t, err)
		}, fault.Gone},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := o.UpdateUser(o.ctx, root, "second", UserChange{Role: ptr(policy.Admin)})
			ok(t, err)
			token, inv, err := o.Invite(o.ctx, second, policy.Admin, "", "", time.Hour)
			ok(t, err)
			c.end(inv)
			_, err = o.AcceptInvitation(o.ctx, from(1), token, "ann", rightPassword)
			want(t, err, c.kind)
			_, err = o.Invited(o.ctx, from(1), token)
			want(t, err, c.kind)
		})
	}
}

func TestInvitationsAreNotGuessed(t *testing.T) {
	o := newOffice(t)
	token, _, err := o.Invite(o.ctx, o.login("root"), policy.Reader, "", "", 0)
	ok(t, err)
	hashes := o.people.hasher.counter.Load()
	for range freePerAddress {
		_, err := o.AcceptInvitation(o.ctx, from(1), "guess", "ann", rightPassword)
		want(t, err, fault.NotFound)
	}
	_, err = o.Invited(o.ctx, from(1), token)
	want(t, err, fault.Limited)
	if o.people.hasher.counter.Load() != hashes {
		t.Fatal("guesses cost hashes")
	}
	_, err = o.Invited(o.ctx, from(2), token)
	ok(t, err)
}

func TestAGroupThatIsGoneHoldsUpNoInvitation(t *testing.T) {
	o := newOffice(t)
	root := o.login("root")
	_, err := o.CreateGroup(o.ctx, root, "team")
	ok(t, err)
	token, _, err := o.Invite(o.ctx, root, policy.Reader, "team", "", 0)
	ok(t, err)
	ok(t, o.DeleteGroup(o.ctx, root, "team"))
	_, err = o.AcceptInvitation(o.ctx, from(1), token, "ann", rightPassword)
	ok(t, err)
	for _, ttl := range []time.Duration{-1, 366 * 24 * time.Hour} {
		_, _, err = o.Invite(o.ctx, root, policy.Reader, "", "", ttl)
		want(t, err, fault.Invalid)
	}
	_, _, err = o.Invite(o.ctx, root, policy.Reader, "team", "", 0)
	want(t, err, fault.NotFound)
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		what, name   string
		user, folder bool
	}{
		{"letters, digits and signs", "a.b_c-9", true, true},
		{"another script", "\u0938\u0941\u0928\u0940\u0924\u093e", true, true},
		{"64 characters", strings.Repeat("\u00e9", 64), true, true},
		{"65 characters", strings.Repeat("x", 65), false, false},
		{"nothing", "", false, false},
		{"a space within", "our photos", false, true},
		{"a space before", " photos", false, false},
		{"a space behind", "photos ", false, false},
		{"a space of another width", "our\u00a0photos", false, false},
		{"a hidden file", ".x", false, false},
		{"an option", "-x", false, false},
		{"a folder up", "..", false, false},
		{"a path", "a/b", false, false},
		{"a path of another system", `a\b`, false, false},
		{"a control character", "a\x00b", false, false},
		{"a line break", "a\nb", false, false},
		{"writing turned around", "a\u202eb", false, false},
		{"nothing to be seen", "a\u200bb", false, false},
		{"an accent alone", "\u0301a", false, false},
		{"markup", "<script>", false, false},
		{"a server's name in front", "a:b", false, false},
		{"not UTF-8", "a\xff", false, false},
		{"a replacement character", "a\ufffd", false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			if _, err := canonicalName("user", c.name); (err == nil) != c.user {
				t.Errorf("of a user: %v", err)
			}
			if _, err := canonicalCollection(c.name); (err == nil) != c.folder {
				t.Errorf("of a collection: %v", err)
			}
		})
	}
	if got, err := canonicalName("user", "Zoe\u0308"); err != nil || got != "Zo\u00eb" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// N17: a name is made canonical once, and is then what it is.
func TestCanonicalNamesStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.RuneFrom([]rune("aZ\u00e9e\u0301\u0308\u1112\u1161\u11ab9._- /\u212b"))).Draw(t, "name")
		once, err := canonicalCollection(name)
		if err != nil {
			return
		}
		twice, err := canonicalCollection(once)
		if err != nil || once != twice {
			t.Fatalf("%q became %q, then %q, %v", name, once, twice, err)
		}
	})
}
