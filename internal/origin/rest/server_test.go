package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/catalog/sqlite"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/store"
	"tandem/internal/store/blobdir"
	"tandem/internal/store/mem"
)

const password = "correct horse"

// house is a whole server: SQLite, a folder of content, and people.
type house struct {
	*Handler
	t      testing.TB
	server *origin.Server

	mu     sync.Mutex
	time   time.Time
	secret map[string]string // of sessions, by name
}

// newHouse has root (admin), ann (publisher, owns collection photos) and eve
// (publisher, nothing granted).
func newHouse(t testing.TB) *house {
	t.Helper()
	return newHouseOn(t, mem.NewBlobs(time.Now))
}

// newDiskHouse keeps content in a folder, as a server does.
func newDiskHouse(t testing.TB) *house {
	t.Helper()
	blobs, err := blobdir.Open(filepath.Join(t.TempDir(), "content"))
	check(t, err)
	t.Cleanup(func() { check(t, blobs.Close()) })
	return newHouseOn(t, blobs)
}

// founded is the catalog of a new house. Making it takes longer than most tests, so
// it is made once and copied.
var founded struct {
	once    sync.Once
	catalog []byte
	secret  map[string]string
}

func newHouseOn(t testing.TB, blobs store.Blobs) *house {
	t.Helper()
	if _, alone := t.(*testing.T); alone { // a benchmark has goroutines of its own
		// net/http lingers for half a second after it has refused a header.
		t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait")) })
	}
	founded.once.Do(func() {
		path := filepath.Join(t.TempDir(), "catalog")
		o, end := openHouse(t, path, blobs, 1)
		o.found()
		end()
		var err error
		founded.catalog, err = os.ReadFile(path)
		check(t, err)
		founded.secret = o.secret
	})
	path := filepath.Join(t.TempDir(), "catalog")
	check(t, os.WriteFile(path, founded.catalog, 0o600))
	o, end := openHouse(t, path, blobs, 2)
	t.Cleanup(end)
	maps.Copy(o.secret, founded.secret)
	return o
}

// openHouse opens the catalog at path. No two seeds give the same secrets.
func openHouse(t testing.TB, path string, blobs store.Blobs, seed byte) (o *house, end func()) {
	t.Helper()
	cat, err := sqlite.Open(context.Background(), path)
	check(t, err)
	o = &house{t: t, time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), secret: map[string]string{}}
	o.server, err = origin.New(context.Background(), origin.Config{
		Catalog: cat, Blobs: blobs, Now: o.clock, Rand: rand.NewChaCha8([32]byte{seed}), MinFree: 1,
		Passwords: origin.Argon2{Time: 1, Memory: 8, Threads: 1},
	})
	check(t, err)
	o.Handler, err = New(Config{Server: o.server, Now: o.clock, Version: "test"})
	check(t, err)
	return o, func() { check(t, cat.Close()) }
}

// found brings people into a new house.
func (o *house) found() {
	o.t.Helper()
	_, err := o.server.MakeAdmin(context.Background(), "root", password)
	check(o.t, err)
	o.login("root")
	for _, name := range []string{"ann", "eve"} {
		o.do("root", "POST", "users", api.NewUser{Name: name, Password: password, Role: "publisher"}).want(201)
		o.login(name)
	}
	photos := "photos"
	o.do("ann", "POST", "collections", api.CollectionChange{Name: &photos}).want(201)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (o *house) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.time
}

func (o *house) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.time = o.time.Add(d)
}

func (o *house) login(name string) {
	o.t.Helper()
	var s api.Session
	o.do("", "POST", "sessions", api.Login{User: name, Password: password}).want(201).into(&s)
	o.secret[name] = s.Secret
}

// reply is an answer under test.
type reply struct {
	*httptest.ResponseRecorder
	t    testing.TB
	what string
}

