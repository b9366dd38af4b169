package origin_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/origin"
)

// request is an upload and what will come with it.
type request struct {
	origin.UploadRequest
	data  string
	wrong bool   // another SHA-256 is announced
	match string // the content that is to be replaced; "-": not asked
}

type operation func(a *actor, c origin.Caller)

// operations lists what can be done, the more often the likelier.
func (h *history) operations() []operation {
	return []operation{
		h.put, h.put, h.put, h.put, h.put, h.put, h.put, h.put, h.put, h.makeFolder, h.makeFolder, h.makeFolder, h.move, h.move, h.move,
		h.trash, h.trash, h.trash, h.restore, h.restore, h.restore, h.purge, h.purge, h.restoreVersion, h.restoreVersion, h.versions,
		h.stat, h.stat, h.list, h.list, h.open, h.open, h.open, h.search,
		func(a *actor, c origin.Caller) { h.walk(a, c, h.at(a)) },
		func(a *actor, c origin.Caller) { h.trashList(a, c, h.collection()) },
		func(a *actor, c origin.Caller) { h.showCollection(a, c, h.collection()) },
		h.beginUpload, h.beginUpload, h.beginUpload, h.write, h.write, h.write, h.write, h.uploadState, h.dropUpload,
		h.account, h.changeUser, h.setMember, h.collections, h.createCollection, h.changeCollection, h.deleteCollection,
		h.setGrant, h.setGrant, h.setGrant, h.setGrant, h.grants,
		h.createLink, h.createLink, h.createLink, h.createLink, h.createLink, h.createLink, h.changeLink, h.changeLink, h.revokeLink, h.linkInfo, h.listLinks,
		h.sweep,
	}
}

// linkOperations lists what can be asked with a link: what takes a Place, and what no link is made for.
func (h *history) linkOperations() []operation {
	return []operation{
		h.put, h.put, h.put, h.put, h.put, h.put, h.makeFolder, h.move, h.trash, h.restore, h.purge, h.restoreVersion, h.versions,
		h.stat, h.stat, h.stat, h.list, h.list, h.list, h.open, h.open, h.open, h.open, h.open, h.open, h.open, h.open, h.search,
		func(a *actor, c origin.Caller) { h.walk(a, c, h.at(a)) },
		func(a *actor, c origin.Caller) { h.trashList(a, c, h.collection()) },
		h.beginUpload, h.beginUpload, h.write, h.write, h.write, h.uploadState, h.dropUpload,
		h.account, h.collections, h.createCollection, h.createLink, h.changeLink, h.revokeLink, h.linkInfo,
	}
}

// --- drawing

// collection is mostly one that is there.
func (h *history) collection() string {
	live := slices.DeleteFunc(slices.Clone(h.w.cols), func(c *sCol) bool { return c.gone })
	if len(live) == 0 || h.rarely("no collection", 40) {
		return h.name + "absent"
	}
	if h.pick("the first", 3) > 0 {
		return live[0].name
	}
	return live[h.pick("collection", len(live))].name
}

func (h *history) base(collection string) *sNode {
	for _, c := range h.w.cols {
		if c.name == collection && !c.gone {
			return c.root
		}
	}
	return nil
}

// at is a place for a: something that is there, a new name in a folder, or what
// cannot be.
func (h *history) at(a *actor) origin.Place {
	at := origin.Place{}
	var base *sNode
	if a.link != nil {
		base = a.link.node
	} else {
		at.Collection = h.collection()
		base = h.base(at.Collection)
	}
	at.Path = h.path(base)
	return at
}

func (h *history) path(base *sNode) string {
	if h.rarely("no path", 60) {
		return oneOf(h, "path", "../a", "a//b", "./a", "a\x00", "a/", `a\b`)
	}
	if base != nil && !base.folder && !h.rarely("below a file", 8) {
		return ""
	}
	path := h.existing(base, func(n *sNode) bool { return n != base || h.rarely("the base itself", 10) })
	if path == "" && !h.rarely("nothing is there", 4) || h.rarely("new name", 8) {
		path = strings.TrimPrefix(path+"/"+h.newName(), "/")
	}
	return path
}

// existing is the path from base of one of those live nodes that ok is true of; "" when there is none.
func (h *history) existing(base *sNode, ok func(*sNode) bool) string {
	var all []string
	if base != nil {
		top := len(base.names())
		base.each(func(n *sNode) {
			if n.live() && ok(n) {
				all = append(all, strings.Join(n.names()[top:], "/"))
			}
		})
	}
	if len(all) == 0 {
		return ""
	}
	return all[h.pick("path", len(all))]
}

