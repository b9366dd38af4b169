package origin_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/peer"
	"tandem/internal/policy"
)

// What the server answers about people, collections, links and uploads.

func (w *spec) user(name string) *sUser {
	i := slices.IndexFunc(w.users, func(u *sUser) bool { return u.name == name })
	if i < 0 {
		return nil
	}
	return w.users[i]
}

// onServer says whether a may do what takes a role, on the server itself.
func (w *spec) onServer(a *actor, least policy.Role) error {
	switch {
	case a.link != nil:
		return fault.Permission
	case a.user == nil:
		return fault.Unauthenticated
	case a.user.role < least || !a.server:
		return fault.Permission
	}
	return nil
}

func (w *spec) account(a *actor, name string) (string, error) {
	least := policy.Admin
	if a.user != nil && a.user.name == name {
		least = policy.Reader
	}
	if err := w.onServer(a, least); err != nil {
		return "", err
	}
	u := w.user(name)
	if u == nil {
		return "", fault.NotFound
	}
	return userText(u.name, u.role, u.disabled, u.quota, u.used, u.reserved), nil
}

func (w *spec) changeUser(a *actor, name string, ch origin.UserChange) (string, error) {
	if err := w.onServer(a, policy.Admin); err != nil {
		return "", err
	}
	u := w.user(name)
	if u == nil {
		return "", fault.NotFound
	}
	if ch.Role != nil {
		u.role = *ch.Role
	}
	if ch.Disabled != nil {
		u.disabled = *ch.Disabled
	}
	if ch.Quota != nil {
		u.quota = *ch.Quota
	}
	return userText(u.name, u.role, u.disabled, u.quota, u.used, u.reserved), nil
}

func (w *spec) setMember(a *actor, g *sGroup, user string, member bool) error {
	if err := w.onServer(a, policy.Admin); err != nil {
		return err
	}
	u := w.user(user)
	if u == nil {
		return fault.NotFound
	}
	if !member && !g.members[u] {
		return fault.NotFound
	}
	delete(g.members, u)
	if member {
		g.members[u] = true
	}
	return nil
}

// --- collections

func (w *spec) view(a *actor, c *sCol) string {
	files := 0
	c.root.each(func(n *sNode) {
		if !n.folder && n.live() {
			files++
		}
	})
	return fmt.Sprintf("%s of %s: %s, %d files, quota %d used %d reserved %d",
		c.name, c.owner.name, rightsText(w.has(a, c)), files, c.quota, c.used, c.reserved)
}

func (w *spec) collections(a *actor) (string, error) {
	if a.user == nil {
		return "", fault.Unauthenticated
	}
	var lines []string
	for _, c := range w.cols {
		if !c.gone && w.has(a, c) != 0 {
			lines = append(lines, w.view(a, c))
		}
	}
	slices.Sort(lines)
	return text(lines), nil
}

func (w *spec) showCollection(a *actor, name string) (string, error) {
	c, err := w.collection(a, policy.List, name)
	if err != nil && err != fault.Permission { //nolint:errorlint // spec returns kinds
		return "", err
	}
	return w.view(a, c), nil
}

func (w *spec) taken(name string, but *sCol) bool {
	return slices.ContainsFunc(w.cols, func(c *sCol) bool {
		return c != but && !c.gone && strings.EqualFold(c.name, name)
	})
}

func (w *spec) createCollection(a *actor, name string) (string, error) {
	if err := w.onServer(a, policy.Publisher); err != nil {
		return "", err
	}
	if w.taken(name, nil) {
		return "", fault.Exists
	}
	c := &sCol{name: name, owner: a.user, toUser: make(map[*sUser]sGrant), toGroup: make(map[*sGroup]sGrant)}
	c.root = &sNode{folder: true, col: c}
	w.cols = append(w.cols, c)
	return w.view(a, c), nil
}

func (w *spec) changeCollection(a *actor, name string, ch origin.CollectionChange) (string, error) {
	c, err := w.collection(a, policy.Administer, name)
	if err != nil {
		return "", err
	}
	if ch.Quota != nil {
		if err := w.onServer(a, policy.Admin); err != nil {
			return "", err
		}
	}
	if ch.Name != nil {
		if w.taken(*ch.Name, c) {
			return "", fault.Exists
		}
		c.name = *ch.Name
	}
	if ch.Quota != nil {
		c.quota = *ch.Quota
	}
	if ch.KeepTrash != nil {
		c.keepTrash = *ch.KeepTrash
	}
	if ch.KeepVersions != nil {
		c.keepVersions = *ch.KeepVersions
	}
	return w.view(a, c), nil
}

func (w *spec) deleteCollection(a *actor, name string) error {
	c, err := w.collection(a, policy.Administer, name)
	if err != nil {
		return err
	}
	if len(c.root.kids) > 0 {
		return fault.Exists
	}
	c.gone = true
	return nil
}

