package sqlcat

import (
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
	"tandem/internal/policy"
)

type collections struct{ *tx }

func newCollections(t *tx) catalog.Collections { return collections{t} }

const collectionColumns = `c.id, c.name, c.owner, c.root, c.quota, c.used, c.reserved, c.created, c.keep_trash, c.keep_versions`

func readCollection(r row, c *catalog.Collection) error {
	return r.to(&c.ID, &c.Name, &c.Owner, &c.Root, &c.Quota, &c.Used, &c.Reserved, &c.Created, &c.KeepTrash, &c.KeepVersions)
}

// CreateCollection implements catalog.Collections.
func (t collections) CreateCollection(c catalog.Collection) (catalog.Collection, error) {
	c, err := t.create(c)
	return c, about(err, "create collection %q", c.Name)
}

func (t collections) create(c catalog.Collection) (catalog.Collection, error) {
	if err := t.userThere(c.Owner); err != nil {
		return c, err
	}
	c.Used, c.Reserved, c.Created = 0, 0, kept(c.Created)
	id, err := t.insert(`INSERT INTO collections (name, folded, owner, root, quota, created, keep_trash, keep_versions)
		VALUES (?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
		c.Name, fold(c.Name), c.Owner, c.Quota, c.Created, c.KeepTrash, c.KeepVersions)
	if err != nil {
		return c, err
	}
	c.ID = catalog.CollectionID(id)
	root, err := t.insert(`INSERT INTO nodes (collection, name, folded, folder, created) VALUES (?, '', '', 1, ?) RETURNING id`, c.ID, c.Created)
	if err != nil {
		return c, err
	}
	c.Root = catalog.NodeID(root)
	return c, t.must(`UPDATE collections SET root = ? WHERE id = ?`, c.Root, c.ID)
}

// userThere returns fault.NotFound unless there is such a user.
func (t *tx) userThere(id catalog.UserID) error {
	var n int64
	return about(t.scan(into{&n}, `SELECT id FROM users WHERE id = ?`, id), "user %d", id)
}

// Collection implements catalog.Collections.
func (t collections) Collection(id catalog.CollectionID) (catalog.Collection, error) {
	c, err := one(t.tx, readCollection, `SELECT `+collectionColumns+` FROM collections c WHERE c.id = ?`, id)
	return c, about(err, "collection %d", id)
}

// CollectionByName implements catalog.Collections.
func (t collections) CollectionByName(name string) (catalog.Collection, error) {
	c, err := one(t.tx, readCollection, `SELECT `+collectionColumns+` FROM collections c WHERE c.name = ?`, name)
	return c, about(err, "collection %q", name)
}

// Collections implements catalog.Collections.
func (t collections) Collections(after string, limit int) ([]catalog.Collection, error) {
	return list(t.tx, readCollection, `SELECT `+collectionColumns+` FROM collections c WHERE c.name > ? ORDER BY c.name LIMIT ?`, after, max(limit, 0))
}

// granted is the grants g to a user or to one of its groups that hold at a time.
const granted = `(g.usr = ? OR g.grp IN (SELECT m.grp FROM members m WHERE m.usr = ?)) AND (g.not_after = 0 OR g.not_after >= ?)`

// Visible implements catalog.Collections.
func (t collections) Visible(user catalog.UserID, now time.Time) ([]catalog.Collection, error) {
	return list(t.tx, readCollection, `SELECT `+collectionColumns+` FROM collections c
		WHERE c.owner = ? OR c.id IN (SELECT g.collection FROM grants g WHERE `+granted+`) ORDER BY c.name`,
		user, user, user, now)
}

// UpdateCollection implements catalog.Collections.
func (t collections) UpdateCollection(c catalog.Collection) error {
	return about(t.update(c), "change collection %q", c.Name)
}

func (t collections) update(c catalog.Collection) error {
	if _, err := t.Collection(c.ID); err != nil {
		return err
	}
	if err := t.userThere(c.Owner); err != nil {
		return err
	}
	var taken int64
	if err := t.scan(into{&taken}, `SELECT COUNT(*) FROM collections WHERE folded = ? AND id <> ?`, fold(c.Name), c.ID); err != nil {
		return err
	}
	if taken > 0 {
		return errExists
	}
	return t.must(`UPDATE collections SET name = ?, folded = ?, owner = ?, quota = ?, keep_trash = ?, keep_versions = ? WHERE id = ?`,
		c.Name, fold(c.Name), c.Owner, c.Quota, c.KeepTrash, c.KeepVersions, c.ID)
}

// DeleteCollection implements catalog.Collections. Uploads on their way into
// it stay until they expire: their bytes are set aside for a user, too.
func (t collections) DeleteCollection(id catalog.CollectionID) error {
	return about(t.delete(id), "delete collection %d", id)
}

func (t collections) delete(id catalog.CollectionID) error {
	var inside int64
	if err := t.scan(into{&inside}, `SELECT files + folders FROM collections WHERE id = ?`, id); err != nil {
		return err
	}
	if inside > 0 {
		return fault.Errorf(fault.Exists, "%d files and folders are in it or in its trash", inside)
	}
	for _, query := range []string{
		`DELETE FROM links WHERE collection = ?`, // and what was taken by them
		`DELETE FROM nodes WHERE id = (SELECT root FROM collections WHERE id = ?)`,
		`DELETE FROM collections WHERE id = ?`, // and its grants
	} {
		if _, err := t.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}

// SetGrant implements catalog.Collections.
func (t collections) SetGrant(g catalog.Grant) error {
	return about(t.set(g), "grant on collection %d", g.Collection)
}

func (t collections) set(g catalog.Grant) error {
	if (g.User == 0) == (g.Group == 0) {
		return fault.Errorf(fault.Invalid, "a grant is for a user or for a group")
	}
	if _, err := t.Collection(g.Collection); err != nil {
		return err
	}
	var id int64
	if err := t.scan(into{&id}, `SELECT id FROM users WHERE id = ? UNION ALL SELECT id FROM groups WHERE id = ?`, g.User, g.Group); err != nil {
		return about(err, "user %d or group %d", g.User, g.Group)
	}
	if _, err := t.exec(`DELETE FROM grants WHERE collection = ? AND (usr = ? OR grp = ?)`, g.Collection, g.User, g.Group); err != nil || g.Rights == 0 {
		return err
	}
	_, err := t.exec(`INSERT INTO grants (collection, usr, grp, rights, not_after) VALUES (?, ?, ?, ?, ?)`,
		g.Collection, g.User, g.Group, g.Rights, g.NotAfter)
	return err
}

// Grants implements catalog.Collections.
func (t collections) Grants(id catalog.CollectionID) ([]catalog.Grant, error) {
	read := func(r row, g *catalog.Grant) error {
		return r.to(&g.Collection, &g.User, &g.Group, &g.Rights, &g.NotAfter)
	}
	return list(t.tx, read, `SELECT collection, usr, grp, rights, not_after FROM grants WHERE collection = ?
		ORDER BY COALESCE(grp, 0), COALESCE(usr, 0)`, id)
}

// Granted implements catalog.Collections.
func (t collections) Granted(id catalog.CollectionID, user catalog.UserID, now time.Time) (policy.Rights, error) {
	read := func(r row, rights *policy.Rights) error { return r.to(rights) }
	all, err := list(t.tx, read, `SELECT g.rights FROM grants g WHERE g.collection = ? AND `+granted, id, user, user, now)
	var sum policy.Rights
	for _, rights := range all {
		sum |= rights
	}
	return sum, err
}
