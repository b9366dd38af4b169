package sqlcat

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"

	"tandem/internal/catalog"
)

// foldText returns what texts that differ only in case have in common.
func foldText(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return cases.Fold().String(s)
		}
	}
	return strings.ToLower(s)
}

// likePattern returns the pattern of LIKE, with \ for escapes, that what contains text matches.
func likePattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// mostCandidates bounds how many names that match are looked at for whether
// they are in the trash.
const mostCandidates = 20_000

// Search implements catalog.Tree. Names that match come in pages that grow, in
// case many of them are below folders in the trash.
func (t tree) Search(in []catalog.CollectionID, text string, limit int) ([]catalog.Found, error) {
	if text == "" || limit < 1 {
		return nil, nil
	}
	var found []catalog.Found
	after := catalog.Node{}
	for page, seen := limit, 0; seen < mostCandidates; page *= 4 {
		page = min(page, mostCandidates-seen)
		nodes, err := t.called(in, likePattern(foldText(text)), after, page)
		if err != nil {
			return nil, about(err, "search")
		}
		ids := make([]catalog.NodeID, len(nodes))
		for i, n := range nodes {
			ids[i] = n.ID
		}
		at, err := t.above(ids)
		if err != nil {
			return nil, about(err, "search")
		}
		for _, n := range nodes {
			if w := at[n.ID]; w.live {
				found = append(found, catalog.Found{Node: n, Path: w.names})
			}
			if len(found) == limit {
				return found, nil
			}
		}
		if len(nodes) < page {
			break
		}
		after = nodes[len(nodes)-1]
		seen += len(nodes)
	}
	return found, nil
}

// called returns nodes not in the trash themselves whose folded name is like
// pattern, behind after, by name and number.
func (t tree) called(in []catalog.CollectionID, pattern string, after catalog.Node, limit int) ([]catalog.Node, error) {
	var all []catalog.Node
	for some := range inChunks(in) {
		args := append(slices.Clone(some.args), pattern, after.Name, after.Name, int64(after.ID), limit)
		page, err := list(t.tx, readNode, `SELECT `+nodeColumns+` FROM (
				SELECT m.id FROM nodes m WHERE m.collection IN `+some.marks+` AND m.trashed = 0 AND m.parent IS NOT NULL
					AND m.folded LIKE ? ESCAPE '\' AND (m.name > ? OR (m.name = ? AND m.id > ?))
				ORDER BY m.name, m.id LIMIT ?) AS h
			JOIN nodes n ON n.id = h.id`+withVersion+`ORDER BY n.name, n.id`, args...)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	slices.SortFunc(all, func(a, b catalog.Node) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(limit, len(all))], nil
}

// Counts implements catalog.Tree. What is in the trash is counted each time:
// it is the smaller part.
func (t tree) Counts(id catalog.CollectionID) (files, folders int64, err error) {
	if err := t.scan(into{&files, &folders}, `SELECT files, folders FROM collections WHERE id = ?`, id); err != nil {
		return 0, 0, about(err, "collection %d", id)
	}
	var deadFiles, deadFolders int64
	// What is trashed below something trashed begins a count of its own.
	err = t.scan(into{&deadFiles, &deadFolders}, `WITH RECURSIVE dead (id, folder) AS (
			SELECT id, folder FROM nodes WHERE collection = ? AND trashed <> 0
			UNION ALL
			SELECT n.id, n.folder FROM dead JOIN nodes n ON n.parent = dead.id AND n.trashed = 0)
		SELECT COUNT(*) FILTER (WHERE folder = 0), COUNT(*) FILTER (WHERE folder <> 0) FROM dead`, id)
	return files - deadFiles, folders - deadFolders, err
}
