package sqlcat

import (
	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// keepers implements catalog.Keepers.
type keepers struct{ *tx }

const keeperColumns = `k.node, k.usr, k.space, COALESCE((SELECT CAST(SUM(size) AS BIGINT) FROM kept WHERE kept.node = k.node), 0), k.created, k.seen`

func readKeeper(r row, k *catalog.Keeper) error {
	return r.to(&k.Node, &k.User, &k.Space, &k.Used, &k.Created, &k.Seen)
}

func (t keepers) SetKeeper(k catalog.Keeper) error {
	if k.Space < 0 {
		return fault.Errorf(fault.Invalid, "keeper: %d bytes", k.Space)
	}
	there, err := t.Keeper(k.Node)
	if err == nil && there.User != k.User {
		return about(errExists, "keeper %s of another account", k.Node.Short())
	}
	if k.Space == 0 {
		_, err := t.exec(`DELETE FROM keepers WHERE node = ?`, k.Node)
		return err
	}
	_, err = t.exec(`INSERT INTO keepers (node, usr, space, created, seen) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (node) DO UPDATE SET space = excluded.space, seen = excluded.seen`, k.Node, k.User, k.Space, k.Created, k.Seen)
	return about(err, "keeper")
}

func (t keepers) Keeper(node peer.ID) (catalog.Keeper, error) {
	k, err := one(t.tx, readKeeper, `SELECT `+keeperColumns+` FROM keepers k WHERE k.node = ?`, node)
	return k, about(err, "keeper %s", node.Short())
}

func (t keepers) Keepers(limit int) ([]catalog.Keeper, error) {
	return list(t.tx, readKeeper, `SELECT `+keeperColumns+` FROM keepers k ORDER BY k.node LIMIT ?`, max(limit, 0))
}

const keptColumns = `node, link, share, size, since`

func readKept(r row, k *catalog.Kept) error {
	return r.to(&k.Node, &k.Link, &k.Share, &k.Size, &k.Since)
}

func (t keepers) Keep(k catalog.Kept) error {
	if _, err := t.Keeper(k.Node); err != nil {
		return err
	}
	if _, err := links(t).Link(k.Link); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO kept (node, link, share, size, since) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (node, link) DO UPDATE SET share = excluded.share, size = excluded.size`, k.Node, k.Link, k.Share, k.Size, k.Since)
	return about(err, "keep")
}

func (t keepers) Unkeep(node peer.ID, link catalog.LinkID) error {
	_, err := t.exec(`DELETE FROM kept WHERE node = ? AND link = ?`, node, link)
	return err
}

func (t keepers) KeptBy(node peer.ID) ([]catalog.Kept, error) {
	return list(t.tx, readKept, `SELECT `+keptColumns+` FROM kept WHERE node = ? ORDER BY link`, node)
}

func (t keepers) KeptOf(link catalog.LinkID) ([]catalog.Kept, error) {
	return list(t.tx, readKept, `SELECT `+keptColumns+` FROM kept WHERE link = ? ORDER BY node`, link)
}
