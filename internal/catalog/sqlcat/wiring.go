package sqlcat

import "slices"

// tables lists what Dump writes and Load reads, each table behind those it
// refers to.
func tables() []table {
	return slices.Concat(accountTables(), fileTables(), swarmTables())
}

// checks lists what Check looks for.
func checks() []check {
	return append(accountChecks(), fileChecks()...)
}
