package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Collections returns those we may list.
func (c *Client) Collections(ctx context.Context) ([]api.Collection, error) {
	return one[[]api.Collection](ctx, c, get("collections"), nil)
}

// Collection returns one.
func (c *Client) Collection(ctx context.Context, name string) (api.Collection, error) {
	return one[api.Collection](ctx, c, get(collectionPath(name)), nil)
}

// CreateCollection makes one, which is then ours.
func (c *Client) CreateCollection(ctx context.Context, name string) (api.Collection, error) {
	return one[api.Collection](ctx, c, post("collections"), api.CollectionChange{Name: &name})
}

// UpdateCollection changes one.
func (c *Client) UpdateCollection(ctx context.Context, name string, change api.CollectionChange) (api.Collection, error) {
	return one[api.Collection](ctx, c, verb(http.MethodPatch, collectionPath(name)), change)
}

// DeleteCollection removes one with all that is in it.
func (c *Client) DeleteCollection(ctx context.Context, name string) error {
	return c.call(ctx, remove(collectionPath(name)), nil, nil)
}

// Grants returns who may do what on a collection.
func (c *Client) Grants(ctx context.Context, collection string) ([]api.Grant, error) {
	return one[[]api.Grant](ctx, c, get(collectionPath(collection)+"/grants"), nil)
}

// SetGrant replaces what a subject may do; no rights takes everything away.
func (c *Client) SetGrant(ctx context.Context, collection string, g api.Grant) error {
	path := collectionPath(collection) + "/grants/user/" + escape(g.Subject)
	if g.Group {
		path = collectionPath(collection) + "/grants/group/" + escape(g.Subject)
	}
	if len(g.Rights) == 0 {
		return c.call(ctx, remove(path), nil, nil)
	}
	return c.call(ctx, verb(http.MethodPut, path), g, nil)
}

// Search looks for text in names; collection "" is all of them.
func (c *Client) Search(ctx context.Context, collection, text string) ([]api.Found, error) {
	r := get("search")
	r.query = url.Values{"q": {text}}
	if collection != "" {
		r.query.Set("collection", collection)
	}
	return one[[]api.Found](ctx, c, r, nil)
}

func collectionPath(name string) string { return "collections/" + escape(name) }

// Tree is a collection, or what a link leads to. Paths are below it, "/" between names,
// "" for itself.
type Tree struct {
	c          *Client
	collection string
	token      string // of a link; "": a collection
	password   string // of the link
}

// In returns a collection as a Tree. Nothing is sent.
func (c *Client) In(collection string) Tree { return Tree{c: c, collection: collection} }

// By returns what a link leads to as a Tree. Nothing is sent.
func (c *Client) By(token, password string) Tree { return Tree{c: c, token: token, password: password} }

// request completes r with how the Tree is reached.
func (t Tree) request(r request) request {
	if t.token != "" {
		r.auth = auth{none: true, password: t.password}
	}
	return r
}

// below returns the route of what for path.
func (t Tree) below(what, path string) string {
	root := collectionPath(t.collection)
	if t.token != "" {
		root = "shared/" + escape(t.token)
	}
	if path == "" {
		return root + "/" + what + "/"
	}
	return root + "/" + what + "/" + escape(path)
}

// contentPath is where the bytes of a file are.
func (t Tree) contentPath(path string) string {
	switch {
	case t.token == "":
		return v1 + t.below("content", path)
	case path == "":
		return "s/" + escape(t.token) + "/download"
	}
	return "s/" + escape(t.token) + "/files/" + escape(path)
}

// Shared says what the link leads to.
func (t Tree) Shared(ctx context.Context) (api.Shared, error) {
	return one[api.Shared](ctx, t.c, t.request(get("shared/"+escape(t.token))), nil)
}

// List returns one page of a folder; of a file it has the file in Folder and no Entries.
func (t Tree) List(ctx context.Context, path, after string, limit int) (api.Listing, error) {
	r := t.request(get(t.below("entries", path)))
	r.query = url.Values{}
	if after != "" {
		r.query.Set("after", after)
	}
	if limit > 0 {
		r.query.Set("limit", number(int64(limit)))
	}
	return one[api.Listing](ctx, t.c, r, nil)
}

// Stat returns one file or folder.
func (t Tree) Stat(ctx context.Context, path string) (api.Entry, error) {
	l, err := t.List(ctx, path, "", 1)
	return l.Folder, err
}

// Walk calls f with what is below a folder, a folder before what is in it; with a file itself.
func (t Tree) Walk(ctx context.Context, path string, f func(api.Entry) error) error {
	r := t.request(get(t.below("entries", path)))
	r.query = url.Values{"recursive": {"1"}}
	return lines(ctx, t.c, r, f)
}

