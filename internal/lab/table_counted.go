package lab

// setUp returns the commands from nothing to a link that receivers can use, as the
// README's "Share" and "A server" have them.
func setUp(m Model) []string {
	if m == PeerToPeer {
		return []string{"share"} // README, Share: one command, it prints the ticket
	}
	// README, A server: run it, make the first account, log in, make a folder, put the
	// content there, make a link. The hybrid's link is the same ("Nothing more to set
	// up"): it brings the ticket along.
	return []string{"serve", "admin init", "login", "collection create", "put", "link"}
}
