package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// callTime bounds one question to a server that it answers at once.
const callTime = 15 * time.Second

// place is where on which server a share is.
type place struct {
	c        *client.Client
	tree     client.Tree
	path     string // below tree; "" for a link
	token    string // of a link; "": a collection
	fragment string // ticket or magnet link behind the URL; "": none
	key      string // names it among what is kept
}

// place reads a source that is on a server; nil: it is none.
func (n *Node) place(source, password string, as *Account) (*place, error) {
	if as == nil {
		as = &Account{}
	}
	if u, fragment := metainfo.SplitLink(source); u != "" {
		server, token, ok := client.SplitLink(u)
		if !ok {
			return nil, nil
		}
		c, err := n.dialServer(Account{URL: server, CA: as.CA})
		if err != nil {
			return nil, err
		}
		return &place{
			c: c, tree: c.By(token, password), token: token, fragment: fragment,
			key: c.URL() + "/s/" + token,
		}, nil
	}
	if as.URL == "" || strings.HasPrefix(source, "tandem:") || strings.HasPrefix(strings.ToLower(source), "magnet:") {
		return nil, nil
	}
	collection, path, _ := strings.Cut(source, "/")
	path = strings.Trim(path, "/")
	if collection == "" || path != "" && content.CheckPath(strings.Split(path, "/")) != nil {
		return nil, fmt.Errorf("%s: %w", source, ErrSource)
	}
	c, err := n.dialServer(*as)
	if err != nil {
		return nil, err
	}
	return &place{c: c, tree: c.In(collection), path: path, key: c.URL() + "#" + collection + "/" + path}, nil
}

// dialServer makes the client of one item: its connections are its own.
func (n *Node) dialServer(as Account) (*client.Client, error) {
	return client.New(client.Config{
		URL: as.URL, Secret: as.Secret, CA: as.CA, Agent: "tandem/" + Version, Now: n.clock,
		Notice: func(text string) { n.log.Info("server", "url", as.URL, "notice", text) },
	})
}

// host names the server for people.
func (p *place) host() string {
	u, err := url.Parse(p.c.URL())
	if err != nil {
		return "server"
	}
	return u.Host
}

// local reports whether the server is on this machine, as far as its name says.
func (p *place) local() bool {
	if a := p.c.Ends().Server; a.IsValid() {
		return a.IsLoopback()
	}
	u, err := url.Parse(p.c.URL())
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}

// join takes part once; what waits is bounded by j.Wait and callTime.
func (p *place) join(ctx context.Context, j api.SwarmJoin) (api.SwarmAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime+time.Duration(j.Wait)*time.Second)
	defer cancel()
	a, err := p.tree.Swarm(ctx, p.path, j)
	if err != nil && ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fault.Wrap(fault.Timeout, fmt.Errorf("the server does not answer: %w", err))
	}
	return a, err
}

// admission is what a node that only looks says of itself.
func (n *Node) admission(p *place, via bool) api.SwarmJoin {
	j := api.SwarmJoin{Node: n.ID().String()}
	if !via {
		return j
	}
	at := n.Addr()
	switch {
	case at.Addr().IsLoopback() && !p.local(): // nobody else could reach us
	case at.Addr().IsUnspecified():
		j.Port = at.Port()
		for _, a := range n.addresses(n.external()) {
			j.Addrs = append(j.Addrs, a.String())
		}
	default:
		j.Addrs = []string{at.String()}
	}
	return j
}

// external returns the address the router mapped, if it did by now.
func (n *Node) external() netip.AddrPort {
	n.doors.mu.Lock()
	m := n.doors.mapper
	n.doors.mu.Unlock()
	if m == nil {
		return netip.AddrPort{}
	}
	if s := m.Status(); s.Mapped {
		return s.External
	}
	return netip.AddrPort{}
}

// dialable leaves out addresses that a server has no business to send us to: one on the Internet names hosts of
// the Internet, and those of our own network, where others that it knows may be.
func (n *Node) dialable(p *place, list []netip.AddrPort) []netip.AddrPort {
	server := p.c.Ends().Server
	var out []netip.AddrPort
	for _, a := range list {
		ip := a.Addr()
		if !transport.IsGlobal(ip) && server.IsValid() && transport.IsGlobal(server) && (ip.IsLoopback() || !n.near(ip)) {
			continue
		}
		out = append(out, a)
	}
	return out
}

// identityOf reads an answer that has everything.
func identityOf(a api.SwarmAnswer) (*identity, error) {
	bad := func(what string, err error) (*identity, error) {
		return nil, fault.Errorf(fault.Protocol, "the server's %s is not what this client knows: %w", what, err)
	}
	id := &identity{Name: a.Name, Link: a.Ticket, Capability: a.Capability}
	var err error
	if id.Server, err = peer.ParseID(a.Server); err != nil {
		return bad("key", err)
	}
	if id.InfoHash, err = readHash(a.InfoHash); err != nil {
		return bad("info-hash", err)
	}
	if id.Audience, err = readAudience(a.Audience); err != nil {
		return bad("audience", err)
	}
	if len(a.Torrent) > 0 {
		if id.torrent, err = metainfo.Parse(a.Torrent); err != nil {
			return bad("metadata", err)
		}
		if hashOf(id.torrent.Manifest) != id.InfoHash {
			return bad("metadata", errors.New("it is of other content"))
		}
	}
	return id, nil
}

func readHash(text string) (h content.Hash, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return h, fault.Errorf(fault.Protocol, "%d characters", len(text))
	}
	return content.Hash(b), nil
}

func readAudience(text string) (peer.Audience, error) {
	for _, a := range []peer.Audience{peer.Public, peer.Link, peer.Network} {
		if a.String() == text {
			return a, nil
		}
	}
	return 0, fault.Errorf(fault.Protocol, "%q", text)
}
