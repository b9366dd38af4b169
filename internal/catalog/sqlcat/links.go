package sqlcat

import (
	"maps"
	"slices"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

type links struct{ *tx }

func newLinks(t *tx) catalog.Links { return links{t} }

const linkColumns = `id, token, kind, node, collection, audience, made_by, created, expires, password,
	max_downloads, downloads, max_bytes, bytes, note, revoked, torrent_state`

func readLink(r row, l *catalog.Link) error {
	return r.to(&l.ID, &l.Token, &l.Kind, &l.Node, &l.Collection, &l.Audience, &l.By, &l.Created, &l.Expires, &l.Password,
		&l.MaxDownloads, &l.Downloads, &l.MaxBytes, &l.Bytes, &l.Note, &l.Revoked, &l.Torrent)
}

// CreateLink implements catalog.Links.
func (t links) CreateLink(l catalog.Link) (catalog.LinkID, error) {
	if err := t.scan(into{&l.Collection}, `SELECT collection FROM nodes WHERE id = ?`, l.Node); err != nil {
		return 0, about(err, "link to node %d", l.Node)
	}
	id, err := t.insert(`INSERT INTO links (token, kind, node, collection, audience, made_by, created, expires, password,
			max_downloads, max_bytes, note, revoked, torrent_state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		l.Token, l.Kind, l.Node, l.Collection, l.Audience, l.By, l.Created, l.Expires, l.Password,
		l.MaxDownloads, l.MaxBytes, l.Note, l.Revoked, l.Torrent)
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
	return about(t.must(`UPDATE links SET expires = ?, password = ?, max_downloads = ?, max_bytes = ?, note = ?, revoked = ? WHERE id = ?`,
		l.Expires, l.Password, l.MaxDownloads, l.MaxBytes, l.Note, l.Revoked, l.ID), "link %d", l.ID)
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
func (t links) SetTorrent(id catalog.LinkID, state catalog.TorrentState, torrent []byte) error {
	return about(t.must(`UPDATE links SET torrent_state = ?, torrent = ? WHERE id = ?`, state, torrent, id), "link %d", id)
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