func (w *spec) setGrant(a *actor, collection string, g origin.GrantView) error {
	if g.Rights != 0 && !g.NotAfter.IsZero() && !g.NotAfter.After(w.now) {
		return fault.Invalid
	}
	c, err := w.collection(a, policy.Administer, collection)
	if err != nil {
		return err
	}
	grant := sGrant{g.Rights, g.NotAfter}
	if g.Group {
		i := slices.IndexFunc(w.groups, func(s *sGroup) bool { return s.name == g.Subject })
		if i < 0 {
			return fault.NotFound
		}
		if c.toGroup[w.groups[i]] = grant; g.Rights == 0 {
			delete(c.toGroup, w.groups[i])
		}
		return nil
	}
	u := w.user(g.Subject)
	if u == nil {
		return fault.NotFound
	}
	if c.toUser[u] = grant; g.Rights == 0 {
		delete(c.toUser, u)
	}
	return nil
}

func (w *spec) grants(a *actor, collection string) (string, error) {
	c, err := w.collection(a, policy.Administer, collection)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, u := range w.users {
		if g, ok := c.toUser[u]; ok {
			lines = append(lines, grantText(u.name, false, g.rights, g.notAfter))
		}
	}
	for _, s := range w.groups {
		if g, ok := c.toGroup[s]; ok {
			lines = append(lines, grantText(s.name, true, g.rights, g.notAfter))
		}
	}
	return text(lines), nil
}

func (w *spec) search(a *actor, collection, what string) (string, error) {
	if what == "" {
		return "", fault.Invalid
	}
	if err := notByLink(a); err != nil {
		return "", err
	}
	in := w.cols
	if collection != "" {
		c, err := w.collection(a, policy.List, collection)
		if err != nil {
			return "", err
		}
		in = []*sCol{c}
	} else if a.user == nil {
		return "", fault.Unauthenticated
	}
	var lines []string
	for _, c := range in {
		if c.gone || w.has(a, c)&policy.List == 0 {
			continue
		}
		c.root.each(func(n *sNode) {
			if n.parent != nil && n.live() && strings.Contains(strings.ToLower(n.name), strings.ToLower(what)) {
				lines = append(lines, c.name+": "+sSpot{col: c}.entry(n, n.names()))
			}
		})
	}
	slices.Sort(lines) // by name on the server, where equal ones have no order here
	return text(lines), nil
}

func (w *spec) trashList(a *actor, collection string) (string, error) {
	p, err := w.find(a, policy.Publish, origin.Place{Collection: collection})
	if err != nil {
		return "", err
	}
	if err := notByLink(a); err != nil {
		return "", err
	}
	var all []*sNode
	p.col.root.each(func(n *sNode) {
		if !n.trashed.IsZero() {
			all = append(all, n)
		}
	})
	slices.SortFunc(all, func(a, b *sNode) int { return int(a.id - b.id) })
	var lines []string
	for _, n := range all {
		keep := p.col.keepTrash
		if keep == 0 {
			keep = keepTrash
		}
		lines = append(lines, trashText(n.id, strings.Join(n.names(), "/"), n.trashedBy.name, n.trashed.Add(keep)))
	}
	return text(lines), nil
}

func (w *spec) versions(a *actor, at origin.Place) (string, error) {
	_, n, err := w.file(a, policy.Read, at, true)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, v := range slices.Backward(n.versions) {
		lines = append(lines, fmt.Sprintf("%d: %s", v.id, versionText(int64(len(v.data)), sha(v.data), v.modified, v.created)))
	}
	return text(lines), nil
}

// --- links

func (w *spec) createLink(a *actor, r origin.LinkRequest) (*sLink, error) {
	public := r.Audience == peer.Public
	switch {
	case public && (r.Kind == catalog.UploadLink || r.Password != "" || r.MaxDownloads > 0),
		r.Kind == catalog.UploadLink && r.MaxDownloads != 0, r.Kind == catalog.ShareLink && r.MaxBytes != 0,
		!r.Expires.IsZero() && !r.Expires.After(w.now):
		return nil, fault.Invalid
	}
	need := policy.Read
	if r.Kind == catalog.UploadLink {
		need = policy.Publish
	}
	p, err := w.find(a, need, r.At)
	if err != nil {
		return nil, err
	}
	if err := notByLink(a); err != nil {
		return nil, err
	}
	n, err := p.node()
	if err != nil {
		return nil, err
	}
	if r.Kind == catalog.UploadLink && !n.folder {
		return nil, fault.Invalid
	}
	l := &sLink{
		kind: r.Kind, public: public, node: n, by: a.user, expires: r.Expires, password: r.Password != "", max: r.MaxDownloads, maxBytes: r.MaxBytes,
	}
	w.links = append(w.links, l)
	return l, nil
}

func (l *sLink) text() string {
	path := strings.Join(l.node.names(), "/")
	if l.node.gone {
		path = ""
	}
	limited := int64(0)
	if l.max > 0 {
		limited = l.downloads
	}
	return linkText(l.id, l.kind, l.node.col.name, path, l.node.live(), l.by.name, l.revoked, l.max, limited, l.bytes)
}

