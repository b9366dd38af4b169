package rest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// scene is a house with one of everything that a route can name.
type scene struct {
	*house
	values map[string]string // by the name of a path parameter
	link   api.Link
	upload string // ID of ann's
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{house: newHouse(t)}
	s.put("a/b.txt", "hello")
	s.put("a/b.txt", "hello again")
	s.put("old.txt", "old")
	var gone api.Trashed
	s.do("ann", "DELETE", "collections/photos/entries/old.txt", nil).want(200).into(&gone)
	s.do("root", "POST", "groups", api.Group{Name: "crew"}).want(201)
	s.do("root", "PUT", "groups/crew/members/ann", nil).want(204)
	s.do("root", "POST", "invitations", api.NewInvitation{Role: "reader"}).want(201)
	s.do("ann", "PUT", "collections/photos/grants/group/crew", api.Grant{Subject: "crew", Group: true, Rights: []string{"list"}}).want(204)
	var token string
	s.link, token = s.house.link(api.NewLink{Path: "a"})
	s.upload = s.begin(10)
	s.upload = s.upload[strings.LastIndex(s.upload, "/")+1:]
	s.values = map[string]string{
		"collection": "photos", "path...": "a/b.txt", "token": token, "id": "1", "name": "ann", "group": "crew", "user": "ann", "kind": "user", "node": peer.ID{7}.String(),
	}
	if gone.ID < 1 {
		t.Fatal("nothing in the trash")
	}
	s.values["trash"] = fmt.Sprint(gone.ID)
	return s
}