// MakeFolder makes a folder and those above it.
func (t Tree) MakeFolder(ctx context.Context, path string) (api.Entry, error) {
	r := post(t.below("entries", path))
	r.once = false // one that is there is fine
	return one[api.Entry](ctx, t.c, r, nil)
}

// Move renames or moves within the collection.
func (t Tree) Move(ctx context.Context, from, to string) (api.Entry, error) {
	r := verb(http.MethodPatch, t.below("entries", from))
	r.once = true
	return one[api.Entry](ctx, t.c, r, api.EntryChange{Path: to})
}

// Trash moves a file or folder to the trash; the ID in the answer takes it back.
func (t Tree) Trash(ctx context.Context, path string) (api.Trashed, error) {
	r := remove(t.below("entries", path))
	r.once = true
	return one[api.Trashed](ctx, t.c, r, nil)
}

// TrashList returns what is in the trash.
func (t Tree) TrashList(ctx context.Context) ([]api.Trashed, error) {
	return one[[]api.Trashed](ctx, t.c, get(collectionPath(t.collection)+"/trash"), nil)
}

// Restore takes something out of the trash.
func (t Tree) Restore(ctx context.Context, id int64) (api.Entry, error) {
	return one[api.Entry](ctx, t.c, post(collectionPath(t.collection)+"/trash/"+number(id)+"/restore"), nil)
}

// Purge removes something in the trash for good.
func (t Tree) Purge(ctx context.Context, id int64) error {
	return t.c.call(ctx, remove(collectionPath(t.collection)+"/trash/"+number(id)), nil, nil)
}

// Versions returns the contents a file has had, the newest first.
func (t Tree) Versions(ctx context.Context, path string) ([]api.Version, error) {
	return one[[]api.Version](ctx, t.c, get(t.below("versions", path)), nil)
}

// RestoreVersion makes a copy of an older version the current one.
func (t Tree) RestoreVersion(ctx context.Context, path string, id int64) (api.Entry, error) {
	return one[api.Entry](ctx, t.c, post(t.below("versions", path)), map[string]int64{"id": id})
}

// Links returns our links, or all of a collection.
func (c *Client) Links(ctx context.Context, collection string) ([]api.Link, error) {
	r := get("links")
	if collection != "" {
		r.query = url.Values{"collection": {collection}}
	}
	return one[[]api.Link](ctx, c, r, nil)
}

// CreateLink makes a link.
func (c *Client) CreateLink(ctx context.Context, l api.NewLink) (api.Link, error) {
	return one[api.Link](ctx, c, post("links"), l)
}

// RevokeLink ends a link.
func (c *Client) RevokeLink(ctx context.Context, id int64) error {
	return c.call(ctx, remove("links/"+number(id)), nil, nil)
}

// SplitLink takes a link's URL apart; anything behind the token is left out.
func SplitLink(text string) (server, token string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", "", false
	}
	before, after, found := strings.Cut("/"+strings.TrimLeft(u.Path, "/"), "/s/")
	token, _, _ = strings.Cut(after, "/")
	token = strings.TrimSuffix(token, ".torrent")
	if !found || token == "" {
		return "", "", false
	}
	return u.Scheme + "://" + u.Host + before, token, true
}

// maxLine bounds a line of a listing: a path of 1,024 bytes, escaped, has room.
const maxLine = 256 << 10

// lines calls f with each line of an application/x-ndjson answer. A line that is a
// problem ends it, and so does an answer that breaks off.
func lines[T any](ctx context.Context, c *Client, r request, f func(T) error) error {
	res, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer drain(res.Body)
	in := bufio.NewScanner(res.Body)
	in.Buffer(make([]byte, 64<<10), maxLine)
	for in.Scan() {
		line := bytes.TrimSpace(in.Bytes())
		if len(line) == 0 {
			continue
		}
		if bytes.HasPrefix(line, []byte(`{"type":"tag:tandem`)) {
			p := &Problem{}
			if err := json.Unmarshal(line, &p.Problem); err == nil && p.Status >= 400 {
				return fault.Wrap(p.kind(), p)
			}
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fault.Errorf(fault.Protocol, "the server's listing is not what this client knows: %w", err)
		}
		if err := f(v); err != nil {
			return err
		}
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fault.Errorf(fault.Protocol, "the server's listing has a line longer than %d bytes", maxLine)
	case err != nil && ctx.Err() != nil:
		return fault.Wrap(fault.Closed, ctx.Err())
	case err != nil:
		return fault.Wrap(fault.Unreachable, fmt.Errorf("the listing broke off: %w", err))
	}
	return nil
}
