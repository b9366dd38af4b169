package catalogtest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// --- contents

func (m *memory) uses(root content.Hash) int {
	n := 0
	for _, v := range m.versions {
		if v.Sum.Root == root {
			n++
		}
	}
	return n
}

func (m *memory) contentOf(root content.Hash) (catalog.Content, error) {
	c, ok := m.contents[root]
	if !ok {
		return catalog.Content{}, fault.NotFound
	}
	return *c, nil
}

func (m *memory) claim(sum content.FileSum, now time.Time) (catalog.ContentState, error) {
	if sum.Size < 0 || (sum.Root == content.Hash{}) != (sum.Size == 0) {
		return 0, fault.Invalid
	}
	if sum.Size == 0 {
		return catalog.Ready, nil
	}
	c, ok := m.contents[sum.Root]
	if !ok {
		m.contents[sum.Root] = &catalog.Content{Sum: sum, State: catalog.Arriving, Created: now}
		return catalog.Arriving, nil
	}
	switch {
	case c.State == catalog.Removing:
		return 0, fault.Busy
	case c.Sum != sum:
		return 0, fault.Invalid
	case c.State == catalog.Damaged:
		c.State = catalog.Arriving
	}
	c.Created = now
	return c.State, nil
}

func (m *memory) setReady(root content.Hash, now time.Time) error {
	if root == (content.Hash{}) {
		return nil
	}
	c, ok := m.contents[root]
	switch {
	case !ok:
		return fault.NotFound
	case c.State == catalog.Removing:
		return fault.Busy
	}
	c.State, c.Created = catalog.Ready, now
	return nil
}

func (m *memory) unused(before time.Time, limit int) []catalog.Content {
	var list []catalog.Content
	for root, c := range m.contents {
		if m.uses(root) == 0 && (c.Created.Before(before) || c.State == catalog.Removing) {
			list = append(list, *c)
		}
	}
	return firstOf(list, limit, func(a, b catalog.Content) int {
		return cmp.Or(a.Created.Compare(b.Created), bytes.Compare(a.Sum.Root[:], b.Sum.Root[:]))
	})
}

func (m *memory) setRemoving(root content.Hash) error {
	if root == (content.Hash{}) {
		return fault.Invalid
	}
	if m.uses(root) > 0 {
		return fault.Busy
	}
	c, ok := m.contents[root]
	if !ok {
		c = &catalog.Content{Sum: content.FileSum{Root: root}}
		m.contents[root] = c
	}
	c.State = catalog.Removing
	return nil
}

func (m *memory) drop(root content.Hash) error {
	if c, ok := m.contents[root]; ok && c.State != catalog.Removing {
		return fault.Busy
	}
	delete(m.contents, root)
	return nil
}

func (m *memory) setChecked(root content.Hash, at time.Time, whole bool) error {
	c, ok := m.contents[root]
	switch {
	case !ok:
		return fault.NotFound
	case whole:
		c.Checked = at
	case c.State == catalog.Ready:
		c.State = catalog.Damaged
	}
	return nil
}

func (m *memory) toCheck(before time.Time, limit int) []catalog.Content {
	var list []catalog.Content
	for _, c := range m.contents {
		if c.State == catalog.Ready && c.Checked.Before(before) {
			list = append(list, *c)
		}
	}
	return firstOf(list, limit, func(a, b catalog.Content) int {
		return cmp.Or(a.Checked.Compare(b.Checked), a.Created.Compare(b.Created), bytes.Compare(a.Sum.Root[:], b.Sum.Root[:]))
	})
}

func (m *memory) usersOf(root content.Hash, limit int) []string {
	var ids []catalog.NodeID
	for _, v := range m.versions {
		if v.Sum.Root == root && m.live(v.Node) && !slices.Contains(ids, v.Node) {
			ids = append(ids, v.Node)
		}
	}
	var paths []string
	for _, id := range firstOf(ids, limit, cmp.Compare) {
		names, _, _ := m.path(id)
		paths = append(paths, m.collections[m.nodes[id].Collection].Name+"/"+strings.Join(names, "/"))
	}
	return paths
}

// --- uploads

func (m *memory) createUpload(u catalog.Upload) error {
	if len(u.Path) == 0 || u.Size < 0 || u.Offset < 0 || u.Offset > u.Size {
		return fault.Invalid
	}
	if _, ok := m.uploads[u.ID]; ok {
		return fault.Exists
	}
	m.uploads[u.ID] = &u
	return nil
}

func (m *memory) upload(id string) (catalog.Upload, error) {
	u, err := known(m.uploads, id)
	if err != nil {
		return catalog.Upload{}, err
	}
	return *u, nil
}

func (m *memory) take(id string, now time.Time) (catalog.Upload, error) {
	u, err := known(m.uploads, id)
	if err != nil {
		return catalog.Upload{}, err
	}
	if u.Node == 0 {
		u.Epoch++
		u.Updated = now
	}
	return *u, nil
}

// writer returns an upload that epoch may still write.
func (m *memory) writer(id string, epoch int64) (*catalog.Upload, error) {
	u, err := known(m.uploads, id)
	if err == nil && (u.Epoch != epoch || u.Node != 0) {
		err = fault.Busy
	}
	return u, err
}

func (m *memory) save(id string, epoch, offset int64, state []byte, now time.Time) error {
	u, err := m.writer(id, epoch)
	if err != nil {
		return err
	}
	if offset < 0 || offset > u.Size {
		return fault.Invalid
	}
	if offset > u.Offset && now.After(u.Updated) {
		u.Expires = u.Expires.Add(now.Sub(u.Updated)) // only waiting counts
	}
	u.Offset, u.State, u.Updated = offset, state, now
	return nil
}

