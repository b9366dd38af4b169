package catalogtest

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

func number(n int) string { return strconv.Itoa(n) }

// operation does one random thing to the catalog and to memory. What needs
// something that is not there yet makes it instead, mostly.
func (h *history) operation() {
	people := []func(){h.createCollection, h.updateCollection, h.deleteCollection, h.setGrant, h.setGrant, h.setMember, h.reserve, h.reserve, h.releaseTooMuch}
	names := []func(){h.makeFolder, h.putFile, h.putFile, h.putFile, h.move, h.trash, h.dropVersions}
	trash := []func(){h.untrash, h.trash, h.purge}
	contents := []func(){h.claim, h.setReady, h.setRemoving, h.drop, h.setChecked}
	uploads := []func(){h.createUpload, h.createUpload, h.createUpload, h.take, h.save, h.save, h.finish, h.deleteUpload}
	links := []func(){
		h.createLink, h.updateLink, h.beginDownload, h.beginDownload, h.continueDownload, h.continueDownload,
		h.countDownloads, h.addBytes, h.setTorrent, h.chargeDownload, h.settleLink,
	}
	sometimes := h.rarely("anyway", 10)
	if !slices.ContainsFunc(slices.Collect(maps.Values(h.m.nodes)), inTrash) && !sometimes {
		trash = []func(){h.trash, h.makeFolder}
	}
	if len(h.m.uploads) == 0 && !sometimes {
		uploads = []func(){h.createUpload}
	}
	if len(h.m.links) == 0 && !sometimes {
		links = []func(){h.createLink}
	}
	if len(h.m.collections) == 0 && !sometimes {
		people = []func(){h.createCollection}
	}
	kinds := [][]func(){names, names, names, names, names, trash, contents, people, uploads, links}
	kind := kinds[h.pick("kind", len(kinds))]
	kind[h.pick("operation", len(kind))]()
}

func inTrash(n *catalog.Node) bool { return !n.Trashed.IsZero() }

// --- collections and quotas

func (h *history) collectionName() string {
	return oneOf(h, "collection name", []string{"Photos", "photos", "Äpfel", "äpfel", "docs"})
}

func (h *history) createCollection() {
	c := catalog.Collection{
		Name: h.collectionName(), Owner: h.user(), Quota: oneOf(h, "quota", []int64{0, 100, 200}),
		Created: h.now, KeepTrash: h.hours("keep trash"), KeepVersions: h.hours("keep versions"),
	}
	got, err := h.tx.Collections.CreateCollection(c)
	want, wantErr := h.m.createCollection(got.ID, got.Root, c)
	agree(h, "create collection", got, err, want, wantErr)
	if err == nil {
		h.fresh("collection", int64(got.ID))
		h.fresh("node", int64(got.Root))
	}
}

func (h *history) updateCollection() {
	c := catalog.Collection{
		ID: h.collection(), Name: h.collectionName(), Owner: h.user(),
		Quota: oneOf(h, "quota", []int64{0, 0, 100}), KeepTrash: h.hours("keep trash"),
	}
	h.failed("change collection", h.tx.Collections.UpdateCollection(c), h.m.updateCollection(c))
}

func (h *history) deleteCollection() {
	id := h.collection()
	h.failed("delete collection", h.tx.Collections.DeleteCollection(id), h.m.deleteCollection(id))
}

func (h *history) setGrant() {
	g := catalog.Grant{Collection: h.collection(), Rights: policy.Rights(h.pick("rights", 16))}
	switch h.pick("to", 10) {
	case 0: // nobody
	case 1, 2, 3:
		g.Group = draw(h, "group", h.m.members, noID)
	case 4:
		g.Group, g.User = draw(h, "group", h.m.members, noID), h.user()
	default:
		g.User = h.user()
	}
	if rapid.Bool().Draw(h.T, "lapses") {
		g.NotAfter = h.now.Add(h.hours("not after"))
	}
	h.failed("grant", h.tx.Collections.SetGrant(g), h.m.setGrant(g))
}

