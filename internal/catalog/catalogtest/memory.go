package catalogtest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

// memory says what a catalog does with collections, names, contents, uploads,
// quotas and links, in plain maps and as simply as can be said. It is what the
// drivers are compared with: every answer and every kind of error.
//
// Numbers are handed in, since each driver gives its own.
type memory struct {
	users       map[catalog.UserID]*catalog.User
	members     map[catalog.GroupID]map[catalog.UserID]bool
	collections map[catalog.CollectionID]*catalog.Collection
	grants      map[grantKey]catalog.Grant
	nodes       map[catalog.NodeID]*catalog.Node // Version is looked up in versions
	versions    map[catalog.VersionID]*replaced
	contents    map[content.Hash]*catalog.Content
	uploads     map[string]*catalog.Upload
	links       map[catalog.LinkID]*catalog.Link
	torrents    map[catalog.LinkID][]byte
	downloads   map[downloadKey]download
}

type grantKey struct {
	collection catalog.CollectionID
	user       catalog.UserID
	group      catalog.GroupID
}

// replaced is a version and when a newer one took its place; zero: not yet.
type replaced struct {
	catalog.Version
	at time.Time
}

type downloadKey struct {
	link   catalog.LinkID
	remote string
}

type download struct {
	size, had int64
	expires   time.Time
}

func newMemory() *memory {
	return &memory{
		users:       make(map[catalog.UserID]*catalog.User),
		members:     make(map[catalog.GroupID]map[catalog.UserID]bool),
		collections: make(map[catalog.CollectionID]*catalog.Collection),
		grants:      make(map[grantKey]catalog.Grant),
		nodes:       make(map[catalog.NodeID]*catalog.Node),
		versions:    make(map[catalog.VersionID]*replaced),
		contents:    make(map[content.Hash]*catalog.Content),
		uploads:     make(map[string]*catalog.Upload),
		links:       make(map[catalog.LinkID]*catalog.Link),
		torrents:    make(map[catalog.LinkID][]byte),
		downloads:   make(map[downloadKey]download),
	}
}

// clone copies everything, for an Update that will be taken back.
func (m *memory) clone() *memory {
	c := &memory{
		users:       cloneValues(m.users),
		members:     make(map[catalog.GroupID]map[catalog.UserID]bool),
		collections: cloneValues(m.collections),
		grants:      maps.Clone(m.grants),
		nodes:       cloneValues(m.nodes),
		versions:    cloneValues(m.versions),
		contents:    cloneValues(m.contents),
		uploads:     cloneValues(m.uploads),
		links:       cloneValues(m.links),
		torrents:    maps.Clone(m.torrents),
		downloads:   maps.Clone(m.downloads),
	}
	for g, set := range m.members {
		c.members[g] = maps.Clone(set)
	}
	return c
}

func cloneValues[K comparable, V any](m map[K]*V) map[K]*V {
	c := make(map[K]*V, len(m))
	for k, v := range m {
		w := *v
		c[k] = &w
	}
	return c
}

// firstOf sorts a list and cuts it.
func firstOf[T any](list []T, limit int, order func(a, b T) int) []T {
	slices.SortFunc(list, order)
	return list[:max(0, min(limit, len(list)))]
}

// known looks an ID up.
func known[K comparable, V any](m map[K]*V, id K) (*V, error) {
	v, ok := m[id]
	if !ok {
		return nil, fault.Errorf(fault.NotFound, "%v is not there", id)
	}
	return v, nil
}

func foldName(s string) string { return cases.Fold().String(s) }

// --- collections

func (m *memory) createCollection(id catalog.CollectionID, root catalog.NodeID, c catalog.Collection) (catalog.Collection, error) {
	if _, err := known(m.users, c.Owner); err != nil {
		return catalog.Collection{}, err
	}
	if m.collectionCalled(c.Name, 0) {
		return catalog.Collection{}, fault.Exists
	}
	c.ID, c.Root, c.Used, c.Reserved = id, root, 0, 0
	m.collections[id] = &c
	m.nodes[root] = &catalog.Node{ID: root, Collection: id, Folder: true, Created: c.Created}
	return c, nil
}

// collectionCalled reports whether another collection than but is called name in any case.
func (m *memory) collectionCalled(name string, but catalog.CollectionID) bool {
	for _, c := range m.collections {
		if c.ID != but && foldName(c.Name) == foldName(name) {
			return true
		}
	}
	return false
}

func (m *memory) collectionByName(name string) (catalog.Collection, error) {
	for _, c := range m.collections {
		if c.Name == name {
			return *c, nil
		}
	}
	return catalog.Collection{}, fault.NotFound
}

