package sqlcat

import (
	"errors"
	"time"

	"tandem/internal/capability"
	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// capabilities implements catalog.Capabilities.
type capabilities struct{ *tx }

const sourceColumns = `id, link, usr, session, token, collection, terms, created, not_after, denied, denial`

func readSource(r row, s *catalog.Source) error {
	return r.to(&s.ID, &s.Link, &s.User, &s.Session, &s.Token, &s.Collection, &s.Terms, &s.Created, &s.NotAfter, &s.Denied, &s.Denial)
}

func aboutSource(err error, id capability.Source) error { return about(err, "source %x", id[:4]) }

func (t capabilities) Source(s catalog.Source) (catalog.Source, error) {
	found, err := one(t.tx, readSource, `SELECT `+sourceColumns+` FROM sources
		WHERE link = ? AND usr = ? AND session = ? AND token = ? AND collection = ? AND terms = ? AND denied = 0
		ORDER BY created DESC, id LIMIT 1`,
		int64(s.Link), int64(s.User), s.Session, s.Token, int64(s.Collection), s.Terms)
	return found, about(err, "source")
}

func (t capabilities) AddSource(s catalog.Source) error {
	n, err := t.exec(`INSERT INTO sources (id, link, usr, session, token, collection, terms, created, not_after, denied)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT DO NOTHING`,
		s.ID, int64(s.Link), int64(s.User), s.Session, s.Token, int64(s.Collection), s.Terms, s.Created)
	if err == nil && n == 0 {
		err = errExists
	}
	return aboutSource(err, s.ID)
}

func (t capabilities) Sources(now time.Time, after capability.Source, limit int) ([]catalog.Source, error) {
	return list(t.tx, readSource, `SELECT `+sourceColumns+` FROM sources
		WHERE denied = 0 AND not_after >= ? AND id > ? ORDER BY id LIMIT ?`, now, after, max(limit, 0))
}

func (t capabilities) Issue(from capability.Source, share content.Hash, node peer.ID, notAfter time.Time) error {
	n, err := t.exec(`UPDATE sources SET not_after = CASE WHEN not_after < ? THEN ? ELSE not_after END WHERE id = ? AND denied = 0`,
		notAfter, notAfter, from)
	if err == nil && n == 0 {
		err = errNotFound
	}
	if err != nil {
		return aboutSource(err, from)
	}
	_, err = t.exec(`INSERT INTO issued (source, share, node, not_after) VALUES (?, ?, ?, ?)
		ON CONFLICT (source, share, node) DO UPDATE SET not_after = excluded.not_after`, from, share, node, notAfter)
	return aboutSource(err, from)
}

func (t capabilities) Issued(from capability.Source, share content.Hash, node peer.ID) (time.Time, error) {
	var at time.Time
	err := t.scan(into{&at}, `SELECT not_after FROM issued WHERE source = ? AND share = ? AND node = ?`, from, share, node)
	return at, aboutSource(err, from)
}

func (t capabilities) SourcesOf(share content.Hash, node peer.ID, now time.Time, limit int) ([]catalog.Source, error) {
	return list(t.tx, readSource, `SELECT `+sourceColumns+` FROM sources WHERE not_after >= ?
		AND id IN (SELECT source FROM issued WHERE share = ? AND node = ?) ORDER BY id LIMIT ?`, now, share, node, max(limit, 0))
}

func (t capabilities) Deny(from capability.Source, at time.Time, denial []byte) error {
	if len(denial) == 0 || at.IsZero() {
		return fault.Errorf(fault.Invalid, "source %x: no denial", from[:4])
	}
	n, err := t.exec(`UPDATE sources SET denied = ?, denial = ? WHERE id = ? AND denied = 0`, at, denial, from)
	if err != nil || n > 0 {
		return err
	}
	_, err = one(t.tx, readSource, `SELECT `+sourceColumns+` FROM sources WHERE id = ?`, from)
	return aboutSource(err, from)
}

func (t capabilities) Denials(share content.Hash, now time.Time, limit int) ([][]byte, error) {
	read := func(r row, d *[]byte) error { return r.to(d) }
	return list(t.tx, read, `SELECT s.denial FROM sources s WHERE s.denied <> 0 AND s.not_after >= ?
		AND EXISTS (SELECT 1 FROM issued i WHERE i.source = s.id AND i.share = ?)
		ORDER BY s.denied DESC, s.id LIMIT ?`, now, share, max(limit, 0))
}

func (t capabilities) DeniedShares(now time.Time) (map[content.Hash]int, error) {
	shares := make(map[content.Hash]int)
	err := t.each(false, func(r row) (bool, error) {
		var share content.Hash
		var n int
		err := r.to(&share, &n)
		shares[share] = n
		return true, err
	}, `SELECT i.share, COUNT(DISTINCT i.source) FROM issued i JOIN sources s ON s.id = i.source
		WHERE s.denied <> 0 AND s.not_after >= ? GROUP BY i.share`, []any{now})
	return shares, err
}

func (t capabilities) SweepCapabilities(now time.Time) error {
	// Not in one: an engine may look at references row by row.
	_, err := t.exec(`DELETE FROM issued WHERE not_after < ? AND source IN (SELECT id FROM sources WHERE denied = 0 OR not_after < ?)`, now, now)
	_, err2 := t.exec(`DELETE FROM sources WHERE not_after < ? AND created < ?
		AND NOT EXISTS (SELECT 1 FROM issued i WHERE i.source = sources.id)`, now, now.Add(-time.Hour))
	return errors.Join(err, err2)
}