func (h *history) setMember() {
	g, u := draw(h, "group", h.m.members, noID), h.user()
	if h.m.members[g] == nil || h.m.users[u] == nil {
		return // of the accounts' own tests
	}
	h.m.members[g][u] = !h.m.members[g][u]
	act := h.tx.Accounts.RemoveMember
	if h.m.members[g][u] {
		act = h.tx.Accounts.AddMember
	}
	if err := act(g, u); err != nil {
		h.Fatal(err)
	}
}

// setAside reserves on both sides.
func (h *history) setAside(u catalog.UserID, c catalog.CollectionID, n int64) error {
	return h.failed("reserve", h.tx.Quotas.Reserve(u, c, n), h.m.reserve(u, c, n))
}

func (h *history) release(u catalog.UserID, c catalog.CollectionID, n int64) error {
	return h.failed("release", h.tx.Quotas.Release(u, c, n), h.m.release(u, c, n))
}

// reserve sets bytes aside for a moment: what stays reserved belongs to an upload.
func (h *history) reserve() {
	u, c, n := h.user(), h.collection(), int64(h.pick("bytes", 72)-1)
	if h.setAside(u, c, n) == nil {
		h.read()
		if err := h.release(u, c, n); err != nil {
			h.Fatalf("release what was just reserved: %v", err)
		}
	}
}

func (h *history) releaseTooMuch() {
	u, c := h.user(), h.collection()
	n := int64(-1)
	if user := h.m.users[u]; user != nil && rapid.Bool().Draw(h.T, "more") {
		n = user.Reserved + 1
	}
	if h.release(u, c, n) == nil {
		h.Fatalf("released %d bytes that were not reserved", n)
	}
}

// --- names

func (h *history) makeFolder() {
	parent, name := h.folder(), h.name()
	got, err := h.tx.Tree.MakeFolder(parent, name, h.now)
	want, wantErr := h.m.makeFolder(got.ID, parent, name, h.now)
	agree(h, "make folder", got, err, want, wantErr)
	if err == nil {
		h.fresh("node", int64(got.ID))
	}
}

// putFile puts content that was mostly claimed and made ready before.
func (h *history) putFile() {
	v := catalog.Version{
		Sum: h.sum(), By: h.user(), Via: catalog.LinkID(h.pick("via", 2)),
		Created: h.now, Modified: h.now.Add(-h.hours("modified")),
	}
	if !h.rarely("without content", 12) {
		if h.claimed(v.Sum) == nil && v.Sum.Size > 0 {
			h.failed("set ready", h.tx.Contents.SetReady(v.Sum.Root, h.now), h.m.setReady(v.Sum.Root, h.now))
		}
	}
	parent, name := h.folder(), h.name()
	before, absent := h.m.child(parent, name)
	got, err := h.tx.Tree.PutFile(parent, name, v)
	want, wantErr := h.m.putFile(got.ID, got.Version.ID, parent, name, v)
	agree(h, "put", got, err, want, wantErr)
	if err != nil {
		return
	}
	h.fresh("version", int64(got.Version.ID))
	if absent != nil {
		h.fresh("node", int64(got.ID))
	} else if got.ID != before.ID {
		h.Fatalf("put into file %d made file %d", before.ID, got.ID)
	}
}

func (h *history) move() {
	id, parent, name := h.belowRoot(), h.folder(), h.name()
	got, err := h.tx.Tree.Move(id, parent, name)
	want, wantErr := h.m.move(id, parent, name)
	agree(h, "move", got, err, want, wantErr)
}

func (h *history) trash() {
	id, by := h.belowRoot(), h.user()
	h.failed("trash", h.tx.Tree.Trash(id, by, h.now), h.m.trash(id, by, h.now))
}

func (h *history) untrash() {
	id, parent, name := h.inTrash(), h.folder(), h.name()
	got, err := h.tx.Tree.Untrash(id, parent, name)
	want, wantErr := h.m.untrash(id, parent, name)
	agree(h, "untrash", got, err, want, wantErr)
}

