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
	"tandem/internal/policy"
)

// share asks how a file or folder is to be shared.
func (v *visit) share() error {
	p, err := v.sharing()
	if err != nil {
		return err
	}
	p.Form = linkForm{Kind: p.May[0].Value, Audience: "link", Expires: "30"}
	return v.show(http.StatusOK, shareView(v.shell("Share "+p.Name, "files"), p))
}

// sharing finds what there is to share and which links the visitor may make.
func (v *visit) sharing() (sharePage, error) {
	at := v.place()
	p := sharePage{Collection: at.Collection, Path: at.Path, Name: path.Base(at.Path), Folder: true}
	c, err := v.origin.Collection(v.ctx(), v.who, at.Collection)
	if err != nil {
		return p, err
	}
	if at.Path == "" {
		p.Name = c.Collection.Name
	} else {
		e, err := v.origin.Stat(v.ctx(), v.who, at)
		if err != nil {
			return p, err
		}
		p.Folder = e.Node.Folder
	}
	if has(c.Rights, policy.Read) {
		p.May = append(p.May, option{"share", "Downloading: who opens the link gets what is here"})
	}
	if p.Folder && has(c.Rights, policy.Publish) {
		p.May = append(p.May, option{"upload", "Sending files: who opens the link can add to this folder, and sees nothing"})
	}
	if len(p.May) == 0 {
		return p, fault.Errorf(fault.Permission, "sharing needs the right to download, or to add files")
	}
	return p, nil
}

func (v *visit) shareDone() error {
	p, err := v.sharing()
	if err != nil {
		return err
	}
	p.Form = linkForm{
		Kind: v.text("kind"), Audience: orElse(v.text("audience"), "link"), Expires: v.text("expires"),
		Password: v.secret("password"), Max: v.text("max"), Note: v.text("note"),
	}
	var made origin.LinkView
	want, err := p.request(v.now())
	if err == nil {
		made, err = v.origin.CreateLink(v.ctx(), v.who, want)
	}
	if err == nil {
		if v.inDialog() {
			return v.linkSheet(made)
		}
		return v.goTo(linkURL(made.Link.ID))
	}
	text, status, ok := complaintOf(err)
	if !ok {
		return err
	}
	p.Error = text
	return v.show(status, shareView(v.shell("Share "+p.Name, "files"), p))
}

// request reads the form. Errors are of kind fault.Invalid.
func (p sharePage) request(now time.Time) (origin.LinkRequest, error) {
	f := p.Form
	r := origin.LinkRequest{
		At:       origin.Place{Collection: p.Collection, Path: p.Path},
		Kind:     catalog.LinkKind(f.Kind),
		Password: f.Password, Note: f.Note,
	}
	if !offers(p.May, f.Kind) {
		return r, fault.Errorf(fault.Invalid, "say what the link is for")
	}
	audience, err := peer.ParseAudience(f.Audience)
	if err != nil {
		return r, fault.Errorf(fault.Invalid, "say who may have the link")
	}
	r.Audience = audience
	if r.Kind == catalog.UploadLink {
		r.Audience = peer.Link
	}
	if r.Expires, err = daysFrom(now, f.Expires); err != nil {
		return r, err
	}
	if f.Max != "" {
		if r.MaxDownloads = numberOf(f.Max); r.MaxDownloads <= 0 {
			return r, fault.Errorf(fault.Invalid, "the number of downloads must be one or more, or empty")
		}
		if r.Kind == catalog.UploadLink {
			return r, fault.Errorf(fault.Invalid, "a link for sending files has no number of downloads")
		}
	}
	return r, nil
}

// lifetimes are the choices for how long a link lives, in days; 0 is for ever.
func lifetimes() []option {
	return []option{
		{"1", "in one day"},
		{"7", "in 7 days"},
		{"30", "in 30 days"},
		{"365", "in one year"},
		{"0", "never"},
	}
}

func offers(list []option, value string) bool {
	for _, o := range list {
		if o.Value == value {
			return true
		}
	}
	return false
}

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
	url := rest.BaseURL(v.r) + sharedURL(view.Link.Token)
	title := "Link to " + path.Base(placeName(view.At))
	return v.show(http.StatusOK, linkView(v.shell(title, "links"), linkPage{View: view, URL: url, QR: qrSVG(url)}))
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

// linkMeaning says who may do what by a link, without making it nicer than it is.
func linkMeaning(v origin.LinkView) string {
	l := v.Link
	switch {
	case l.Kind == catalog.UploadLink && l.Password != "":
		return "Who has this link and its password can add files to the folder, and sees nothing in it."
	case l.Kind == catalog.UploadLink:
		return "Who has this link can add files to the folder, and sees nothing in it."
	case l.Audience == peer.Public:
		return "Everybody can get this, also by BitTorrent. Revoking ends it here; copies that others pass on stay."
	case l.Password != "":
		return "Who has this link and its password can download, without an account."
	}
	return "Who has this link can download, without an account."
}

func downloads(l catalog.Link) string {
	if l.MaxDownloads > 0 {
		return grouped(l.Downloads) + " of " + count(l.MaxDownloads, "download", "downloads")
	}
	return count(l.Downloads, "download", "downloads")
}

// qrSVG draws a text as a QR code: dark squares on white, whatever the page's colours,
// with the quiet zone the standard asks for. A text too long for one gives "".
func qrSVG(text string) string {
	code, err := qr.Encode(text, qr.M)
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