func (m *memory) listCollections(after string, limit int) []catalog.Collection {
	var list []catalog.Collection
	for _, c := range m.collections {
		if c.Name > after {
			list = append(list, *c)
		}
	}
	return firstOf(list, limit, byCollectionName)
}

func byCollectionName(a, b catalog.Collection) int { return strings.Compare(a.Name, b.Name) }

func (m *memory) visible(user catalog.UserID, now time.Time) []catalog.Collection {
	var list []catalog.Collection
	for _, c := range m.collections {
		if rights, _ := m.granted(c.ID, user, now); c.Owner == user || rights != 0 {
			list = append(list, *c)
		}
	}
	return firstOf(list, len(list), byCollectionName)
}

func (m *memory) updateCollection(c catalog.Collection) error {
	old, err := known(m.collections, c.ID)
	if err != nil {
		return err
	}
	if _, err := known(m.users, c.Owner); err != nil {
		return err
	}
	if m.collectionCalled(c.Name, c.ID) {
		return fault.Exists
	}
	old.Name, old.Owner, old.Quota = c.Name, c.Owner, c.Quota
	old.KeepTrash, old.KeepVersions = c.KeepTrash, c.KeepVersions
	return nil
}

func (m *memory) deleteCollection(id catalog.CollectionID) error {
	c, err := known(m.collections, id)
	if err != nil {
		return err
	}
	for _, n := range m.nodes {
		if n.Collection == id && n.ID != c.Root {
			return fault.Exists
		}
	}
	delete(m.nodes, c.Root)
	delete(m.collections, id)
	maps.DeleteFunc(m.grants, func(k grantKey, _ catalog.Grant) bool { return k.collection == id })
	maps.DeleteFunc(m.downloads, func(k downloadKey, _ download) bool { return m.links[k.link].Collection == id })
	maps.DeleteFunc(m.torrents, func(k catalog.LinkID, _ []byte) bool { return m.links[k].Collection == id })
	maps.DeleteFunc(m.links, func(_ catalog.LinkID, l *catalog.Link) bool { return l.Collection == id })
	return nil
}

func (m *memory) setGrant(g catalog.Grant) error {
	if (g.User == 0) == (g.Group == 0) {
		return fault.Invalid
	}
	if _, err := known(m.collections, g.Collection); err != nil {
		return err
	}
	_, isUser := m.users[g.User]
	_, isGroup := m.members[g.Group]
	if !isUser && !isGroup {
		return fault.NotFound
	}
	key := grantKey{g.Collection, g.User, g.Group}
	m.grants[key] = g
	if g.Rights == 0 {
		delete(m.grants, key)
	}
	return nil
}

// listGrants returns grants to users before those to groups, by number.
func (m *memory) listGrants(id catalog.CollectionID) []catalog.Grant {
	var list []catalog.Grant
	for k, g := range m.grants {
		if k.collection == id {
			list = append(list, g)
		}
	}
	return firstOf(list, len(list), func(a, b catalog.Grant) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.User, b.User))
	})
}

func (m *memory) granted(id catalog.CollectionID, user catalog.UserID, now time.Time) (policy.Rights, error) {
	var sum policy.Rights
	for k, g := range m.grants {
		if k.collection != id || (k.user != user && !m.members[k.group][user]) {
			continue
		}
		if g.NotAfter.IsZero() || !now.After(g.NotAfter) {
			sum |= g.Rights
		}
	}
	return sum, nil
}

// --- quotas

func (m *memory) reserve(user catalog.UserID, in catalog.CollectionID, n int64) error {
	if n < 0 {
		return fault.Invalid
	}
	u, err := known(m.users, user)
	if err != nil {
		return err
	}
	c, err := known(m.collections, in)
	if err != nil {
		return err
	}
	if n > 0 && (u.Quota > 0 && u.Used+u.Reserved+n > u.Quota || c.Quota > 0 && c.Used+c.Reserved+n > c.Quota) {
		return fault.Quota
	}
	u.Reserved += n
	c.Reserved += n
	return nil
}

func (m *memory) release(user catalog.UserID, in catalog.CollectionID, n int64) error {
	u, err := known(m.users, user)
	if err != nil {
		return err
	}
	c := m.collections[in] // may be gone: an upload outlives its collection
	if n < 0 || n > u.Reserved || c != nil && n > c.Reserved {
		return fault.Invalid
	}
	u.Reserved -= n
	if c != nil {
		c.Reserved -= n
	}
	return nil
}
