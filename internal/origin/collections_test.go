package origin

import (
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

func names(list []CollectionView) string {
	var n []string
	for _, v := range list {
		n = append(n, v.Collection.Name)
	}
	return strings.Join(n, ",")
}

func TestCollectionsShowWhatTheCallerMay(t *testing.T) {
	o := newOffice(t)
	root, ann, bob := o.login("root"), o.hire("ann", policy.Publisher), o.hire("bob", policy.Reader)
	for _, name := range []string{"closed", "read it", "via group", "publish only"} {
		v, err := o.CreateCollection(o.ctx, ann, name)
		ok(t, err)
		if v.Owner != "ann" || v.Rights != policy.AllRights || v.Files != 0 {
			t.Fatalf("got %+v", v)
		}
	}
	_, err := o.CreateGroup(o.ctx, root, "team")
	ok(t, err)
	ok(t, o.SetMember(o.ctx, root, "team", "bob", true))
	ok(t, o.SetGrant(o.ctx, ann, "read it", GrantView{Subject: "bob", Rights: policy.Read | policy.List | policy.Publish}))
	ok(t, o.SetGrant(o.ctx, ann, "via group", GrantView{Subject: "team", Group: true, Rights: policy.Administer, NotAfter: o.clock().Add(time.Hour)}))
	ok(t, o.SetGrant(o.ctx, ann, "publish only", GrantView{Subject: "bob", Rights: policy.Publish}))
	for _, c := range []struct {
		who    string
		caller Caller
		want   string
	}{
		{"the owner", ann, "closed,publish only,read it,via group"},
		{"an admin", root, "closed,publish only,read it,via group"},
		{"a reader, who cannot use the right to publish", bob, "read it,via group"},
		{"a token of the reader", o.token(bob, policy.Read, false), "read it,via group"},
		{"a token good for nothing here", o.token(bob, policy.Publish, true), ""},
	} {
		list, err := o.Collections(o.ctx, c.caller)
		ok(t, err)
		if names(list) != c.want {
			t.Errorf("%s sees %q, want %q", c.who, names(list), c.want)
		}
	}
	for name, rights := range map[string]policy.Rights{"read it": policy.List | policy.Read, "via group": policy.List | policy.Read} {
		v, err := o.Collection(o.ctx, bob, name)
		ok(t, err)
		if v.Rights != rights { // a reader's ceiling
			t.Errorf("%s: rights %b", name, v.Rights)
		}
	}
	o.pass(time.Hour)
	_, err = o.Collection(o.ctx, bob, "via group") // not after: still at that moment
	ok(t, err)
	o.pass(time.Microsecond)
	_, err = o.Collection(o.ctx, bob, "via group")
	want(t, err, fault.NotFound)
	_, err = o.Collections(o.ctx, from(1))
	want(t, err, fault.Unauthenticated)
	_, err = o.Collections(o.ctx, Caller{Subject: policy.Subject{Link: &policy.Link{}}})
	want(t, err, fault.Unauthenticated)
}

// Who may not know that a collection exists gets the answer for one that does not.
func TestWhatIsHiddenLooksAbsent(t *testing.T) {
	o := newOffice(t)
	ann, bob := o.hire("ann", policy.Publisher), o.hire("bob", policy.Publisher)
	_, err := o.CreateCollection(o.ctx, ann, "secret")
	ok(t, err)
	text := func(name string) string {
		var all []string
		_, err := o.Collection(o.ctx, bob, name)
		all = append(all, err.Error(), fault.KindOf(err).String())
		_, err = o.UpdateCollection(o.ctx, bob, name, CollectionChange{Quota: ptr[int64](1)})
		all = append(all, err.Error(), fault.KindOf(err).String())
		err = o.DeleteCollection(o.ctx, bob, name)
		all = append(all, err.Error(), fault.KindOf(err).String())
		_, err = o.Grants(o.ctx, bob, name)
		all = append(all, err.Error(), fault.KindOf(err).String())
		err = o.SetGrant(o.ctx, bob, name, GrantView{Subject: "bob", Rights: policy.Read})
		all = append(all, err.Error(), fault.KindOf(err).String())
		err = o.SetGrant(o.ctx, bob, name, GrantView{Subject: "absent"})
		all = append(all, err.Error(), fault.KindOf(err).String())
		return strings.ReplaceAll(strings.Join(all, "\n"), name, "NAME")
	}
	hidden, absent := text("secret"), text("absnt1")
	if hidden != absent || strings.Count(hidden, "not-found") != 6 {
		t.Fatalf("hidden:\n%s\nabsent:\n%s", hidden, absent)
	}
}

func TestCollectionsAreChanged(t *testing.T) {
	o := newOffice(t)
	root, ann := o.login("root"), o.hire("ann", policy.Publisher)
	_, err := o.CreateCollection(o.ctx, ann, "photos")
	ok(t, err)
	_, err = o.CreateCollection(o.ctx, root, "Photos")
	want(t, err, fault.Exists)
	_, err = o.CreateCollection(o.ctx, ann, "a/b")
	want(t, err, fault.Invalid)
	change := CollectionChange{Name: ptr("Our photos"), KeepTrash: ptr(time.Hour), KeepVersions: ptr(time.Minute)}
	v, err := o.UpdateCollection(o.ctx, ann, "photos", change)
	ok(t, err)
	if c := v.Collection; c.Name != "Our photos" || c.KeepTrash != time.Hour || c.KeepVersions != time.Minute {
		t.Fatalf("got %+v", c)
	}
	_, err = o.UpdateCollection(o.ctx, ann, "Our photos", CollectionChange{Quota: ptr[int64](1 << 40)})
	want(t, err, fault.Permission) // a quota is the server's, not the owner's
	v, err = o.UpdateCollection(o.ctx, root, "Our photos", CollectionChange{Quota: ptr[int64](1 << 40)})
	ok(t, err)
	if v.Collection.Quota != 1<<40 || v.Collection.KeepTrash != time.Hour {
		t.Fatalf("got %+v", v.Collection)
	}
	for _, ch := range []CollectionChange{
		{Name: ptr(".x")}, {Quota: ptr[int64](-1)}, {KeepTrash: ptr(-time.Second)}, {KeepVersions: ptr(100 * 365 * 24 * time.Hour)},
	} {
		_, err = o.UpdateCollection(o.ctx, root, "Our photos", ch)
		want(t, err, fault.Invalid)
	}
	if *change.Name != "Our photos" {
		t.Fatal("changes what it was given")
	}
	ok(t, o.DeleteCollection(o.ctx, ann, "Our photos"))
	_, err = o.Collection(o.ctx, root, "Our photos")
	want(t, err, fault.NotFound)
}

func TestGrants(t *testing.T) {
	o := newOffice(t)
	ann, bob := o.hire("ann", policy.Publisher), o.hire("bob", policy.Publisher)
	_, err := o.CreateCollection(o.ctx, ann, "photos")
	ok(t, err)
	grant := func(c Caller, r policy.Rights) error {
		return o.SetGrant(o.ctx, c, "photos", GrantView{Subject: "bob", Rights: r})
	}
	ok(t, grant(ann, policy.Read))
	want(t, grant(bob, policy.AllRights), fault.Permission)
	_, err = o.Grants(o.ctx, bob, "photos")
	want(t, err, fault.Permission)
	ok(t, grant(ann, policy.Administer))
	ok(t, grant(bob, policy.Administer)) // who administers grants
	list, err := o.Grants(o.ctx, bob, "photos")
	ok(t, err)
	if len(list) != 1 || list[0] != (GrantView{Subject: "bob", Rights: policy.Administer}) {
		t.Fatalf("got %+v", list)
	}
	before := o.epoch()
	ok(t, grant(ann, 0))
	if o.epoch() == before {
		t.Fatal("running transfers are not told")
	}
	_, err = o.Collection(o.ctx, bob, "photos")
	want(t, err, fault.NotFound)
	for name, g := range map[string]GrantView{
		"unknown rights": {Subject: "bob", Rights: 1 << 6},
		"lapsed":         {Subject: "bob", Rights: policy.Read, NotAfter: o.clock()},
		"a path":         {Subject: "../bob", Rights: policy.Read},
	} {
		if err := o.SetGrant(o.ctx, ann, "photos", g); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, group := range []bool{false, true} {
		want(t, o.SetGrant(o.ctx, ann, "photos", GrantView{Subject: "absent", Group: group, Rights: policy.Read}), fault.NotFound)
	}
}

// A token of an owner that is for reading cannot grant itself more.
func TestATokenDoesNotGrantItsOwnerMore(t *testing.T) {
	o := newOffice(t)
	ann := o.hire("ann", policy.Publisher)
	_, err := o.CreateCollection(o.ctx, ann, "photos")
	ok(t, err)
	key := o.token(ann, policy.List|policy.Read|policy.Publish, true)
	want(t, o.SetGrant(o.ctx, key, "photos", GrantView{Subject: "ann", Rights: policy.AllRights}), fault.Permission)
	want(t, o.DeleteCollection(o.ctx, key, "photos"), fault.Permission)
	_, err = o.UpdateCollection(o.ctx, o.token(o.login("root"), policy.AllRights, false), "photos", CollectionChange{Quota: ptr[int64](1)})
	want(t, err, fault.Permission) // reaches the collection, not the server
}

// N9: every method of this room, by everybody who may not.
func TestNobodyGetsThroughWhoMayNot(t *testing.T) {
	o := newOffice(t)
	root, ann := o.login("root"), o.hire("ann", policy.Publisher)
	reader, gone := o.hire("rea", policy.Reader), o.hire("gone", policy.Admin)
	_, err := o.CreateCollection(o.ctx, ann, "photos")
	ok(t, err)
	_, err = o.UpdateUser(o.ctx, root, "gone", UserChange{Disabled: ptr(true)})
	ok(t, err)
	late := root
	late.Subject.Expires = o.clock()
	blind := o.token(root, 0, true)
	blind.Subject.Server = false
	const manage, own, col = 1, 2, 3
	methods := map[string]struct {
		needs int
		call  func(Caller) error
	}{
		"Users":      {manage, func(c Caller) error { _, err := o.Users(o.ctx, c, "", 0); return err }},
		"User":       {manage, func(c Caller) error { _, err := o.User(o.ctx, c, "zed"); return err }},
		"CreateUser": {manage, func(c Caller) error { _, err := o.CreateUser(o.ctx, c, "zed", rightPassword, 1, 0); return err }},
		"UpdateUser": {manage, func(c Caller) error { _, err := o.UpdateUser(o.ctx, c, "ann", UserChange{}); return err }},
		"UpdateUser secret": {manage, func(c Caller) error {
			_, err := o.UpdateUser(o.ctx, c, "ann", UserChange{Password: ptr("a new password")})
			return err
		}},
		"Groups":             {manage, func(c Caller) error { _, err := o.Groups(o.ctx, c); return err }},
		"CreateGroup":        {manage, func(c Caller) error { _, err := o.CreateGroup(o.ctx, c, "g"); return err }},
		"DeleteGroup":        {manage, func(c Caller) error { return o.DeleteGroup(o.ctx, c, "g") }},
		"SetMember":          {manage, func(c Caller) error { return o.SetMember(o.ctx, c, "g", "ann", true) }},
		"Invite":             {manage, func(c Caller) error { _, _, err := o.Invite(o.ctx, c, 1, "", "", 0); return err }},
		"Invitations":        {manage, func(c Caller) error { _, err := o.Invitations(o.ctx, c); return err }},
		"WithdrawInvitation": {manage, func(c Caller) error { return o.WithdrawInvitation(o.ctx, c, 1) }},
		"MayOperate":         {manage, func(c Caller) error { return o.MayOperate(o.ctx, c) }},
		"AuditEntries":       {manage, func(c Caller) error { _, err := o.AuditEntries(o.ctx, c, 0, catalog.AuditFilter{}, 0); return err }},
		"VerifyAudit":        {manage, func(c Caller) error { _, err := o.VerifyAudit(o.ctx, c); return err }},
		"Sessions":           {own, func(c Caller) error { _, err := o.Sessions(o.ctx, c); return err }},
		"EndSession":         {own, func(c Caller) error { return o.EndSession(o.ctx, c, 1) }},
		"ChangePassword":     {own, func(c Caller) error { return o.ChangePassword(o.ctx, c, rightPassword, "a new password") }},
		"CreateToken": {own, func(c Caller) error {
			_, _, err := o.CreateToken(o.ctx, c, "t", policy.Read, false, time.Time{})
			return err
		}},
		"Tokens":           {own, func(c Caller) error { _, err := o.Tokens(o.ctx, c); return err }},
		"DeleteToken":      {own, func(c Caller) error { return o.DeleteToken(o.ctx, c, 1) }},
		"CreateCollection": {col, func(c Caller) error { _, err := o.CreateCollection(o.ctx, c, "more"); return err }},
		"Collection":       {col, func(c Caller) error { _, err := o.Collection(o.ctx, c, "photos"); return err }},
		"UpdateCollection": {col, func(c Caller) error { _, err := o.UpdateCollection(o.ctx, c, "photos", CollectionChange{}); return err }},
		"DeleteCollection": {col, func(c Caller) error { return o.DeleteCollection(o.ctx, c, "photos") }},
		"Grants":           {col, func(c Caller) error { _, err := o.Grants(o.ctx, c, "photos"); return err }},
		"SetGrant":         {col, func(c Caller) error { return o.SetGrant(o.ctx, c, "photos", GrantView{Subject: "rea", Rights: 1}) }},
	}
	ok(t, o.MayOperate(o.ctx, root))
	for name, m := range methods {
		t.Run(name, func(t *testing.T) {
			for who, c := range map[string]Caller{"nobody": from(1), "expired": late, "disabled": gone} {
				if err := m.call(c); fault.KindOf(err) != fault.Unauthenticated {
					t.Errorf("%s: got %v", who, err)
				}
			}
			others := map[string]Caller{"a token without reach": blind}
			switch m.needs {
			case manage:
				others["a publisher"], others["a reader"] = ann, reader
			case col:
				others["a reader"] = reader
			}
			for who, c := range others {
				if k := fault.KindOf(m.call(c)); k != fault.Permission && k != fault.NotFound {
					t.Errorf("%s: got %v", who, k)
				}
			}
		})
	}
}
