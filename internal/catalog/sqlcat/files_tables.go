package sqlcat

// fileTables lists the tables of 0002_files.sql for Dump and Load. Parents of
// nodes may have higher numbers than what is in them, and nothing refers to nodes.
func fileTables() []table {
	return []table{
		{name: "collections", ids: true, order: "id", columns: []string{
			"id int", "name text", "folded text", "owner int", "root int", "quota int", "used int", "reserved int",
			"files int", "folders int", "created int", "keep_trash int", "keep_versions int",
		}},
		{name: "grants", ids: true, order: "id", columns: []string{
			"id int", "collection int", "usr int", "grp int", "rights int", "not_after int",
		}},
		{name: "nodes", ids: true, order: "id", columns: []string{
			"id int", "collection int", "parent int", "name text", "folded text", "folder int",
			"created int", "trashed int", "trashed_by int",
		}},
		{name: "versions", ids: true, order: "id", columns: []string{
			"id int", "node int", "collection int", "root blob", "sha256 blob", "size int", "made_by int", "via int",
			"modified int", "created int", "replaced int",
		}},
		{name: "contents", order: "root", columns: []string{
			"root blob", "sha256 blob", "size int", "state int", "uses int", "created int", "checked int",
		}},
		{name: "uploads", order: "id", columns: []string{
			"id text", "usr int", "via int", "collection int", "path text", "size int", "want blob", "modified int",
			"if_absent int", "renames int", "created int", "updated int", "expires int",
			"arrived int", "state blob", "epoch int", "node int",
		}},
		{name: "links", ids: true, order: "id", columns: []string{
			"id int", "token text", "kind text", "node int", "collection int", "audience int", "made_by int",
			"created int", "expires int", "password text", "max_downloads int", "downloads int",
			"max_bytes int", "bytes int", "note text", "revoked int", "torrent_state int", "torrent blob",
			"copies int", "v1_only int", "pending text", "share blob", "key1 blob", "key2 blob", "print blob", "total int",
		}},
		{name: "link_downloads", order: "link, remote", columns: []string{
			"link int", "remote text", "size int", "had int", "expires int",
		}},
	}
}
