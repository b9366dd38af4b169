package catalogtest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
)

// read asks one random thing of the catalog and of memory.
func (h *history) read() {
	reads := []func(){
		h.readCollections, h.readRights, h.readUser, h.readNode, h.readChildren, h.readResolve, h.readTrash, h.readVersions,
		h.readSearch, h.readSearch, h.readCounts, h.readContents, h.readUploads, h.readLinks,
	}
	reads[h.pick("read", len(reads))]()
}

func (h *history) limit() int { return h.pick("limit", 5) }

func (h *history) readCollections() {
	id, name, limit := h.collection(), h.collectionName(), h.limit()
	got, err := h.tx.Collections.Collection(id)
	want, wantErr := known(h.m.collections, id)
	if wantErr != nil {
		want = &catalog.Collection{}
	}
	agree(h, "collection", got, err, *want, wantErr)
	got, err = h.tx.Collections.CollectionByName(name)
	byName, wantErr := h.m.collectionByName(name)
	agree(h, "collection by name", got, err, byName, wantErr)
	list, err := h.tx.Collections.Collections(name, limit)
	agree(h, "collections", list, err, h.m.listCollections(name, limit), nil)
}

func (h *history) readRights() {
	c, u, now := h.collection(), h.user(), h.now.Add(h.hours("later"))
	got, err := h.tx.Collections.Granted(c, u, now)
	want, wantErr := h.m.granted(c, u, now)
	agree(h, "granted", got, err, want, wantErr)
	list, err := h.tx.Collections.Visible(u, now)
	agree(h, "visible", list, err, h.m.visible(u, now), nil)
	grants, err := h.tx.Collections.Grants(c)
	agree(h, "grants", grants, err, h.m.listGrants(c), nil)
}

func (h *history) readUser() {
	id := draw(h, "user", h.m.users, noID)
	if want := h.m.users[id]; want != nil {
		got, err := h.tx.Accounts.User(id)
		agree(h, "user", got, err, *want, nil)
	}
}

func (h *history) readNode() {
	id := h.node()
	got, err := h.tx.Tree.Node(id)
	want, wantErr := h.m.node(id)
	agree(h, "node", got, err, want, wantErr)
	type path struct {
		Names []string
		Live  bool
	}
	var p, q path
	p.Names, p.Live, err = h.tx.Tree.Path(id)
	q.Names, q.Live, wantErr = h.m.path(id)
	agree(h, "path", p, err, q, wantErr)
}

func (h *history) readChildren() {
	parent, name, limit := h.folder(), h.name(), h.limit()
	got, err := h.tx.Tree.Child(parent, name)
	want, wantErr := h.m.child(parent, name)
	agree(h, "child", got, err, want, wantErr)
	list, err := h.tx.Tree.Children(parent, name, limit)
	agree(h, "children", list, err, h.m.children(parent, name, limit), nil)
}

// readResolve walks down to where something is, or somewhere else.
func (h *history) readResolve() {
	from, names := h.folder(), []string{h.name()}
	if path, _, err := h.m.path(h.node()); err == nil && rapid.Bool().Draw(h.T, "a path") {
		c := h.m.collections[h.collection()]
		if c == nil {
			return
		}
		from, names = c.Root, path
	}
	got, err := h.tx.Tree.Resolve(from, names)
	want, wantErr := h.m.resolve(from, names)
	agree(h, "resolve", got, err, want, wantErr)
}

func (h *history) readTrash() {
	c, after, limit := h.collection(), h.node(), h.limit()
	if rapid.Bool().Draw(h.T, "from the start") {
		after = 0
	}
	got, err := h.tx.Tree.Trashed(c, after, limit)
	agree(h, "trashed", got, err, h.m.trashed(c, after, limit), nil)
	now, keep := h.now.Add(h.hours("later")), h.hours("keep")
	got, err = h.tx.Tree.TrashedBefore(now, keep, limit)
	agree(h, "trashed before", got, err, h.m.trashedBefore(now, keep, limit), nil)
}

func (h *history) readVersions() {
	id := h.node()
	got, err := h.tx.Tree.Versions(id)
	want, wantErr := h.m.listVersions(id)
	agree(h, "versions", got, err, want, wantErr)
	version := draw(h, "version", h.m.versions, noID)
	one, err := h.tx.Tree.Version(version)
	oneWant, wantErr := h.m.version(version)
	agree(h, "version", one, err, oneWant, wantErr)
}