// free is a place for something new, mostly: a name in a folder, which may be taken.
func (h *history) free(a *actor) origin.Place {
	at := h.at(a)
	if h.rarely("anywhere", 6) {
		return at
	}
	base := h.base(at.Collection)
	if a.link != nil {
		base = a.link.node
	}
	folder := h.existing(base, func(n *sNode) bool { return n.folder && len(n.names()) < 4 })
	at.Path = strings.TrimPrefix(folder+"/"+h.newName(), "/")
	return at
}

func (h *history) newName() string {
	return oneOf(h, "name", "a", "a", "b", "b.txt", "A", "\u00e4", "a\u0308", "x y", "b/c", "<i>")
}

func (h *history) request(a *actor) request {
	r := request{data: oneOf(h, "data", "", "ten bytes.", strings.Repeat("forty", 8), strings.Repeat("hundred!", 12)), match: "-"}
	r.At, r.Size = h.free(a), int64(len(r.data))
	switch h.pick("condition", 12) {
	case 0:
		r.IfAbsent = true
	case 1:
		r.match = oneOf(h, "match", "", "ten bytes.")
		r.IfMatch = sha(r.match)
	case 2:
		r.wrong, r.SHA256 = true, sha("something else")
	case 3, 4, 5:
		r.SHA256 = sha(r.data)
	}
	if h.rarely("modified", 2) {
		r.Modified = time.Date(2020, 2, 2, 2, 2, 2, 0, time.UTC)
	}
	return r
}

// --- files

func (h *history) put(a *actor, c origin.Caller) {
	r := h.request(a)
	got, created, err := h.p.Put(h.ctx, c, r.UploadRequest, strings.NewReader(r.data))
	want, n, wantErr := h.w.put(a, r)
	if h.same(a.name+" puts "+r.At.String(), entryText(got)+yes(created, " created"), err, want, wantErr) == nil {
		h.met(n, got.Node)
	}
}

// met remembers the numbers of what was just stored.
func (h *history) met(n *sNode, got catalog.Node) {
	if n.id != 0 && n.id != got.ID {
		h.Fatalf("%s was node %d and is node %d", n.name, n.id, got.ID)
	}
	n.id, n.current().id = got.ID, got.Version.ID
}

func (h *history) makeFolder(a *actor, c origin.Caller) {
	at := h.free(a)
	got, err := h.p.MakeFolder(h.ctx, c, at)
	want, wantErr := h.w.makeFolder(a, at)
	h.same(a.name+" makes folder "+at.String(), entryText(got), err, want, wantErr)
}

func (h *history) move(a *actor, c origin.Caller) {
	from, to := h.at(a), h.free(a)
	if h.pick("same collection", 4) > 0 {
		to.Collection = from.Collection
	}
	got, err := h.p.Move(h.ctx, c, from, to)
	want, wantErr := h.w.move(a, from, to)
	h.same(a.name+" moves "+from.String()+" to "+to.String(), entryText(got), err, want, wantErr)
}

func (h *history) trash(a *actor, c origin.Caller) {
	at := h.at(a)
	got, err := h.p.Trash(h.ctx, c, at)
	n, wantErr := h.w.trash(a, at)
	if h.failed(a.name+" trashes "+at.String(), err, wantErr) == nil {
		if n.id != 0 && n.id != got.ID {
			h.Fatalf("node %d was trashed instead of %d", got.ID, n.id)
		}
		n.id = got.ID
	}
}

// trashed picks something in the trash, and the collection it is in.
func (h *history) trashed() (collection string, id catalog.NodeID) {
	collection = h.collection()
	for range 3 { // what is in the trash is rare
		if base := h.base(collection); base != nil {
			empty := true
			base.each(func(n *sNode) { empty = empty && n.trashed.IsZero() })
			if !empty {
				break
			}
		}
		collection = h.collection()
	}
	var all []catalog.NodeID
	for _, c := range h.w.cols {
		if !c.gone && (c.name == collection || h.rarely("from elsewhere", 10)) {
			c.root.each(func(n *sNode) {
				if !n.trashed.IsZero() {
					all = append(all, n.id)
				}
			})
		}
	}
	if len(all) == 0 {
		return collection, 1 << 40
	}
	return collection, all[h.pick("trashed", len(all))]
}

