package rest

import (
	"errors"
	"net/http"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// maxLinkBytes is the longest request for a link: metadata of 10 MB in base64.
const maxLinkBytes = 16 << 20

func (x *exchange) linkShape(v origin.LinkView) api.Link { return linkShape(v, x.base()) }

func (x *exchange) links() error {
	all, err := x.h.cfg.Server.Links(x.r.Context(), x.caller, x.r.URL.Query().Get("collection"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, x.linkShape))
}

func (x *exchange) createLink() error {
	most := DefaultLimits().JSONBytes
	if x.r.ContentLength > most { // with the metadata of much content
		most = maxLinkBytes
		if err := x.h.memory.take(most); err != nil {
			return err
		}
		defer x.h.memory.give(most)
	}
	var in api.NewLink
	if err := x.decodeUpTo(&in, most); err != nil {
		return err
	}
	r, err := linkRequest(in)
	if err != nil {
		return err
	}
	v, err := x.h.cfg.Server.CreateLink(x.r.Context(), x.caller, r)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, x.linkShape(v))
}

func linkRequest(in api.NewLink) (r origin.LinkRequest, err error) {
	r = origin.LinkRequest{
		At: origin.Place{Collection: in.Collection, Path: in.Path}, Kind: catalog.LinkKind(in.Kind),
		Password: in.Password, MaxDownloads: in.MaxDownloads, MaxBytes: in.MaxBytes, Note: in.Note,
		Copies: in.Copies, Torrent: in.Torrent, V1: in.V1,
	}
	switch r.Kind {
	case "":
		r.Kind = catalog.ShareLink
	case catalog.ShareLink, catalog.UploadLink:
	default:
		return r, fault.Errorf(fault.Invalid, "there is no kind of link %q, only share and upload", in.Kind)
	}
	switch in.Audience {
	case "":
		r.Audience = peer.Link
	case peer.Link.String(), peer.Public.String():
		if r.Audience, err = peer.ParseAudience(in.Audience); err != nil {
			return r, err
		}
	default:
		return r, fault.Errorf(fault.Invalid, "there is no audience %q for a link, only link and public", in.Audience)
	}
	if in.MaxDownloads < 0 || in.MaxBytes < 0 || in.Copies < 0 {
		return r, fault.Errorf(fault.Invalid, "max_downloads, max_bytes and copies are not negative; 0 is no limit")
	}
	if in.Expires != nil {
		r.Expires = in.Expires.UTC()
	}
	return r, nil
}

func (x *exchange) link() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	v, err := x.h.cfg.Server.LinkInfo(x.r.Context(), x.caller, catalog.LinkID(id))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, x.linkShape(v))
}

func (x *exchange) updateLink() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	var in api.LinkChange
	if err := x.decode(&in); err != nil {
		return err
	}
	v, err := x.h.cfg.Server.UpdateLink(x.r.Context(), x.caller, catalog.LinkID(id), origin.LinkChange(in))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, x.linkShape(v))
}

func (x *exchange) revokeLink() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	if err := x.h.cfg.Server.RevokeLink(x.r.Context(), x.caller, catalog.LinkID(id)); err != nil {
		return err
	}
	return x.nothing()
}

// shared says what a link leads to. A locked one says only that.
func (x *exchange) shared() error {
	c, _, err := x.target()
	if err != nil {
		return err
	}
	out := api.Shared{Kind: string(c.Link.Kind), Locked: c.Subject.Link.Locked, Limited: c.Link.MaxDownloads > 0}
	if !out.Locked {
		out.Note = c.Link.Note
		if c.Link.Kind == catalog.ShareLink {
			e, err := x.h.cfg.Server.Stat(x.r.Context(), c, origin.Place{})
			if err != nil {
				return err
			}
			shape := entryShape(e)
			out.Entry = &shape
		}
	}
	return x.json(http.StatusOK, out)
}

// downloadLink gives a link's file, or one below its folder, or a folder as a
// zip.
func (x *exchange) downloadLink() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	err = x.giveFile(c, at, 0)
	if errors.Is(err, fault.Invalid) && x.isFolder(c, at) {
		return x.giveArchive(c, at, "zip")
	}
	return err
}

// isFolder reports whether at is a folder.
func (x *exchange) isFolder(c origin.Caller, at origin.Place) bool {
	e, err := x.h.cfg.Server.Stat(x.r.Context(), c, at)
	return err == nil && e.Node.Folder
}

// torrent gives the .torrent of a public link.
func (x *exchange) torrent() error {
	c, _, err := x.target()
	if err != nil {
		return err
	}
	b, name, err := x.h.cfg.Server.TorrentFile(x.r.Context(), c, x.base())
	if err != nil {
		return err
	}
	h := x.Header()
	h.Set("Content-Type", "application/x-bittorrent")
	h["Content-Disposition"] = []string{disposition(name)}
	h["Cache-Control"] = privately
	_, _ = x.Write(b) // a client that is gone is noticed by net/http
	return nil
}
