package rest

import "tandem/internal/origin/api"

// swarmRoutes are those of nodes that take part in a swarm.
func swarmRoutes() []*route {
	const joins = "; 423 while its metadata is being made, 412 when there is other content by now"
	by := []param{{name: "by", does: "share, user or transfer; default share"}}
	return []*route{
		{method: "POST", pattern: v1 + "shared/{token}/swarm", does: "A node takes part in the swarm of what a link leads to, and may wait for news" + joins, auth: byLink, in: api.SwarmJoin{}, out: api.SwarmAnswer{}, serve: (*exchange).joinSwarm},
		{method: "POST", pattern: inCollection + "swarm/{path...}", does: "The same of a file or folder of a collection" + joins, auth: account, in: api.SwarmJoin{}, out: api.SwarmAnswer{}, serve: (*exchange).joinSwarm, refuse: (*exchange).lastWord},
		{method: "GET", pattern: v1 + "ledger", does: "Who gave how many bytes, by share, user or transfer: of all to admins, of their own to others", auth: account, query: by, out: []api.LedgerLine{}, serve: (*exchange).ledger},
		{method: "GET", pattern: v1 + "keepers", does: "Offers of room for copies: all to admins, their own to others", auth: account, out: []api.Keeper{}, serve: (*exchange).keepers},
		{method: "GET", pattern: v1 + "keepers/{node}", does: "One offer of room", auth: account, out: api.Keeper{}, serve: (*exchange).keeper},
		{method: "PUT", pattern: v1 + "keepers/{node}", does: "Offers room at a node, or takes the offer back with space 0; the answer says what to keep", auth: account, in: api.Keeper{}, out: api.Keeper{}, serve: (*exchange).setKeeper},
		{method: "GET", pattern: "/announce", does: "The tracker of public links (BEP 3)", query: []param{{name: "info_hash", does: "20 bytes; peer_id, port, left, event, numwant and compact as BEP 3 and BEP 23 say"}}, gives: "text/plain", serve: (*exchange).announce},
		{method: "GET", pattern: "/s/{token}/seed/{path...}", does: "A file below a link's folder as web seeds give it (BEP 19): below the torrent's name; padding is zeros", auth: byLink, gives: typeBytes, serve: (*exchange).webSeed},
		{method: "HEAD", pattern: "/s/{token}/seed/{path...}", does: "The same without the bytes", auth: byLink, gives: typeBytes, serve: (*exchange).webSeed},
	}
}
