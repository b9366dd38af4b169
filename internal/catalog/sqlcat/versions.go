package sqlcat

import (
	"errors"
	"iter"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
)

const versionColumns = `v.id, v.node, v.root, v.sha256, v.size, v.made_by, v.via, v.modified, v.created`

func versionFields(v *catalog.Version) []any {
	return []any{&v.ID, &v.Node, &v.Sum.Root, &v.Sum.SHA256, &v.Sum.Size, &v.By, &v.Via, &v.Modified, &v.Created}
}

func readVersion(r row, v *catalog.Version) error { return r.to(versionFields(v)...) }

// PutFile implements catalog.Tree. The content must be Ready: between Claim
// and here it may have been swept away (fault.Busy) or found damaged
// (fault.Corrupt); both times the upload has to be made again.
func (t tree) PutFile(parent catalog.NodeID, name string, v catalog.Version) (catalog.Node, error) {
	n, err := t.putFile(parent, name, v)
	return n, about(err, "put %q", name)
}

func (t tree) putFile(parent catalog.NodeID, name string, v catalog.Version) (catalog.Node, error) {
	if err := checkSum(v.Sum); err != nil {
		return catalog.Node{}, err
	}
	if v.Created.IsZero() {
		return catalog.Node{}, fault.Errorf(fault.Invalid, "a version without a time")
	}
	s, err := t.spot(parent, name)
	if err != nil {
		return catalog.Node{}, err
	}
	if s.folder {
		return catalog.Node{}, fault.Errorf(fault.Exists, "a folder has the name")
	}
	if err := t.use(v.Sum, 1); err != nil {
		return catalog.Node{}, err
	}
	if err := t.must(`UPDATE users SET used = used + ? WHERE id = ?`, v.Sum.Size, v.By); err != nil {
		return catalog.Node{}, errors.Join(about(err, "user %d", v.By), t.use(v.Sum, -1)) // the Update may go on
	}
	files := int64(0)
	n := catalog.Node{ID: s.child, Collection: s.collection, Parent: parent, Name: name, Created: s.created}
	if s.child == 0 {
		files, n.Created = 1, kept(v.Created)
		n, err = t.add(n)
	} else {
		err = t.must(`UPDATE versions SET replaced = ? WHERE id = ?`, v.Created, s.version)
	}
	if err != nil {
		return catalog.Node{}, err
	}
	if n.Version, err = t.addVersion(n, v); err != nil {
		return catalog.Node{}, err
	}
	return n, t.must(`UPDATE collections SET used = used + ?, files = files + ? WHERE id = ?`, v.Sum.Size, files, n.Collection)
}

// use counts more versions of content that is Ready.
func (t tree) use(sum content.FileSum, more int) error {
	if sum.Size == 0 {
		return nil
	}
	ok, err := t.exec(`UPDATE contents SET uses = uses + ? WHERE root = ? AND state = ? AND size = ? AND sha256 = ?`,
		more, sum.Root, catalog.Ready, sum.Size, sum.SHA256)
	if err != nil || ok > 0 {
		return err
	}
	c, err := (contents{t.tx}).Content(sum.Root)
	switch {
	case err == nil && c.State == catalog.Damaged:
		return fault.Errorf(fault.Corrupt, "content %x: was found damaged", sum.Root[:4])
	case err == nil && c.State == catalog.Ready:
		return fault.Errorf(fault.Invalid, "content %x: is known with another size or SHA-256", sum.Root[:4])
	}
	return fault.Errorf(fault.Busy, "content %x: is not ready", sum.Root[:4])
}

func (t tree) addVersion(n catalog.Node, v catalog.Version) (catalog.Version, error) {
	v.Node, v.Modified, v.Created = n.ID, kept(v.Modified), kept(v.Created)
	id, err := t.insert(`INSERT INTO versions (node, collection, root, sha256, size, made_by, via, modified, created)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		v.Node, n.Collection, v.Sum.Root, v.Sum.SHA256, v.Sum.Size, v.By, v.Via, v.Modified, v.Created)
	v.ID = catalog.VersionID(id)
	return v, err
}

// Versions implements catalog.Tree.
func (t tree) Versions(id catalog.NodeID) ([]catalog.Version, error) {
	if _, err := t.Node(id); err != nil {
		return nil, err
	}
	return list(t.tx, readVersion, `SELECT `+versionColumns+` FROM versions v WHERE v.node = ? ORDER BY v.id DESC`, id)
}

// Version implements catalog.Tree.
func (t tree) Version(id catalog.VersionID) (catalog.Version, error) {
	v, err := one(t.tx, readVersion, `SELECT `+versionColumns+` FROM versions v WHERE v.id = ?`, id)
	return v, about(err, "version %d", id)
}

// DropVersions implements catalog.Tree. It goes through the collections in
// order, and in each through what was replaced the longest time ago.
func (t tree) DropVersions(now time.Time, keep time.Duration, limit int) (int, error) {
	read := func(r row, id *catalog.VersionID) error { return r.to(id) }
	ids, err := list(t.tx, read, `SELECT v.id FROM collections c
		JOIN versions v ON v.collection = c.id AND v.replaced <> 0
			AND v.replaced <= ? - CASE WHEN c.keep_versions = 0 THEN ? ELSE c.keep_versions END
		ORDER BY c.id, v.replaced, v.id LIMIT ?`, now, keep, max(limit, 0))
	if err != nil {
		return 0, err
	}
	for some := range inChunks(ids) {
		if err := t.giveBack(`id IN `+some.marks, some.args); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// giveBack removes the versions that a condition chooses, and takes them out of every count.
func (t tree) giveBack(which string, args []any) error {
	for _, query := range []string{
		`UPDATE users SET used = users.used - d.n FROM (
			SELECT made_by, CAST(SUM(size) AS BIGINT) AS n FROM versions WHERE ` + which + ` GROUP BY made_by) AS d WHERE users.id = d.made_by`,
		`UPDATE collections SET used = collections.used - d.n FROM (
			SELECT collection, CAST(SUM(size) AS BIGINT) AS n FROM versions WHERE ` + which + ` GROUP BY collection) AS d WHERE collections.id = d.collection`,
		`UPDATE contents SET uses = contents.uses - d.n FROM (
			SELECT root, COUNT(*) AS n FROM versions WHERE ` + which + ` GROUP BY root) AS d WHERE contents.root = d.root`,
		`DELETE FROM versions WHERE ` + which,
	} {
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// chunk is some IDs as parameters of IN.
type chunk struct {
	marks string // (?, ?, ...)
	args  []any
}

// inChunks yields IDs in chunks of few different lengths, so that there are few
// different queries: the last ID fills what is left over.
func inChunks[T any](ids []T) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		for len(ids) > 0 {
			size := 512
			for _, enough := range []int{64, 8, 1} {
				if len(ids) <= enough {
					size = enough
				}
			}
			args := make([]any, size)
			for i := range args {
				args[i] = ids[min(i, len(ids)-1)]
			}
			if !yield(chunk{"(?" + strings.Repeat(", ?", size-1) + ")", args}) {
				return
			}
			ids = ids[min(size, len(ids)):]
		}
	}
}
