package catalogtest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// show returns a node with its current version.
func (m *memory) show(n *catalog.Node) catalog.Node {
	out := *n
	if v := m.current(n.ID); v != nil {
		out.Version = v.Version
	}
	return out
}

func (m *memory) current(id catalog.NodeID) *replaced {
	for _, v := range m.versions {
		if v.Node == id && v.at.IsZero() {
			return v
		}
	}
	return nil
}

func (m *memory) node(id catalog.NodeID) (catalog.Node, error) {
	n, err := known(m.nodes, id)
	if err != nil {
		return catalog.Node{}, err
	}
	return m.show(n), nil
}

// path walks up from a node.
func (m *memory) path(id catalog.NodeID) (names []string, live bool, _ error) {
	n, err := known(m.nodes, id)
	if err != nil {
		return nil, false, err
	}
	live = true
	for ; n != nil; n = m.nodes[n.Parent] {
		live = live && n.Trashed.IsZero()
		if n.Parent != 0 {
			names = append(names, n.Name)
		}
	}
	slices.Reverse(names)
	return names, live, nil
}

func (m *memory) live(id catalog.NodeID) bool {
	_, live, err := m.path(id)
	return err == nil && live
}

func (m *memory) child(parent catalog.NodeID, name string) (catalog.Node, error) {
	for _, n := range m.nodes {
		if n.Parent == parent && parent != 0 && n.Name == name && n.Trashed.IsZero() {
			return m.show(n), nil
		}
	}
	return catalog.Node{}, fault.NotFound
}

func (m *memory) resolve(from catalog.NodeID, names []string) (catalog.Node, error) {
	n, err := m.node(from)
	for _, name := range names {
		if err == nil {
			n, err = m.child(n.ID, name)
		}
	}
	return n, err
}

func (m *memory) children(parent catalog.NodeID, after string, limit int) []catalog.Node {
	var list []catalog.Node
	for _, n := range m.nodes {
		if n.Parent == parent && parent != 0 && n.Trashed.IsZero() && n.Name > after {
			list = append(list, m.show(n))
		}
	}
	return firstOf(list, limit, func(a, b catalog.Node) int { return strings.Compare(a.Name, b.Name) })
}

// place checks that a live folder may get a child called name.
func (m *memory) place(parent catalog.NodeID, name string) (*catalog.Node, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return nil, fault.Invalid
	}
	p, err := known(m.nodes, parent)
	if err != nil {
		return nil, err
	}
	if !m.live(parent) {
		return nil, fault.NotFound
	}
	if !p.Folder {
		return nil, fault.Invalid
	}
	return p, nil
}

func (m *memory) makeFolder(id, parent catalog.NodeID, name string, now time.Time) (catalog.Node, error) {
	p, err := m.place(parent, name)
	if err != nil {
		return catalog.Node{}, err
	}
	if _, err := m.child(parent, name); err == nil {
		return catalog.Node{}, fault.Exists
	}
	m.nodes[id] = &catalog.Node{ID: id, Collection: p.Collection, Parent: parent, Name: name, Folder: true, Created: now}
	return m.node(id)
}

func (m *memory) putFile(id catalog.NodeID, version catalog.VersionID, parent catalog.NodeID, name string, v catalog.Version) (catalog.Node, error) {
	if v.Sum.Size < 0 || (v.Sum.Root == content.Hash{}) != (v.Sum.Size == 0) {
		return catalog.Node{}, fault.Invalid
	}
	p, err := m.place(parent, name)
	if err != nil {
		return catalog.Node{}, err
	}
	old, err := m.child(parent, name)
	if err == nil && old.Folder {
		return catalog.Node{}, fault.Exists
	}
	if v.Sum.Size > 0 {
		switch c := m.contents[v.Sum.Root]; {
		case c == nil || c.State == catalog.Removing || c.State == catalog.Arriving:
			return catalog.Node{}, fault.Busy
		case c.State == catalog.Damaged:
			return catalog.Node{}, fault.Corrupt
		case c.Sum != v.Sum:
			return catalog.Node{}, fault.Invalid
		}
	}
	by, err := known(m.users, v.By)
	if err != nil {
		return catalog.Node{}, err
	}
	if old.ID == 0 {
		m.nodes[id] = &catalog.Node{ID: id, Collection: p.Collection, Parent: parent, Name: name, Created: v.Created}
	} else {
		id = old.ID
		m.current(id).at = v.Created
	}
	v.ID, v.Node = version, id
	m.versions[version] = &replaced{Version: v}
	by.Used += v.Sum.Size
	m.collections[p.Collection].Used += v.Sum.Size
	return m.node(id)
}

