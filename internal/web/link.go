package web

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"rsc.io/qr"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/rest"
	"tandem/internal/peer"
)

func (v *visit) links() error {
	list, err := v.origin.Links(v.ctx(), v.who, "")
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, linksView(v.shell("Links", "links"), linksPage{list}))
}

func (v *visit) linkID() catalog.LinkID { return catalog.LinkID(numberOf(v.r.PathValue("id"))) }

func (v *visit) link() error {
	view, err := v.origin.LinkInfo(v.ctx(), v.who, v.linkID())
	if err != nil {
		return err
	}
	return v.linkSheet(view)
}

func (v *visit) linkSheet(view origin.LinkView) error {
	p, err := v.whole(view)
	if err != nil {
		return err
	}
	title := "Link to " + path.Base(placeName(view.At))
	return v.show(http.StatusOK, linkView(v.shell(title, "links"), p))
}

// whole puts a link together: the address, and behind the # what only nodes read.
func (v *visit) whole(view origin.LinkView) (linkPage, error) {
	base := rest.BaseURL(v.r)
	p := linkPage{View: view, Link: base + sharedURL(view.Link.Token), Ready: true}
	if linkStateWord(view, v.now()) != "" {
		return p, nil
	}
	if view.Link.Kind == catalog.ShareLink {
		fragment, ready, err := v.origin.LinkFragment(v.ctx(), v.who, view.Link.ID, base)
		if err != nil {
			return p, err
		}
		if p.Ready = ready; fragment != "" {
			p.Link += "#" + fragment
		}
	}
	p.QR = qrSVG(p.Link)
	return p, nil
}

func (v *visit) linkDone() error {
	if v.do() != "revoke" {
		return fault.Errorf(fault.Invalid, "there is no such form")
	}
	if err := v.origin.RevokeLink(v.ctx(), v.who, v.linkID()); err != nil {
		return err
	}
	return v.done(flash{Text: "The link is revoked: it leads nowhere any more."}, "/links")
}

// linkStateWord says in a word why a link does not work; "" when it does.
func linkStateWord(v origin.LinkView, now time.Time) string {
	switch l := v.Link; {
	case !l.Revoked.IsZero():
		return "revoked"
	case !l.Expires.IsZero() && !l.Expires.After(now):
		return "expired"
	case !v.Live:
		return "deleted"
	case l.MaxDownloads > 0 && l.Downloads >= l.MaxDownloads:
		return "used up"
	}
	return ""
}

// linkState is linkStateWord as a sentence.
func linkState(v origin.LinkView, now time.Time) string {
	switch linkStateWord(v, now) {
	case "revoked":
		return "This link was revoked and leads nowhere."
	case "expired":
		return "This link has expired and leads nowhere."
	case "deleted":
		return "What this link led to is in the trash; it works again when that is restored."
	case "used up":
		return "All downloads of this link are used up."
	}
	return ""
}

// linkFor says what a link is for.
func linkFor(l catalog.Link) string {
	switch {
	case l.Kind == catalog.UploadLink:
		return "sending files"
	case l.Audience == peer.Public:
		return "everybody"
	}
	return "downloading"
}

// linkMeaning says what a link is good for.
func linkMeaning(v origin.LinkView) string {
	who := "Who has this link"
	if v.Link.Password != "" {
		who += " and its password"
	}
	switch l := v.Link; {
	case l.Kind == catalog.UploadLink:
		return who + " can add files to the folder, and sees nothing in it."
	case l.Audience == peer.Public:
		return "Everybody can get this: in a browser, with curl, with any BitTorrent program, or with tandem get."
	case l.MaxDownloads > 0 || l.Password != "":
		return who + " can download, without an account: in a browser, with curl, or with tandem get."
	}
	return who + " can download, without an account: in a browser, with curl, or with tandem get, which also works while this server is away."
}

// bearerLife is how long nodes honour a link after they last reached the server.
const bearerLife = 7 * 24 * time.Hour

// enforced says what holds others off, without making it nicer than it is. "" for what only
// this server gives.
func enforced(v origin.LinkView, now time.Time) string {
	l := v.Link
	switch {
	case l.Kind == catalog.UploadLink:
		return ""
	case l.Audience == peer.Public:
		return "Nothing is enforced. Revoking ends it here; copies that others pass on stay."
	case l.Password != "" || l.MaxDownloads > 0:
		return "Enforced by every node: they give it only to nodes that this server has signed a capability for, for a day at a time. While this server is away, nobody new gets in."
	}
	until := now.Add(bearerLife)
	if !l.Expires.IsZero() && l.Expires.Before(until) {
		until = l.Expires
	}
	return "Enforced by every node: only who holds this link gets it, until " + at(until).dayText() +
		", and longer as long as nodes reach this server. Revoking it reaches connected nodes within seconds."
}

// making says what is still missing of a link.
func making(v origin.LinkView) string {
	if v.Pending {
		return "The content is still on its way to this server. The link works in tandem already."
	}
	return "It works in a browser already. What makes it work in tandem too is being added; this takes a moment for large files."
}

// copies counts the whole copies beside the server's.
func copies(v origin.LinkView) string {
	held := grouped(int64(v.Holders))
	switch wanted := grouped(int64(v.Link.Copies)); {
	case tooFew(v):
		return held + " of " + wanted
	case v.Link.Copies > 0:
		return held + " (" + wanted + " wanted)"
	}
	return held
}

func tooFew(v origin.LinkView) bool { return v.Holders < v.Link.Copies }

func downloads(l catalog.Link) string {
	if l.MaxDownloads > 0 {
		return grouped(l.Downloads) + " of " + count(l.MaxDownloads, "download", "downloads")
	}
	return count(l.Downloads, "download", "downloads")
}

// denseQR is how long the drawing is of a code that wants to be shown larger.
const denseQR = 16_000

// qrSVG draws a text as a QR code: dark squares on white, whatever the page's colours,
// with the quiet zone the standard asks for. A long text has a code with less redundancy, whose
// squares are larger; one too long for any gives "".
func qrSVG(text string) string {
	level := qr.M
	if len(text) > 120 {
		level = qr.L
	}
	code, err := qr.Encode(text, level)
	if err != nil {
		return ""
	}
	const quiet = 4
	side := code.Size + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="QR code" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, side, side, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}
