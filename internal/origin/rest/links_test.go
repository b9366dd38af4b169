package rest

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
)

func TestLinks(t *testing.T) {
	o := newHouse(t)
	e := o.put("trip/a.txt", "hello")
	o.put("trip/sub/b.txt", "there")
	expires := o.clock().Add(time.Hour)
	link, token := o.link(api.NewLink{Path: "trip/a.txt", Note: "for bob", Expires: &expires})
	if link.Kind != "share" || link.Audience != "link" || link.By != "ann" || !link.Live || link.Password || !link.Expires.Equal(expires) {
		t.Errorf("%+v", link)
	}
	var shared api.Shared
	o.do("", "GET", "shared/"+token, nil).want(200).into(&shared)
	if shared.Kind != "share" || shared.Locked || shared.Note != "for bob" || shared.Entry == nil || shared.Entry.SHA256 != e.SHA256 || shared.Entry.By != "" {
		t.Errorf("%+v", shared)
	}
	for _, method := range []string{"GET", "HEAD"} {
		o.do("", method, "/s/"+token+"/download", nil).want(200).header("Etag", `"`+e.SHA256+`"`).header("Content-Length", "5")
	}
	if got := o.do("", "GET", "/s/"+token+"/download", nil, "Range", "bytes=1-2").want(206).Body.String(); got != "el" {
		t.Errorf("got %q", got)
	}
	o.do("", "GET", "/s/"+token+"/files/b.txt", nil).problem(404, "not-found")
	o.do("", "GET", "/s/abcdefghijklmnopqrstuv/download", nil).problem(404, "not-found")
	o.do("", "GET", "/s/x/download", nil).problem(404, "not-found")
	o.do("", "GET", "/s/"+token+".torrent", nil).problem(404, "not-found")

	var list []api.Link
	o.do("ann", "GET", "links", nil).want(200).into(&list)
	if len(list) != 1 || list[0].URL != link.URL {
		t.Errorf("%+v", list)
	}
	at := fmt.Sprintf("links/%d", link.ID)
	note := "for rob"
	o.do("ann", "PATCH", at, api.LinkChange{Note: &note}).want(200).into(&link)
	if link.Note != note {
		t.Errorf("%+v", link)
	}
	o.do("ann", "GET", at, nil).want(200)
	o.do("eve", "GET", at, nil).want(404)
	o.pass(2 * time.Hour)
	o.do("", "GET", "/s/"+token+"/download", nil).problem(410, "gone")
	o.do("ann", "DELETE", at, nil).want(204)
	for _, bad := range []api.NewLink{
		{Collection: "photos", Path: "trip", Kind: "gift"},
		{Collection: "photos", Path: "trip", Audience: "network"},
		{Collection: "photos", Path: "trip", MaxDownloads: -1},
	} {
		o.do("ann", "POST", "links", bad).problem(400, "invalid")
	}
}

func TestFolderLink(t *testing.T) {
	o := newHouse(t)
	o.put("trip/a.txt", "hello")
	o.put("trip/sub/b.txt", "there")
	_, token := o.link(api.NewLink{Path: "trip"})
	r := o.do("", "GET", "/s/"+token+"/download", nil).want(200).header("Content-Type", typeZip).
		header("Content-Disposition", `attachment; filename="trip.zip"; filename*=UTF-8''trip.zip`)
	if z, err := zip.NewReader(bytes.NewReader(r.Body.Bytes()), int64(r.Body.Len())); err != nil || len(z.File) < 2 {
		t.Errorf("%v", err)
	}
	if r := o.do("", "HEAD", "/s/"+token+"/download", nil).want(200).header("Content-Type", typeZip); r.Body.Len() > 0 {
		t.Error("HEAD makes the archive")
	}
	if got := o.do("", "GET", "/s/"+token+"/files/sub/b.txt", nil).want(200).Body.String(); got != "there" {
		t.Errorf("got %q", got)
	}
	o.do("", "GET", "/s/"+token+"/files/sub", nil).want(200).header("Content-Type", typeZip)
	o.do("", "GET", "/s/"+token+"/files/sub/", nil).want(200).header("Content-Type", typeZip)
	o.do("", "GET", "/s/"+token+"/files/%2e%2e/secret", nil).problem(400, "invalid")
	var l api.Listing
	o.do("", "GET", "shared/"+token+"/entries/sub", nil).want(200).into(&l)
	if len(l.Entries) != 1 || l.Entries[0].Path != "sub/b.txt" {
		t.Errorf("%+v", l)
	}
	o.do("", "GET", "shared/"+token+"/archive/?format=tar", nil).want(200).header("Content-Type", typeTar)
	o.do("", "POST", "shared/"+token+"/fetch/", api.Fetch{Paths: []string{"a.txt"}}).want(200).header("Content-Type", typeTar)
	// An account that comes by a link is not looked at.
	o.do("eve", "GET", "shared/"+token+"/entries/sub", nil).want(200)
}

