package sqlcat

import (
	"fmt"
	"strings"
)

// fileChecks looks for what never may be among collections, names, versions,
// contents and uploads.
func fileChecks() []check {
	return append(recounts(), orphans()...)
}

// finding is a check by a query for what is wrong: three numbers, of which say
// fills in as many as it has room for.
func finding(say, query string) check {
	read := func(r row, v *[3]int64) error { return r.to(&v[0], &v[1], &v[2]) }
	return func(t *tx) ([]string, error) {
		rows, err := list(t, read, query+` LIMIT ?`, mostFindings)
		if err != nil {
			return nil, err
		}
		var found []string
		for _, v := range rows {
			args := []any{v[0], v[1], v[2]}
			found = append(found, fmt.Sprintf(say, args[:strings.Count(say, "%")]...))
		}
		return found, nil
	}
}

// recount compares a counter with what it counts.
func recount(say, table, counter, counted string) check {
	return finding(say, `SELECT x.id, x.counted, x.sum FROM (
			SELECT t.id AS id, t.`+counter+` AS counted, CAST(COALESCE(d.n, 0) AS BIGINT) AS sum
			FROM `+table+` t LEFT JOIN (`+counted+`) AS d ON d.id = t.id) AS x
		WHERE x.counted <> x.sum ORDER BY x.id`)
}

func recounts() []check {
	return []check{
		recount(`user %d: used is %d, its versions have %d bytes`, `users`, `used`,
			`SELECT made_by AS id, SUM(size) AS n FROM versions GROUP BY made_by`),
		recount(`user %d: reserved is %d, its uploads have %d bytes`, `users`, `reserved`,
			`SELECT usr AS id, SUM(size) AS n FROM uploads WHERE node IS NULL GROUP BY usr`),
		recount(`collection %d: used is %d, its versions have %d bytes`, `collections`, `used`,
			`SELECT collection AS id, SUM(size) AS n FROM versions GROUP BY collection`),
		recount(`collection %d: reserved is %d, its uploads have %d bytes`, `collections`, `reserved`,
			`SELECT collection AS id, SUM(size) AS n FROM uploads WHERE node IS NULL GROUP BY collection`),
		recount(`collection %d: counts %d files, it has %d`, `collections`, `files`,
			`SELECT collection AS id, COUNT(*) AS n FROM nodes WHERE folder = 0 GROUP BY collection`),
		recount(`collection %d: counts %d folders, it has %d`, `collections`, `folders`,
			`SELECT collection AS id, COUNT(*) AS n FROM nodes WHERE folder <> 0 AND parent IS NOT NULL GROUP BY collection`),
		finding(`content of version %d: counts %d uses, it has %d`,
			`SELECT x.v, x.uses, x.n FROM (
				SELECT MIN(v.id) AS v, c.uses AS uses, COUNT(v.id) AS n FROM contents c LEFT JOIN versions v ON v.root = c.root
				GROUP BY c.root, c.uses) AS x
			WHERE x.uses <> x.n ORDER BY x.v`),
	}
}

func orphans() []check {
	return []check{
		finding(`collection %d: its root, node %d, is not its own folder`,
			`SELECT c.id, c.root, 0 FROM collections c LEFT JOIN nodes n ON n.id = c.root
			WHERE n.id IS NULL OR n.parent IS NOT NULL OR n.folder = 0 OR n.collection <> c.id OR n.trashed <> 0 ORDER BY c.id`),
		finding(`node %d: without a folder above, and not the root of collection %d`,
			`SELECT n.id, n.collection, 0 FROM nodes n LEFT JOIN collections c ON c.root = n.id
			WHERE n.parent IS NULL AND c.id IS NULL ORDER BY n.id`),
		finding(`node %d: the folder above, node %d, is not there, a file or in another collection than %d`,
			`SELECT n.id, n.parent, n.collection FROM nodes n LEFT JOIN nodes p ON p.id = n.parent
			WHERE n.parent IS NOT NULL AND (p.id IS NULL OR p.folder = 0 OR p.collection <> n.collection) ORDER BY n.id`),
		finding(`node %d: cannot be reached from the root of collection %d`,
			`WITH RECURSIVE down (id) AS (
				SELECT root FROM collections
				UNION
				SELECT n.id FROM down JOIN (SELECT id, parent FROM nodes WHERE trashed = 0
					UNION ALL SELECT id, parent FROM nodes WHERE trashed <> 0) AS n ON n.parent = down.id)
			SELECT n.id, n.collection, 0 FROM nodes n WHERE n.id NOT IN (SELECT id FROM down) ORDER BY n.id`),
		finding(`node %d: a file with %d current versions`,
			`SELECT x.id, x.n, 0 FROM (
				SELECT n.id AS id, COUNT(v.id) AS n FROM nodes n LEFT JOIN versions v ON v.node = n.id AND v.replaced = 0
				WHERE n.folder = 0 GROUP BY n.id) AS x
			WHERE x.n <> 1 ORDER BY x.id`),
		finding(`node %d: current is not the newest of its versions, %d`,
			`SELECT v.node, v.id, 0 FROM versions v JOIN versions w ON w.node = v.node AND w.id > v.id
			WHERE v.replaced = 0 ORDER BY v.id`),
		finding(`version %d: its file, node %d, is not there, a folder or not in collection %d`,
			`SELECT v.id, v.node, v.collection FROM versions v LEFT JOIN nodes n ON n.id = v.node
			WHERE n.id IS NULL OR n.folder <> 0 OR n.collection <> v.collection ORDER BY v.id`),
		finding(`version %d: its content is not known, of another size than %d or being removed`,
			`SELECT v.id, v.size, 0 FROM versions v LEFT JOIN contents c ON c.root = v.root
			WHERE v.size <> 0 AND (c.root IS NULL OR c.size <> v.size OR c.sha256 <> v.sha256 OR c.state = 3) ORDER BY v.id`),
	}
}
