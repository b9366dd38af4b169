package sqlcat

import (
	"maps"
	"slices"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

type links struct{ *tx }

func newLinks(t *tx) catalog.Links { return links{t} }

const linkColumns = `id, token, kind, node, collection, audience, made_by, created, expires, password,
	max_downloads, downloads, max_bytes, bytes, note, revoked, torrent_state,
	copies, v1_only, pending, share, key1, print, total`

func readLink(r row, l *catalog.Link) error {
	return r.to(&l.ID, &l.Token, &l.Kind, &l.Node, &l.Collection, &l.Audience, &l.By, &l.Created, &l.Expires, &l.Password,
		&l.MaxDownloads, &l.Downloads, &l.MaxBytes, &l.Bytes, &l.Note, &l.Revoked, &l.Torrent,
		&l.Copies, &l.V1, &l.Pending, &l.Meta.Share, &l.Meta.V1, &l.Meta.Print, &l.Meta.Total)
}

// CreateLink implements catalog.Links.
func (t links) CreateLink(l catalog.Link) (catalog.LinkID, error) {
	if l.Pending != "" {
		if err := t.scan(into{&l.Collection}, `SELECT id FROM collections WHERE id = ?`, l.Collection); err != nil {
			return 0, about(err, "link into collection %d", l.Collection)
		}
		l.Node = 0
	} else if err := t.scan(into{&l.Collection}, `SELECT collection FROM nodes WHERE id = ?`, l.Node); err != nil {
		return 0, about(err, "link to node %d", l.Node)
	}
	id, err := t.insert(`INSERT INTO links (token, kind, node, collection, audience, made_by, created, expires, password,
			max_downloads, max_bytes, note, revoked, torrent_state, copies, v1_only, pending)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		l.Token, l.Kind, int64(l.Node), l.Collection, l.Audience, l.By, l.Created, l.Expires, l.Password,
		l.MaxDownloads, l.MaxBytes, l.Note, l.Revoked, l.Torrent, l.Copies, l.V1, l.Pending)
	return catalog.LinkID(id), about(err, "link to node %d", l.Node)
}

// Link implements catalog.Links.
func (t links) Link(id catalog.LinkID) (catalog.Link, error) {
	l, err := one(t.tx, readLink, `SELECT `+linkColumns+` FROM links WHERE id = ?`, id)
	return l, about(err, "link %d", id)
}

// LinkByToken implements catalog.Links. The error does not repeat the token.
func (t links) LinkByToken(token string) (catalog.Link, error) {
	l, err := one(t.tx, readLink, `SELECT `+linkColumns+` FROM links WHERE token = ?`, token)
	return l, about(err, "link by token")
}

// LinksOf implements catalog.Links.
func (t links) LinksOf(user catalog.UserID) ([]catalog.Link, error) {
	return list(t.tx, readLink, `SELECT `+linkColumns+` FROM links WHERE made_by = ? ORDER BY id DESC`, user)
}

// LinksIn implements catalog.Links.
func (t links) LinksIn(id catalog.CollectionID) ([]catalog.Link, error) {
	return list(t.tx, readLink, `SELECT `+linkColumns+` FROM links WHERE collection = ? ORDER BY id DESC`, id)
}

// UpdateLink implements catalog.Links.
func (t links) UpdateLink(l catalog.Link) error {
	return about(t.must(`UPDATE links SET expires = ?, password = ?, max_downloads = ?, max_bytes = ?, note = ?, revoked = ?, copies = ? WHERE id = ?`,
		l.Expires, l.Password, l.MaxDownloads, l.MaxBytes, l.Note, l.Revoked, l.Copies, l.ID), "link %d", l.ID)
}

// BeginDownload implements catalog.Links. The download has size to give from
// now on, and as much again for what has to be repeated.
func (t links) BeginDownload(id catalog.LinkID, remote string, size int64, now, expires time.Time) error {
	n, err := t.exec(`UPDATE links SET downloads = downloads + 1 WHERE id = ? AND (max_downloads = 0 OR downloads < max_downloads)`, id)
	if err == nil && n == 0 {
		if _, err = t.Link(id); err == nil {
			err = fault.Errorf(fault.Gone, "link %d: no downloads are left", id)
		}
	}
	if err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM link_downloads WHERE expires <= ?`, now); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO link_downloads (link, remote, size, had, expires) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (link, remote) DO UPDATE SET size = excluded.size, had = excluded.had, expires = excluded.expires`,
		id, remote, size, size, expires)
	return err
}

// ContinueDownload implements catalog.Links.
func (t links) ContinueDownload(id catalog.LinkID, remote string, n int64, now time.Time) error {
	if n < 0 {
		return fault.Errorf(fault.Invalid, "link %d: %d bytes", id, n)
	}
	ok, err := t.exec(`UPDATE link_downloads SET had = had + ? WHERE link = ? AND remote = ? AND expires > ? AND ? <= 2 * size - had`,
		n, id, remote, now, n)
	if err != nil || ok > 0 {
		return err
	}
	if _, err := t.Link(id); err != nil {
		return err
	}
	return fault.Errorf(fault.Gone, "link %d: no download to go on with", id)
}

// ChargeDownload implements catalog.Links. Nobody's download is charged nothing.
func (t links) ChargeDownload(id catalog.LinkID, remote string, n int64) error {
	if n < 0 {
		return fault.Errorf(fault.Invalid, "link %d: %d bytes", id, n)
	}
	_, err := t.exec(`UPDATE link_downloads SET had = had + ? WHERE link = ? AND remote = ?`, n, id, remote)
	return err
}

// CountDownloads implements catalog.Links.
func (t links) CountDownloads(counts map[catalog.LinkID]int64) error {
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if _, err := t.exec(`UPDATE links SET downloads = downloads + ? WHERE id = ?`, counts[id], id); err != nil {
			return err
		}
	}
	return nil
}

// AddBytes implements catalog.Links.
func (t links) AddBytes(id catalog.LinkID, n int64) error {
	l, err := t.Link(id)
	switch {
	case err != nil:
		return err
	case n > 0 && l.MaxBytes > 0 && n > l.MaxBytes-l.Bytes:
		return fault.Errorf(fault.Quota, "link %d: %d bytes would pass its limit, %d of %d are taken", id, n, l.Bytes, l.MaxBytes)
	case n < -l.Bytes:
		return fault.Errorf(fault.Invalid, "link %d: give back %d bytes of %d", id, -n, l.Bytes)
	}
	return t.must(`UPDATE links SET bytes = bytes + ? WHERE id = ?`, n, id)
}

// SetTorrent implements catalog.Links.
func (t links) SetTorrent(id catalog.LinkID, state catalog.TorrentState, torrent []byte, m catalog.Metadata) error {
	if state != catalog.TorrentMade {
		return about(t.must(`UPDATE links SET torrent_state = ? WHERE id = ?`, state, id), "link %d", id)
	}
	var key2 content.SHA1 // none where the share is named by its v1 hash
	if m.V1.IsZero() || m.Share.Truncated() != m.V1 {
		key2 = m.Share.Truncated()
	}
	return about(t.must(`UPDATE links SET torrent_state = ?, torrent = ?, share = ?, key1 = ?, key2 = ?, print = ?, total = ? WHERE id = ?`,
		state, torrent, m.Share, m.V1, key2, m.Print, m.Total, id), "link %d", id)
}

// Torrent implements catalog.Links.
func (t links) Torrent(id catalog.LinkID) ([]byte, error) {
	var torrent []byte
	err := t.scan(into{&torrent}, `SELECT torrent FROM links WHERE id = ?`, id)
	if err == nil && len(torrent) == 0 {
		err = errNotFound
	}
	return torrent, about(err, "torrent of link %d", id)
}

// TorrentsWanted implements catalog.Links.
func (t links) TorrentsWanted(limit int) ([]catalog.Link, error) {
	return list(t.tx, readLink, `SELECT `+linkColumns+` FROM links WHERE torrent_state = 1 AND revoked = 0 ORDER BY id LIMIT ?`, max(limit, 0))
}

// PublicLinks implements catalog.Links.
func (t links) PublicLinks(key content.SHA1, limit int) ([]catalog.Link, error) {
	if key.IsZero() {
		return nil, nil
	}
	return list(t.tx, readLink, `SELECT `+linkColumns+` FROM links
		WHERE (key1 = ? OR key2 = ?) AND audience = ? AND revoked = 0 ORDER BY id LIMIT ?`, key, key, peer.Public, max(limit, 0))
}

// PendingLinks implements catalog.Links.
func (t links) PendingLinks(limit int) ([]catalog.Link, error) {
	return list(t.tx, readLink, `SELECT `+linkColumns+` FROM links WHERE pending <> '' AND revoked = 0 ORDER BY id LIMIT ?`, max(limit, 0))
}

// SettleLink implements catalog.Links.
func (t links) SettleLink(id catalog.LinkID, node catalog.NodeID) error {
	return about(t.must(`UPDATE links SET node = ?, pending = '' WHERE id = ? AND pending <> ''
		AND EXISTS (SELECT 1 FROM nodes WHERE nodes.id = ? AND nodes.collection = links.collection)`, node, id, node), "link %d", id)
}

// CopiedLinks implements catalog.Links.
func (t links) CopiedLinks(limit int) ([]catalog.Link, error) {
	return list(t.tx, readLink, `SELECT `+linkColumns+` FROM links
		WHERE copies > 0 AND revoked = 0 AND torrent_state = ? ORDER BY id LIMIT ?`, catalog.TorrentMade, max(limit, 0))
}
