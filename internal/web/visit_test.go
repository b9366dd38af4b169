package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestSetUpIsForWhoHasTheToken(t *testing.T) {
	h := newHouse(t)
	token, err := h.origin.SetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.post("/setup", "token", "tds_wrong", "name", "ann", "password", passphrase, "again", passphrase).
		want(t, http.StatusUnauthorized, "not the set-up token")
	b.post("/setup", "token", token, "name", "ann", "password", passphrase, "again", "other").
		want(t, http.StatusBadRequest, "The two passwords are not the same.", token)
	b.post("/setup", "token", token, "name", "ann", "password", "short", "again", "short").
		want(t, http.StatusBadRequest, "shorter than")
	b.post("/setup", "token", token, "name", "ann", "password", passphrase, "again", passphrase).
		want(t, http.StatusOK, "New collection")
	h.browser().post("/setup", "token", token, "name", "eve", "password", passphrase, "again", passphrase).
		want(t, http.StatusGone, "This has ended")
}

func TestSigningInLeadsBackToThePage(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos").want(t, http.StatusOK, "Photos")
	ann.post("/logout").want(t, http.StatusOK, "Sign in")

	page := ann.get("/c/Photos?sort=size").want(t, http.StatusOK, "Sign in", "[/c/Photos?sort=size]")
	if page.path != "/login?next=%2Fc%2FPhotos%3Fsort%3Dsize" {
		t.Errorf("sent to %s", page.path)
	}
	ann.post("/login", "name", "ann", "password", "wrong").want(t, http.StatusUnauthorized, "Name or password is not right.", "[ann]")
	ann.post("/login", "name", "nobody", "password", "wrong").want(t, http.StatusUnauthorized, "Name or password is not right.")
	if page := ann.post("/login", "name", "ann", "password", passphrase, "next", "//example.org/"); page.path != "/" {
		t.Errorf("signing in leads to %s", page.path)
	}
	ann.get("/c/Photos").want(t, http.StatusOK, "This folder is empty.")
}

func TestNobodyIsShownAnything(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "a.txt", "a")
	nobody := h.browser()
	for _, path := range []string{"/", "/new", "/search?q=a", "/c/Photos", "/c/Photos/a.txt?do=share", "/trash/Photos", "/access/Photos", "/links", "/links/1", "/people", "/people/ann", "/account"} {
		if page := nobody.get(path).want(t, http.StatusOK, "Sign in"); !strings.HasPrefix(page.path, "/login") {
			t.Errorf("GET %s leads to %s", path, page.path)
		}
		if page := nobody.post(path); !strings.HasPrefix(page.path, "/login") && page.status != http.StatusNotFound {
			t.Errorf("POST %s: %d at %s", path, page.status, page.path)
		}
	}
	nobody.get("/nowhere").want(t, http.StatusNotFound, "Nothing here")
	ann.get("/c/Secret").want(t, http.StatusNotFound, "Nothing here")
	ann.get("/c/Photos/b.txt").want(t, http.StatusNotFound, "Nothing here")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	page := ann.do("POST", "/new", url.Values{"name": {"Evil"}}, "Origin", "https://example.org")
	if page.status != http.StatusForbidden {
		t.Errorf("a foreign form: %d", page.status)
	}
	ann.get("/").without(t, "Evil")
}

func TestPagesMayNotBeFramedNorRunWhatIsNotOurs(t *testing.T) {
	h := newHouse(t)
	page := h.browser().get("/login")
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if got := page.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("pages are kept: %q", got)
	}
}

func TestAFolderFromEmptyToTrashAndBack(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos").want(t, http.StatusOK, "This folder is empty.")
	ann.post("/new", "name", "photos").want(t, http.StatusConflict, "[photos]")
	ann.post("/new", "name", "../x").want(t, http.StatusBadRequest, "[../x]")
	if page := ann.post("/c/Photos?do=mkdir", "name", "2026").want(t, http.StatusOK, "This folder is empty."); page.path != "/c/Photos/2026" {
		t.Errorf("a new folder leads to %s", page.path)
	}
	ann.post("/c/Photos?do=mkdir", "name", "a/../b").want(t, http.StatusBadRequest, "[a/../b]")
	ann.put("Photos", "2026/"+hostile().folder, "first")
	ann.put("Photos", "2026/"+hostile().folder, "second, longer")

	file := "/c/Photos/2026/" + url.PathEscape(hostile().folder)
	page := ann.get(file).want(t, http.StatusOK, hostile().folder, "14 B", "5 B", "current")
	id := page.between(t, `name="id" value="`, `"`)
	ann.post(file+"?do=version", "id", id).want(t, http.StatusOK, "The earlier version is current again.")

	page = ann.post(file+"?do=rename", "name", "x.txt", "folder", "").want(t, http.StatusOK, "Now Photos/x.txt.", "2026")
	if page.path != "/c/Photos" {
		t.Errorf("moving leads to %s", page.path)
	}
	ann.post("/c/Photos/x.txt?do=rename", "name", "x.txt", "folder", "nowhere").want(t, http.StatusNotFound, "There is no folder nowhere here")
	ann.post("/c/Photos/x.txt?do=rename", "name", "2026", "folder", "").want(t, http.StatusConflict, "[2026]")
	ann.post("/c/Photos/x.txt?do=rename", "name", "a/b", "folder", "").want(t, http.StatusBadRequest, "A name holds no slash")

	page = ann.post("/c/Photos/x.txt?do=trash").want(t, http.StatusOK, "Deleted x.txt.", "Undo")
	node := page.between(t, `name="id" value="`, `"`)
	ann.get("/c/Photos").want(t, http.StatusOK, "2026").without(t, "Undo", "x.txt")
	ann.get("/trash/Photos").want(t, http.StatusOK, "x.txt", "by ann")
	ann.post("/trash/Photos?do=restore", "id", node).want(t, http.StatusOK, "x.txt is back.")
	ann.post("/c/Photos/x.txt?do=trash")
	ann.get("/trash/Photos?do=purge&id="+node).want(t, http.StatusOK, "There is no way back.", "["+node+"]")
	ann.post("/trash/Photos?do=purge", "id", node).want(t, http.StatusOK, "Removed for good.", "The trash is empty.")
}

func TestALongFolderComesInPages(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Many")
	for i := range pageRows + 5 {
		ann.post("/c/Many?do=mkdir", "name", "folder "+number(int64(1000+i)))
	}
	page := ann.get("/c/Many").want(t, http.StatusOK, "folder 1000", "folder 1199", "A large folder: it stands by name.")
	page.without(t, "folder 1200")
	next := page.between(t, `hx-get="/c/Many?after=`, `"`)
	more := ann.do("GET", "/c/Many?after="+next, nil, "HX-Request", "true", "HX-Target", "tr")
	more.want(t, http.StatusOK).without(t, "folder 1199", "Sign out")
	if !strings.Contains(more.text, "folder 1204") || strings.Contains(more.text, "<html") {
		t.Errorf("the rest is %s", more.text)
	}
	ann.get("/c/Many?after="+next).want(t, http.StatusOK, "folder 1204", "Sign out")
	ann.get("/c/Many?sort=-name").want(t, http.StatusOK, "folder 1204", "folder 1000")
}

func TestSearchingNames(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "2026/Harbour.jpg", "x")
	ann.get("/search?q=harb").want(t, http.StatusOK, "Harbour.jpg", "[/c/Photos/2026/Harbour.jpg]")
	ann.get("/search?q=castle").want(t, http.StatusOK, "No name holds this text")
	ann.get("/search?q="+url.QueryEscape(script)).want(t, http.StatusOK, "["+script+"]")
}
