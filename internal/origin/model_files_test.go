package origin_test

import (
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/policy"
)

// What the server answers about files, in words (see words_test.go).

func (w *spec) stat(a *actor, at origin.Place) (string, error) {
	p, denied := w.find(a, policy.List, at)
	if denied == fault.Permission { //nolint:errorlint // spec returns kinds
		var err error
		if p, err = w.find(a, policy.Read, at); err != nil {
			return "", denied
		}
	} else if denied != nil {
		return "", denied
	}
	n, err := p.node()
	if err != nil {
		return "", err
	}
	if denied != nil && n.folder && len(p.names) > 0 {
		return "", denied
	}
	return p.entry(n, p.names), nil
}

func (w *spec) list(a *actor, at origin.Place) (string, error) {
	p, err := w.find(a, policy.List, at)
	if err != nil {
		return "", err
	}
	n, err := p.node()
	if err != nil {
		return "", err
	}
	lines := []string{rightsText(w.has(a, p.col)), p.entry(n, p.names)}
	for _, k := range n.listed() {
		lines = append(lines, p.entry(k, append(p.names[:len(p.names):len(p.names)], k.name)))
	}
	return text(lines), nil
}

func (w *spec) walk(a *actor, at origin.Place) (string, error) {
	p, err := w.find(a, policy.List, at)
	if err != nil {
		return "", err
	}
	n, err := p.node()
	if err != nil {
		return "", err
	}
	if !n.folder {
		return p.entry(n, p.names), nil
	}
	var lines []string
	var below func(n *sNode, names []string)
	below = func(n *sNode, names []string) {
		for _, k := range n.listed() {
			at := append(names[:len(names):len(names)], k.name)
			lines = append(lines, p.entry(k, at))
			below(k, at)
		}
	}
	below(n, p.names)
	return text(lines), nil
}

func (w *spec) makeFolder(a *actor, at origin.Place) (string, error) {
	p, err := w.find(a, policy.Publish, at)
	if err != nil {
		return "", err
	}
	if err := notByLink(a); err != nil {
		return "", err
	}
	n := p.base
	for _, name := range p.names { // either all are made or none
		if n = n.kid(name); n == nil {
			break
		}
		if !n.folder {
			return "", fault.Exists
		}
	}
	n = p.base.folders(p.names, false)
	return p.entry(n, p.names), nil
}

// folders makes what is missing of a path, renaming where a file has a name.
func (n *sNode) folders(names []string, rename bool) *sNode {
	for _, name := range names {
		k := n.kid(name)
		if k != nil && !k.folder && rename {
			name, k = n.free(name), nil
		}
		if k == nil {
			k = n.add(name, true)
		}
		n = k
	}
	return n
}

func (w *spec) move(a *actor, from, to origin.Place) (string, error) {
	old, err := splitNames(from.Path)
	if err != nil {
		return "", err
	}
	names, err := splitNames(to.Path)
	if err != nil {
		return "", err
	}
	if a.link == nil && len(old) > 0 && (len(names) > len(old) || len(strings.Join(names, "/")) > len(strings.Join(old, "/"))) {
		// What is below is looked at first, by who may list it.
		if _, err := w.walk(a, from); err != nil && err != fault.Permission { //nolint:errorlint // spec returns kinds
			return "", err
		}
	}
	p, err := w.find(a, policy.Publish, from)
	if err != nil {
		return "", err
	}
	if err := notByLink(a); err != nil {
		return "", err
	}
	q, err := w.find(a, policy.Publish, to)
	if err != nil {
		return "", err
	}
	if p.col != q.col || len(p.names) == 0 || len(q.names) == 0 {
		return "", fault.Invalid
	}
	n, err := p.node()
	if err != nil {
		return "", err
	}
	if strings.Join(p.names, "/") == strings.Join(q.names, "/") {
		return q.entry(n, q.names), nil
	}
	last := len(q.names) - 1
	parent, err := sSpot{q.col, q.base, q.names[:last], false}.node()
	if err != nil {
		return "", err
	}
	if !parent.folder {
		return "", fault.Exists
	}
	for up := parent; up != nil; up = up.parent {
		if up == n {
			return "", fault.Invalid
		}
	}
	if there := parent.kid(q.names[last]); there != nil {
		return "", fault.Exists
	}
	n.goTo(parent, q.names[last])
	return q.entry(n, q.names), nil
}