func (h *history) readSearch() {
	in := slices.Sorted(maps.Keys(h.m.collections))
	if rapid.Bool().Draw(h.T, "in one") {
		in = []catalog.CollectionID{h.collection()}
	}
	text := oneOf(h, "text", []string{"a", "A", "ä", "B", "%", "_", `\`, "0%", "STRASSE", ""})
	limit := h.limit()
	got, err := h.tx.Tree.Search(in, text, limit)
	agree(h, "search", got, err, h.m.search(in, text, limit), nil)
}

func (h *history) readCounts() {
	id := h.collection()
	var got, want [2]int64
	var err, wantErr error
	got[0], got[1], err = h.tx.Tree.Counts(id)
	want[0], want[1], wantErr = h.m.counts(id)
	agree(h, "counts", got, err, want, wantErr)
}

func (h *history) readContents() {
	root, limit, before := h.sum().Root, h.limit(), h.now.Add(h.hours("before")-10)
	got, err := h.tx.Contents.Content(root)
	want, wantErr := h.m.contentOf(root)
	agree(h, "content", got, err, want, wantErr)
	list, err := h.tx.Contents.Unused(before, limit)
	agree(h, "unused", list, err, h.m.unused(before, limit), nil)
	list, err = h.tx.Contents.ToCheck(before, limit)
	agree(h, "to check", list, err, h.m.toCheck(before, limit), nil)
	paths, err := h.tx.Contents.Users(root, limit)
	agree(h, "users", paths, err, h.m.usersOf(root, limit), nil)
}

func (h *history) readUploads() {
	id, now, limit, user := h.uploadID(), h.now.Add(h.hours("later")), h.limit(), h.user()
	got, err := h.tx.Uploads.Upload(id)
	want, wantErr := h.m.upload(id)
	agree(h, "upload", got, err, want, wantErr)
	list, err := h.tx.Uploads.ExpiredUploads(now, limit)
	agree(h, "expired uploads", list, err, h.m.expiredUploads(now, limit), nil)
	list, err = h.tx.Uploads.UploadsOf(user)
	agree(h, "uploads of", list, err, h.m.uploadsOf(user), nil)
}

func (h *history) readLinks() {
	id, token, c := h.linkID(), h.token(), h.collection()
	got, err := h.tx.Links.Link(id)
	want, wantErr := h.m.link(id)
	agree(h, "link", got, err, want, wantErr)
	got, err = h.tx.Links.LinkByToken(token)
	want, wantErr = h.m.linkByToken(token)
	agree(h, "link by token", got, err, want, wantErr)
	list, err := h.tx.Links.LinksIn(c)
	agree(h, "links in", list, err, h.m.linksThat(func(l *catalog.Link) bool { return l.Collection == c }), nil)
	limit := h.limit()
	list, err = h.tx.Links.TorrentsWanted(limit)
	agree(h, "torrents wanted", list, err, h.m.torrentsWanted(limit), nil)
	h.readSwarmLinks(limit)
	torrent, err := h.tx.Links.Torrent(id)
	wantTorrent, wantErr := h.m.torrent(id)
	agree(h, "torrent", torrent, err, wantTorrent, wantErr)
}

// compareAll looks at everything there is.
func (h *history) compareAll() {
	h.view(func() {
		for _, id := range slices.Sorted(maps.Keys(h.m.nodes)) {
			got, err := h.tx.Tree.Node(id)
			want, wantErr := h.m.node(id)
			agree(h, "node", got, err, want, wantErr)
			versions, err := h.tx.Tree.Versions(id)
			wantVersions, wantErr := h.m.listVersions(id)
			agree(h, "versions", versions, err, wantVersions, wantErr)
		}
		for id, want := range h.m.users {
			got, err := h.tx.Accounts.User(id)
			agree(h, "user", got, err, *want, nil)
		}
		const all = 1000
		list, err := h.tx.Collections.Collections("", all)
		agree(h, "collections", list, err, h.m.listCollections("", all), nil)
		contents, err := h.tx.Contents.ToCheck(h.now.AddDate(10, 0, 0), all)
		agree(h, "contents", contents, err, h.m.toCheck(h.now.AddDate(10, 0, 0), all), nil)
	})
}