// do asks as somebody ("" nobody) below /api/v1. body is bytes, a reader, or a value to
// be sent as JSON; nil: none.
func (o *house) do(who, method, path string, body any, header ...string) *reply {
	o.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = v1 + path
	}
	var from io.Reader
	kind := ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		from = b
	case []byte:
		from = bytes.NewReader(b)
	case string:
		from = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		check(o.t, err)
		from, kind = bytes.NewReader(text), typeJSON
	}
	r := httptest.NewRequest(method, path, from)
	if b, ok := body.(sized); ok {
		r.ContentLength = b.size
	}
	r.Host, r.RemoteAddr = "localhost", "192.0.2.1:1234"
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if s := o.secret[who]; s != "" {
		r.Header.Set("Authorization", "Bearer "+s)
	} else if who != "" {
		o.t.Fatalf("nobody is called %q", who)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	return &reply{w, o.t, fmt.Sprintf("%s %s as %q", method, path, who)}
}

func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.Code != status {
		r.t.Fatalf("%s: %d, want %d: %s", r.what, r.Code, status, r.Body)
	}
	return r
}

// problem wants a problem of a kind.
func (r *reply) problem(status int, kind string) {
	r.t.Helper()
	var p api.Problem
	if err := json.Unmarshal(r.Body.Bytes(), &p); err != nil || r.Code != status || p.Kind != kind || p.Status != status || p.Title == "" {
		r.t.Errorf("%s: %d %s, want %d %s", r.what, r.Code, r.Body, status, kind)
	}
	if got := r.Header().Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("%s: a problem as %s", r.what, got)
	}
}

func (r *reply) into(v any) {
	r.t.Helper()
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		r.t.Fatalf("%s: %v", r.what, err)
	}
}

func (r *reply) header(name, want string) *reply {
	r.t.Helper()
	if got := r.Header().Get(name); got != want {
		r.t.Errorf("%s: %s is %q, want %q", r.what, name, got, want)
	}
	return r
}

func (o *house) put(path, text string) api.Entry {
	o.t.Helper()
	var e api.Entry
	r := o.do("ann", "PUT", "collections/photos/content/"+path, text)
	if r.Code != 200 {
		r.want(201)
	}
	r.into(&e)
	return e
}

// link makes a link and returns its token.
func (o *house) link(in api.NewLink) (api.Link, string) {
	o.t.Helper()
	in.Collection = "photos"
	var l api.Link
	o.do("ann", "POST", "links", in).want(201).into(&l)
	token, ok := strings.CutPrefix(l.URL, "http://localhost/s/")
	if !ok {
		o.t.Fatalf("link is %q", l.URL)
	}
	return l, token
}

func TestPeople(t *testing.T) {
	o := newHouse(t)
	var me api.Me
	o.do("ann", "GET", "me", nil).want(200).into(&me)
	if me.User.Name != "ann" || me.User.Role != "publisher" || len(me.Rights) != 4 || !me.Server {
		t.Errorf("%+v", me)
	}
	var users []api.User
	o.do("root", "GET", "users", nil).want(200).into(&users)
	if len(users) != 3 {
		t.Errorf("%+v", users)
	}
	o.do("root", "GET", "users?limit=1&after=ann", nil).want(200).into(&users)
	if len(users) != 1 || users[0].Name != "eve" {
		t.Errorf("%+v", users)
	}
	o.do("ann", "GET", "users", nil).problem(403, "permission")
	o.do("", "GET", "users", nil).problem(401, "unauthenticated")
	o.do("root", "POST", "users", api.NewUser{Name: "ann", Password: password, Role: "reader"}).problem(409, "exists")
	o.do("root", "POST", "users", api.NewUser{Name: "bob", Password: password, Role: "king"}).problem(400, "invalid")
	o.do("root", "PATCH", "users/eve", map[string]any{"quota": 1 << 20, "role": "reader"}).want(200)
	var u api.User
	o.do("root", "GET", "users/eve", nil).want(200).into(&u)
	if u.Quota != 1<<20 || u.Role != "reader" {
		t.Errorf("%+v", u)
	}
	o.do("ann", "PUT", "me/password", api.PasswordChange{Old: "wrong", New: password + "!"}).problem(403, "permission")
	o.do("ann", "PUT", "me/password", api.PasswordChange{Old: password, New: password + "!"}).want(204)
}