// settle gives a node another place and name: what Move and Untrash share.
func (m *memory) settle(n *catalog.Node, parent catalog.NodeID, name string) (catalog.Node, error) {
	p, err := m.place(parent, name)
	if err != nil {
		return catalog.Node{}, err
	}
	if p.Collection != n.Collection {
		return catalog.Node{}, fault.Invalid
	}
	for up := p; up != nil; up = m.nodes[up.Parent] {
		if up.ID == n.ID {
			return catalog.Node{}, fault.Invalid
		}
	}
	if there, err := m.child(parent, name); err == nil && there.ID != n.ID {
		return catalog.Node{}, fault.Exists
	}
	n.Parent, n.Name, n.Trashed, n.TrashedBy = parent, name, time.Time{}, 0
	return m.show(n), nil
}

func (m *memory) move(id, parent catalog.NodeID, name string) (catalog.Node, error) {
	n, err := m.liveBelowRoot(id)
	if err != nil {
		return catalog.Node{}, err
	}
	return m.settle(n, parent, name)
}

func (m *memory) liveBelowRoot(id catalog.NodeID) (*catalog.Node, error) {
	n, err := known(m.nodes, id)
	switch {
	case err != nil:
		return nil, err
	case !m.live(id):
		return nil, fault.NotFound
	case n.Parent == 0:
		return nil, fault.Invalid
	}
	return n, nil
}

func (m *memory) trash(id catalog.NodeID, by catalog.UserID, now time.Time) error {
	n, err := m.liveBelowRoot(id)
	if err != nil {
		return err
	}
	n.Trashed, n.TrashedBy = now, by
	return nil
}

func (m *memory) untrash(id, parent catalog.NodeID, name string) (catalog.Node, error) {
	n, err := m.inTrash(id)
	if err != nil {
		return catalog.Node{}, err
	}
	return m.settle(n, parent, name)
}

func (m *memory) inTrash(id catalog.NodeID) (*catalog.Node, error) {
	n, err := known(m.nodes, id)
	if err == nil && n.Trashed.IsZero() {
		err = fault.NotFound
	}
	return n, err
}

func (m *memory) trashed(in catalog.CollectionID, after catalog.NodeID, limit int) []catalog.Node {
	var list []catalog.Node
	for _, n := range m.nodes {
		if n.Collection == in && !n.Trashed.IsZero() && n.ID > after {
			list = append(list, m.show(n))
		}
	}
	return firstOf(list, limit, func(a, b catalog.Node) int { return cmp.Compare(a.ID, b.ID) })
}

func (m *memory) trashedBefore(now time.Time, keep time.Duration, limit int) []catalog.Node {
	var list []catalog.Node
	for _, n := range m.nodes {
		if !n.Trashed.IsZero() && !now.Before(n.Trashed.Add(cmp.Or(m.collections[n.Collection].KeepTrash, keep))) {
			list = append(list, m.show(n))
		}
	}
	return firstOf(list, limit, func(a, b catalog.Node) int {
		return cmp.Or(cmp.Compare(a.Collection, b.Collection), a.Trashed.Compare(b.Trashed), cmp.Compare(a.ID, b.ID))
	})
}

