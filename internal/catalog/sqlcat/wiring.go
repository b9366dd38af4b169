package sqlcat

// tables lists what Dump writes and Load reads, each table behind those it
// refers to.
func tables() []table {
	return append(accountTables(), fileTables()...)
}

// checks lists what Check looks for.
func checks() []check {
	return append(accountChecks(), fileChecks()...)
}
