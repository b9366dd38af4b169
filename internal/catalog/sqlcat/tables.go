package sqlcat

import "strings"

// table is a table as Dump knows it.
type table struct {
	name string
	// columns as "usr int", "name text" or "hash blob". Where ids is set the first is "id int".
	columns []string
	order   string // the columns that sort it, its key
	ids     bool   // its ids are given by the database
	one     bool   // one row, there from the start
}

// kind is what a column holds.
type kind byte

const (
	whole kind = 'i'
	words kind = 't'
	raw   kind = 'b'
)

// names returns the names of t's columns.
func (t table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i], _, _ = strings.Cut(c, " ")
	}
	return names
}

// kinds returns what t's columns hold, by name.
func (t table) kinds() map[string]kind {
	kinds := make(map[string]kind, len(t.columns))
	for _, c := range t.columns {
		name, k, _ := strings.Cut(c, " ")
		kinds[name] = kind(k[0])
	}
	return kinds
}

// accountTables lists the tables of 0001_accounts.sql. Not among them is
// changes: it counts the commits of one database.
func accountTables() []table {
	return []table{
		{name: "access", columns: []string{"one int", "epoch int"}, order: "one", one: true},
		{name: "settings", columns: []string{"name text", "value text"}, order: "name"},
		{
			name: "users", order: "id", ids: true,
			columns: []string{
				"id int", "name text", "folded text", "role int", "disabled int",
				"quota int", "used int", "reserved int", "created int",
			},
		},
		{
			name: "credentials", order: "usr, kind, issuer, subject",
			columns: []string{"usr int", "kind text", "issuer text", "subject text", "secret text", "changed int"},
		},
		{name: "groups", order: "id", ids: true, columns: []string{"id int", "name text", "folded text", "created int"}},
		{name: "members", order: "grp, usr", columns: []string{"grp int", "usr int"}},
		{
			name: "invitations", order: "id", ids: true,
			columns: []string{
				"id int", "hash blob", "role int", "grp int", "note text",
				"made_by int", "created int", "expires int", "taken int",
			},
		},
		{
			name: "sessions", order: "id", ids: true,
			columns: []string{
				"id int", "hash blob", "usr int", "created int", "seen int",
				"expires int", "agent text", "remote text",
			},
		},
		{
			name: "tokens", order: "id", ids: true,
			columns: []string{
				"id int", "hash blob", "usr int", "name text", "rights int",
				"server int", "created int", "seen int", "expires int",
			},
		},
		{name: "attempts", order: "name", columns: []string{"name text", "tries int", "last int"}},
		{
			name: "audit", order: "seq",
			columns: []string{
				"seq int", "at int", "usr int", "actor text", "action text", "object text", "outcome text",
				"remote text", "request text", "detail text", "hash blob",
			},
		},
		{name: "audit_head", columns: []string{"one int", "seq int", "hash blob"}, order: "one", one: true},
	}
}
