package sqlcat

import (
	"errors"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// ledger implements catalog.Ledger.
type ledger struct{ *tx }

func checkServed(s catalog.Served) error {
	if s.Server < 0 || s.LAN < 0 || s.Peers < 0 {
		return fault.Errorf(fault.Invalid, "ledger: bytes below zero: %+v", s)
	}
	return nil
}

func (t ledger) CountServed(l catalog.LedgerLine) error { return t.add(l, l.Served, catalog.Served{}) }

// add adds bytes to a line; said is what the node says of itself.
func (t ledger) add(l catalog.LedgerLine, more, said catalog.Served) error {
	if err := checkServed(more); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO ledger (share, node, usr, link, name, server, lan, peers, said_lan, said_peers, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (share, node, usr, link) DO UPDATE SET name = CASE WHEN excluded.name <> '' THEN excluded.name ELSE ledger.name END, server = ledger.server + excluded.server,
			lan = ledger.lan + excluded.lan, peers = ledger.peers + excluded.peers, said_lan = ledger.said_lan + excluded.said_lan,
			said_peers = ledger.said_peers + excluded.said_peers, updated = excluded.updated`,
		l.Share, l.Node, int64(l.User), int64(l.Link), l.Name, more.Server, more.LAN, more.Peers, said.LAN, said.Peers, l.Updated)
	return about(err, "ledger")
}

func (t ledger) ReportServed(l catalog.LedgerLine) error {
	if err := checkServed(l.Served); err != nil {
		return err
	}
	var said catalog.Served
	err := t.scan(into{&said.LAN, &said.Peers}, `SELECT said_lan, said_peers FROM ledger WHERE share = ? AND node = ? AND usr = ? AND link = ?`,
		l.Share, l.Node, int64(l.User), int64(l.Link))
	if err != nil && !errors.Is(err, fault.NotFound) {
		return about(err, "ledger")
	}
	now := catalog.Served{LAN: l.Served.LAN, Peers: l.Served.Peers}
	more := catalog.Served{LAN: now.LAN - said.LAN, Peers: now.Peers - said.Peers}
	change := more
	if more.LAN < 0 || more.Peers < 0 { // a new transfer
		more = now
	}
	return t.add(l, more, change)
}

func (t ledger) Sums(by catalog.LedgerBy, of catalog.UserID, limit int) ([]catalog.LedgerLine, error) {
	var columns, group, where string
	args := []any{make([]byte, 32)}
	switch by {
	case catalog.ByShare:
		columns, group, where = `share, NULL, 0, 0, MAX(name)`, `share`, `share <> ?`
	case catalog.ByUser:
		columns, group, where = `NULL, NULL, usr, 0, ''`, `usr`, `usr >= 0`
		args = nil
	case catalog.ByTransfer:
		columns, group, where = `share, node, usr, link, MAX(name)`, `share, node, usr, link`, `node <> ?`
	default:
		return nil, fault.Errorf(fault.Invalid, "ledger: no sum by %q", by)
	}
	if of != 0 {
		where += ` AND (usr = ? OR link IN (SELECT id FROM links WHERE made_by = ?))`
		args = append(args, of, of)
	}
	read := func(r row, l *catalog.LedgerLine) error {
		return r.to(&l.Share, &l.Node, &l.User, &l.Link, &l.Name, &l.Served.Server, &l.Served.LAN, &l.Served.Peers, &l.Updated)
	}
	return list(t.tx, read, `SELECT `+columns+`, CAST(SUM(server) AS BIGINT), CAST(SUM(lan) AS BIGINT), CAST(SUM(peers) AS BIGINT),
		MAX(updated) AS newest FROM ledger WHERE `+where+` GROUP BY `+group+` ORDER BY newest DESC, `+group+` LIMIT ?`,
		append(args, max(limit, 0))...)
}

func (t ledger) LinkServed(id catalog.LinkID) (catalog.Served, error) {
	var s catalog.Served
	err := t.scan(into{&s.Server, &s.LAN, &s.Peers}, `SELECT CAST(COALESCE(SUM(server), 0) AS BIGINT), CAST(COALESCE(SUM(lan), 0) AS BIGINT),
		CAST(COALESCE(SUM(peers), 0) AS BIGINT) FROM ledger WHERE link = ?`, int64(id))
	return s, about(err, "ledger of link %d", id)
}

func (t ledger) SweepLedger(before time.Time) error {
	zero := make([]byte, 32)
	_, err := t.exec(`INSERT INTO ledger (share, node, usr, link, name, server, lan, peers, said_lan, said_peers, updated)
		SELECT share, ?, usr, link, MAX(name), CAST(SUM(server) AS BIGINT), CAST(SUM(lan) AS BIGINT), CAST(SUM(peers) AS BIGINT), 0, 0, MAX(updated)
		FROM ledger WHERE updated < ? AND node <> ? GROUP BY share, usr, link
		ON CONFLICT (share, node, usr, link) DO UPDATE SET server = ledger.server + excluded.server,
			lan = ledger.lan + excluded.lan, peers = ledger.peers + excluded.peers,
			updated = CASE WHEN excluded.updated > ledger.updated THEN excluded.updated ELSE ledger.updated END`, zero, before, zero)
	if err != nil {
		return about(err, "ledger")
	}
	_, err = t.exec(`DELETE FROM ledger WHERE updated < ? AND node <> ?`, before, zero)
	return about(err, "ledger")
}
