package rest

import (
	"net/http"
	"strings"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
)

// target returns who asks and what for: by the collection and path in the URL,
// or by a link's token and the path below it.
func (x *exchange) target() (origin.Caller, origin.Place, error) {
	at := origin.Place{Collection: x.r.PathValue("collection"), Path: strings.TrimSuffix(x.r.PathValue("path"), "/")}
	if x.route.auth != byLink {
		return x.caller, at, nil
	}
	c, err := x.linkCaller(x.r.PathValue("token"))
	if err == nil {
		x.caller, x.asked = c, true
	}
	return c, at, err
}

func (x *exchange) list() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	q := x.r.URL.Query()
	switch q.Get("recursive") {
	case "", "0":
	case "1":
		return x.walk(c, at)
	default:
		return fault.Errorf(fault.Invalid, "recursive is 0 or 1")
	}
	limit, err := limitOf(x.r)
	if err != nil {
		return err
	}
	l, err := x.h.cfg.Server.List(x.r.Context(), c, at, q.Get("after"), limit)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, listingShape(l))
}

func (x *exchange) walk(c origin.Caller, at origin.Place) error {
	lines := x.lines()
	for e, err := range x.h.cfg.Server.Walk(x.r.Context(), c, at) {
		if err != nil {
			return err
		}
		if err := lines.write(entryShape(e)); err != nil {
			return err
		}
	}
	return lines.end()
}

func (x *exchange) makeFolder() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	e, err := x.h.cfg.Server.MakeFolder(x.r.Context(), c, at)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, entryShape(e))
}

func (x *exchange) move() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	var in api.EntryChange
	if err := x.decode(&in); err != nil {
		return err
	}
	to := origin.Place{Collection: at.Collection, Path: in.Path}
	e, err := x.h.cfg.Server.Move(x.r.Context(), c, at, to)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, entryShape(e))
}

func (x *exchange) trash() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	ctx, s := x.r.Context(), x.h.cfg.Server
	n, err := s.Trash(ctx, c, at)
	if err != nil {
		return err
	}
	// Who may trash may list the trash, which knows when it is emptied.
	t := origin.TrashedEntry{Node: n, Path: at.Path, By: c.User.Name, Goes: n.Trashed}
	if list, err := s.TrashList(ctx, c, at.Collection, n.ID-1, 1); err == nil && len(list) == 1 && list[0].Node.ID == n.ID {
		t = list[0]
	}
	return x.json(http.StatusOK, trashedShape(t))
}

func (x *exchange) trashList() error {
	limit, err := limitOf(x.r)
	if err != nil {
		return err
	}
	after, err := number("after", x.r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	list, err := x.h.cfg.Server.TrashList(x.r.Context(), x.caller, x.r.PathValue("collection"), catalog.NodeID(after), limit)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(list, trashedShape))
}

func (x *exchange) restore() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	e, err := x.h.cfg.Server.Restore(x.r.Context(), x.caller, x.r.PathValue("collection"), catalog.NodeID(id))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, entryShape(e))
}

func (x *exchange) purge() error {
	id, err := x.number("id")
	if err != nil {
		return err
	}
	if err := x.h.cfg.Server.Purge(x.r.Context(), x.caller, x.r.PathValue("collection"), catalog.NodeID(id)); err != nil {
		return err
	}
	return x.nothing()
}

func (x *exchange) versions() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	list, err := x.h.cfg.Server.Versions(x.r.Context(), c, at)
	if err != nil {
		return err
	}
	out := make([]api.Version, len(list))
	for i, v := range list {
		out[i] = api.Version{
			ID: int64(v.ID), Size: v.Sum.Size, SHA256: hashText(v.Sum.SHA256),
			Stored: v.Created.UTC(), Current: i == 0,
		}
	}
	return x.json(http.StatusOK, out)
}

func (x *exchange) restoreVersion() error {
	c, at, err := x.target()
	if err != nil {
		return err
	}
	var in versionChoice
	if err := x.decode(&in); err != nil {
		return err
	}
	e, err := x.h.cfg.Server.RestoreVersion(x.r.Context(), c, at, catalog.VersionID(in.ID))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, entryShape(e))
}
