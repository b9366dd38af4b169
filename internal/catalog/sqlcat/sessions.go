package sqlcat

import (
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

// sessions implements catalog.Sessions. What ends somebody's access counts
// itself in the epoch.
type sessions struct{ *tx }

const sessionColumns = "id, hash, usr, created, seen, expires, agent, remote"

func readSession(r row, s *catalog.Session) error {
	return r.to(&s.ID, &s.Hash, &s.User, &s.Created, &s.Seen, &s.Expires, &s.Agent, &s.Remote)
}

func (s sessions) CreateSession(n catalog.Session) (int64, error) {
	if _, err := accounts(s).User(n.User); err != nil {
		return 0, err
	}
	id, err := s.insert(`INSERT INTO sessions (hash, usr, created, seen, expires, agent, remote)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		n.Hash, n.User, n.Created, n.Seen, n.Expires, n.Agent, n.Remote)
	return id, about(err, "session")
}

func (s sessions) Session(hash content.Hash) (catalog.Session, error) {
	v, err := one(s.tx, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE hash = ?", hash)
	return v, about(err, "session")
}

// SessionsOf returns the newest first.
func (s sessions) SessionsOf(user catalog.UserID) ([]catalog.Session, error) {
	return list(s.tx, readSession, "SELECT "+sessionColumns+" FROM sessions WHERE usr = ? ORDER BY id DESC", user)
}

// TouchSession moves the session's end by as much as Seen moves.
func (s sessions) TouchSession(id int64, seen time.Time) error {
	return about(s.must("UPDATE sessions SET expires = expires + (? - seen), seen = ? WHERE id = ?", seen, seen, id),
		"session %d", id)
}

func (s sessions) EndSession(user catalog.UserID, id int64) error {
	if err := s.must("DELETE FROM sessions WHERE id = ? AND usr = ?", id, user); err != nil {
		return about(err, "session %d", id)
	}
	return s.Bump()
}

func (s sessions) EndSessionsOf(user catalog.UserID, except int64) error {
	n, err := s.exec("DELETE FROM sessions WHERE usr = ? AND id <> ?", user, except)
	if err != nil || n == 0 {
		return err
	}
	return s.Bump()
}

func (s sessions) SweepSessions(now time.Time) error {
	_, err := s.exec("DELETE FROM sessions WHERE expires <= ?", now)
	return err
}

const tokenColumns = "id, hash, usr, name, rights, server, created, seen, expires"

func readToken(r row, t *catalog.Token) error {
	return r.to(&t.ID, &t.Hash, &t.User, &t.Name, &t.Limit, &t.Server, &t.Created, &t.Seen, &t.Expires)
}

func (s sessions) CreateToken(n catalog.Token) (int64, error) {
	if _, err := accounts(s).User(n.User); err != nil {
		return 0, err
	}
	id, err := s.insert(`INSERT INTO tokens (hash, usr, name, rights, server, created, seen, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		n.Hash, n.User, n.Name, n.Limit, n.Server, n.Created, n.Seen, n.Expires)
	return id, about(err, "token")
}

func (s sessions) Token(hash content.Hash) (catalog.Token, error) {
	v, err := one(s.tx, readToken, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?", hash)
	return v, about(err, "token")
}

// TokensOf returns the newest first.
func (s sessions) TokensOf(user catalog.UserID) ([]catalog.Token, error) {
	return list(s.tx, readToken, "SELECT "+tokenColumns+" FROM tokens WHERE usr = ? ORDER BY id DESC", user)
}

func (s sessions) TouchToken(id int64, seen time.Time) error {
	return about(s.must("UPDATE tokens SET seen = ? WHERE id = ?", seen, id), "token %d", id)
}

func (s sessions) DeleteToken(user catalog.UserID, id int64) error {
	if err := s.must("DELETE FROM tokens WHERE id = ? AND usr = ?", id, user); err != nil {
		return about(err, "token %d", id)
	}
	return s.Bump()
}

func (s sessions) Epoch() (int64, error) {
	var n int64
	err := s.scan(into{&n}, "SELECT epoch FROM access")
	return n, err
}

func (s sessions) Bump() error { return s.must("UPDATE access SET epoch = epoch + 1") }
