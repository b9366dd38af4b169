package web

import (
	"net/http"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/rest"
)

// shared shows what a link leads to.
func (v *visit) shared() error {
	token := v.r.PathValue("token")
	c, err := rest.LinkCallerOf(v.r, token)
	if err != nil {
		return err
	}
	p := sharedPage{Token: token, Link: *c.Link, URL: rest.BaseURL(v.r) + sharedURL(token)}
	v.who = c
	if c.Subject.Link.Locked {
		return v.show(http.StatusOK, lockedView(v.publicShell("Password needed"), p))
	}
	if c.Link.Kind == catalog.UploadLink {
		s := v.publicShell("Send files")
		s.Uploads = true
		return v.show(http.StatusOK, requestView(s, p))
	}
	root, err := v.origin.Stat(v.ctx(), c, origin.Place{})
	if err != nil {
		return err
	}
	p.Root = root.Node.Name
	if p.Root == "" {
		p.Root = "Shared folder"
	}
	at := origin.Place{Path: strings.Trim(v.r.PathValue("path"), "/")}
	if p.Entry = root; at.Path != "" {
		if p.Entry, err = v.origin.Stat(v.ctx(), c, at); err != nil {
			return err
		}
		if !p.Entry.Node.Folder { // of a file below a folder there is the download only
			return v.goTo(sharedArchive(token, at.Path))
		}
	}
	return v.sharedShow(c, at, p)
}

func (v *visit) sharedShow(c origin.Caller, at origin.Place, p sharedPage) error {
	title := orElse(p.Entry.Node.Name, p.Root)
	if p.Entry.Node.Folder {
		after := v.r.URL.Query().Get("after")
		list, err := v.origin.List(v.ctx(), c, at, after, pageRows)
		if err != nil {
			return err
		}
		p.Entry.Path = at.Path
		p.Rows = list.Entries
		if list.Next != "" {
			p.Next = v.r.URL.Path + "?after=" + query(list.Next)
		} else if after == "" {
			sorting{}.apply(p.Rows)
		}
	}
	return v.show(http.StatusOK, sharedView(v.publicShell(title), p))
}

// publicShell is the frame for somebody who came by a link: whoever is signed in
// beside it does not matter here.
func (v *visit) publicShell(title string) shell {
	s := v.shell(title, "")
	s.User = ""
	return s
}

// unlock takes a link's password.
func (v *visit) unlock() error {
	token := v.r.PathValue("token")
	proof, err := v.origin.UnlockLink(v.ctx(), v.who, token, v.secret("password"))
	if err == nil {
		c, err := v.origin.ByLink(v.ctx(), v.who, token, proof)
		if err != nil {
			return err
		}
		rest.SetLinkProof(v.w, v.r, token, c.Link.ID, proof)
		return v.goTo(sharedURL(token))
	}
	p := sharedPage{Token: token}
	what := rest.ProblemOf(err)
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Permission:
		p.Error = "That is not the password."
	case fault.Limited, fault.Invalid:
		p.Error = sentence(what)
	default:
		return err
	}
	return v.show(what.Status, lockedView(v.publicShell("Password needed"), p))
}
