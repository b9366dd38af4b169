package sqlcat

// swarmTables lists the tables of 0003_swarms.sql for Dump and Load.
func swarmTables() []table {
	return []table{
		{name: "layers", order: "root, piece", columns: []string{"root blob", "piece int", "layer blob"}},
		{name: "sources", order: "id", columns: []string{
			"id blob", "link int", "usr int", "session int", "token int", "collection int", "terms blob",
			"created int", "not_after int", "denied int", "denial blob",
		}},
		{name: "issued", order: "source, share, node", columns: []string{"source blob", "share blob", "node blob", "not_after int"}},
		{name: "ledger", order: "share, node, usr, link", columns: []string{
			"share blob", "node blob", "usr int", "link int", "name text", "server int", "lan int", "peers int",
			"said_lan int", "said_peers int", "updated int",
		}},
		{name: "keepers", order: "node", columns: []string{"node blob", "usr int", "space int", "created int", "seen int"}},
		{name: "kept", order: "node, link", columns: []string{"node blob", "link int", "share blob", "size int", "since int"}},
	}
}
