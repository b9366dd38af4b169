package sqlcat

import (
	"errors"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

type contents struct{ *tx }

func newContents(t *tx) catalog.Contents { return contents{t} }

const contentColumns = `root, sha256, size, state, created, checked`

func readContent(r row, c *catalog.Content) error {
	return r.to(&c.Sum.Root, &c.Sum.SHA256, &c.Sum.Size, &c.State, &c.Created, &c.Checked)
}

// checkSum refuses sums that no file has: the empty one alone has no root.
func checkSum(sum content.FileSum) error {
	if sum.Size < 0 || (sum.Size == 0) != (sum.Root == content.Hash{}) {
		return fault.Errorf(fault.Invalid, "%d bytes cannot have root %x", sum.Size, sum.Root[:4])
	}
	return nil
}

func aboutContent(err error, root content.Hash) error {
	return about(err, "content %x", root[:4])
}

// Content implements catalog.Contents.
func (t contents) Content(root content.Hash) (catalog.Content, error) {
	c, err := one(t.tx, readContent, `SELECT `+contentColumns+` FROM contents WHERE root = ?`, root)
	return c, aboutContent(err, root)
}

// Claim implements catalog.Contents.
func (t contents) Claim(sum content.FileSum, now time.Time) (catalog.ContentState, error) {
	if err := checkSum(sum); err != nil {
		return 0, err
	}
	if sum.Size == 0 {
		return catalog.Ready, nil // the store is never asked for it
	}
	n, err := t.exec(`INSERT INTO contents (root, sha256, size, state, created) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		sum.Root, sum.SHA256, sum.Size, catalog.Arriving, now)
	if err != nil || n > 0 {
		return catalog.Arriving, aboutContent(err, sum.Root)
	}
	c, err := t.Content(sum.Root)
	switch {
	case err != nil:
		return 0, err
	case c.State == catalog.Removing:
		return 0, aboutContent(errRemoving, sum.Root)
	case c.Sum != sum:
		return 0, fault.Errorf(fault.Invalid, "content %x: claimed with another size or SHA-256", sum.Root[:4])
	case c.State == catalog.Damaged:
		c.State = catalog.Arriving
	}
	err = t.must(`UPDATE contents SET state = ?, created = ? WHERE root = ?`, c.State, now, sum.Root)
	return c.State, err
}

var errRemoving = fault.Errorf(fault.Busy, "it is being removed")

// SetReady implements catalog.Contents.
func (t contents) SetReady(root content.Hash, now time.Time) error {
	if root == (content.Hash{}) {
		return nil
	}
	n, err := t.exec(`UPDATE contents SET state = ?, created = ? WHERE root = ? AND state <> ?`, catalog.Ready, now, root, catalog.Removing)
	if err != nil || n > 0 {
		return err
	}
	if _, err := t.Content(root); err != nil {
		return err
	}
	return aboutContent(errRemoving, root)
}

// Unused implements catalog.Contents.
func (t contents) Unused(before time.Time, limit int) ([]catalog.Content, error) {
	return list(t.tx, readContent, `SELECT `+contentColumns+` FROM contents
		WHERE uses = 0 AND (created < ? OR state = ?) ORDER BY created, root LIMIT ?`, before, catalog.Removing, max(limit, 0))
}

// SetRemoving implements catalog.Contents.
func (t contents) SetRemoving(root content.Hash) error {
	if root == (content.Hash{}) {
		return fault.Errorf(fault.Invalid, "remove empty content")
	}
	n, err := t.exec(`INSERT INTO contents (root, sha256, size, state, created) VALUES (?, ?, 0, ?, 0)
		ON CONFLICT (root) DO UPDATE SET state = excluded.state WHERE contents.uses = 0`, root, content.Hash{}, catalog.Removing)
	if err == nil && n == 0 {
		err = fault.Errorf(fault.Busy, "it is in use")
	}
	return aboutContent(err, root)
}

// Drop implements catalog.Contents.
func (t contents) Drop(root content.Hash) error {
	n, err := t.exec(`DELETE FROM contents WHERE root = ? AND state = ?`, root, catalog.Removing)
	if err != nil || n > 0 {
		return err
	}
	if _, err := t.Content(root); !errors.Is(err, fault.NotFound) {
		return errors.Join(err, fault.Errorf(fault.Busy, "content %x: not being removed", root[:4]))
	}
	return nil
}

// SetChecked implements catalog.Contents.
func (t contents) SetChecked(root content.Hash, at time.Time, whole bool) error {
	if whole {
		return aboutContent(t.must(`UPDATE contents SET checked = ? WHERE root = ?`, at, root), root)
	}
	// Whoever is bringing or removing it knows better than a scrub from before.
	return aboutContent(t.must(`UPDATE contents SET state = CASE WHEN state = ? THEN ? ELSE state END WHERE root = ?`,
		catalog.Ready, catalog.Damaged, root), root)
}

// ToCheck implements catalog.Contents.
func (t contents) ToCheck(before time.Time, limit int) ([]catalog.Content, error) {
	// The state stands in the text, so that the index of Ready contents serves.
	return list(t.tx, readContent, `SELECT `+contentColumns+` FROM contents
		WHERE state = 1 AND checked < ? ORDER BY checked, created, root LIMIT ?`, before, max(limit, 0))
}

// Users implements catalog.Contents. It reads all versions: only damage asks.
func (t contents) Users(root content.Hash, limit int) ([]string, error) {
	read := func(r row, id *catalog.NodeID) error { return r.to(id) }
	ids, err := list(t.tx, read, `SELECT DISTINCT node FROM versions WHERE root = ? ORDER BY node`, root)
	if err != nil {
		return nil, err
	}
	at, err := t.above(ids)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, id := range ids {
		if w := at[id]; w.live && len(paths) < limit {
			var name string
			if err := t.scan(into{&name}, `SELECT c.name FROM collections c JOIN nodes n ON n.collection = c.id WHERE n.id = ?`, id); err != nil {
				return nil, err
			}
			paths = append(paths, joinPath(append([]string{name}, w.names...)))
		}
	}
	return paths, nil
}