func TestSessionsAndTokens(t *testing.T) {
	o := newHouse(t)
	var sessions []api.Session
	o.do("ann", "GET", "sessions", nil).want(200).into(&sessions)
	if len(sessions) != 1 || !sessions[0].Current || sessions[0].Secret != "" {
		t.Errorf("%+v", sessions)
	}
	later := o.clock().Add(time.Hour)
	var token api.Token
	o.do("ann", "POST", "tokens", api.NewToken{Name: "ci", Rights: []string{"list", "read"}, Expires: &later}).want(201).into(&token)
	o.secret["ci"] = token.Secret
	o.do("ci", "GET", "collections", nil).want(200)
	o.do("ci", "PUT", "collections/photos/content/a", "x").problem(403, "permission")
	o.do("ci", "GET", "tokens", nil).problem(403, "permission")
	var tokens []api.Token
	o.do("ann", "GET", "tokens", nil).want(200).into(&tokens)
	if len(tokens) != 1 || tokens[0].Secret != "" || tokens[0].Name != "ci" {
		t.Errorf("%+v", tokens)
	}
	o.pass(2 * time.Hour)
	o.do("ci", "GET", "collections", nil).problem(401, "unauthenticated")
	o.do("ann", "DELETE", fmt.Sprintf("tokens/%d", token.ID), nil).want(204)
	o.do("ann", "DELETE", "tokens/none", nil).problem(404, "not-found")
	o.do("ann", "DELETE", "sessions/current", nil).want(204)
	o.do("ann", "GET", "me", nil).problem(401, "unauthenticated")
	w := o.do("ann", "GET", "me", nil)
	w.header("WWW-Authenticate", `Bearer realm="tandem"`)
}