func (h *history) purge() {
	id, limit := h.inTrash(), h.pick("limit", 10)
	got, err := h.tx.Tree.Purge(id, limit)
	want, wantErr := h.m.purge(id, limit)
	agree(h, "purge", got, err, want, wantErr)
}

func (h *history) dropVersions() {
	keep, limit := h.hours("keep"), h.pick("limit", 5)
	got, err := h.tx.Tree.DropVersions(h.now, keep, limit)
	agree(h, "drop versions", got, err, h.m.dropVersions(h.now, keep, limit), nil)
}

// --- contents

func (h *history) claimed(sum content.FileSum) error {
	got, err := h.tx.Contents.Claim(sum, h.now)
	want, wantErr := h.m.claim(sum, h.now)
	agree(h, "claim", got, err, want, wantErr)
	return err
}

func (h *history) claim() { h.claimed(h.sum()) }

func (h *history) setReady() {
	root := h.sum().Root
	h.failed("set ready", h.tx.Contents.SetReady(root, h.now), h.m.setReady(root, h.now))
}

func (h *history) setRemoving() {
	root := h.sum().Root
	h.failed("set removing", h.tx.Contents.SetRemoving(root), h.m.setRemoving(root))
}

func (h *history) drop() {
	root := h.sum().Root
	h.failed("drop", h.tx.Contents.Drop(root), h.m.drop(root))
}

func (h *history) setChecked() {
	root, whole := h.sum().Root, rapid.Bool().Draw(h.T, "whole")
	h.failed("set checked", h.tx.Contents.SetChecked(root, h.now, whole), h.m.setChecked(root, h.now, whole))
}

// --- uploads

func (h *history) uploadID() string { return draw(h, "upload", h.m.uploads, "absent") }

// createUpload sets the size aside, too, as the server does.
func (h *history) createUpload() {
	h.serial++
	u := catalog.Upload{
		ID: "u" + number(h.serial), User: h.user(), Via: 3, Collection: h.collection(), Path: []string{"x", h.name()},
		Size: int64(h.pick("size", 51)), Want: content.Hash{7}, Modified: h.now, IfAbsent: true, Rename: h.serial%2 == 0,
		Created: h.now, Updated: h.now, Expires: h.now.Add(h.hours("expires")), State: []byte{1, 2},
	}
	if h.pick("same id", 10) == 0 {
		u.ID = h.uploadID()
	}
	u.Path = slices.DeleteFunc(u.Path, func(name string) bool { return name == "" || name == "a/b" })
	if h.setAside(u.User, u.Collection, u.Size) != nil {
		return
	}
	if h.failed("create upload", h.tx.Uploads.CreateUpload(u), h.m.createUpload(u)) != nil {
		h.release(u.User, u.Collection, u.Size)
	}
}

func (h *history) take() {
	id := h.uploadID()
	got, err := h.tx.Uploads.Take(id, h.now)
	want, wantErr := h.m.take(id, h.now)
	agree(h, "take", got, err, want, wantErr)
}

// epoch is mostly the right one.
func (h *history) epoch(id string) int64 {
	n := int64(oneOf(h, "epoch", []int{0, 0, 0, 0, 1}))
	if u := h.m.uploads[id]; u != nil {
		n += u.Epoch
	}
	return n
}

func (h *history) save() {
	id := h.uploadID()
	epoch, offset := h.epoch(id), int64(h.pick("offset", 53)-1)
	state := []byte{byte(offset)}
	h.failed("save", h.tx.Uploads.Save(id, epoch, offset, state, h.now), h.m.save(id, epoch, offset, state, h.now))
}

func (h *history) finish() {
	id := h.uploadID()
	epoch, node := h.epoch(id), catalog.NodeID(h.pick("became", 3))
	err := h.failed("finish", h.tx.Uploads.Finish(id, epoch, node, h.now), h.m.finish(id, epoch, node, h.now))
	if u := h.m.uploads[id]; err == nil {
		h.release(u.User, u.Collection, u.Size)
	}
}

