package policy_test

import (
	"testing"
	"time"

	"tandem/internal/policy"
)

const (
	ann = 1
	bob = 2
	col = 7
)

// noon is when everything here is decided.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func account(role policy.Role, edits ...func(*policy.Subject)) policy.Subject {
	s := policy.Subject{Known: true, User: ann, Role: role, Limit: policy.AllRights, Server: true}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func limited(r policy.Rights, server bool) func(*policy.Subject) {
	return func(s *policy.Subject) { s.Limit, s.Server = r, server }
}

func until(t time.Time) func(*policy.Subject) { return func(s *policy.Subject) { s.Expires = t } }

func disabled(s *policy.Subject) { s.Disabled = true }

func granted(r policy.Rights) policy.Object {
	return policy.Object{Collection: col, Owner: bob, Granted: r}
}

func owned() policy.Object { return policy.Object{Collection: col, Owner: ann} }

func TestDecideForAccounts(t *testing.T) {
	server := policy.Object{}
	yes := policy.Decision{Allow: true, Visible: true, Reason: policy.Allowed}
	no := func(r policy.Reason) policy.Decision { return policy.Decision{Visible: true, Reason: r} }
	hidden := func(r policy.Reason) policy.Decision { return policy.Decision{Reason: r} }
	for _, c := range []struct {
		name string
		s    policy.Subject
		a    policy.Action
		o    policy.Object
		want policy.Decision
	}{
		{"nobody reads nothing", policy.Subject{}, policy.ReadFile, granted(policy.AllRights), hidden(policy.NobodyThere)},
		{"nobody manages nobody", policy.Subject{Role: policy.Admin, Server: true}, policy.ManageUsers, server, hidden(policy.NobodyThere)},
		{"an account without a role may nothing", account(policy.NoRole), policy.UseAccount, server, no(policy.RoleTooLow)},
		{"a role nobody knows may nothing", account(9), policy.ManageUsers, server, no(policy.RoleTooLow)},
		{"a role nobody knows owns nothing", account(9), policy.ReadFile, owned(), hidden(policy.RoleTooLow)},

		{"a reader lists what is granted", account(policy.Reader), policy.ListFiles, granted(policy.List), yes},
		{"a reader reads what is granted", account(policy.Reader), policy.ReadFile, granted(policy.Read), yes},
		{"to list is not to read", account(policy.Reader), policy.ReadFile, granted(policy.List), no(policy.NotGranted)},
		{"to read is not to list", account(policy.Reader), policy.ListFiles, granted(policy.Read), no(policy.NotGranted)},
		{"a reader publishes nothing, whatever is granted", account(policy.Reader), policy.PublishFile, granted(policy.AllRights), no(policy.RoleTooLow)},
		{"a reader administers nothing, even what it owns", account(policy.Reader), policy.AdministerCollection, owned(), no(policy.RoleTooLow)},
		{"a reader still reads what it owns", account(policy.Reader), policy.ReadFile, owned(), yes},
		{"what is not granted is not there", account(policy.Publisher), policy.ListFiles, granted(0), hidden(policy.NotGranted)},
		{"a right out of a reader's reach does not show the collection", account(policy.Reader), policy.PublishFile, granted(policy.Publish), hidden(policy.RoleTooLow)},

		{"a publisher publishes where granted", account(policy.Publisher), policy.PublishFile, granted(policy.Publish), yes},
		{"a drop box is not to be seen into", account(policy.Publisher), policy.ListFiles, granted(policy.Publish), no(policy.NotGranted)},
		{"administering brings reading", account(policy.Publisher), policy.ReadFile, granted(policy.Administer), yes},
		{"publishing does not bring administering", account(policy.Publisher), policy.AdministerCollection, granted(policy.List | policy.Read | policy.Publish), no(policy.NotGranted)},
		{"an owner may everything", account(policy.Publisher), policy.AdministerCollection, owned(), yes},
		{"nobody owns a collection without an owner", policy.Subject{Known: true, Role: policy.Publisher, Limit: policy.AllRights}, policy.ReadFile, policy.Object{Collection: col}, hidden(policy.NotGranted)},
		{"an admin needs no grant", account(policy.Admin), policy.AdministerCollection, granted(0), yes},
		{"an action on a collection needs a collection", account(policy.Admin), policy.ReadFile, server, hidden(policy.NotGranted)},
		{"an action nobody knows is refused", account(policy.Admin), 99, granted(policy.AllRights), hidden(policy.NotGranted)},
		{"no action is refused", account(policy.Admin), 0, granted(policy.AllRights), hidden(policy.NotGranted)},

		{"a reader makes no collections", account(policy.Reader), policy.CreateCollection, server, no(policy.RoleTooLow)},
		{"a publisher makes collections", account(policy.Publisher), policy.CreateCollection, server, yes},
		{"a publisher manages nobody", account(policy.Publisher), policy.ManageUsers, server, no(policy.RoleTooLow)},
		{"a publisher reads no audit log", account(policy.Publisher), policy.ReadAudit, server, no(policy.RoleTooLow)},
		{"a publisher does not operate", account(policy.Publisher), policy.Operate, server, no(policy.RoleTooLow)},
		{"everybody uses the own account", account(policy.Reader), policy.UseAccount, server, yes},
		{"an admin manages people", account(policy.Admin), policy.ManageUsers, server, yes},
		{"an admin operates", account(policy.Admin), policy.Operate, server, yes},

		{"disabled is stronger than admin", account(policy.Admin, disabled), policy.ManageUsers, server, hidden(policy.AccountClosed)},
		{"disabled is stronger than owner", account(policy.Publisher, disabled), policy.ReadFile, owned(), hidden(policy.AccountClosed)},
		{"a session ends at its end, not after it", account(policy.Admin, until(noon())), policy.ReadFile, owned(), hidden(policy.Expired)},
		{"a session holds until just before its end", account(policy.Admin, until(noon().Add(1))), policy.ReadFile, owned(), yes},

		{"a token is narrower than its owner", account(policy.Publisher, limited(policy.Read, false)), policy.PublishFile, owned(), no(policy.OutOfScope)},
		{"a token does what it was made for", account(policy.Publisher, limited(policy.Read, false)), policy.ReadFile, owned(), yes},
		{"a token gives no right its owner lacks", account(policy.Publisher, limited(policy.AllRights, true)), policy.PublishFile, granted(policy.Read), no(policy.NotGranted)},
		{"a token for administering does all the rest", account(policy.Publisher, limited(policy.Administer, false)), policy.ListFiles, owned(), yes},
		{"a token without reach manages nobody", account(policy.Admin, limited(policy.AllRights, false)), policy.ManageUsers, server, no(policy.OutOfScope)},
		{"a token without reach makes no tokens", account(policy.Admin, limited(policy.AllRights, false)), policy.UseAccount, server, no(policy.OutOfScope)},
		{"a token for the server alone sees no collection", account(policy.Admin, limited(0, true)), policy.ListFiles, owned(), hidden(policy.OutOfScope)},
		{"an expired token may nothing", account(policy.Admin, limited(policy.AllRights, true), until(noon().Add(-1))), policy.Operate, server, hidden(policy.Expired)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := policy.Decide(c.s, c.a, c.o, noon()); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDecideForLinks(t *testing.T) {
	share := func(edits ...func(*policy.Link)) policy.Subject {
		l := policy.Link{Allows: policy.List | policy.Read, Creator: account(policy.Publisher), CreatorRights: policy.AllRights}
		for _, edit := range edits {
			edit(&l)
		}
		return policy.Subject{Link: &l}
	}
	creator := func(s policy.Subject, r policy.Rights) func(*policy.Link) {
		return func(l *policy.Link) { l.Creator, l.CreatorRights = s, r }
	}
	with := func(s policy.Subject, l policy.Subject) policy.Subject {
		s.Link = l.Link
		return s
	}
	elsewhere := granted(0)
	for _, c := range []struct {
		name string
		s    policy.Subject
		a    policy.Action
		o    policy.Object
		want policy.Reason
	}{
		{"a share link reads", share(), policy.ReadFile, elsewhere, policy.Allowed},
		{"a share link lists its folder", share(), policy.ListFiles, elsewhere, policy.Allowed},
		{"a share link publishes nothing", share(), policy.PublishFile, elsewhere, policy.OutOfScope},
		{"an upload link publishes", share(func(l *policy.Link) { l.Allows = policy.Publish }), policy.PublishFile, elsewhere, policy.Allowed},
		{"an upload link sees nothing", share(func(l *policy.Link) { l.Allows = policy.Publish }), policy.ListFiles, elsewhere, policy.OutOfScope},
		{"no link administers", share(func(l *policy.Link) { l.Allows = policy.AllRights }), policy.AdministerCollection, elsewhere, policy.OutOfScope},
		{"no link reaches the server", share(creator(account(policy.Admin), 0)), policy.ManageUsers, policy.Object{}, policy.OutOfScope},
		{"account and link do not add up", with(account(policy.Admin), share()), policy.PublishFile, owned(), policy.OutOfScope},
		{"what the caller was granted does not widen a link", share(creator(account(policy.Publisher), 0)), policy.ReadFile, granted(policy.AllRights), policy.NotGranted},
		{"an expired account may still show a link", with(account(policy.Reader, until(noon().Add(-1))), share()), policy.ReadFile, elsewhere, policy.Allowed},

		{"a revoked link has ended", share(func(l *policy.Link) { l.Revoked = true }), policy.ReadFile, elsewhere, policy.LinkRevoked},
		{"a link ends at its end", share(func(l *policy.Link) { l.Expires = noon() }), policy.ReadFile, elsewhere, policy.Expired},
		{"a link holds until just before its end", share(func(l *policy.Link) { l.Expires = noon().Add(1) }), policy.ReadFile, elsewhere, policy.Allowed},
		{"a locked link asks for its password", share(func(l *policy.Link) { l.Locked = true }), policy.ListFiles, elsewhere, policy.LinkLocked},
		{"a link without downloads left is used up", share(func(l *policy.Link) { l.UsedUp = true }), policy.ReadFile, elsewhere, policy.LinkUsedUp},
		{"revoked comes before locked", share(func(l *policy.Link) { l.Revoked, l.Locked = true, true }), policy.ReadFile, elsewhere, policy.LinkRevoked},

		{"a link ends with its creator's account", share(creator(account(policy.Publisher, disabled), policy.AllRights)), policy.ReadFile, elsewhere, policy.AccountClosed},
		{"a link of nobody opens nothing", share(creator(policy.Subject{}, policy.AllRights)), policy.ReadFile, elsewhere, policy.NobodyThere},
		{"a link ends with its creator's grant", share(creator(account(policy.Publisher), 0)), policy.ReadFile, elsewhere, policy.NotGranted},
		{"a link never publishes for a reader", share(func(l *policy.Link) { l.Allows = policy.Publish }, creator(account(policy.Reader), policy.AllRights)), policy.PublishFile, elsewhere, policy.RoleTooLow},
		{"a link lists no more than its creator", share(creator(account(policy.Reader), policy.Read)), policy.ListFiles, elsewhere, policy.NotGranted},
		{"a link of the owner needs no grant", share(creator(account(policy.Publisher), 0)), policy.ReadFile, owned(), policy.Allowed},
		{"a link of an admin needs no grant", share(creator(account(policy.Admin), 0)), policy.ReadFile, elsewhere, policy.Allowed},
		{"a link is no wider than the token that made it", share(creator(account(policy.Admin, limited(policy.List, false)), 0)), policy.ReadFile, elsewhere, policy.NotGranted},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := policy.Decide(c.s, c.a, c.o, noon())
			if want := (policy.Decision{Allow: c.want == policy.Allowed, Visible: true, Reason: c.want}); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestALinkHasNoRightToAdminister(t *testing.T) {
	s := policy.Subject{Link: &policy.Link{Allows: policy.AllRights, Creator: account(policy.Admin)}}
	if got := policy.RightsOn(s, granted(0), noon()); got != policy.List|policy.Read|policy.Publish {
		t.Fatalf("got %b", got)
	}
}

func TestRightsHoldWhatAdministerBrings(t *testing.T) {
	if !policy.Administer.Has(policy.AllRights) || policy.Publish.Has(policy.Read) {
		t.Fatal("Administer brings all rights, and no other right brings another")
	}
	if !policy.Read.Has(0) {
		t.Fatal("no right is within every right")
	}
}