func (h *history) restore(a *actor, c origin.Caller) {
	collection, id := h.trashed()
	got, err := h.p.Restore(h.ctx, c, collection, id)
	want, wantErr := h.w.restore(a, collection, id)
	h.same(a.name+" restores "+collection+" "+itoa(int(id)), entryText(got), err, want, wantErr)
}

func (h *history) purge(a *actor, c origin.Caller) {
	collection, id := h.trashed()
	h.failed(a.name+" purges "+collection+" "+itoa(int(id)), h.p.Purge(h.ctx, c, collection, id), h.w.purge(a, collection, id))
}

// version picks a version of what is at a place, and sometimes another's.
func (h *history) version(a *actor, at origin.Place) catalog.VersionID {
	var all []catalog.VersionID
	base := h.base(at.Collection)
	if a.link != nil {
		base = a.link.node
	}
	if base != nil {
		base.each(func(n *sNode) {
			if strings.HasSuffix(at.Path, n.name) || h.rarely("another's", 10) {
				for _, v := range n.versions {
					all = append(all, v.id)
				}
			}
		})
	}
	if len(all) == 0 || h.rarely("no version", 10) {
		return 1 << 40
	}
	return all[h.pick("version", len(all))]
}

func (h *history) restoreVersion(a *actor, c origin.Caller) {
	at := h.at(a)
	id := h.version(a, at)
	got, err := h.p.RestoreVersion(h.ctx, c, at, id)
	want, n, wantErr := h.w.restoreVersion(a, at, id)
	if h.same(a.name+" restores version "+itoa(int(id))+" of "+at.String(), entryText(got), err, want, wantErr) == nil {
		h.met(n, got.Node)
	}
}

func (h *history) versions(a *actor, c origin.Caller) {
	at := h.at(a)
	list, err := h.p.Versions(h.ctx, c, at)
	want, wantErr := h.w.versions(a, at)
	h.same(a.name+" asks for versions of "+at.String(), lines(list, func(v catalog.Version) string {
		return itoa(int(v.ID)) + ": " + versionText(v.Sum.Size, v.Sum.SHA256, v.Modified, v.Created)
	}, every, false), err, want, wantErr)
}

func (h *history) stat(a *actor, c origin.Caller) {
	at := h.at(a)
	got, err := h.p.Stat(h.ctx, c, at)
	want, wantErr := h.w.stat(a, at)
	h.same(a.name+" looks at "+at.String(), entryText(got), err, want, wantErr)
}

func (h *history) list(a *actor, c origin.Caller) {
	at := h.at(a)
	got, err := h.p.List(h.ctx, c, at, "", 0)
	want, wantErr := h.w.list(a, at)
	h.same(a.name+" lists "+at.String(), listText(got), err, want, wantErr)
}

func (h *history) walk(a *actor, c origin.Caller, at origin.Place) {
	var got []origin.Entry
	var failed error
	for e, err := range h.p.Walk(h.ctx, c, at) {
		if failed = err; err == nil {
			got = append(got, e)
		}
	}
	want, wantErr := h.w.walk(a, at)
	h.same(a.name+" walks through "+at.String(), lines(got, entryText, every, false), failed, want, wantErr)
}

func (h *history) open(a *actor, c origin.Caller) {
	at := h.at(a)
	id := catalog.VersionID(0)
	if h.rarely("a version", 4) {
		id = h.version(a, at)
	}
	got, err := h.read(c, at, id)
	want, wantErr := h.w.open(a, at, id)
	h.same(a.name+" reads "+at.String(), got, err, want, wantErr)
}

func (h *history) read(c origin.Caller, at origin.Place, id catalog.VersionID) (string, error) {
	d, err := h.p.Open(h.ctx, c, at, id, 0, nil)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(d.Content)
	return string(b), errors.Join(err, d.Close(int64(len(b)), nil))
}

func (h *history) search(a *actor, c origin.Caller) {
	collection, what := h.collection(), oneOf(h, "text", "a", "B", "\u00c4", "<", "%", "")
	if a != h.actors[0] && h.rarely("everywhere", 2) { // an admin would find what is of other histories
		collection = ""
	}
	got, err := h.p.Search(h.ctx, c, collection, what, 0)
	want, wantErr := h.w.search(a, collection, what)
	h.same(a.name+" searches "+collection+" for "+what, lines(got, func(f origin.Found) string {
		return f.Collection + ": " + entryText(f.Entry)
	}, func(f origin.Found) bool { return h.mine(f.Collection) }, true), err, want, wantErr)
}

func (h *history) mine(name string) bool { return strings.HasPrefix(name, h.name) }

