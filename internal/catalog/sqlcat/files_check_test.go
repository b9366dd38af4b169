package sqlcat_test

import (
	"strings"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/catalog/sqlcat"
	"tandem/internal/content"
)

// stocked is a catalog with a folder that has a file of two versions in it.
func stocked(t *testing.T) *sqlcat.DB {
	t.Helper()
	db := fresh(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	err := db.Update(t.Context(), func(tx *catalog.Tx) error {
		owner, err := tx.Accounts.CreateUser(catalog.User{Name: "ann", Created: now})
		if err != nil {
			return err
		}
		c, err := tx.Collections.CreateCollection(catalog.Collection{Name: "c", Owner: owner, Created: now})
		if err != nil {
			return err
		}
		folder, err := tx.Tree.MakeFolder(c.Root, "folder", now)
		if err != nil {
			return err
		}
		for i := range byte(2) {
			sum := content.FileSum{Root: content.Hash{i + 1}, Size: 10}
			if _, err := tx.Contents.Claim(sum, now); err != nil {
				return err
			}
			if err := tx.Contents.SetReady(sum.Root, now); err != nil {
				return err
			}
			if _, err := tx.Tree.PutFile(folder.ID, "file", catalog.Version{Sum: sum, By: owner, Created: now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// The root is node 1, the folder 2, the file 3.
func TestCheckFindsDamageAmongFiles(t *testing.T) {
	for name, c := range map[string]struct{ damage, finding string }{
		"nothing is damaged":                 {"UPDATE changes SET probed = 1 - probed", ""},
		"a user's bytes are miscounted":      {"UPDATE users SET used = used + 1", "user 1: used is 21, its versions have 20 bytes"},
		"a user's reservation has no upload": {"UPDATE users SET reserved = 5", "user 1: reserved is 5"},
		"a collection's bytes are off":       {"UPDATE collections SET used = 0", "collection 1: used is 0"},
		"a collection's files are off":       {"UPDATE collections SET files = 2", "collection 1: counts 2 files, it has 1"},
		"a collection's folders are off":     {"UPDATE collections SET folders = 0", "collection 1: counts 0 folders, it has 1"},
		"uses of a content are off":          {"UPDATE contents SET uses = 0 WHERE root = (SELECT root FROM versions WHERE id = 2)", "counts 0 uses, it has 1"},
		"a root is gone":                     {"DELETE FROM nodes WHERE id = 1", "collection 1: its root, node 1"},
		"a root is in the trash":             {"UPDATE nodes SET trashed = 1 WHERE id = 1", "collection 1: its root, node 1"},
		"a node without a folder":            {"UPDATE nodes SET parent = NULL WHERE id = 2", "node 2: without a folder above"},
		"a node below nothing":               {"UPDATE nodes SET parent = 99 WHERE id = 3", "node 3: the folder above, node 99"},
		"a node below a file":                {"UPDATE nodes SET parent = 3 WHERE id = 2", "node 2: the folder above, node 3"},
		"folders in a circle":                {"UPDATE nodes SET parent = 2 WHERE id = 2", "node 2: cannot be reached"},
		"a file without a current version":   {"UPDATE versions SET replaced = 1", "node 3: a file with 0 current versions"},
		"an old version is current":          {"UPDATE versions SET replaced = CASE id WHEN 2 THEN 1 ELSE 0 END", "node 3: current is not the newest"},
		"a version of a folder":              {"UPDATE versions SET node = 2 WHERE id = 1", "version 1: its file, node 2"},
		"a version of nothing known":         {"DELETE FROM contents WHERE root = (SELECT root FROM versions WHERE id = 1)", "version 1: its content"},
		"content in use is being removed":    {"UPDATE contents SET state = 3", "version 1: its content"},
	} {
		t.Run(name, func(t *testing.T) {
			db := stocked(t)
			err := db.Exec(t.Context(), func(exec func(string, ...any) (int64, error)) error {
				n, err := exec(c.damage)
				if err == nil && n == 0 {
					t.Error("nothing was damaged")
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			found, err := db.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(found, "\n")
			if (c.finding == "") != (all == "") || !strings.Contains(all, c.finding) {
				t.Errorf("found %q, want %q", found, c.finding)
			}
		})
	}
}

// What is asked of large folders and trash is answered by an index, in its order.
func TestLargeFoldersAreReadByIndexes(t *testing.T) {
	db := stocked(t)
	for query, index := range map[string]string{
		"SELECT id FROM nodes n WHERE n.parent = 2 AND n.trashed = 0 AND n.name > 'a' ORDER BY n.name LIMIT 200":                  "nodes_name",
		"SELECT id FROM nodes WHERE parent = 2 AND trashed <> 0 AND id > 1 ORDER BY id LIMIT 200":                                 "nodes_trashed_below",
		"SELECT id FROM nodes n WHERE n.collection = 1 AND n.trashed <> 0 AND n.id > 1 ORDER BY n.id LIMIT 200":                   "nodes_trash",
		"SELECT root FROM contents WHERE uses = 0 AND (created < 5 OR state = 3) ORDER BY created, root LIMIT 100":                "contents_unused",
		"SELECT root FROM contents WHERE state = 1 AND checked < 5 ORDER BY checked, created, root LIMIT 100":                     "contents_checked",
		"SELECT id FROM uploads WHERE expires <= 5 ORDER BY expires, id LIMIT 100":                                                "uploads_expires",
		"SELECT v.id FROM versions v WHERE v.collection = 1 AND v.replaced <> 0 AND v.replaced <= 5 ORDER BY v.replaced, v.id":    "versions_replaced",
		"SELECT n.id FROM nodes n WHERE n.collection = 1 AND n.trashed <> 0 AND n.trashed <= 5 ORDER BY n.trashed, n.id LIMIT 10": "nodes_trash_time",
	} {
		plan, err := db.Plan(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(plan, "; ")
		if !strings.Contains(all+" ", index+" ") || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("%s\nis answered by %s, want %s and its order", query, all, index)
		}
	}
}
