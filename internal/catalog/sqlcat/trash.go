package sqlcat

import (
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// Trash implements catalog.Tree.
func (t tree) Trash(id catalog.NodeID, by catalog.UserID, now time.Time) error {
	_, err := t.liveBelowRoot(id)
	if err == nil {
		clear(t.folders)
		err = t.must(`UPDATE nodes SET trashed = ?, trashed_by = ? WHERE id = ?`, now, by, id)
	}
	return about(err, "trash node %d", id)
}

// inTrash returns a node that is itself in the trash.
func (t tree) inTrash(id catalog.NodeID) (catalog.Node, error) {
	n, err := t.Node(id)
	if err == nil && n.Trashed.IsZero() {
		err = fault.Errorf(fault.NotFound, "it is not in the trash")
	}
	return n, err
}

// Untrash implements catalog.Tree.
func (t tree) Untrash(id, parent catalog.NodeID, name string) (catalog.Node, error) {
	n, err := t.inTrash(id)
	if err == nil {
		n, err = t.settle(n, parent, name)
	}
	return n, about(err, "take node %d out of the trash", id)
}

// Trashed implements catalog.Tree.
func (t tree) Trashed(in catalog.CollectionID, after catalog.NodeID, limit int) ([]catalog.Node, error) {
	return list(t.tx, readNode, `SELECT `+nodeColumns+nodeTables+`WHERE n.collection = ? AND n.trashed <> 0 AND n.id > ?
		ORDER BY n.id LIMIT ?`, in, int64(after), max(limit, 0))
}

// TrashedBefore implements catalog.Tree. It goes through the collections in
// order, and in each through what was trashed the longest time ago.
func (t tree) TrashedBefore(now time.Time, keep time.Duration, limit int) ([]catalog.Node, error) {
	return list(t.tx, readNode, `SELECT `+nodeColumns+` FROM collections c
		JOIN nodes n ON n.collection = c.id AND n.trashed <> 0
			AND n.trashed <= ? - CASE WHEN c.keep_trash = 0 THEN ? ELSE c.keep_trash END`+withVersion+`
		ORDER BY c.id, n.trashed, n.id LIMIT ?`, now, keep, max(limit, 0))
}

// Purge implements catalog.Tree. It goes down into folders first, so that
// what is left after a step still hangs together.
func (t tree) Purge(id catalog.NodeID, limit int) (done bool, err error) {
	n, err := t.inTrash(id)
	if err == nil && limit < 1 {
		err = fault.Errorf(fault.Invalid, "at most %d nodes", limit)
	}
	if err != nil {
		return false, about(err, "purge node %d", id)
	}
	p := purge{tree: t, left: limit}
	if done, err = p.below(id); err != nil {
		return false, err
	}
	if done {
		p.doomed = append(p.doomed, n)
	}
	return done, p.remove(n.Collection)
}

// purge is one step of removing what is below a node.
type purge struct {
	tree
	left   int // nodes that may still be removed
	doomed []catalog.Node
}

// readDoomed reads as much of a node as is needed to remove it.
func readDoomed(r row, n *catalog.Node) error { return r.to(&n.ID, &n.Name, &n.Folder) }

// below dooms what is below a folder, and says whether that is all there is.
func (p *purge) below(id catalog.NodeID) (all bool, err error) {
	all, err = p.pages(func(last catalog.Node, limit int) ([]catalog.Node, error) {
		return list(p.tx, readDoomed, `SELECT id, name, folder FROM nodes WHERE parent = ? AND trashed = 0 AND name > ? ORDER BY name LIMIT ?`,
			id, last.Name, limit)
	})
	if err != nil || !all {
		return false, err
	}
	return p.pages(func(last catalog.Node, limit int) ([]catalog.Node, error) {
		return list(p.tx, readDoomed, `SELECT id, name, folder FROM nodes WHERE parent = ? AND trashed <> 0 AND id > ? ORDER BY id LIMIT ?`,
			id, int64(last.ID), limit)
	})
}

// pages dooms page after page of nodes.
func (p *purge) pages(next func(last catalog.Node, limit int) ([]catalog.Node, error)) (all bool, err error) {
	for last := (catalog.Node{}); ; {
		page, err := next(last, min(p.left+1, purgePage)) // one more tells whether there is more
		if err != nil || len(page) == 0 {
			return true, err
		}
		for _, n := range page {
			if all, err := p.doom(n); err != nil || !all {
				return false, err
			}
		}
		last = page[len(page)-1]
	}
}

const purgePage = 512

// doom marks n and what is below it, as far as the limit reaches.
func (p *purge) doom(n catalog.Node) (all bool, err error) {
	if n.Folder {
		if all, err := p.below(n.ID); err != nil || !all {
			return false, err
		}
	}
	if p.left == 0 {
		return false, nil
	}
	p.left--
	p.doomed = append(p.doomed, n)
	return true, nil
}

// remove deletes the doomed with their versions and gives their bytes back.
func (p *purge) remove(in catalog.CollectionID) error {
	var files, folders int64
	ids := make([]catalog.NodeID, len(p.doomed))
	for i, n := range p.doomed {
		ids[i] = n.ID
		if n.Folder {
			folders++
		} else {
			files++
		}
	}
	for some := range inChunks(ids) {
		if err := p.giveBack(`node IN `+some.marks, some.args); err != nil {
			return err
		}
		if _, err := p.exec(`DELETE FROM nodes WHERE id IN `+some.marks, some.args...); err != nil {
			return err
		}
	}
	if files+folders == 0 {
		return nil
	}
	return p.must(`UPDATE collections SET files = files - ?, folders = folders - ? WHERE id = ?`, files, folders, in)
}