// target fills a route's pattern in with things that are there.
func (s *scene) target(rt *route) string {
	path := rt.pattern
	switch {
	case strings.Contains(path, "/trash/{id}"):
		path = strings.ReplaceAll(path, "{id}", s.values["trash"])
	case strings.Contains(path, "uploads/{id}"):
		path = strings.ReplaceAll(path, "{id}", s.upload)
	case strings.Contains(path, "archive/{path...}"), strings.Contains(path, "batch/{path...}"), strings.Contains(path, "fetch/{path...}"):
		path = strings.ReplaceAll(path, "{path...}", "a")
	case strings.HasPrefix(path, "/s/{token}/files/"), strings.HasPrefix(path, v1+"shared/{token}/entries"):
		path = strings.ReplaceAll(path, "{path...}", "b.txt")
	}
	for name, value := range s.values {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

// body is one that the route would take.
func (s *scene) body(t *testing.T, rt *route) (any, []string) {
	t.Helper()
	name, role, id := "evil", "admin", int64(1)
	quota := int64(1)
	for _, b := range []any{
		api.Setup{Token: "x", User: "evil", Password: password},
		api.Login{User: "ann", Password: "wrong"},
		api.PasswordChange{Old: "wrong", New: password + "!"},
		api.NewToken{Name: "evil", Rights: []string{"read"}},
		api.NewUser{Name: "evil", Password: password, Role: "admin"},
		api.UserChange{Role: &role, Quota: &quota},
		api.Group{Name: "evil", Members: []string{}},
		api.NewInvitation{Role: "admin"},
		api.Accept{Token: "x", User: "evil", Password: password},
		api.CollectionChange{Name: &name},
		api.Grant{Rights: []string{"read"}},
		api.EntryChange{Path: "evil"},
		versionChoice{id},
		api.Fetch{Paths: []string{"b.txt"}},
		api.NewLink{Collection: "photos", Path: "a"},
		api.LinkChange{Note: &name},
		api.SwarmJoin{Node: peer.ID{7}.String()},
		api.Keeper{Space: 1 << 30},
	} {
		if reflect.TypeOf(b) == reflect.TypeOf(rt.in) {
			return b, nil
		}
	}
	switch {
	case rt.in != nil:
		t.Fatalf("%s %s: no body of type %T", rt.method, rt.pattern, rt.in)
	case rt.takes == typeTar:
		return tarOf(t, tarFile()), []string{"Content-Type", typeTar}
	case rt.method == "POST" && rt.takes == typeChunk && !strings.HasSuffix(rt.pattern, "{id}"):
		return nil, []string{"Tus-Resumable", "1.0.0", "Upload-Length", "4", "Upload-Metadata", meta("collection", "photos", "path", "evil")}
	case rt.takes == typeChunk:
		return "evil", []string{"Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", chunkType, "X-HTTP-Method-Override", "PATCH"}
	case strings.Contains(rt.pattern, "/uploads"):
		return nil, []string{"Tus-Resumable", "1.0.0"}
	case rt.takes != "":
		return "evil", nil
	}
	return nil, nil
}

// snapshot is all that an attack could change, as its owners see it.
func (s *scene) snapshot() string {
	s.t.Helper()
	var b strings.Builder
	for _, q := range []struct{ who, path string }{
		{"ann", "collections/photos/entries/?recursive=1"},
		{"ann", "collections/photos/trash"},
		{"ann", "collections/photos/versions/a/b.txt"},
		{"ann", "collections/photos/grants"},
		{"ann", "collections"},
		{"ann", "links"},
		{"root", "users"},
		{"root", "groups"},
		{"root", "collections"},
	} {
		fmt.Fprintf(&b, "%s\n%s", q.path, s.do(q.who, "GET", q.path, nil).want(200).Body)
	}
	// Sessions, tokens and invitations, but for what changes when they are looked at.
	var sessions []api.Session
	s.do("ann", "GET", "sessions", nil).want(200).into(&sessions)
	var invitations []api.Invitation
	s.do("root", "GET", "invitations", nil).want(200).into(&invitations)
	var tokens []api.Token
	s.do("ann", "GET", "tokens", nil).want(200).into(&tokens)
	fmt.Fprintf(&b, "%d sessions, %d tokens, %d invitations\n", len(sessions), len(tokens), len(invitations))
	fmt.Fprintf(&b, "upload at %s\n", s.tus("ann", "HEAD", "uploads/"+s.upload, nil).want(200).Header().Get("Upload-Offset"))
	return b.String()
}

// attack tries every route of the table that pick takes, and compares what was before.
func (s *scene) attack(t *testing.T, who string, header []string, pick func(*route) bool, judge func(*route, *reply)) {
	t.Helper()
	before := s.snapshot()
	n := 0
	for _, rt := range routes() {
		if !pick(rt) {
			continue
		}
		n++
		body, more := s.body(t, rt)
		ranged := []string{}
		if strings.Contains(rt.pattern, "content") || rt.browsed {
			ranged = []string{"Range", "bytes=1-2"}
		}
		r := s.do(who, rt.method, s.target(rt), body, append(append(more, ranged...), header...)...)
		judge(rt, r)
		if strings.Contains(r.Body.String(), "hello") {
			t.Errorf("%s %s: gives content away", rt.method, rt.pattern)
		}
	}
	if n == 0 {
		t.Error("nothing was tried")
	}
	if diff := cmp.Diff(before, s.snapshot()); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

// open routes are for anybody; there is no other without a caller.
func isOpen(rt *route) bool {
	switch rt.method + " " + rt.pattern {
	case "GET " + healthPath, "GET " + readyPath, "GET " + v1 + "openapi.json", "POST " + v1 + "setup", "POST " + v1 + "sessions",
		"POST " + v1 + "invitations/accept", "GET /announce",
		"OPTIONS " + v1 + "uploads", "OPTIONS " + v1 + "shared/{token}/uploads", "OPTIONS /s/{token}/uploads":
		return true
	}
	return false
}

func needsAccount(rt *route) bool { return rt.auth == account || rt.auth == accountOrLink }

// N8: every route without identity; those that are open give nothing away and take no
// wrong secret.
func TestNobody(t *testing.T) {
	for _, rt := range routes() {
		if isOpen(rt) != (rt.auth == anybody) {
			t.Errorf("%s %s: is it for anybody?", rt.method, rt.pattern)
		}
	}
	s := newScene(t)
	s.attack(t, "", nil, needsAccount, func(rt *route, r *reply) {
		if rt.method == "HEAD" {
			r.want(401)
			return
		}
		r.problem(401, "unauthenticated")
	})
	s.attack(t, "", nil, isOpen, func(rt *route, r *reply) {
		if rt.in != nil && r.Code/100 != 4 {
			t.Errorf("%s %s takes a secret that is none: %d", rt.method, rt.pattern, r.Code)
		}
	})
}

// N9, N36: every route of the table with credentials that do not hold.
func TestCredentialsThatDoNotHold(t *testing.T) {
	s := newScene(t)
	soon := s.clock().Add(time.Minute)
	var expired, deleted api.Token
	s.do("ann", "POST", "tokens", api.NewToken{Name: "expired", Rights: []string{"list", "read", "publish", "administer"}, Server: true, Expires: &soon}).want(201).into(&expired)
	s.do("ann", "POST", "tokens", api.NewToken{Name: "deleted", Rights: []string{"list", "read", "publish", "administer"}, Server: true}).want(201).into(&deleted)
	s.do("ann", "DELETE", fmt.Sprintf("tokens/%d", deleted.ID), nil).want(204)
	ended := s.secret["ann"]
	s.do("ann", "DELETE", "sessions/current", nil).want(204)
	s.login("ann")
	s.pass(2 * time.Minute)
	for _, c := range []struct {
		name   string
		header []string
	}{
		{"a secret that nobody has", []string{"Authorization", "Bearer tds_" + strings.Repeat("A", 43)}},
		{"no secret at all", []string{"Authorization", "Bearer x"}},
		{"an expired token", []string{"Authorization", "Bearer " + expired.Secret}},
		{"a deleted token", []string{"Authorization", "Bearer " + deleted.Secret}},
		{"a session that was ended", []string{"Authorization", "Bearer " + ended}},
		{"the same as a cookie", []string{"Cookie", "tandem_session=" + ended}},
		{"a right one under another scheme", []string{"Authorization", "Basic " + s.secret["ann"]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.pass(time.Hour) // what was remembered of wrong ones is forgotten
			s.attack(t, "", c.header, needsAccount, func(rt *route, r *reply) {
				if r.Code != 401 {
					t.Errorf("%s %s: %d %s", rt.method, rt.pattern, r.Code, r.Body)
				}
			})
		})
	}
}

// about reports whether a route is about what belongs to somebody else than eve.
func about(rt *route) bool {
	if strings.HasPrefix(rt.pattern, v1+"keepers") { // everybody's own
		return rt.method == "GET" && strings.Contains(rt.pattern, "{")
	}
	if rt.auth == accountOrLink || strings.Contains(rt.pattern, "{") {
		return needsAccount(rt)
	}
	switch strings.TrimPrefix(rt.pattern, v1) {
	case "users", "groups", "invitations", "audit", "audit/verify", "/metrics", "links":
		return rt.auth == account && rt.method != "GET" || rt.pattern != v1+"links"
	}
	return false
}

// N9, N36: another user's credentials, right as they are.
func TestOtherUsersCredentials(t *testing.T) {
	s := newScene(t)
	s.attack(t, "eve", nil, func(rt *route) bool { return about(rt) && needsAccount(rt) }, func(rt *route, r *reply) {
		if r.Code != 403 && r.Code != 404 {
			t.Errorf("%s %s: %d %s", rt.method, rt.pattern, r.Code, r.Body)
		}
		// Who may not know that something is there learns nothing.
		if strings.Contains(rt.pattern, "{collection}") && r.Code != 404 {
			t.Errorf("%s %s: %d tells that the collection is there", rt.method, rt.pattern, r.Code)
		}
	})
	// To eve, what is there and what is not look the same.
	there := s.do("eve", "GET", "collections/photos/content/a/b.txt", nil)
	absent := s.do("eve", "GET", "collections/phantom/content/a/b.txt", nil)
	if a, b := sanitised(there), sanitised(absent); a != strings.ReplaceAll(b, "phantom", "photos") {
		t.Errorf("told apart:\n%s\n%s", a, b)
	}
}

func sanitised(r *reply) string {
	var p api.Problem
	_ = json.Unmarshal(r.Body.Bytes(), &p)
	p.Request = ""
	return fmt.Sprintf("%d %+v", r.Code, p)
}

// N9, N36: rights that do not reach as far: a token for reading, and a reader.
func TestReadersWriteNothing(t *testing.T) {
	s := newScene(t)
	var token api.Token
	s.do("ann", "POST", "tokens", api.NewToken{Name: "read", Rights: []string{"list", "read"}}).want(201).into(&token)
	s.secret["token"] = token.Secret
	s.do("root", "POST", "users", api.NewUser{Name: "rea", Password: password, Role: "reader"}).want(201)
	s.login("rea")
	s.do("ann", "PUT", "collections/photos/grants/user/rea", api.Grant{Subject: "rea", Rights: []string{"list", "read", "publish", "administer"}}).want(204)
	writes := func(rt *route) bool {
		own := strings.HasPrefix(rt.pattern, v1+"tokens") || strings.HasPrefix(rt.pattern, v1+"me") || strings.HasPrefix(rt.pattern, v1+"sessions") ||
			strings.HasPrefix(rt.pattern, v1+"keepers")
		reads := rt.method == "GET" || rt.method == "HEAD" || rt.method == "OPTIONS" || strings.Contains(rt.pattern, "/fetch/") || strings.Contains(rt.pattern, "/swarm/")
		// A link for reading needs no more than reading, to make it and to end it.
		return needsAccount(rt) && !reads && !own && !strings.HasPrefix(rt.pattern, v1+"links")
	}
	upload, _ := s.house.link(api.NewLink{Path: "a", Kind: "upload"})
	for _, who := range []string{"token", "rea"} {
		t.Run(who, func(t *testing.T) {
			s.attack(t, who, nil, writes, func(rt *route, r *reply) {
				if r.Code != 403 && r.Code != 404 {
					t.Errorf("%s %s: %d %s", rt.method, rt.pattern, r.Code, r.Body)
				}
			})
		})
	}
	for _, who := range []string{"token", "rea"} {
		later := s.clock().Add(time.Hour)
		s.do(who, "POST", "links", api.NewLink{Collection: "photos", Path: "a", Kind: "upload"}).problem(403, "permission")
		s.do(who, "PATCH", fmt.Sprintf("links/%d", upload.ID), api.LinkChange{Expires: &later}).problem(404, "not-found")
		s.do(who, "DELETE", fmt.Sprintf("links/%d", upload.ID), nil).problem(404, "not-found")
	}
	s.attack(t, "token", nil, func(rt *route) bool {
		own := strings.HasPrefix(rt.pattern, v1+"tokens") || strings.HasPrefix(rt.pattern, v1+"me/") || strings.HasPrefix(rt.pattern, v1+"sessions")
		return own && rt.auth == account
	}, func(rt *route, r *reply) {
		if r.Code/100 != 4 {
			t.Errorf("a token without the server's scope: %s %s: %d %s", rt.method, rt.pattern, r.Code, r.Body)
		}
	})
}

// N9, N36: every route of a link with links that do not hold, or were made for something else.
func TestLinksThatDoNotHold(t *testing.T) {
	s := newScene(t)
	soon := s.clock().Add(time.Minute)
	expiring, expired := s.house.link(api.NewLink{Path: "a", Expires: &soon})
	revoking, revoked := s.house.link(api.NewLink{Path: "a"})
	_, locked := s.house.link(api.NewLink{Path: "a", Password: "sesame street"})
	_, upload := s.house.link(api.NewLink{Path: "a", Kind: "upload"})
	share := s.values["token"]
	s.do("ann", "DELETE", fmt.Sprintf("links/%d", revoking.ID), nil).want(204)
	s.pass(2 * time.Minute)
	if expiring.ID == 0 {
		t.Fatal("no link")
	}
	byToken := func(rt *route) bool { return rt.auth == byLink }
	tus := func(rt *route) bool { return strings.Contains(rt.pattern, "/uploads") }
	for _, c := range []struct {
		name, token string
		pick        func(*route) bool
		want        []int
	}{
		{"a token that nobody was given", "abcdefghijklmnopqrstuv", byToken, []int{404, 429}},
		{"one that expired", expired, byToken, []int{410}},
		{"one that was revoked", revoked, byToken, []int{410}},
		{"one that is locked", locked, func(rt *route) bool { return byToken(rt) && rt.pattern != v1+"shared/{token}" }, []int{401, 404}},
		{"one for reading, to write with", share, func(rt *route) bool { return byToken(rt) && tus(rt) }, []int{403, 404}},
		{"one for uploads, to read with", upload, func(rt *route) bool { return byToken(rt) && !tus(rt) && rt.pattern != v1+"shared/{token}" }, []int{403, 404}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.values["token"] = c.token
			s.attack(t, "", nil, c.pick, func(rt *route, r *reply) {
				for _, want := range c.want {
					if r.Code == want {
						return
					}
				}
				t.Errorf("%s %s: %d %s", rt.method, rt.pattern, r.Code, r.Body)
			})
		})
	}
}

// N3: looking changes nothing, whoever looks.
func TestLookingChangesNothing(t *testing.T) {
	s := newScene(t)
	before := s.snapshot()
	for _, rt := range routes() {
		if rt.method != "GET" && rt.method != "HEAD" && rt.method != "OPTIONS" {
			continue
		}
		_, header := s.body(t, rt)
		for _, who := range []string{"", "eve", "ann", "root"} {
			if r := s.do(who, rt.method, s.target(rt), nil, header...); r.Code >= 500 {
				t.Errorf("%s %s: %d %s", rt.method, rt.pattern, r.Code, r.Body)
			}
		}
	}
	if diff := cmp.Diff(before, s.snapshot()); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}