// --- trash and versions

func (w *spec) trash(a *actor, at origin.Place) (*sNode, error) {
	p, err := w.find(a, policy.Publish, at)
	if err != nil {
		return nil, err
	}
	if err := notByLink(a); err != nil {
		return nil, err
	}
	if len(p.names) == 0 {
		return nil, fault.Invalid
	}
	n, err := p.node()
	if err != nil {
		return nil, err
	}
	n.trashed, n.trashedBy = w.now, a.user
	return n, nil
}

func (w *spec) inTrash(a *actor, need policy.Rights, collection string, id catalog.NodeID) (sSpot, *sNode, error) {
	p, err := w.find(a, need, origin.Place{Collection: collection})
	if err != nil {
		return p, nil, err
	}
	if err := notByLink(a); err != nil {
		return p, nil, err
	}
	var found *sNode
	p.col.root.each(func(n *sNode) {
		if n.id == id && !n.trashed.IsZero() {
			found = n
		}
	})
	if found == nil {
		return p, nil, fault.NotFound
	}
	return p, found, nil
}

func (w *spec) restore(a *actor, collection string, id catalog.NodeID) (string, error) {
	p, n, err := w.inTrash(a, policy.Publish, collection, id)
	if err != nil {
		return "", err
	}
	parent := n.parent
	for !parent.live() {
		parent = parent.parent
	}
	name := n.name
	if parent.kid(name) != nil {
		name = parent.free(name)
	}
	n.goTo(parent, name)
	return p.entry(n, n.names()), nil
}

func (w *spec) purge(a *actor, collection string, id catalog.NodeID) error {
	_, n, err := w.inTrash(a, policy.Administer, collection, id)
	if err == nil {
		n.purge()
	}
	return err
}

func (w *spec) file(a *actor, need policy.Rights, at origin.Place, account bool) (sSpot, *sNode, error) {
	p, err := w.find(a, need, at)
	if err != nil {
		return p, nil, err
	}
	if account && a.link != nil {
		return p, nil, fault.Permission
	}
	n, err := p.node()
	if err == nil && n.folder {
		err = fault.Invalid
	}
	return p, n, err
}

// version returns one of a file's versions; 0: the current one.
func (n *sNode) version(id catalog.VersionID) (*sVersion, error) {
	if id == 0 {
		return n.current(), nil
	}
	for _, v := range n.versions {
		if v.id == id {
			return v, nil
		}
	}
	return nil, fault.NotFound
}

func (w *spec) restoreVersion(a *actor, at origin.Place, id catalog.VersionID) (string, *sNode, error) {
	p, n, err := w.file(a, policy.Publish, at, true)
	if err != nil {
		return "", nil, err
	}
	v, err := n.version(id)
	if err != nil {
		return "", nil, err
	}
	if err := w.room(a.user, p.col, nil, int64(len(v.data))); err != nil {
		return "", nil, err
	}
	w.store(n, v.data, a.user, v.modified)
	return p.entry(n, p.names), n, nil
}

// store gives a file a new version.
func (w *spec) store(n *sNode, data string, by *sUser, modified time.Time) {
	if len(n.versions) > 0 {
		n.current().replaced = w.now
	}
	if modified.IsZero() {
		modified = w.now
	}
	n.versions = append(n.versions, &sVersion{data: data, by: by, modified: modified, created: w.now})
	by.used += int64(len(data))
	n.col.used += int64(len(data))
}

