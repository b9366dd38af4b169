package sqlcat

import (
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

type tree struct {
	*tx
	// folders are live folders that this transaction has looked at, until it
	// moves or trashes something.
	folders map[catalog.NodeID]bool
}

func newTree(t *tx) catalog.Tree {
	return tree{t, make(map[catalog.NodeID]bool)}
}

// nodeColumns and nodeTables read a node n with its current version v.
const (
	nodeColumns = `n.id, n.collection, n.parent, n.name, n.folder, n.created, n.trashed, n.trashed_by, ` + versionColumns
	withVersion = ` LEFT JOIN versions v ON v.node = n.id AND v.replaced = 0 `
	nodeTables  = ` FROM nodes n ` + withVersion
)

func readNode(r row, n *catalog.Node) error {
	return r.to(append([]any{&n.ID, &n.Collection, &n.Parent, &n.Name, &n.Folder, &n.Created, &n.Trashed, &n.TrashedBy},
		versionFields(&n.Version)...)...)
}

// kept returns t as it will be read back.
func kept(t time.Time) time.Time { return instant(micros(t)) }

// Node implements catalog.Tree.
func (t tree) Node(id catalog.NodeID) (catalog.Node, error) {
	n, err := one(t.tx, readNode, `SELECT `+nodeColumns+nodeTables+`WHERE n.id = ?`, id)
	return n, about(err, "node %d", id)
}

// Child implements catalog.Tree.
func (t tree) Child(parent catalog.NodeID, name string) (catalog.Node, error) {
	n, err := one(t.tx, readNode, `SELECT `+nodeColumns+nodeTables+`WHERE n.parent = ? AND n.name = ? AND n.trashed = 0`, parent, name)
	return n, about(err, "%q", name)
}

// stride is how many names one query walks down.
const stride = 8

// Resolve implements catalog.Tree.
func (t tree) Resolve(from catalog.NodeID, names []string) (catalog.Node, error) {
	if len(names) == 0 {
		return t.Node(from)
	}
	var n catalog.Node
	for rest := names; len(rest) > 0; from = n.ID {
		some := rest[:min(stride, len(rest))]
		rest = rest[len(some):]
		args := []any{from}
		for _, name := range some {
			args = append(args, name)
		}
		var err error
		if n, err = one(t.tx, readNode, walk(len(some)), args...); err != nil {
			return catalog.Node{}, about(err, "%q", joinPath(names))
		}
	}
	return n, nil
}

// walk returns the query that goes down some names at once: a folder in each
// of a, b, ..., the last name in n.
func walk(names int) string {
	from, where, above := "", "", "?"
	for i := range names {
		at := "n"
		if i < names-1 {
			at = string(rune('a' + i))
			from += "nodes " + at + ", "
		}
		where += " AND " + at + ".parent = " + above + " AND " + at + ".name = ? AND " + at + ".trashed = 0"
		above = at + ".id"
	}
	return "SELECT " + nodeColumns + " FROM " + from + "nodes n" + withVersion + "WHERE" + strings.TrimPrefix(where, " AND")
}

// Children implements catalog.Tree.
func (t tree) Children(parent catalog.NodeID, after string, limit int) ([]catalog.Node, error) {
	return list(t.tx, readNode, `SELECT `+nodeColumns+nodeTables+`WHERE n.parent = ? AND n.trashed = 0 AND n.name > ?
		ORDER BY n.name LIMIT ?`, parent, after, max(limit, 0))
}

// Path implements catalog.Tree.
func (t tree) Path(id catalog.NodeID) (names []string, live bool, err error) {
	at, err := t.above([]catalog.NodeID{id})
	if err != nil {
		return nil, false, err
	}
	w, ok := at[id]
	if !ok {
		return nil, false, about(errNotFound, "node %d", id)
	}
	return w.names, w.live, nil
}

// where is a node's way down from the root of its collection.
type where struct {
	names []string
	live  bool
}

// step is one node on the way up from a leaf.
type step struct {
	leaf, parent catalog.NodeID
	name         string
	trashed      int64
}

func readStep(r row, s *step) error { return r.to(&s.leaf, &s.parent, &s.name, &s.trashed) }

// above walks up from nodes. Those that are not there are missing in the answer.
func (t *tx) above(ids []catalog.NodeID) (map[catalog.NodeID]where, error) {
	at := make(map[catalog.NodeID]where, len(ids))
	for some := range inChunks(ids) {
		steps, err := list(t, readStep, `WITH RECURSIVE up (leaf, depth, parent, name, trashed) AS (
				SELECT id, 0, parent, name, trashed FROM nodes WHERE id IN `+some.marks+`
				UNION ALL
				SELECT up.leaf, up.depth + 1, n.parent, n.name, n.trashed FROM up JOIN nodes n ON n.id = up.parent)
			SELECT leaf, parent, name, trashed FROM up ORDER BY leaf, depth DESC`, some.args...)
		if err != nil {
			return nil, err
		}
		for _, s := range steps { // each way begins at the root
			w, begun := at[s.leaf]
			w.live = (w.live || !begun) && s.trashed == 0
			if s.parent != 0 {
				w.names = append(w.names, s.name)
			}
			at[s.leaf] = w
		}
	}
	return at, nil
}

// spot is a place in a folder: what has the name there, if anything does.
type spot struct {
	collection catalog.CollectionID
	child      catalog.NodeID // 0: the name is free
	folder     bool           // the child is one
	created    time.Time      // of the child
	version    catalog.VersionID
}

func readSpot(r row, s *spot) error {
	return r.to(&s.collection, &s.child, &s.folder, &s.created, &s.version)
}

// spot looks at where something is to stand.
func (t tree) spot(parent catalog.NodeID, name string) (spot, error) {
	if name == "" || strings.Contains(name, "/") {
		return spot{}, fault.Errorf(fault.Invalid, "%q is not a name", name)
	}
	if !t.folders[parent] {
		if err := t.liveFolder(parent); err != nil {
			return spot{}, about(err, "folder %d", parent)
		}
		t.folders[parent] = true
	}
	s, err := one(t.tx, readSpot, `SELECT p.collection, n.id, n.folder, n.created, v.id
		FROM nodes p LEFT JOIN nodes n ON n.parent = p.id AND n.name = ? AND n.trashed = 0`+withVersion+`WHERE p.id = ?`, name, parent)
	return s, about(err, "folder %d", parent)
}

// liveFolder says why nothing may be put into a node, if so.
func (t tree) liveFolder(id catalog.NodeID) error {
	var folder bool
	if err := t.scan(into{&folder}, `SELECT folder FROM nodes WHERE id = ?`, id); err != nil {
		return err
	}
	_, live, err := t.Path(id)
	switch {
	case err != nil:
		return err
	case !live:
		return fault.Errorf(fault.NotFound, "it is in the trash")
	case !folder:
		return fault.Errorf(fault.Invalid, "it is a file")
	}
	return nil
}

// MakeFolder implements catalog.Tree.
func (t tree) MakeFolder(parent catalog.NodeID, name string, now time.Time) (catalog.Node, error) {
	s, err := t.spot(parent, name)
	if err != nil {
		return catalog.Node{}, about(err, "make folder %q", name)
	}
	if s.child != 0 {
		return catalog.Node{}, about(errExists, "make folder %q", name)
	}
	if err := t.must(`UPDATE collections SET folders = folders + 1 WHERE id = ?`, s.collection); err != nil {
		return catalog.Node{}, err
	}
	return t.add(catalog.Node{Collection: s.collection, Parent: parent, Name: name, Folder: true, Created: kept(now)})
}

// add inserts a node.
func (t tree) add(n catalog.Node) (catalog.Node, error) {
	id, err := t.insert(`INSERT INTO nodes (collection, parent, name, folded, folder, created) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
		n.Collection, n.Parent, n.Name, foldText(n.Name), n.Folder, n.Created)
	n.ID = catalog.NodeID(id)
	return n, err
}

// Move implements catalog.Tree.
func (t tree) Move(id, parent catalog.NodeID, name string) (catalog.Node, error) {
	n, err := t.liveBelowRoot(id)
	if err == nil {
		n, err = t.settle(n, parent, name)
	}
	return n, about(err, "move node %d to %q", id, name)
}

// liveBelowRoot returns a node that may be moved or trashed.
func (t tree) liveBelowRoot(id catalog.NodeID) (catalog.Node, error) {
	n, err := t.Node(id)
	if err != nil {
		return n, err
	}
	_, live, err := t.Path(id)
	switch {
	case err != nil:
	case !live:
		err = fault.Errorf(fault.NotFound, "it is in the trash")
	case n.Parent == 0:
		err = fault.Errorf(fault.Invalid, "it is a collection's own folder")
	}
	return n, err
}

// settle gives n a place and a name, in its collection and out of the trash.
func (t tree) settle(n catalog.Node, parent catalog.NodeID, name string) (catalog.Node, error) {
	s, err := t.spot(parent, name)
	if err != nil {
		return n, err
	}
	var inside int64 // the folder is what is moved, or below it
	if err := t.scan(into{&inside}, `WITH RECURSIVE up (id, parent) AS (
			SELECT id, parent FROM nodes WHERE id = ?
			UNION ALL
			SELECT n.id, n.parent FROM up JOIN nodes n ON n.id = up.parent)
		SELECT COUNT(*) FROM up WHERE id = ?`, parent, n.ID); err != nil {
		return n, err
	}
	switch {
	case s.collection != n.Collection:
		return n, fault.Errorf(fault.Invalid, "folder %d is in another collection", parent)
	case inside > 0:
		return n, fault.Errorf(fault.Invalid, "folder %d is inside", parent)
	case s.child != 0 && s.child != n.ID:
		return n, errExists
	}
	clear(t.folders)
	n.Parent, n.Name, n.Trashed, n.TrashedBy = parent, name, time.Time{}, 0
	return n, t.must(`UPDATE nodes SET parent = ?, name = ?, folded = ?, trashed = 0, trashed_by = NULL WHERE id = ?`,
		parent, name, foldText(name), n.ID)
}