func TestLinkPassword(t *testing.T) {
	o := newHouse(t)
	o.put("a.txt", "hello")
	link, token := o.link(api.NewLink{Path: "a.txt", Password: "sesame street", Note: "hush"})
	basic := func(password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("anybody", password)
		return r.Header.Get("Authorization")
	}
	var shared api.Shared
	o.do("", "GET", "shared/"+token, nil).want(200).into(&shared)
	if !shared.Locked || shared.Entry != nil || shared.Note != "" {
		t.Errorf("before the password: %+v", shared)
	}
	download := "/s/" + token + "/download"
	r := o.do("", "GET", download, nil)
	r.header("WWW-Authenticate", `Basic realm="link", charset="UTF-8"`).problem(401, "unauthenticated")
	o.do("", "GET", download, nil, "Authorization", basic("wrong")).problem(401, "unauthenticated")
	for range 3 {
		o.do("", "GET", download, nil, "Authorization", basic("sesame street")).want(200)
	}
	if n := len(o.proofs.known); n != 1 {
		t.Errorf("%d passwords are remembered", n)
	}
	o.do("", "GET", "shared/"+token, nil, "Authorization", basic("sesame street")).want(200).into(&shared)
	if shared.Entry == nil || shared.Note != "hush" {
		t.Errorf("with the password: %+v", shared)
	}
	// What the page does: the proof in a cookie.
	proof, ok := o.proofs.get(token, "sesame street")
	if !ok {
		t.Fatal("no proof")
	}
	w := httptest.NewRecorder()
	SetLinkProof(w, httptest.NewRequest("GET", "/", nil), token, 1, proof)
	set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	check(t, err)
	if set.Path != "/s/"+token || !set.HttpOnly || set.Name != fmt.Sprintf("tandem_link_%d", link.ID) {
		t.Errorf("%+v", set)
	}
	o.do("", "GET", download, nil, "Cookie", set.Name+"="+set.Value).want(200)
	o.do("", "GET", download, nil, "Cookie", set.Name+"="+set.Value+"x").want(401)
	// Another password ends what was unlocked, also what is remembered.
	other := "open now, please"
	o.do("ann", "PATCH", fmt.Sprintf("links/%d", link.ID), api.LinkChange{Password: &other}).want(200)
	o.do("", "GET", download, nil, "Cookie", set.Name+"="+set.Value).want(401)
	o.do("", "GET", download, nil, "Authorization", basic("sesame street")).want(401)
	o.do("", "GET", download, nil, "Authorization", basic(other)).want(200)
}

func TestManyLinkPasswords(t *testing.T) {
	p, err := newProofs(zeros{})
	check(t, err)
	for i := range 3 * maxProofs {
		p.put("token", fmt.Sprint(i), "proof")
	}
	if len(p.known) > maxProofs {
		t.Errorf("%d are remembered", len(p.known))
	}
	if _, ok := p.get("token", "none"); ok {
		t.Error("a password that nobody proved")
	}
}

