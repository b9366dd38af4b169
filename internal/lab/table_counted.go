package lab

import "strings"

// Facts of the product as it is built. Each says where it comes from; that the commands
// named are there is tested (internal/cli, TestCountedCommandsAreThere).

// fact is a count with its text, or a text alone.
type fact struct {
	n    int
	text string
}

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

// Commands returns the commands that the counted figures name, without "tandem".
func Commands() []string {
	var all []string
	for _, m := range Models() {
		all = append(all, setUp(m)...)
	}
	return append(all, "get", "keep", "restore")
}

func commas(list []string) string { return strings.Join(list, ", ") }

// docs/architecture.md, The idea.
func roles() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "a server gives, receivers take"},
		PeerToPeer:   {text: "each node gives and takes, decided per request"},
		Hybrid:       {text: "a server keeps policy and a copy; each node gives and takes, decided per request"},
	}
}

// README, "When the server dies"; swarm rule R5 brings every piece out once before any
// twice.
func losses() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "the server's"},
		PeerToPeer:   {text: "the first sharer's, until one copy is out"},
		Hybrid:       {text: "the server's, until one copy is out; then only new permissions"},
	}
}

// README, Share and "One link, both networks".
func places() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "the server"},
		PeerToPeer:   {text: "the first sharer and every receiver that is there"},
		Hybrid:       {text: "the server, every receiver that is there, and keepers"},
	}
}

// docs/architecture.md, Get and "Get, both".
func finding() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "the link names the server"},
		PeerToPeer:   {text: "DHT, local network, trackers, each other"},
		Hybrid:       {text: "the server tells them; without it DHT, local network, each other"},
	}
}

// README, Fetch: one command in every model.
func joining() map[Model]fact {
	return map[Model]fact{
		ClientServer: {1, "1: get LINK --via server"},
		PeerToPeer:   {1, "1: get TICKET"},
		Hybrid:       {1, "1: get LINK"},
	}
}

// README, "Back it up" (restore, serve; and the name of the dead machine has to lead to
// the new one), "When the server dies", and Honest limits ("The same content shared
// again by the same node gives the same ticket").
func recovering() map[Model]fact {
	return map[Model]fact{
		ClientServer: {3, "3: restore, serve, have the name lead there"},
		PeerToPeer:   {0, "0 once one copy is out; before that 1: share"},
		Hybrid:       {0, "0 for who holds the link; for all else 3: restore, serve, have the name lead there"},
	}
}

// README, "A server": one SQLite file and a folder beside it, which one command backs
// up. A share without a server has its content, where it stands, and the node's key.
func backups() map[Model]fact {
	return map[Model]fact{
		ClientServer: {2, "2: the server's database and its content"},
		PeerToPeer:   {1, "1: the sharer's copy; receivers have others"},
		Hybrid:       {2, "2: the server's database and its content; receivers have copies of what was fetched"},
	}
}

// README, Honest limits ("A server is a server. It sees everything in the clear", "A
// ticket is a key").
func trusted() map[Model]fact {
	return map[Model]fact{
		ClientServer: {1, "1: who runs the server"},
		PeerToPeer:   {0, "0: but whoever holds the ticket can pass it on"},
		Hybrid:       {1, "1: who runs the server; receivers are checked by hash and capability"},
	}
}

// docs/security.md, "A server's limits" and "Known limits": seconds, as the figure.
func revoking() map[Model]fact {
	const second, day, year = 1, 86400, 365 * 86400
	return map[Model]fact{
		ClientServer: {second, "within about a second"},
		PeerToPeer:   {100 * year, "never: a ticket without a server cannot be taken back"},
		Hybrid:       {7 * day, "within seconds where the server or a peer reaches; at the signed date elsewhere: 24 hours, 7 days for a plain link"},
	}
}

// README, "More than one", keep, and Fetch.
func moreSources() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "another server: serve, over PostgreSQL and an object store that both reach"},
		PeerToPeer:   {text: "whoever has it: get --keep-seeding"},
		Hybrid:       {text: "whoever has it: keep"},
	}
}

func leaving() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "changes nothing for others"},
		PeerToPeer:   {text: "takes its upload along"},
		Hybrid:       {text: "takes its upload along; the server fills in"},
	}
}

// README, Honest limits ("Changed files are not served") and "Put something into it".
func changing() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "yes: put it again; old versions stay for 30 days"},
		PeerToPeer:   {text: "no: another content has another link"},
		Hybrid:       {text: "yes, by the server; peers never mix the two"},
	}
}

// docs/comparison.md, when which network is the right one.
func uses() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "few receivers for the server's link, small files, a record of every download, access that ends at once"},
		PeerToPeer:   {text: "a crowd and nobody's server: from one to many, once"},
		Hybrid:       {text: "a crowd under somebody's rules, and what must outlive its server"},
	}
}

// shippedFor is the verdict of each shipped scenario by formula alone; tested against
// them (internal/cli, TestShippedScenariosHaveTheVerdictsOfTheTable).
func shippedFor() map[Model]fact {
	return map[Model]fact{
		ClientServer: {text: "rare-archive, website"},
		PeerToPeer:   {text: "classroom, cluster-dataset, demo, disaster, home-links, hostile-swarm, office-lan, textbook"},
		Hybrid:       {text: "software-release"},
	}
}