func (m *memory) purge(id catalog.NodeID, limit int) (bool, error) {
	if _, err := m.inTrash(id); err != nil {
		return false, err
	}
	if limit < 1 {
		return false, fault.Invalid
	}
	if !m.purgeBelow(id, &limit) {
		return false, nil
	}
	m.forget(id)
	return true, nil
}

// purgeBelow removes what is below a folder: live names in order, then what is
// in the trash by number; what is in a folder before the folder.
func (m *memory) purgeBelow(id catalog.NodeID, limit *int) bool {
	var below []*catalog.Node
	for _, n := range m.nodes {
		if n.Parent == id {
			below = append(below, n)
		}
	}
	slices.SortFunc(below, func(a, b *catalog.Node) int {
		switch atrash, btrash := !a.Trashed.IsZero(), !b.Trashed.IsZero(); {
		case atrash && btrash:
			return cmp.Compare(a.ID, b.ID)
		case atrash:
			return 1
		case btrash:
			return -1
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, n := range below {
		if !m.purgeBelow(n.ID, limit) || *limit == 0 {
			return false
		}
		*limit--
		m.forget(n.ID)
	}
	return true
}

// forget removes a node and its versions.
func (m *memory) forget(id catalog.NodeID) {
	for _, v := range m.versions {
		if v.Node == id {
			m.forgetVersion(v)
		}
	}
	delete(m.nodes, id)
}

func (m *memory) forgetVersion(v *replaced) {
	m.users[v.By].Used -= v.Sum.Size
	m.collections[m.nodes[v.Node].Collection].Used -= v.Sum.Size
	delete(m.versions, v.ID)
}

func (m *memory) listVersions(id catalog.NodeID) ([]catalog.Version, error) {
	if _, err := known(m.nodes, id); err != nil {
		return nil, err
	}
	var list []catalog.Version
	for _, v := range m.versions {
		if v.Node == id {
			list = append(list, v.Version)
		}
	}
	return firstOf(list, len(list), func(a, b catalog.Version) int { return cmp.Compare(b.ID, a.ID) }), nil
}

func (m *memory) version(id catalog.VersionID) (catalog.Version, error) {
	v, err := known(m.versions, id)
	if err != nil {
		return catalog.Version{}, err
	}
	return v.Version, nil
}

func (m *memory) dropVersions(now time.Time, keep time.Duration, limit int) int {
	var list []*replaced
	for _, v := range m.versions {
		in := m.collections[m.nodes[v.Node].Collection]
		if !v.at.IsZero() && !now.Before(v.at.Add(cmp.Or(in.KeepVersions, keep))) {
			list = append(list, v)
		}
	}
	list = firstOf(list, limit, func(a, b *replaced) int {
		ca, cb := m.nodes[a.Node].Collection, m.nodes[b.Node].Collection
		return cmp.Or(cmp.Compare(ca, cb), a.at.Compare(b.at), cmp.Compare(a.ID, b.ID))
	})
	for _, v := range list {
		m.forgetVersion(v)
	}
	return len(list)
}

func (m *memory) search(in []catalog.CollectionID, text string, limit int) []catalog.Found {
	var list []catalog.Found
	for _, n := range m.nodes {
		if text == "" || n.Parent == 0 || !slices.Contains(in, n.Collection) || !strings.Contains(foldName(n.Name), foldName(text)) {
			continue
		}
		if path, live, _ := m.path(n.ID); live {
			list = append(list, catalog.Found{Node: m.show(n), Path: path})
		}
	}
	return firstOf(list, limit, func(a, b catalog.Found) int {
		return cmp.Or(strings.Compare(a.Node.Name, b.Node.Name), cmp.Compare(a.Node.ID, b.Node.ID))
	})
}

func (m *memory) counts(id catalog.CollectionID) (files, folders int64, _ error) {
	if _, err := known(m.collections, id); err != nil {
		return 0, 0, err
	}
	for _, n := range m.nodes {
		switch {
		case n.Collection != id || n.Parent == 0 || !m.live(n.ID):
		case n.Folder:
			folders++
		default:
			files++
		}
	}
	return files, folders, nil
}