func (w *spec) open(a *actor, at origin.Place, id catalog.VersionID) (string, error) {
	need := policy.Read
	if a.link != nil {
		need = downloadRight
	}
	_, n, err := w.file(a, need, at, false)
	if err != nil {
		return "", err
	}
	if id != 0 && a.link != nil {
		return "", fault.Permission
	}
	v, err := n.version(id)
	if err != nil {
		return "", err
	}
	if l := a.link; l != nil && l.max > 0 {
		if l.downloads >= l.max {
			return "", fault.Gone
		}
		l.downloads++
	}
	return v.data, nil
}

// --- uploads

// admit says whether a file may come to be at a place, and for whom it counts.
func (w *spec) admit(a *actor, r request) (sSpot, *sUser, error) {
	p, err := w.find(a, policy.Publish, r.At)
	if err != nil {
		return p, nil, err
	}
	if len(p.names) == 0 {
		return p, nil, fault.Invalid
	}
	payer := a.user
	if a.link != nil {
		payer = a.link.by
	}
	n := p.base
	for i, name := range p.names {
		k := n.kid(name)
		if k == nil || i < len(p.names)-1 && !k.folder && p.link {
			break
		}
		if i < len(p.names)-1 && !k.folder {
			if r.match != "-" {
				return p, nil, fault.Precondition // there is nothing to replace
			}
			return p, nil, fault.Exists
		}
		n = k
	}
	there, _ := p.node()
	return p, payer, fits(there, r.IfAbsent, r.match, p.link)
}

// fits says whether something may take the place of what has its name.
func fits(there *sNode, ifAbsent bool, match string, rename bool) error {
	switch {
	case rename:
	case there != nil && there.folder:
		return fault.Exists
	case there != nil && ifAbsent, match != "-" && (there == nil || there.current().data != match):
		return fault.Precondition
	}
	return nil
}

func (w *spec) put(a *actor, r request) (string, *sNode, error) {
	p, payer, err := w.admit(a, r)
	if err != nil {
		return "", nil, err
	}
	size := int64(len(r.data))
	if err := w.room(payer, p.col, a.link, size); err != nil {
		return "", nil, err
	}
	if r.wrong {
		return "", nil, fault.Corrupt
	}
	n, created, err := w.place(p.base, p.names, r.data, payer, r.Modified, r.IfAbsent, r.match, p.link)
	if err != nil {
		return "", nil, err
	}
	if a.link != nil {
		a.link.bytes += size
	}
	return w.arrived(a, n) + yes(created, " created"), n, nil
}

// place makes data the file at names below base, and the folders above it.
func (w *spec) place(base *sNode, names []string, data string, by *sUser, modified time.Time, ifAbsent bool, match string, rename bool) (*sNode, bool, error) {
	last := len(names) - 1
	n := base
	for _, name := range names[:last] {
		if n = n.kid(name); n == nil {
			break
		}
		if !n.folder {
			if !rename {
				return nil, false, fault.Exists
			}
			break
		}
	}
	if n != nil && n.folder {
		if err := fits(n.kid(names[last]), ifAbsent, match, rename); err != nil {
			return nil, false, err
		}
	} else if match != "-" && !rename {
		return nil, false, fault.Precondition
	}
	parent := base.folders(names[:last], rename)
	name := names[last]
	there := parent.kid(name)
	if there != nil && rename {
		name, there = parent.free(name), nil
	}
	created := there == nil
	if created {
		there = parent.add(name, false)
	}
	w.store(there, data, by, modified)
	return there, created, nil
}

// arrived shows a what came of its upload.
func (w *spec) arrived(a *actor, n *sNode) string {
	names := n.names()
	p := sSpot{col: n.col, link: a.link != nil}
	if p.link {
		above := a.link.node.names()
		if len(above) < len(names) && strings.Join(above, "/") == strings.Join(names[:len(above)], "/") {
			names = names[len(above):]
		} else {
			names = names[len(names)-1:]
		}
	}
	return p.entry(n, names)
}

func (u *sUpload) giveBack() {
	if u.node != nil {
		return
	}
	u.payer.reserved -= u.size
	if !u.col.gone {
		u.col.reserved -= u.size
	}
	if u.via != nil {
		u.via.bytes -= u.size
	}
}
