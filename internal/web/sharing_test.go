package web

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"rsc.io/qr"
)

// shareURL makes a link by the form and returns its path.
func (b *browser) shareURL(path string, pairs ...string) string {
	b.t.Helper()
	pairs = append([]string{"kind", "share", "audience", "link", "expires", "30"}, pairs...)
	page := b.post(path+"?do=share", pairs...).want(b.t, http.StatusOK, "Link to")
	to := page.between(b.t, `id="link-url" value="`, `"`)
	if !strings.HasPrefix(to, b.url+"/s/") {
		b.t.Fatalf("the link is %s", to)
	}
	to, _, _ = strings.Cut(to, "#")
	return strings.TrimPrefix(to, b.url)
}

func TestALinkToAFile(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "a.txt", "hello")
	ann.get("/c/Photos/a.txt?do=share").want(t, http.StatusOK, "Share a.txt", "copies that others pass on cannot be taken back").without(t, "Sending files")
	link := ann.shareURL("/c/Photos/a.txt", "note", "for you")

	guest := h.browser()
	guest.get(link).want(t, http.StatusOK, "a.txt", "5 B", "for you", "Download", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824").without(t, "ann", "Photos")
	if page := guest.get(link + "/download"); page.text != "hello" {
		t.Errorf("the download is %d %q", page.status, page.text)
	}
	ann.get("/links").want(t, http.StatusOK, "Photos/a.txt", "for you")
	page := ann.get("/links")
	id := page.between(t, `href="/links/`, `"`)
	ann.post("/links/"+id+"?do=revoke").want(t, http.StatusOK, "The link is revoked", "revoked")
	guest.get(link).want(t, http.StatusGone, "This has ended", "Ask who sent it for a new one.")
	guest.get("/s/nosuchlinknosuchlinknosu").want(t, http.StatusNotFound, "Nothing here")
}

func TestALinkWithAPassword(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "a.txt", "hello")
	link := ann.shareURL("/c/Photos/a.txt", "password", "open sesame")

	guest := h.browser()
	guest.get(link).want(t, http.StatusOK, "A password is needed").without(t, "a.txt")
	guest.do("GET", link+"/download", nil, "Accept", "text/html").want(t, http.StatusOK, "A password is needed")
	guest.post(link, "password", "wrong").want(t, http.StatusUnauthorized, "That is not the password.")
	guest.post(link, "password", "open sesame").want(t, http.StatusOK, "a.txt", "Download")
	if page := guest.get(link + "/download"); page.text != "hello" {
		t.Errorf("the download is %d %q", page.status, page.text)
	}
	h.browser().get(link).want(t, http.StatusOK, "A password is needed")
}

func TestALinkToAFolder(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "trip/day one/a.txt", "hello")
	ann.put("Photos", "private.txt", "mine")
	link := ann.shareURL("/c/Photos/trip")
	guest := h.browser()
	guest.get(link).want(t, http.StatusOK, "trip", "day one", "Download all as zip", "["+link+"/browse/day%20one]").without(t, "private", "Photos")
	guest.get(link+"/browse/day%20one").want(t, http.StatusOK, "a.txt", "["+link+"/files/day%20one/a.txt]")
	if page := guest.get(link + "/browse/day%20one/a.txt"); page.text != "hello" {
		t.Errorf("a file below is %d %q", page.status, page.text)
	}
	for _, path := range []string{"/browse/..%2Fprivate.txt", "/browse/private.txt", "/browse/%2e%2e/private.txt"} {
		if page := guest.get(link + path); page.status < 400 || strings.Contains(page.text, "mine") {
			t.Errorf("%s: %d", path, page.status)
		}
	}
}

func TestALinkForSendingFiles(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Inbox")
	ann.put("Inbox", "secret.txt", "mine")
	page := ann.post("/c/Inbox?do=share", "kind", "upload", "audience", "link", "expires", "7", "note", "your pictures").want(t, http.StatusOK, "sees nothing in it")
	page.without(t, "Enforced", "Copies")
	to := strings.TrimPrefix(page.between(t, `id="link-url" value="`, `"`), h.url)
	guest := h.browser()
	guest.get(to).want(t, http.StatusOK, "Send files", "your pictures").without(t, "secret.txt", "Inbox")

	r, err := http.NewRequestWithContext(t.Context(), "POST", h.url+to+"/uploads", strings.NewReader("cat"))
	if err != nil {
		t.Fatal(err)
	}
	enc := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for k, v := range map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Length": "3", "Content-Type": "application/offset+octet-stream",
		"Upload-Metadata": "path " + enc("cat.jpg") + ",modified " + enc("2026-03-04T10:20:30.000Z"), "Origin": h.url,
	} {
		r.Header.Set(k, v)
	}
	if got := guest.send(r); got.status != http.StatusCreated {
		t.Fatalf("sending: %d %s", got.status, got.text)
	}
	ann.get("/c/Inbox").want(t, http.StatusOK, "cat.jpg")
}

func TestWhatALinkMayNotBe(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "a.txt", "hello")
	for _, c := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"public with a password", []string{"kind", "share", "audience", "public", "expires", "0", "password", "x"}, "password"},
		{"for nobody known", []string{"kind", "share", "audience", "martians", "expires", "0"}, "Say who may have the link."},
		{"of an unknown kind", []string{"kind", "teleport", "expires", "0"}, "Say what the link is for."},
		{"to a file for uploads", []string{"kind", "upload", "expires", "0"}, "Say what the link is for."},
		{"with less than one download", []string{"kind", "share", "expires", "0", "max", "-3"}, "one or more"},
		{"with less than one copy", []string{"kind", "share", "expires", "0", "copies", "-1"}, "from 1 to 1000"},
		{"with more copies than there are machines", []string{"kind", "share", "expires", "0", "copies", "100000"}, "from 1 to 1000"},
		{"for old BitTorrent programs, but not for everybody", []string{"kind", "share", "expires", "0", "v1", "yes"}, "when everybody may join"},
		{"for a time that is none", []string{"kind", "share", "expires", "soon"}, "Choose how long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ann.post("/c/Photos/a.txt?do=share", c.pairs...).want(t, http.StatusBadRequest, c.want)
		})
	}
	ann.get("/links").want(t, http.StatusOK, "No links yet.")
}

func TestQRCodeIsDrawnSquareBySquare(t *testing.T) {
	svg := qrSVG("https://files.example.org/s/Zk3vQ9aT7pLx2MwR8bNcYd")
	code, err := qr.Encode("https://files.example.org/s/Zk3vQ9aT7pLx2MwR8bNcYd", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	drawn := make(map[[2]int]bool)
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-\d+z`).FindAllStringSubmatch(svg, -1) {
		for i := range int(numberOf(m[3])) {
			drawn[[2]int{int(numberOf(m[1])) + i, int(numberOf(m[2]))}] = true
		}
	}
	for y := -4; y < code.Size+4; y++ {
		for x := -4; x < code.Size+4; x++ {
			if drawn[[2]int{x + 4, y + 4}] != code.Black(x, y) {
				t.Fatalf("square %d, %d is not as the code has it", x, y)
			}
		}
	}
	if qrSVG(strings.Repeat("x", 5000)) != "" {
		t.Error("a text too long for a code has one")
	}
}
