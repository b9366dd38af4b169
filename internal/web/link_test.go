package web

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/metainfo"
	"tandem/internal/origin"
	"tandem/internal/peer"
)

// wholeLink makes a link by the form and asks for it until it is whole, as the page does.
func (b *browser) wholeLink(path string, pairs ...string) (link string, page seen) {
	b.t.Helper()
	page = b.post(path+"?do=share", append([]string{"kind", "share", "expires", "30"}, pairs...)...).want(b.t, http.StatusOK, "Link to")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 250 {
		if !strings.Contains(page.text, "hx-trigger=\"load delay:1s\"") {
			return page.between(b.t, `id="link-url" value="`, `"`), page
		}
		<-tick.C
		page = b.get(page.path)
	}
	b.t.Fatalf("the link does not become whole:\n%s", page.plain(b.t))
	return "", page
}

// atWork runs what the server does beside answering.
func (h *house) atWork() {
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.origin.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
	})
}

func TestALinkIsWhole(t *testing.T) {
	h := newHouse(t)
	h.atWork()
	ann := h.setUp()
	ann.post("/new", "name", "Photos")
	ann.put("Photos", "a.txt", "hello")

	link, page := ann.wholeLink("/c/Photos/a.txt", "audience", "link", "copies", "2")
	page.want(t, http.StatusOK, "Enforced by every node: only who holds this link", "within seconds", "0 of 2", "too few")
	_, fragment := metainfo.SplitLink(link)
	ticket, err := metainfo.ParseTicket(fragment)
	if err != nil {
		t.Fatalf("%s: %v", link, err)
	}
	if id, err := h.origin.ServerID(t.Context()); err != nil || ticket.Server != id || id.IsZero() {
		t.Errorf("the ticket is of server %v, this one is %v (%v)", ticket.Server, id, err)
	}
	ann.get("/links").want(t, http.StatusOK, "too few")

	link, page = ann.wholeLink("/c/Photos/a.txt", "audience", "link", "password", "open sesame")
	page.want(t, http.StatusOK, "has signed a capability for", "nobody new gets in")
	if strings.Contains(link, "#") {
		t.Errorf("a link with a password is %s", link)
	}
	link, page = ann.wholeLink("/c/Photos/a.txt", "audience", "public")
	page.want(t, http.StatusOK, "Nothing is enforced.")
	_, fragment = metainfo.SplitLink(link)
	m, err := metainfo.ParseMagnet(fragment)
	if err != nil || len(m.Trackers) == 0 || len(m.WebSeeds) == 0 || !strings.HasPrefix(m.Trackers[0], h.url) {
		t.Errorf("%s: %+v, %v", link, m, err)
	}
}

func TestWhatIsEnforcedIsSaid(t *testing.T) {
	now := sampleNow
	for _, c := range []struct {
		name string
		link catalog.Link
		want string
	}{
		{"public: nothing", catalog.Link{Kind: catalog.ShareLink, Audience: peer.Public}, "Nothing is enforced."},
		{"plain: a week", catalog.Link{Kind: catalog.ShareLink, Audience: peer.Link}, "until 11 Mar 2026"},
		{"plain: not beyond its end", catalog.Link{Kind: catalog.ShareLink, Audience: peer.Link, Expires: now.Add(48 * time.Hour)}, "until 6 Mar 2026"},
		{"with a password: capabilities", catalog.Link{Kind: catalog.ShareLink, Audience: peer.Link, Password: "x"}, "signed a capability for"},
		{"counted: capabilities", catalog.Link{Kind: catalog.ShareLink, Audience: peer.Link, MaxDownloads: 3}, "signed a capability for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := enforced(origin.LinkView{Link: c.link}, now); !strings.Contains(got, c.want) {
				t.Errorf("%q does not say %q", got, c.want)
			}
		})
	}
	if got := enforced(origin.LinkView{Link: catalog.Link{Kind: catalog.UploadLink, Audience: peer.Link}}, now); got != "" {
		t.Errorf("of an upload link nodes enforce %q", got)
	}
}

func TestTheLedgerIsShown(t *testing.T) {
	h := newHouse(t)
	ann := h.setUp()
	for _, by := range []string{"", "?by=share", "?by=user", "?by=transfer"} {
		ann.get("/ledger"+by).want(t, http.StatusOK, "Ledger", "By person", "Nothing was served yet.")
	}
	ann.get("/ledger?by=weather").want(t, http.StatusNotFound, "Nothing here")
	h.browser().get("/ledger").want(t, http.StatusOK, "Sign in")
}

func TestBarsShowAllThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SampledFrom([]int64{0, 0, 1, 999, 1 << 30, 1 << 50})
		s := origin.Served{Server: bytes.Draw(t, "server"), LAN: bytes.Draw(t, "lan"), Peers: bytes.Draw(t, "peers")}
		parts := servedParts(s)
		words := servedWords(s)
		at := 0.0
		for _, p := range parts {
			x, err := strconv.ParseFloat(p.X, 64)
			width, err2 := strconv.ParseFloat(p.Width, 64)
			if err != nil || err2 != nil || math.Abs(x-at) > 0.2 || width < 4 {
				t.Fatalf("%+v: a part %+v behind %.1f", s, p, at)
			}
			at = x + width
		}
		if full := total(s) > 0; full != (math.Abs(at-1000) < 0.5) || full == (words == "nothing was served") {
			t.Fatalf("%+v is drawn up to %.1f of 1,000 and called %q", s, at, words)
		}
	})
}
