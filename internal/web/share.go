package web

import (
	"net/http"
	"path"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
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
		Copies: v.text("copies"), V1: v.text("v1") != "",
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
	return r, p.keeping(&r)
}

// mostCopies bounds how many copies can be asked for.
const mostCopies = 1000

// keeping reads what stands folded.
func (p sharePage) keeping(r *origin.LinkRequest) error {
	f := p.Form
	if f.Copies != "" && f.Copies != "0" {
		n := numberOf(f.Copies)
		if n <= 0 || n > mostCopies {
			return fault.Errorf(fault.Invalid, "the number of copies must be from 1 to %d, or empty", mostCopies)
		}
		if r.Kind == catalog.UploadLink {
			return fault.Errorf(fault.Invalid, "of a link for sending files there are no copies")
		}
		r.Copies = int(n)
	}
	if r.V1 = f.V1; r.V1 && r.Audience != peer.Public {
		return fault.Errorf(fault.Invalid, "old BitTorrent programs can only take part when everybody may join")
	}
	return nil
}

// audience is a choice of who may join, and what that means.
type audience struct {
	option
	Hint string
}

// audiences say what is enforced, and what is not.
func audiences() []audience {
	return []audience{
		{option{"link", "Whoever has the link"}, "Nodes serve only those who hold it, also while this server is away, for up to 7 days after they last reached it. Revoking it reaches connected nodes within seconds. With a password or a number of downloads they serve only nodes that this server has signed a capability for."},
		{option{"public", "Everybody, also by BitTorrent"}, "Nothing is enforced: copies that others pass on cannot be taken back, and there is neither a password nor a limit."},
	}
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
