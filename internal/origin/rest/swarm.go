package rest

import (
	"encoding/hex"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/origin/api"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// Bounds of what a node says when it joins.
const (
	maxJoinAddrs = 8
	maxJoinWait  = 60 // seconds
	// hungUp is how long a request has to have waited for its end to mean that the node is gone: by then it
	// was allowed.
	hungUp     = time.Second
	maxPromise = 20 * 365 * 24 * time.Hour // how far ahead a promise to keep may reach
)

// joinSwarm lets a node take part in the swarm of a link, or of a place in a collection.
func (x *exchange) joinSwarm() error {
	c, at, err := x.target()
	if err != nil {
		return x.lastWord(err)
	}
	r, err := x.readJoin()
	if err != nil {
		return err
	}
	ctx, wait, done := x.h.polls.begin(x.r.Context(), r.Wait)
	defer done()
	r.Wait = wait
	st, err := x.h.cfg.Server.JoinSwarm(ctx, c, at, r, x.base())
	if err != nil && ctx.Err() != nil && x.r.Context().Err() == nil { // the server is being stopped
		r.Wait = 0
		st, err = x.h.cfg.Server.JoinSwarm(x.r.Context(), c, at, r, x.base())
	}
	if err != nil {
		if x.r.Context().Err() != nil && x.h.cfg.Now().Sub(x.begun) >= hungUp {
			x.h.cfg.Gate.Away(x.h.cfg.Server.CrowdOf(c, r.InfoHash), r.Node)
		}
		return err
	}
	st.Swarm, st.Spare = x.h.cfg.Gate.Joined(st.Crowd, r)
	st.Files = slices.Clone(st.Files) // the server's own
	for i, path := range st.Files {
		st.Files[i] = x.contentPath(at, path)
	}
	return x.json(http.StatusOK, swarmShape(st, x.h.cfg.Now()))
}

// lastWord answers a node that is refused with what was taken back from it, if anything was; peers have to know.
func (x *exchange) lastWord(refused error) error {
	r, err := x.readJoin()
	if err != nil { // what it says does not matter
		return refused
	}
	st, err := x.h.cfg.Server.LastWord(x.r.Context(), r, refused)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, swarmShape(st, x.h.cfg.Now()))
}

func (x *exchange) readJoin() (r origin.SwarmRequest, err error) {
	var in api.SwarmJoin
	if err := x.decode(&in); err != nil {
		return r, err
	}
	return x.swarmRequest(in)
}

// contentPath returns where, below the server, a file's content is: that of at, or one below it.
func (x *exchange) contentPath(at origin.Place, below string) string {
	token := x.r.PathValue("token")
	switch {
	case token != "" && below == "":
		return "s/" + token + "/download"
	case token != "":
		return "s/" + token + "/files/" + escape(below)
	}
	if at.Path != "" && below != "" {
		below = "/" + below
	}
	return strings.TrimPrefix(v1, "/") + "collections/" + url.PathEscape(at.Collection) + "/content/" + escape(at.Path+below)
}

// escape writes a path of names for a URL.
func escape(path string) string {
	names := strings.Split(path, "/")
	for i, name := range names {
		names[i] = url.PathEscape(name)
	}
	return strings.Join(names, "/")
}

// swarmRequest reads what a node says of itself.
func (x *exchange) swarmRequest(in api.SwarmJoin) (r origin.SwarmRequest, err error) {
	node, err := peer.ParseID(in.Node)
	if err != nil || node.IsZero() {
		return r, fault.Errorf(fault.Invalid, "node is no peer ID: %q", in.Node)
	}
	switch {
	case in.Total < 0 || in.Have < 0 || in.Total > 0 && in.Have > in.Total:
		return r, fault.Errorf(fault.Invalid, "have is not from 0 to total")
	case in.Rate < 0 || math.IsNaN(in.Rate) || math.IsInf(in.Rate, 0):
		return r, fault.Errorf(fault.Invalid, "rate is not a number of bytes per second")
	case in.Wait < 0 || in.Wait > maxJoinWait:
		return r, fault.Errorf(fault.Invalid, "wait is not from 0 to %d seconds", maxJoinWait)
	case in.Seen < 0:
		return r, fault.Errorf(fault.Invalid, "seen is negative")
	}
	r = origin.SwarmRequest{
		Node: node, Torrent: in.Torrent, Total: in.Total, Have: in.Have, Rate: in.Rate,
		Wait: time.Duration(in.Wait) * time.Second, Seen: in.Seen, Leave: in.Leave,
	}
	if r.InfoHash, err = parseHash("infohash", in.InfoHash); err != nil {
		return r, err
	}
	if in.Keep != 0 {
		r.Keep = time.Unix(in.Keep, 0).UTC()
		if in.Keep < 0 || r.Keep.Sub(x.h.cfg.Now()) > maxPromise {
			return r, fault.Errorf(fault.Invalid, "keep is no time")
		}
	}
	if s := in.Served; s != nil {
		if s.Server < 0 || s.LAN < 0 || s.Peers < 0 {
			return r, fault.Errorf(fault.Invalid, "served is negative")
		}
		r.Served = &origin.Served{Server: s.Server, LAN: s.LAN, Peers: s.Peers}
	}
	r.Addrs, err = joinAddrs(x.remote, in)
	return r, err
}

// joinAddrs returns where a node that asks from remote may be reached. Others will
// dial what it says, so that it may not name hosts of the Internet at will: beside
// the address it is seen at, one of the other family, as of a node with both.
func joinAddrs(remote netip.Addr, in api.SwarmJoin) ([]netip.AddrPort, error) {
	if len(in.Addrs) > maxJoinAddrs {
		return nil, fault.Errorf(fault.Invalid, "more than %d addresses", maxJoinAddrs)
	}
	var list []netip.AddrPort
	if in.Port != 0 && remote.IsValid() {
		list = append(list, netip.AddrPortFrom(remote.WithZone(""), in.Port))
	}
	other := false
	for _, text := range in.Addrs {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%q is not of the form IP:PORT", text)
		}
		a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
		ip := a.Addr()
		if a.Port() == 0 || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || ip.IsLoopback() && !remote.IsLoopback() {
			continue
		}
		if transport.IsGlobal(ip) && ip != remote && transport.IsGlobal(remote) {
			if other || ip.Is4() == remote.Is4() {
				continue
			}
			other = true
		}
		list = append(list, a)
	}
	return list, nil
}

func swarmShape(st origin.SwarmState, now time.Time) api.SwarmAnswer {
	if st.Time.IsZero() {
		st.Time = now
	}
	return api.SwarmAnswer{
		State: st.State, Server: idText(st.Server), Time: st.Time.UTC(), InfoHash: hex.EncodeToString(st.InfoHash[:]),
		Audience: st.Audience.String(), Name: st.Name, Ticket: st.Ticket, Capability: st.Capability, Denials: st.Denials,
		Torrent: st.Torrent, Files: st.Files, Peers: addrTexts(st.Peers), Swarm: st.Swarm, Spare: st.Spare,
		Upload: st.Upload, Copies: st.Copies, Holders: st.Holders, Next: int(math.Ceil(st.Next.Seconds())),
	}
}

func addrTexts(list []netip.AddrPort) []string {
	if len(list) == 0 {
		return nil
	}
	return shaped(list, netip.AddrPort.String)
}

// idText writes a peer ID, "" for none.
func idText(id peer.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
