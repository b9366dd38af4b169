package node

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/transfer"
)

// meterEvery is how often people are told how far an upload has come.
const meterEvery = 250 * time.Millisecond

// States of an upload.
const (
	uploadSending = "sending"
	uploadWaiting = "waiting"
	uploadStored  = "stored"
	uploadFailed  = "failed"
)

// upload is a share on its way to a server.
type upload struct {
	n       *Node
	o       ShareOptions
	c       *client.Client
	tree    client.Tree
	at      string // below the collection
	journal *client.Journal
	it      *Item
}

// checkServer refuses what makes no sense for a share to a server.
func (o ShareOptions) checkServer() error {
	collection, _, _ := strings.Cut(o.To, "/")
	switch {
	case o.Server == nil && o.To == "":
		return nil
	case o.Server == nil || o.Server.URL == "" || collection == "":
		return fault.Errorf(fault.Invalid, "share %s: a share to a server needs the server and a place there, NAME or NAME/PATH", o.Path)
	case o.Audience != peer.Link:
		return fault.Errorf(fault.Invalid, "share %s: through a server it is for who has the link; make a public link there once it is stored", o.Path)
	}
	return nil
}

// serveThrough serves t at once under a link of a server, and uploads it there meanwhile.
func (n *Node) serveThrough(ctx context.Context, t *metainfo.Torrent, pieces store.Pieces, o ShareOptions) (*Item, error) {
	c, err := n.dialServer(*o.Server)
	if err != nil {
		return nil, err
	}
	it, err := n.serveLink(ctx, c, t, pieces, o)
	if err != nil {
		c.Close()
		return nil, err
	}
	return it, nil
}

func (n *Node) serveLink(ctx context.Context, c *client.Client, t *metainfo.Torrent, pieces store.Pieces, o ShareOptions) (*Item, error) {
	collection, to := target(o.To, t.Manifest.Name)
	about := fmt.Sprintf("%s#%s/%s\x00%x", c.URL(), collection, to, t.Manifest.InfoHash2)
	id, err := n.linkFor(ctx, c, n.memory(about), collection, to, t)
	if err != nil {
		return nil, fmt.Errorf("make a link at %s: %w", c.URL(), err)
	}
	id.torrent = t
	src, err := id.source()
	if err != nil {
		return nil, err
	}
	at, err := n.place(id.Full, "", &Account{CA: o.Server.CA})
	if err != nil || at == nil {
		return nil, errors.Join(fault.Errorf(fault.Protocol, "the server's link is %q", id.Full), err)
	}
	at.key = about
	if err := n.guarded(src); err != nil {
		at.c.Close()
		return nil, err
	}
	it, err := n.newItem(KindShare, t.Manifest.Name, o.Path, src)
	if err != nil {
		src.guard.end()
		at.c.Close()
		return nil, err
	}
	it.record = record{Share: &o}
	it.record.setInfoHash(infoHashOf(t.Manifest))
	it.mu.Lock()
	it.upload = &UploadStatus{Total: t.Manifest.TotalBytes(), State: uploadSending}
	it.mu.Unlock()
	u := &upload{
		n: n, o: o, c: c, tree: c.In(collection), at: to, it: it,
		journal: client.OpenJournal(filepath.Join(n.cfg.StateDir, "uploads"), n.clock),
	}
	p := plan{
		torrent: t, want: t.Manifest.InfoHash2, common: o.Common, keep: Forever, link: id.Full,
		trackers: append(src.Trackers, tiers(o.Trackers)...), session: n.newSession(at, id, src, transfer.ViaBoth),
		open: func(*metainfo.Torrent) (store.Pieces, error) { return pieces, nil }, beside: u.run, complete: true,
	}
	if err = n.remember(it, t); err == nil {
		err = it.start(p)
	}
	if err != nil {
		it.abandon(err)
		n.forget(it)
		at.c.Close()
		return nil, err
	}
	return it, nil
}

// target returns the collection and the path below it that o.To means for content called name.
func target(to, name string) (collection, at string) {
	collection, at, _ = strings.Cut(to, "/")
	if at == "" || strings.HasSuffix(at, "/") {
		at += name
	}
	return collection, strings.Trim(path.Clean("/"+at), "/")
}

// linkFor returns the link under which t is shared: the one made before, while the server has it, or a new one.
func (n *Node) linkFor(ctx context.Context, c *client.Client, m memory, collection, to string, t *metainfo.Torrent) (*identity, error) {
	if id := m.recall(); id != nil && id.Full != "" {
		if _, token, ok := client.SplitLink(id.Full); ok {
			j := api.SwarmJoin{Node: n.ID().String(), InfoHash: fmt.Sprintf("%x", t.Manifest.InfoHash2)}
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			if _, err := c.By(token, "").Swarm(ctx, "", j); err == nil || away(err) {
				return id, nil
			}
		}
	}
	data, err := t.Encode()
	if err != nil {
		return nil, err
	}
	l, err := c.CreateLink(ctx, api.NewLink{Collection: collection, Path: to, Audience: peer.Link.String(), Torrent: data})
	if err != nil {
		return nil, err
	}
	_, fragment := metainfo.SplitLink(l.Link)
	ticket, err := metainfo.ParseTicket(fragment)
	if err != nil || ticket.InfoHash != t.Manifest.InfoHash2 || ticket.Server.IsZero() {
		return nil, fault.Errorf(fault.Protocol, "the server's link is not what this client knows: %w", err)
	}
	id := &identity{
		Server: ticket.Server, InfoHash: ticket.InfoHash, Audience: peer.Link, Name: t.Manifest.Name,
		Link: fragment, Capability: ticket.Capability, Full: l.Link,
	}
	return id, m.keep(*id)
}

// run uploads until it is done or ctx ends; a server that is away is waited for.
func (u *upload) run(ctx context.Context, _ *transfer.Transfer) {
	defer u.c.Close()
	for failures := 0; ctx.Err() == nil; failures++ {
		m := &client.Meter{}
		err := u.send(ctx, m)
		switch {
		case err == nil:
			u.tell(m, uploadStored, nil)
			return
		case ctx.Err() != nil:
			return
		case !passing(err):
			u.n.log.Error("upload", "item", u.it.id, "err", err)
			u.tell(m, uploadFailed, err)
			return
		}
		u.tell(m, uploadWaiting, err)
		pause(ctx, min(firstRetry<<min(failures, 8), mostRetry))
	}
}

// passing reports whether a failed upload is worth another try.
func passing(err error) bool {
	if client.IsLost(err) {
		return true
	}
	switch fault.KindOf(err) {
	case fault.Unreachable, fault.Timeout, fault.Busy, fault.Limited, fault.Other:
		return true
	}
	return false
}

// send uploads what the server lacks of it.
func (u *upload) send(ctx context.Context, m *client.Meter) error {
	sent := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		look := time.NewTicker(meterEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				u.tell(m, uploadSending, nil)
			case <-sent:
				return
			}
		}
	}()
	_, err := u.tree.Send(ctx, u.o.Path, u.at, client.Put{Journal: u.journal, Meter: m})
	close(sent)
	<-ended
	return err
}

// tell says how far it has come.
func (u *upload) tell(m *client.Meter, state string, err error) {
	s := &UploadStatus{Total: m.Total.Load(), Done: m.Done.Load(), State: state}
	if err != nil {
		s.Error = err.Error()
	}
	u.it.mu.Lock()
	defer u.it.mu.Unlock()
	s.Total = max(s.Total, u.it.upload.Total)
	if state == uploadStored {
		s.Done = s.Total
	}
	u.it.upload = s
}