// manages says whether a may look after a link.
func (w *spec) manages(a *actor, l *sLink) bool {
	switch {
	case l.by == a.user && a.server:
		return true
	case l.by == a.user:
		need := policy.Read
		if l.kind == catalog.UploadLink {
			need = policy.Publish
		}
		if w.may(a, need, l.node.col) == nil {
			return true
		}
	}
	return w.may(a, policy.Administer, l.node.col) == nil
}

func (w *spec) listLinks(a *actor, collection string) (string, error) {
	if err := notByLink(a); err != nil {
		return "", err
	}
	var in *sCol
	if collection != "" {
		c, err := w.collection(a, policy.Administer, collection)
		if err != nil {
			return "", err
		}
		in = c
	} else if a.user == nil {
		return "", fault.Unauthenticated
	}
	var lines []string
	for _, l := range slices.Backward(w.links) {
		if !l.node.col.gone && (in != nil && l.node.col == in || in == nil && l.by == a.user && w.manages(a, l)) {
			lines = append(lines, l.text())
		}
	}
	return text(lines), nil
}

func (w *spec) managed(a *actor, id catalog.LinkID) (*sLink, error) {
	if err := notByLink(a); err != nil {
		return nil, err
	}
	if a.user == nil {
		return nil, fault.Unauthenticated
	}
	for _, l := range w.links {
		if l.id == id && !l.node.col.gone && w.manages(a, l) {
			return l, nil
		}
	}
	return nil, fault.NotFound
}

func (w *spec) changeLink(a *actor, id catalog.LinkID, ch origin.LinkChange) (*sLink, error) {
	if ch.Expires != nil && !ch.Expires.After(w.now) {
		return nil, fault.Invalid
	}
	l, err := w.managed(a, id)
	if err != nil {
		return nil, err
	}
	if ch.MaxDownloads != nil && *ch.MaxDownloads > 0 && (l.kind != catalog.ShareLink || l.public) {
		return nil, fault.Invalid
	}
	if ch.Expires != nil {
		l.expires = *ch.Expires
	}
	if ch.MaxDownloads != nil {
		l.max = *ch.MaxDownloads
	}
	return l, nil
}

// --- uploads

func (w *spec) begin(a *actor, r request) (*sUpload, error) {
	p, payer, err := w.admit(a, r)
	if err != nil {
		return nil, err
	}
	size := int64(len(r.data))
	if err := w.room(payer, p.col, a.link, size); err != nil {
		return nil, err
	}
	u := &sUpload{
		payer: payer, via: a.link, col: p.col, path: append(p.base.names(), p.names...), size: size, full: r.data, wrong: r.wrong, want: r.match,
		ifAbsent: r.IfAbsent, rename: p.link, expires: w.now.Add(uploadTTL), modified: r.Modified,
	}
	payer.reserved += size
	p.col.reserved += size
	if a.link != nil {
		a.link.bytes += size
	}
	w.uploads = append(w.uploads, u)
	if size > 0 {
		return u, nil
	}
	_, err = w.finish(a, u)
	return u, err
}

func (w *spec) drop(u *sUpload) {
	u.giveBack()
	w.uploads = slices.DeleteFunc(w.uploads, func(other *sUpload) bool { return other == u })
}

// finish makes what has arrived a file, or gives it up.
func (w *spec) finish(a *actor, u *sUpload) (string, error) {
	if u.wrong {
		w.drop(u)
		return "", fault.Corrupt
	}
	n, _, err := w.place(u.col.root, u.path, u.data, u.payer, u.modified, u.ifAbsent, u.want, u.rename)
	if err != nil {
		w.drop(u)
		return "", err
	}
	u.payer.reserved -= u.size
	u.col.reserved -= u.size
	u.node = n
	return w.arrived(a, n), nil
}

// own finds an upload of a's.
func (w *spec) own(a *actor, u *sUpload) error {
	if a.link == nil && a.user == nil {
		return fault.Unauthenticated
	}
	own := a.link == nil && u.via == nil && u.payer == a.user || a.link != nil && u.via == a.link
	if !own || !slices.Contains(w.uploads, u) || !w.now.Before(u.expires) || u.col.gone {
		return fault.NotFound
	}
	return w.may(a, policy.Publish, u.col)
}

func (w *spec) write(a *actor, u *sUpload, offset int64, data string) (string, error) {
	if err := w.own(a, u); err != nil {
		return "", err
	}
	if offset != int64(len(u.data)) {
		return "", fault.Precondition
	}
	if u.node != nil && u.node.gone {
		return "", fault.NotFound
	}
	if u.node != nil { // asked again: the same answer
		return w.arrived(a, u.node), nil
	}
	if int64(len(u.data)+len(data)) > u.size {
		w.drop(u)
		return "", fault.Invalid
	}
	if u.data += data; int64(len(u.data)) < u.size {
		return fmt.Sprint("at ", len(u.data)), nil
	}
	return w.finish(a, u)
}

func (w *spec) dropUpload(a *actor, u *sUpload) error {
	if err := w.own(a, u); err != nil {
		return err
	}
	w.drop(u)
	return nil
}

const (
	keepTrash    = 20 * 24 * time.Hour
	keepVersions = 10 * 24 * time.Hour
	uploadTTL    = 5 * 24 * time.Hour
)
