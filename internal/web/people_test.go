package web

import (
	"net/http"
	"strings"
	"testing"
)

// inviteIn makes an account by an invitation and returns its browser.
func (b *browser) inviteIn(name, role string) *browser {
	b.t.Helper()
	page := b.post("/people?do=invite", "role", role, "note", "for "+name, "days", "7").want(b.t, http.StatusOK, "shown this once")
	to := strings.TrimPrefix(page.between(b.t, `id="invite-url" value="`, `"`), b.url)
	guest := b.house.browser()
	guest.get(to).want(b.t, http.StatusOK, "invited to this server as "+role)
	guest.post(to, "name", name, "password", passphrase, "again", "another").want(b.t, http.StatusBadRequest, "not the same")
	guest.post(to, "name", name, "password", passphrase, "again", passphrase).want(b.t, http.StatusOK, "Files")
	b.house.browser().get(to).want(b.t, http.StatusGone, "This has ended")
	return guest
}

func TestASecondPersonSeesWhatIsGranted(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.post("/new", "name", "Private")
	ann.put("Photos", "a.txt", "hello")
	bob := ann.inviteIn("bob", "reader")
	bob.get("/").want(t, http.StatusOK, "Nothing is shared with you yet.").without(t, "Photos", "People", "New collection")

	ann.post("/access/Photos?do=grant", "kind", "user", "name", "nobody", "level", "view").want(t, http.StatusNotFound, "There is no user called nobody here.")
	ann.post("/access/Photos?do=grant", "kind", "user", "name", "bob", "level", "view", "until", "soon").want(t, http.StatusBadRequest, "2026-12-31")
	ann.post("/access/Photos?do=grant", "kind", "user", "name", "bob", "level", "view").want(t, http.StatusOK, "bob is in.", "see names, download")

	bob.get("/").want(t, http.StatusOK, "Photos", "you may look").without(t, "Private")
	bob.get("/c/Photos").want(t, http.StatusOK, "a.txt").without(t, "Delete", "New folder", "Access and settings")
	bob.get("/c/Private").want(t, http.StatusNotFound, "Nothing here")
	bob.post("/c/Photos/a.txt?do=trash").want(t, http.StatusForbidden, "Not allowed")
	bob.get("/access/Photos").want(t, http.StatusForbidden, "Not allowed")
	bob.get("/people").want(t, http.StatusForbidden, "Not allowed")

	ann.post("/access/Photos?do=remove", "kind", "user", "name", "bob").want(t, http.StatusOK, "bob is out")
	bob.get("/c/Photos").want(t, http.StatusNotFound, "Nothing here")
}

func TestADropBoxShowsNothing(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Inbox")
	ann.put("Inbox", "secret.txt", "mine")
	bob := ann.inviteIn("bob", "publisher")
	ann.post("/access/Inbox?do=grant", "kind", "user", "name", "bob", "level", "drop").want(t, http.StatusOK)
	bob.get("/c/Inbox").want(t, http.StatusOK, "You may add files here, but not see what others added.").without(t, "secret.txt")
}

func TestGroupsAndAccounts(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.inviteIn("bob", "reader")
	ann.post("/people?do=group", "group", "designers").want(t, http.StatusOK, "designers")
	ann.post("/people?do=group", "group", "designers").want(t, http.StatusConflict, "[designers]")
	ann.post("/people?do=join", "group", "designers", "user", "bob").want(t, http.StatusOK, "bob is in designers.")
	ann.post("/people?do=join", "group", "designers", "user", "eve").want(t, http.StatusOK, "no account called eve")
	ann.post("/people?do=leave", "group", "designers", "user", "bob").want(t, http.StatusOK, "bob is out of designers.")
	ann.get("/people?do=drop-group&group=designers").want(t, http.StatusOK, "Delete group designers")
	ann.post("/people?do=drop-group", "group", "designers").want(t, http.StatusOK, "is deleted")

	ann.get("/people/bob").want(t, http.StatusOK, "Role", "[reader]")
	ann.post("/people/bob", "role", "publisher", "quota", "lots").want(t, http.StatusBadRequest, "50 GB", "[lots]")
	ann.post("/people/bob", "role", "publisher", "quota", "5 GB", "disabled", "yes").want(t, http.StatusOK, "bob is changed.", "5.0 GB", "disabled")
	h.browser().post("/login", "name", "bob", "password", passphrase).want(t, http.StatusUnauthorized, "Name or password is not right.")
	ann.post("/people/ann", "role", "reader", "quota", "").want(t, http.StatusForbidden, "The server would be left without an admin.", "Save")
	ann.post("/people?do=invite", "role", "reader", "days", "7", "note", "carol").want(t, http.StatusOK)
	id := ann.get("/people").want(t, http.StatusOK, "carol").between(t, `name="id" value="`, `"`)
	ann.post("/people?do=withdraw", "id", id).want(t, http.StatusOK, "withdrawn").without(t, "carol")
}

