package catalogtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// day is when the tests play.
func day() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC) }

// hash returns a hash that is the same for the same n.
func hash(n byte) content.Hash { return content.Hash{0: n, 31: 0xff} }

// addUser makes an account.
func addUser(t *testing.T, c catalog.Catalog, name string) (id catalog.UserID) {
	t.Helper()
	update(t, c, func(tx *catalog.Tx) (err error) {
		id, err = tx.Accounts.CreateUser(catalog.User{Name: name, Role: policy.Reader, Created: day()})
		return err
	})
	return id
}

// refuse runs f in an Update of its own, which must fail with want.
func refuse(t *testing.T, c catalog.Catalog, what string, want fault.Kind, f func(tx *catalog.Tx) error) {
	t.Helper()
	if err := c.Update(context.Background(), f); fault.KindOf(err) != want {
		t.Errorf("%s: %v, want kind %v", what, err, want)
	}
}

// same compares what a call returned with what it should have.
func same[T any](t *testing.T, what string, got T, err error, want T) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (- want, + got):\n%s", what, diff)
	}
}

func testAccounts(t *testing.T, open Open) {
	t.Run("a user is found by number and by exact name", func(t *testing.T) { userIsFound(t, open(t)) })
	t.Run("users and groups are listed by name in byte order", func(t *testing.T) { listsAreSorted(t, open(t)) })
	t.Run("only role, disabled and quota of a user change", func(t *testing.T) { userChanges(t, open(t)) })
	t.Run("a credential replaces the one it stands for", func(t *testing.T) { credentials(t, open(t)) })
	t.Run("a group goes with its memberships", func(t *testing.T) { groups(t, open(t)) })
	t.Run("an invitation is taken once", func(t *testing.T) { invitations(t, open(t)) })
	t.Run("text that is no text is refused before anything is sent", func(t *testing.T) { badText(t, open(t)) })
}

func userIsFound(t *testing.T, c catalog.Catalog) {
	want := catalog.User{Name: "Änn", Role: policy.Admin, Quota: 1 << 50, Disabled: true, Created: day()}
	update(t, c, func(tx *catalog.Tx) (err error) {
		made := want
		made.ID, made.Used, made.Reserved = 77, 5, 6 // not looked at
		want.ID, err = tx.Accounts.CreateUser(made)
		return err
	})
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Accounts.User(want.ID)
		same(t, "User", got, err, want)
		got, err = tx.Accounts.UserByName("Änn")
		same(t, "UserByName", got, err, want)
		for name, err := range map[string]error{
			"another case":   second(tx.Accounts.UserByName("änn")),
			"absent name":    second(tx.Accounts.UserByName("bob")),
			"absent number":  second(tx.Accounts.User(want.ID + 1)),
			"the number 0":   second(tx.Accounts.User(0)),
			"absent group":   second(tx.Accounts.GroupByName("x")),
			"absent group 1": second(tx.Accounts.Group(1)),
		} {
			if !errors.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	refuse(t, c, "a name that differs in case only", fault.Exists, func(tx *catalog.Tx) error {
		return second(tx.Accounts.CreateUser(catalog.User{Name: "äNN"}))
	})
	refuse(t, c, "the same name", fault.Exists, func(tx *catalog.Tx) error {
		return second(tx.Accounts.CreateUser(catalog.User{Name: "Änn"}))
	})
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

func listsAreSorted(t *testing.T, c catalog.Catalog) {
	sorted := []string{"B", "a", "a b", "aa", "z", "é", "\uFFFD", "\U0001F600"} // by byte
	for _, i := range []int{3, 0, 7, 5, 1, 6, 2, 4} {
		addUser(t, c, sorted[i])
		update(t, c, func(tx *catalog.Tx) error { return second(tx.Accounts.CreateGroup(sorted[i], day())) })
	}
	view(t, c, func(tx *catalog.Tx) error {
		for _, after := range append([]string{""}, sorted...) {
			want := sorted[slices.Index(sorted, after)+1:]
			want = want[:min(3, len(want))]
			users, err := tx.Accounts.Users(after, 3)
			var names []string
			for _, u := range users {
				names = append(names, u.Name)
			}
			same(t, "users after "+after, append([]string{}, names...), err, append([]string{}, want...))
			groups, err := tx.Accounts.Groups(after, 3)
			names = nil
			for _, g := range groups {
				names = append(names, g.Name)
			}
			same(t, "groups after "+after, append([]string{}, names...), err, append([]string{}, want...))
		}
		none, err := tx.Accounts.Users("", 0)
		same(t, "no users", len(none), err, 0)
		return nil
	})
}

func userChanges(t *testing.T, c catalog.Catalog) {
	id := addUser(t, c, "ann")
	var before catalog.User
	view(t, c, func(tx *catalog.Tx) (err error) {
		before, err = tx.Accounts.User(id)
		n, err2 := tx.Accounts.Admins()
		same(t, "admins", n, err2, 0)
		return err
	})
	want := before
	want.Role, want.Quota = policy.Admin, 99
	update(t, c, func(tx *catalog.Tx) error {
		asked := want
		asked.Name, asked.Used, asked.Reserved, asked.Created = "eve", 1, 2, time.Time{}
		return tx.Accounts.UpdateUser(asked)
	})
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Accounts.User(id)
		same(t, "User", got, err, want)
		n, err := tx.Accounts.Admins()
		same(t, "admins", n, err, 1)
		return nil
	})
	want.Disabled = true
	update(t, c, func(tx *catalog.Tx) error { return tx.Accounts.UpdateUser(want) })
	view(t, c, func(tx *catalog.Tx) error {
		n, err := tx.Accounts.Admins()
		same(t, "admins that are not disabled", n, err, 0)
		return nil
	})
	refuse(t, c, "a user that is not there", fault.NotFound, func(tx *catalog.Tx) error {
		return tx.Accounts.UpdateUser(catalog.User{ID: id + 1})
	})
}