func TestCookie(t *testing.T) {
	o := newHouse(t)
	cookie := "tandem_session=" + o.secret["ann"]
	o.do("", "GET", "me", nil, "Cookie", cookie).want(200)
	o.do("", "POST", "collections/photos/entries/x", nil, "Cookie", cookie, "Sec-Fetch-Site", "cross-site").problem(403, "refused")
	o.do("", "POST", "collections/photos/entries/x", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").want(201)
	o.do("", "GET", "me", nil, "Cookie", "tandem_session=tds_wrong").problem(401, "unauthenticated")
}

func TestGroupsGrantsInvitations(t *testing.T) {
	o := newHouse(t)
	o.do("root", "POST", "groups", map[string]any{"name": "crew", "members": []string{}}).want(201)
	o.do("root", "PUT", "groups/crew/members/eve", nil).want(204)
	var groups []api.Group
	o.do("root", "GET", "groups", nil).want(200).into(&groups)
	if len(groups) != 1 || len(groups[0].Members) != 1 {
		t.Errorf("%+v", groups)
	}
	o.do("eve", "GET", "collections/photos/entries/", nil).problem(404, "not-found")
	o.do("ann", "PUT", "collections/photos/grants/group/crew", map[string]any{"subject": "crew", "group": true, "rights": []string{"list"}}).want(204)
	o.do("eve", "GET", "collections/photos/entries/", nil).want(200)
	var grants []api.Grant
	o.do("ann", "GET", "collections/photos/grants", nil).want(200).into(&grants)
	if len(grants) != 1 || grants[0].Subject != "crew" || !grants[0].Group {
		t.Errorf("%+v", grants)
	}
	o.do("ann", "PUT", "collections/photos/grants/robot/crew", map[string]any{"rights": []string{"list"}}).problem(404, "not-found")
	o.do("ann", "PUT", "collections/photos/grants/user/eve", map[string]any{"subject": "root", "rights": []string{"list"}}).problem(400, "invalid")
	o.do("ann", "PUT", "collections/photos/grants/user/eve", map[string]any{"rights": []string{"fly"}}).problem(400, "invalid")
	o.do("ann", "DELETE", "collections/photos/grants/group/crew", nil).want(204)
	o.do("eve", "GET", "collections/photos/entries/", nil).problem(404, "not-found")
	o.do("root", "DELETE", "groups/crew/members/eve", nil).want(204)

	var inv api.Invitation
	o.do("root", "POST", "invitations", api.NewInvitation{Role: "reader", Group: "crew", Note: "for bob", TTL: 60}).want(201).into(&inv)
	if inv.URL != "http://localhost/invite/"+inv.Token || inv.Group != "crew" {
		t.Errorf("%+v", inv)
	}
	var list []api.Invitation
	o.do("root", "GET", "invitations", nil).want(200).into(&list)
	if len(list) != 1 || list[0].Token != "" || list[0].Group != "crew" {
		t.Errorf("%+v", list)
	}
	o.do("", "POST", "invitations/accept", api.Accept{Token: inv.Token, User: "bob", Password: password}).want(201)
	o.login("bob")
	o.do("", "POST", "invitations/accept", api.Accept{Token: inv.Token, User: "rob", Password: password}).want(410)
	o.do("root", "DELETE", "groups/crew", nil).want(204)
}

func TestTree(t *testing.T) {
	o := newHouse(t)
	e := o.put("a/b.txt", "hello")
	if e.Kind != "file" || e.Path != "a/b.txt" || e.Size != 5 || e.By != "ann" || e.SHA256 == "" || e.Root == "" {
		t.Errorf("%+v", e)
	}
	var l api.Listing
	for _, path := range []string{"collections/photos/entries", "collections/photos/entries/"} {
		o.do("ann", "GET", path, nil).want(200).into(&l)
		if len(l.Entries) != 1 || l.Entries[0].Kind != "folder" || len(l.Rights) != 4 {
			t.Errorf("%s: %+v", path, l)
		}
	}
	o.do("ann", "GET", "collections/photos/entries/a/", nil).want(200).into(&l)
	if len(l.Entries) != 1 || l.Entries[0].Name != "b.txt" {
		t.Errorf("%+v", l)
	}
	o.do("ann", "GET", "collections/photos/entries/a/b.txt", nil).want(200).into(&l)
	if l.Folder.Kind != "file" || l.Entries == nil || len(l.Entries) != 0 {
		t.Errorf("of a file: %+v", l)
	}
	lines := o.do("ann", "GET", "collections/photos/entries/?recursive=1", nil).want(200).header("Content-Type", typeNDJSON).Body.String()
	if strings.Count(lines, "\n") < 2 {
		t.Errorf("below everything: %s", lines)
	}
	o.do("ann", "GET", "collections/photos/entries/none?recursive=1", nil).problem(404, "not-found")
	o.do("ann", "GET", "collections/photos/entries/?limit=x", nil).problem(400, "invalid")
	o.do("ann", "POST", "collections/photos/entries/c/d", nil).want(201)
	o.do("ann", "PATCH", "collections/photos/entries/a/b.txt", api.EntryChange{Path: "c/d/e.txt"}).want(200)
	o.do("ann", "PATCH", "collections/photos/entries/c/d/e.txt", api.EntryChange{Path: "../x"}).problem(400, "invalid")
	o.put("c/d/e.txt", "hello again")
	var versions []api.Version
	o.do("ann", "GET", "collections/photos/versions/c/d/e.txt", nil).want(200).into(&versions)
	if len(versions) != 2 || !versions[0].Current || versions[1].Size != 5 {
		t.Fatalf("%+v", versions)
	}
	old := fmt.Sprintf("collections/photos/content/c/d/e.txt?version=%d", versions[1].ID)
	if got := o.do("ann", "GET", old, nil).want(200).Body.String(); got != "hello" {
		t.Errorf("an older version is %q", got)
	}
	o.do("ann", "HEAD", old, nil).want(200).header("Content-Length", "5").header("Etag", `"`+versions[1].SHA256+`"`)
	o.do("ann", "POST", "collections/photos/versions/c/d/e.txt", map[string]int64{"id": versions[1].ID}).want(200)
	var gone api.Trashed
	o.do("ann", "DELETE", "collections/photos/entries/c/d/e.txt", nil).want(200).into(&gone)
	if gone.ID == 0 || gone.Path != "c/d/e.txt" || gone.By != "ann" || !gone.Goes.After(gone.Trashed) {
		t.Errorf("%+v", gone)
	}
	var trash []api.Trashed
	o.do("ann", "GET", "collections/photos/trash", nil).want(200).into(&trash)
	if len(trash) != 1 || trash[0] != gone {
		t.Errorf("%+v", trash)
	}
	o.do("ann", "POST", fmt.Sprintf("collections/photos/trash/%d/restore", gone.ID), nil).want(200)
	o.do("ann", "DELETE", "collections/photos/entries/c", nil).want(200).into(&gone)
	o.do("ann", "DELETE", fmt.Sprintf("collections/photos/trash/%d", gone.ID), nil).want(204)
	o.put("Ferien/Strand.jpg", "sea")
	var found []api.Found
	o.do("ann", "GET", "search?q=strand", nil).want(200).into(&found)
	if len(found) != 1 || found[0].Collection != "photos" || found[0].Entry.Path != "Ferien/Strand.jpg" {
		t.Errorf("%+v", found)
	}
}

func TestCollections(t *testing.T) {
	o := newHouse(t)
	var all []api.Collection
	o.do("ann", "GET", "collections", nil).want(200).into(&all)
	if len(all) != 1 || all[0].Owner != "ann" {
		t.Errorf("%+v", all)
	}
	o.do("eve", "GET", "collections", nil).want(200).into(&all)
	if len(all) != 0 {
		t.Errorf("%+v", all)
	}
	o.do("ann", "POST", "collections", map[string]any{"name": "x", "quota": 1}).problem(400, "invalid")
	o.do("ann", "PATCH", "collections/photos", map[string]any{"name": "pictures", "keep_trash": 3600}).want(200)
	var c api.Collection
	o.do("ann", "GET", "collections/pictures", nil).want(200).into(&c)
	if c.KeepTrash != 3600 {
		t.Errorf("%+v", c)
	}
	o.do("ann", "PATCH", "collections/pictures", map[string]any{"keep_trash": -1}).problem(400, "invalid")
	o.do("ann", "DELETE", "collections/pictures", nil).want(204)
	o.do("ann", "GET", "collections/pictures", nil).problem(404, "not-found")
}

func TestAudit(t *testing.T) {
	o := newHouse(t)
	o.put("a", "x")
	lines := o.do("root", "GET", "audit", nil).want(200).header("Content-Type", typeNDJSON).Body.String()
	var last api.AuditEntry
	n := 0
	for line := range strings.Lines(lines) {
		check(t, json.Unmarshal([]byte(line), &last))
		if n++; last.Seq != int64(n) {
			t.Errorf("entry %d has number %d", n, last.Seq)
		}
	}
	if n < 5 || len(last.Hash) != 64 {
		t.Errorf("%d entries, the last %+v", n, last)
	}
	if got := o.do("root", "GET", "audit?after=2&limit=2", nil).want(200).Body.String(); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, `{"seq":3,`) {
		t.Errorf("%s", got)
	}
	if got := o.do("root", "GET", "audit?user=ann&action=put", nil).want(200).Body.String(); strings.Count(got, "\n") != 1 {
		t.Errorf("%s", got)
	}
	var report api.AuditReport
	o.do("root", "GET", "audit/verify", nil).want(200).into(&report)
	if report.Broken != 0 || report.Entries < int64(n) {
		t.Errorf("%+v", report)
	}
	o.do("ann", "GET", "audit", nil).problem(403, "permission")
	o.do("root", "GET", "audit?since=yesterday", nil).problem(400, "invalid")
	o.do("root", "GET", "audit?user=nobody", nil).problem(404, "not-found")
}