func TestOnesOwnAccount(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	other := h.browser()
	other.post("/login", "name", "ann", "password", passphrase).want(t, http.StatusOK, "Files")

	ann.get("/account").want(t, http.StatusOK, "ann , admin", "this one")
	ann.post("/account?do=password", "old", "wrong", "new", passphrase+"!", "again", passphrase+"!").want(t, http.StatusForbidden, "The present password is not right.")
	ann.post("/account?do=password", "old", passphrase, "new", passphrase+"!", "again", "x").want(t, http.StatusBadRequest, "not the same")
	ann.post("/account?do=password", "old", passphrase, "new", passphrase+"!", "again", passphrase+"!").want(t, http.StatusOK, "The password is changed.")
	other.get("/").want(t, http.StatusOK, "Sign in")

	other.post("/login", "name", "ann", "password", passphrase+"!")
	id := ann.get("/account").between(t, `name="id" value="`, `"`)
	ann.post("/account?do=end", "id", id).want(t, http.StatusOK, "Signed out there.")
	other.get("/").want(t, http.StatusOK, "Sign in")

	ann.post("/account?do=token", "name", "backup", "level", "nothing", "days", "30").want(t, http.StatusBadRequest)
	secret := ann.post("/account?do=token", "name", "backup", "level", "view", "days", "30").want(t, http.StatusOK, "shown this once", "may see names, download").
		between(t, `id="token-secret" value="`, `"`)
	me := h.browser().do("GET", "/api/v1/me", nil, "Authorization", "Bearer "+secret)
	if me.status != http.StatusOK && me.status != http.StatusForbidden {
		t.Errorf("the token does not work: %d %s", me.status, me.text)
	}
	id = ann.get("/account").between(t, `name="id" value="`, `"`)
	ann.post("/account?do=drop-token", "id", id).want(t, http.StatusOK, "is deleted")
	if me := h.browser().do("GET", "/api/v1/me", nil, "Authorization", "Bearer "+secret); me.status != http.StatusUnauthorized {
		t.Errorf("a deleted token: %d", me.status)
	}
}

func TestSettingsOfACollection(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "a.txt", "hello")
	ann.post("/access/Photos?do=settings", "name", "Pictures", "quota", "5 GB", "trash", "0", "versions", "").want(t, http.StatusBadRequest, "from 1 to 36500")
	page := ann.post("/access/Photos?do=settings", "name", "Pictures", "quota", "5 GB", "trash", "7", "versions", "").want(t, http.StatusOK, "Saved.", "[5 GB]", "[7]")
	if page.path != "/access/Pictures" {
		t.Errorf("renaming leads to %s", page.path)
	}
	ann.get("/access/Pictures?do=delete").want(t, http.StatusOK, "Only an empty collection")
	ann.post("/access/Pictures?do=delete").want(t, http.StatusConflict)
	ann.post("/c/Pictures/a.txt?do=trash")
	node := ann.get("/trash/Pictures").between(t, `name="id" value="`, `"`)
	ann.post("/trash/Pictures?do=purge", "id", node)
	ann.post("/access/Pictures?do=delete").want(t, http.StatusOK, "Pictures is deleted.")
	ann.get("/c/Pictures").want(t, http.StatusNotFound)
}