func credentials(t *testing.T, c catalog.Catalog) {
	ann, bob := addUser(t, c, "ann"), addUser(t, c, "bob")
	password := catalog.Credential{User: ann, Kind: catalog.Password, Secret: "$argon2id$1", Changed: day()}
	login := catalog.Credential{User: ann, Kind: catalog.OIDC, Issuer: "https://id.example", Subject: "17", Changed: day()}
	update(t, c, func(tx *catalog.Tx) error {
		old := password
		old.Secret = "older"
		theirs := catalog.Credential{User: bob, Kind: catalog.Password, Secret: "bob's"}
		for _, x := range []catalog.Credential{old, password, login, theirs} {
			if err := tx.Accounts.SetCredential(x); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Accounts.Credential(ann, catalog.Password)
		same(t, "password", got, err, password)
		got, err = tx.Accounts.CredentialBySubject(catalog.OIDC, "https://id.example", "17")
		same(t, "by subject", got, err, login)
		for name, err := range map[string]error{
			"a passkey":             second(tx.Accounts.Credential(ann, catalog.Passkey)),
			"a password by subject": second(tx.Accounts.CredentialBySubject(catalog.Password, "", "")),
			"another issuer":        second(tx.Accounts.CredentialBySubject(catalog.OIDC, "https://evil.example", "17")),
		} {
			if !errors.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
	refuse(t, c, "a subject of another user", fault.Exists, func(tx *catalog.Tx) error {
		stolen := login
		stolen.User = bob
		return tx.Accounts.SetCredential(stolen)
	})
	refuse(t, c, "a credential of nobody", fault.NotFound, func(tx *catalog.Tx) error {
		return tx.Accounts.SetCredential(catalog.Credential{User: 99, Kind: catalog.Password})
	})
}

func groups(t *testing.T, c catalog.Catalog) {
	ann, bob := addUser(t, c, "ann"), addUser(t, c, "bob")
	var id, other catalog.GroupID
	update(t, c, func(tx *catalog.Tx) (err error) {
		if id, err = tx.Accounts.CreateGroup("Staff", day()); err != nil {
			return err
		}
		if other, err = tx.Accounts.CreateGroup("board", day()); err != nil {
			return err
		}
		for _, u := range []catalog.UserID{bob, ann, ann} { // once more is no error
			if err := tx.Accounts.AddMember(id, u); err != nil {
				return err
			}
		}
		return tx.Accounts.AddMember(other, ann)
	})
	view(t, c, func(tx *catalog.Tx) error {
		g, err := tx.Accounts.GroupByName("Staff")
		same(t, "GroupByName", g, err, catalog.Group{ID: id, Name: "Staff", Created: day()})
		members, err := tx.Accounts.Members(id)
		same(t, "number of members", len(members), err, 2)
		if len(members) == 2 && (members[0].ID != ann || members[1].ID != bob) {
			t.Errorf("members: %+v", members)
		}
		of, err := tx.Accounts.GroupsOf(ann)
		same(t, "GroupsOf", of, err, []catalog.Group{{ID: id, Name: "Staff", Created: day()}, {ID: other, Name: "board", Created: day()}})
		return nil
	})
	for what, f := range map[string]func(tx *catalog.Tx) error{
		"member of no group":        func(tx *catalog.Tx) error { return tx.Accounts.AddMember(99, ann) },
		"nobody as member":          func(tx *catalog.Tx) error { return tx.Accounts.AddMember(id, 99) },
		"taking out who is not in":  func(tx *catalog.Tx) error { return tx.Accounts.RemoveMember(other, bob) },
		"deleting an absent group":  func(tx *catalog.Tx) error { return tx.Accounts.DeleteGroup(99) },
		"inviting to a group of no": func(tx *catalog.Tx) error { return second(tx.Accounts.CreateInvitation(catalog.Invitation{Group: 99})) },
	} {
		refuse(t, c, what, fault.NotFound, f)
	}
	refuse(t, c, "a group that differs in case only", fault.Exists, func(tx *catalog.Tx) error {
		return second(tx.Accounts.CreateGroup("STAFF", day()))
	})
	update(t, c, func(tx *catalog.Tx) error { return tx.Accounts.RemoveMember(id, bob) })
	update(t, c, func(tx *catalog.Tx) error { return tx.Accounts.DeleteGroup(id) })
	view(t, c, func(tx *catalog.Tx) error {
		of, err := tx.Accounts.GroupsOf(ann)
		same(t, "groups left", of, err, []catalog.Group{{ID: other, Name: "board", Created: day()}})
		return nil
	})
}

func invitations(t *testing.T, c catalog.Catalog) {
	ann, bob := addUser(t, c, "ann"), addUser(t, c, "bob")
	first := catalog.Invitation{Hash: hash(1), Role: policy.Publisher, Note: "for Bob", By: ann, Created: day(), Expires: day().Add(time.Hour)}
	next := first
	next.Hash = hash(2)
	update(t, c, func(tx *catalog.Tx) (err error) {
		if first.Group, err = tx.Accounts.CreateGroup("staff", day()); err != nil {
			return err
		}
		if first.ID, err = tx.Accounts.CreateInvitation(first); err != nil {
			return err
		}
		next.ID, err = tx.Accounts.CreateInvitation(next)
		return err
	})
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Accounts.Invitation(hash(1))
		same(t, "Invitation", got, err, first)
		all, err := tx.Accounts.Invitations()
		same(t, "Invitations", all, err, []catalog.Invitation{next, first})
		return nil
	})
	update(t, c, func(tx *catalog.Tx) error { return tx.Accounts.TakeInvitation(first.ID, bob) })
	refuse(t, c, "taken before", fault.Gone, func(tx *catalog.Tx) error { return tx.Accounts.TakeInvitation(first.ID, ann) })
	refuse(t, c, "never made", fault.NotFound, func(tx *catalog.Tx) error { return tx.Accounts.TakeInvitation(99, ann) })
	refuse(t, c, "the same token", fault.Exists, func(tx *catalog.Tx) error { return second(tx.Accounts.CreateInvitation(next)) })
	first.Taken = bob
	view(t, c, func(tx *catalog.Tx) error {
		got, err := tx.Accounts.Invitation(hash(1))
		same(t, "taken", got, err, first)
		all, err := tx.Accounts.Invitations()
		same(t, "not taken", all, err, []catalog.Invitation{next})
		return nil
	})
	update(t, c, func(tx *catalog.Tx) error { return tx.Accounts.DeleteInvitation(next.ID) })
	refuse(t, c, "deleted before", fault.NotFound, func(tx *catalog.Tx) error { return tx.Accounts.DeleteInvitation(next.ID) })
}

func badText(t *testing.T, c catalog.Catalog) {
	for name, text := range map[string]string{"NUL": "a\x00b", "half a rune": "a\xc3"} {
		refuse(t, c, name, fault.Invalid, func(tx *catalog.Tx) error {
			return second(tx.Accounts.CreateUser(catalog.User{Name: text}))
		})
		if err := c.View(context.Background(), func(tx *catalog.Tx) error {
			return second(tx.Accounts.UserByName(text))
		}); !errors.Is(err, fault.Invalid) {
			t.Errorf("looking for %s: %v", name, err)
		}
	}
	update(t, c, func(tx *catalog.Tx) error { // what was refused early did no harm
		if err := second(tx.Accounts.CreateUser(catalog.User{Name: "\x00"})); !errors.Is(err, fault.Invalid) {
			t.Errorf("NUL: %v", err)
		}
		return second(tx.Accounts.CreateUser(catalog.User{Name: "ann"}))
	})
}
