package rest

import "tandem/internal/origin/api"

// swarmRoutes are those of nodes that take part in a swarm.
func swarmRoutes() []*route {
	const joins = "; 423 while its metadata is being made, 412 when there is other content by now"
	return []*route{
		{method: "POST", pattern: v1 + "shared/{token}/swarm", does: "A node takes part in the swarm of what a link leads to, and may wait for news" + joins, auth: byLink, in: api.SwarmJoin{}, out: api.SwarmAnswer{}, serve: (*exchange).joinSwarm},
		{method: "POST", pattern: inCollection + "swarm/{path...}", does: "The same of a file or folder of a collection" + joins, auth: account, in: api.SwarmJoin{}, out: api.SwarmAnswer{}, serve: (*exchange).joinSwarm},
	}
}