func (h *history) trashList(a *actor, c origin.Caller, collection string) {
	got, err := h.p.TrashList(h.ctx, c, collection, 0, 0)
	want, wantErr := h.w.trashList(a, collection)
	h.same(a.name+" looks into the trash of "+collection, lines(got, func(e origin.TrashedEntry) string {
		return trashText(e.Node.ID, e.Path, e.By, e.Goes)
	}, every, false), err, want, wantErr)
}

// --- uploads

func (h *history) beginUpload(a *actor, c origin.Caller) {
	r := h.request(a)
	got, err := h.p.BeginUpload(h.ctx, c, r.UploadRequest)
	u, wantErr := h.w.begin(a, r)
	if h.failed(a.name+" begins to upload "+r.At.String(), err, wantErr) == nil {
		u.id = got.ID
		if u.node != nil {
			h.settled(a, c, u)
		}
	}
}

// settled finds out the numbers of what an upload became.
func (h *history) settled(a *actor, c origin.Caller, u *sUpload) {
	at := origin.Place{Collection: u.col.name, Path: strings.Join(u.node.names(), "/")}
	adm := h.actors[0]
	e, err := h.p.Stat(h.ctx, h.caller(adm), at)
	want, wantErr := h.w.stat(adm, at)
	if h.same("what "+a.name+" uploaded", entryText(e), err, want, wantErr) == nil {
		h.met(u.node, e.Node)
	}
}

// upload picks an upload, mostly one that a may write.
func (h *history) upload(a *actor) *sUpload {
	var own []*sUpload
	for _, u := range h.w.uploads {
		if h.w.own(a, u) == nil || h.rarely("another's upload", 8) {
			own = append(own, u)
		}
	}
	if len(own) == 0 {
		return &sUpload{id: "absent"}
	}
	return own[h.pick("upload", len(own))]
}

// writer is mostly who began one of the uploads.
func (h *history) writer(a *actor, c origin.Caller) (*actor, origin.Caller) {
	if len(h.w.uploads) == 0 || h.rarely("by somebody else", 5) {
		return a, c
	}
	u := h.w.uploads[h.pick("upload", len(h.w.uploads))]
	b := &actor{name: "who has the link", link: u.via, proof: true}
	if u.via == nil {
		i := slices.IndexFunc(h.actors, func(b *actor) bool { return b.user == u.payer })
		b = h.actors[i]
	}
	d, err := h.enter(b)
	if h.failed(b.name+" comes in to go on", err, h.w.enters(b)) != nil {
		return a, c
	}
	return b, d
}

func (h *history) write(a *actor, c origin.Caller) {
	a, c = h.writer(a, c)
	u := h.upload(a)
	data := u.full[len(u.data):]
	data = data[:min(len(data), oneOf(h, "chunk", 1, 10, 40, 100, 100))]
	if h.rarely("too much", 25) {
		data = u.full[len(u.data):] + "more"
	}
	offset := int64(len(u.data))
	if h.rarely("wrong offset", 10) {
		offset++
	}
	got, e, err := h.p.WriteUpload(h.ctx, c, u.id, offset, strings.NewReader(data))
	done := u.node != nil
	want, wantErr := h.w.write(a, u, offset, data)
	text := "at " + itoa(int(got.Offset))
	if e != nil {
		text = entryText(*e)
	}
	if h.same(a.name+" writes on, at "+itoa(int(offset)), text, err, want, wantErr) == nil && u.node != nil && !done {
		h.settled(a, c, u)
	}
}

func (h *history) uploadState(a *actor, c origin.Caller) {
	u := h.upload(a)
	got, err := h.p.Upload(h.ctx, c, u.id)
	h.same(a.name+" asks for an upload", itoa(int(got.Offset))+yes(got.Node != 0, " done"), err,
		itoa(len(u.data))+yes(u.node != nil, " done"), h.w.own(a, u))
}

func (h *history) dropUpload(a *actor, c origin.Caller) {
	a, c = h.writer(a, c)
	u := h.upload(a)
	h.failed(a.name+" drops an upload", h.p.DropUpload(h.ctx, c, u.id), h.w.dropUpload(a, u))
}

func (h *history) sweep(a *actor, c origin.Caller) {
	if h.rarely("much time passes", 4) {
		h.pass(time.Duration(5+h.pick("days", 20)) * 24 * time.Hour)
	}
	if _, err := h.p.Sweep(h.ctx); err != nil {
		h.Fatalf("sweep: %v", err)
	}
	h.w.sweep()
}