func TestHealthAndMetrics(t *testing.T) {
	o := newHouse(t)
	o.do("", "GET", healthPath, nil).want(200)
	o.do("", "GET", readyPath, nil).want(200)
	o.do("", "GET", "/metrics", nil).problem(401, "unauthenticated")
	o.do("ann", "GET", "/metrics", nil).problem(403, "permission")
	text := o.do("root", "GET", "/metrics", nil).want(200).Body.String()
	for _, part := range []string{
		`tandem_http_requests_total{class="2xx",method="GET",route="/healthz"} 1`,
		`tandem_http_requests_running 1`, `go_goroutines`, `tandem_http_request_seconds_bucket{method="GET",route="/healthz"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing", part)
		}
	}
	for _, secret := range []string{`"ann"`, "photos", "192.0.2.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the figures name %s", secret)
		}
	}
	for peer, want := range map[string]int{"127.0.0.1:1": 200, "[::1]:1": 200, "192.0.2.1:1": 401} {
		if w := ask(o.Handler, "GET", "/metrics", func(r *http.Request) { r.RemoteAddr = peer }); w.Code != want {
			t.Errorf("from %s: %d", peer, w.Code)
		}
	}
	if w := ask(o.Handler, "GET", "/metrics", func(r *http.Request) {
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
	}); w.Code != 401 {
		t.Errorf("through a proxy on this machine: %d", w.Code)
	}
}