func (m *memory) finish(id string, epoch int64, node catalog.NodeID, now time.Time) error {
	u, err := m.writer(id, epoch)
	if err != nil {
		return err
	}
	if node == 0 {
		return fault.Invalid
	}
	u.Offset, u.State, u.Updated, u.Node = u.Size, nil, now, node
	return nil
}

func (m *memory) deleteUpload(id string) error {
	_, err := known(m.uploads, id)
	delete(m.uploads, id)
	return err
}

func (m *memory) expiredUploads(now time.Time, limit int) []catalog.Upload {
	var list []catalog.Upload
	for _, u := range m.uploads {
		if !now.Before(u.Expires) {
			list = append(list, *u)
		}
	}
	return firstOf(list, limit, func(a, b catalog.Upload) int {
		return cmp.Or(a.Expires.Compare(b.Expires), strings.Compare(a.ID, b.ID))
	})
}

func (m *memory) uploadsOf(user catalog.UserID) []catalog.Upload {
	var list []catalog.Upload
	for _, u := range m.uploads {
		if u.User == user && u.Node == 0 {
			list = append(list, *u)
		}
	}
	return firstOf(list, len(list), func(a, b catalog.Upload) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
}

// --- links

func (m *memory) createLink(id catalog.LinkID, l catalog.Link) (catalog.LinkID, error) {
	if l.Pending != "" {
		if _, err := known(m.collections, l.Collection); err != nil {
			return 0, err
		}
		l.Node = 0
	} else {
		n, err := known(m.nodes, l.Node)
		if err != nil {
			return 0, err
		}
		l.Collection = n.Collection
	}
	for _, other := range m.links {
		if other.Token == l.Token {
			return 0, fault.Exists
		}
	}
	l.ID, l.Downloads, l.Bytes = id, 0, 0
	m.links[id] = &l
	return id, nil
}

func (m *memory) link(id catalog.LinkID) (catalog.Link, error) {
	l, err := known(m.links, id)
	if err != nil {
		return catalog.Link{}, err
	}
	return *l, nil
}

func (m *memory) linkByToken(token string) (catalog.Link, error) {
	for _, l := range m.links {
		if l.Token == token {
			return *l, nil
		}
	}
	return catalog.Link{}, fault.NotFound
}

// linksThat returns links, the newest first.
func (m *memory) linksThat(ok func(*catalog.Link) bool) []catalog.Link {
	var list []catalog.Link
	for _, l := range m.links {
		if ok(l) {
			list = append(list, *l)
		}
	}
	return firstOf(list, len(list), func(a, b catalog.Link) int { return cmp.Compare(b.ID, a.ID) })
}

func (m *memory) updateLink(l catalog.Link) error {
	old, err := known(m.links, l.ID)
	if err != nil {
		return err
	}
	old.Expires, old.Password, old.MaxDownloads, old.MaxBytes = l.Expires, l.Password, l.MaxDownloads, l.MaxBytes
	old.Note, old.Revoked, old.Copies = l.Note, l.Revoked, l.Copies
	return nil
}

func (m *memory) beginDownload(id catalog.LinkID, remote string, size int64, now, expires time.Time) error {
	l, err := known(m.links, id)
	if err != nil {
		return err
	}
	if l.MaxDownloads > 0 && l.Downloads >= l.MaxDownloads {
		return fault.Gone
	}
	l.Downloads++
	maps.DeleteFunc(m.downloads, func(_ downloadKey, d download) bool { return !now.Before(d.expires) })
	m.downloads[downloadKey{id, remote}] = download{size: size, had: size, expires: expires}
	return nil
}

func (m *memory) continueDownload(id catalog.LinkID, remote string, n int64, now time.Time) error {
	if _, err := known(m.links, id); err != nil {
		return err
	}
	key := downloadKey{id, remote}
	d, ok := m.downloads[key]
	if !ok || !now.Before(d.expires) || d.had+n > 2*d.size {
		return fault.Gone
	}
	d.had += n
	m.downloads[key] = d
	return nil
}

func (m *memory) countDownloads(counts map[catalog.LinkID]int64) {
	for id, n := range counts {
		if l := m.links[id]; l != nil {
			l.Downloads += n
		}
	}
}

func (m *memory) addBytes(id catalog.LinkID, n int64) error {
	l, err := known(m.links, id)
	if err != nil {
		return err
	}
	switch {
	case n > 0 && l.MaxBytes > 0 && l.Bytes+n > l.MaxBytes:
		return fault.Quota
	case l.Bytes+n < 0:
		return fault.Invalid
	}
	l.Bytes += n
	return nil
}

func (m *memory) setTorrent(id catalog.LinkID, state catalog.TorrentState, torrent []byte, meta catalog.Metadata) error {
	l, err := known(m.links, id)
	if err != nil {
		return err
	}
	if l.Torrent = state; state == catalog.TorrentMade {
		l.Meta, m.torrents[id] = meta, torrent
	}
	return nil
}

func (m *memory) torrent(id catalog.LinkID) ([]byte, error) {
	if t := m.torrents[id]; len(t) > 0 {
		return t, nil
	}
	return nil, fault.NotFound
}

func (m *memory) torrentsWanted(limit int) []catalog.Link {
	list := m.linksThat(func(l *catalog.Link) bool { return l.Torrent == catalog.TorrentWanted && l.Revoked.IsZero() })
	slices.Reverse(list)
	return list[:min(limit, len(list))]
}