func (h *history) deleteUpload() {
	id := h.uploadID()
	if u := h.m.uploads[id]; u != nil && u.Node == 0 {
		h.release(u.User, u.Collection, u.Size)
	}
	h.failed("delete upload", h.tx.Uploads.DeleteUpload(id), h.m.deleteUpload(id))
}

// --- links

func (h *history) linkID() catalog.LinkID { return draw(h, "link", h.m.links, noID) }

// someLink is a link with everything that may be changed.
func (h *history) someLink() catalog.Link {
	l := catalog.Link{
		Password: "$argon2id$", Note: h.name(), MaxDownloads: int64(h.pick("max downloads", 4)),
		MaxBytes: oneOf(h, "max bytes", []int64{0, 50}), Expires: h.now.Add(h.hours("expires")),
	}
	if h.pick("revoked", 5) == 0 {
		l.Revoked = h.now
	}
	l.Copies = h.pick("copies", 3)
	return l
}

func (h *history) createLink() {
	h.serial++
	l := h.someLink()
	l.Token, l.Kind, l.Node = "t"+number(h.serial), catalog.UploadLink, h.node()
	l.Audience, l.By, l.Created = peer.Public, 1, h.now
	l.Torrent = catalog.TorrentState(h.pick("torrent", 2))
	l.V1 = h.pick("v1", 2) == 1
	if h.pick("pending", 3) == 0 {
		l.Pending, l.Collection = h.name(), h.collection()
	}
	if h.pick("same token", 10) == 0 {
		l.Token = h.token()
	}
	got, err := h.tx.Links.CreateLink(l)
	want, wantErr := h.m.createLink(got, l)
	agree(h, "create link", got, err, want, wantErr)
	if err == nil {
		h.fresh("link", int64(got))
	}
}

func (h *history) token() string {
	if l := h.m.links[h.linkID()]; l != nil {
		return l.Token
	}
	return "none"
}

func (h *history) updateLink() {
	l := h.someLink()
	l.ID = h.linkID()
	h.failed("change link", h.tx.Links.UpdateLink(l), h.m.updateLink(l))
}

func (h *history) remote() string {
	return oneOf(h, "remote", []string{"192.0.2.1", "2001:db8::1"})
}

func (h *history) beginDownload() {
	id, remote, size := h.linkID(), h.remote(), int64(h.pick("size", 21))
	until := h.now.Add(h.hours("until"))
	h.failed("begin download", h.tx.Links.BeginDownload(id, remote, size, h.now, until), h.m.beginDownload(id, remote, size, h.now, until))
}

func (h *history) continueDownload() {
	id, remote, n := h.linkID(), h.remote(), int64(h.pick("bytes", 9))
	h.failed("continue download", h.tx.Links.ContinueDownload(id, remote, n, h.now), h.m.continueDownload(id, remote, n, h.now))
}

func (h *history) countDownloads() {
	counts := map[catalog.LinkID]int64{h.linkID(): 2, h.linkID(): 1}
	h.m.countDownloads(counts)
	h.failed("count downloads", h.tx.Links.CountDownloads(counts), nil)
}

func (h *history) addBytes() {
	id, n := h.linkID(), int64(h.pick("bytes", 51)-10)
	h.failed("add bytes", h.tx.Links.AddBytes(id, n), h.m.addBytes(id, n))
}

func (h *history) setTorrent() {
	id, state := h.linkID(), catalog.TorrentState(h.pick("state", 4))
	torrent := []byte("d4:infoe" + time.Duration(h.serial).String())
	meta := catalog.Metadata{Share: hash(byte(h.pick("share", 4))), Print: hash(byte(h.serial)), Total: int64(h.serial)}
	if h.pick("v1", 2) == 1 {
		meta.V1 = content.SHA1{1, byte(h.pick("sha1", 4))}
	}
	h.failed("set torrent", h.tx.Links.SetTorrent(id, state, torrent, meta), h.m.setTorrent(id, state, torrent, meta))
}
