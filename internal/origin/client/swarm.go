package client

import (
	"context"
	"net/http"
	"net/url"

	"tandem/internal/origin/api"
)

// Swarm takes part in the swarm of what stands at path, once: j says what for. It is not
// sent again when it fails; who takes part does so for long and has its own pauses.
func (t Tree) Swarm(ctx context.Context, path string, j api.SwarmJoin) (api.SwarmAnswer, error) {
	r := t.request(verb(http.MethodPost, t.below("swarm", path)))
	if t.token != "" { // a link leads to one thing
		r.path = v1 + "shared/" + escape(t.token) + "/swarm"
	}
	r.single = true
	return one[api.SwarmAnswer](ctx, t.c, r, j)
}

// Link returns one of our links.
func (c *Client) Link(ctx context.Context, id int64) (api.Link, error) {
	return one[api.Link](ctx, c, get("links/"+number(id)), nil)
}

// Ledger returns who gave how much, by share, user or transfer.
func (c *Client) Ledger(ctx context.Context, by string) ([]api.LedgerLine, error) {
	r := get("ledger")
	r.query = url.Values{"by": {by}}
	return one[[]api.LedgerLine](ctx, c, r, nil)
}

// Keepers returns the nodes that offer room.
func (c *Client) Keepers(ctx context.Context) ([]api.Keeper, error) {
	return one[[]api.Keeper](ctx, c, get("keepers"), nil)
}

// SetKeeper offers a node's room, or takes the offer back; the answer says what to keep.
func (c *Client) SetKeeper(ctx context.Context, k api.Keeper) (api.Keeper, error) {
	return one[api.Keeper](ctx, c, verb(http.MethodPut, "keepers/"+escape(k.Node)), k)
}
