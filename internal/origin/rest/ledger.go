package rest

import (
	"net/http"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

func (x *exchange) ledger() error {
	by := x.r.URL.Query().Get("by")
	switch by {
	case "":
		by = "share"
	case "share", "user", "transfer":
	default:
		return fault.Errorf(fault.Invalid, "by is share, user or transfer")
	}
	lines, err := x.h.cfg.Server.Ledger(x.r.Context(), x.caller, by)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(lines, ledgerShape))
}

func ledgerShape(l origin.LedgerLine) api.LedgerLine {
	return api.LedgerLine{
		Name: l.Name, InfoHash: hashText(l.InfoHash), Node: idText(l.Node), User: l.User,
		Served: servedShape(l.Served), Updated: l.Updated.UTC(),
	}
}

func servedShape(s origin.Served) api.Served {
	return api.Served{Server: s.Server, LAN: s.LAN, Peers: s.Peers}
}

func (x *exchange) keepers() error {
	all, err := x.h.cfg.Server.Keepers(x.r.Context(), x.caller)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, shaped(all, x.keeperShape))
}

func (x *exchange) keeper() error {
	node, err := x.node()
	if err != nil {
		return err
	}
	k, err := x.h.cfg.Server.Keeper(x.r.Context(), x.caller, node)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, x.keeperShape(k))
}

func (x *exchange) setKeeper() error {
	node, err := x.node()
	if err != nil {
		return err
	}
	var in api.Keeper
	if err := x.decode(&in); err != nil {
		return err
	}
	if in.Node != "" && in.Node != node.String() {
		return fault.Errorf(fault.Invalid, "node is another one than in the URL")
	}
	if in.Space < 0 || in.Used < 0 {
		return fault.Errorf(fault.Invalid, "space and used are not negative")
	}
	k, err := x.h.cfg.Server.SetKeeper(x.r.Context(), x.caller, origin.Keeper{Node: node, Space: in.Space, Used: in.Used})
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, x.keeperShape(k))
}

// node is the one that the path names.
func (x *exchange) node() (peer.ID, error) {
	id, err := peer.ParseID(x.r.PathValue("node"))
	if err != nil || id.IsZero() {
		return id, fault.Errorf(fault.NotFound, "there is no node %q", x.r.PathValue("node"))
	}
	return id, nil
}

func (x *exchange) keeperShape(k origin.Keeper) api.Keeper {
	shape := api.Keeper{Node: idText(k.Node), User: k.User, Space: k.Space, Used: k.Used, Seen: k.Seen.UTC()}
	for _, one := range k.Keep {
		shape.Keep = append(shape.Keep, api.Kept{URL: x.base() + "/s/" + one.Token, InfoHash: hashText(one.InfoHash), Size: one.Size})
	}
	return shape
}