// What gives no content counts for nothing; a download that goes on is the same one.
func TestLimitedLink(t *testing.T) {
	o := newHouse(t)
	e := o.put("a.txt", "0123456789")
	link, token := o.link(api.NewLink{Path: "a.txt", MaxDownloads: 2})
	download, tag := "/s/"+token+"/download", `"`+e.SHA256+`"`
	left := func(want int64) {
		t.Helper()
		var l api.Link
		o.do("ann", "GET", fmt.Sprintf("links/%d", link.ID), nil).want(200).into(&l)
		if l.Downloads != want {
			t.Errorf("%d downloads are counted, want %d", l.Downloads, want)
		}
	}
	o.do("", "HEAD", download, nil).want(200)
	o.do("", "GET", download, nil, "If-None-Match", tag).want(304).header("Etag", tag)
	o.do("", "GET", download, nil, "If-Match", `"x"`).want(412)
	o.do("", "GET", download, nil, "Range", "bytes=10-").want(416).header("Content-Range", "bytes */10")
	left(0)
	o.do("", "GET", download, nil, "Range", "bytes=0-3").want(206)
	left(1)
	o.do("", "GET", download, nil, "Range", "bytes=4-").want(206)
	o.do("", "GET", download, nil, "Range", "bytes=-3").want(206)
	left(1)
	if got := o.do("", "GET", download, nil, "Range", "bytes=0-0,5-5").want(200).Body.String(); got != "0123456789" {
		t.Errorf("several ranges: %q", got)
	}
	left(2)
	o.do("", "GET", download, nil).problem(410, "gone")
	o.do("", "GET", download, nil, "Range", "bytes=4-").want(206) // of the one begun
	left(2)
}

func TestPublicLink(t *testing.T) {
	o := newHouse(t)
	o.put("a.txt", "hello")
	link, token := o.link(api.NewLink{Path: "a.txt", Audience: "public"})
	if link.Audience != "public" || link.Torrent != "made" || !strings.HasPrefix(link.Link, link.URL+"#magnet:?") {
		t.Errorf("%+v", link)
	}
	file := o.do("", "GET", "/s/"+token+".torrent", nil).want(200).Body.Bytes()
	m, err := metainfo.Parse(file)
	if err != nil || len(m.Trackers) != 1 || m.Trackers[0][0] != "http://localhost/announce" ||
		len(m.WebSeeds) != 1 || m.WebSeeds[0] != "http://localhost/s/"+token+"/download" {
		t.Errorf("%v %+v", err, m)
	}
	// A large file is hashed by what runs beside the server, which does not here.
	o.do("ann", "PUT", "collections/photos/content/large", sized{io.LimitReader(zeros{}, 5<<20), 5 << 20}).want(201)
	link, token = o.link(api.NewLink{Path: "large", Audience: "public"})
	r := o.do("", "GET", "/s/"+token+".torrent", nil)
	r.problem(423, "busy")
	if r.Header().Get("Retry-After") == "" || link.Link != "" || link.Torrent != "wanted" {
		t.Errorf("not made, %q, and nobody says when to come again", link.Link)
	}
}

// A browser is shown the page of the house, a program the document.
func TestLinkProblemPage(t *testing.T) {
	o := newHouse(t)
	o.put("a.txt", "hello")
	_, token := o.link(api.NewLink{Path: "a.txt", Password: "sesame street"})
	o.cfg.ProblemPage = func(w http.ResponseWriter, _ *http.Request, p api.Problem) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(p.Status)
		check(t, json.NewEncoder(w).Encode(p))
	}
	r := o.do("", "GET", "/s/"+token+"/download", nil, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8").want(401)
	r.header("Content-Type", "text/html")
	if strings.Contains(r.Body.String(), token) {
		t.Errorf("names the link: %s", r.Body)
	}
	o.do("", "GET", "/s/"+token+"/download", nil).problem(401, "unauthenticated")
}
