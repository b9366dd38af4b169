package node

import (
	"cmp"
	"context"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// handshakeTime is how long an admitted connection may take to say which swarm
// it wants.
const handshakeTime = 5 * time.Second

// registry is the node's items, by ID and by swarm key. It answers the transport's
// questions.
type registry struct {
	mu    sync.RWMutex // guards the fields below
	byID  map[string]*Item
	byKey map[content.SHA1]*Item
}

var _ transport.Shares = (*registry)(nil)

func (r *registry) init() {
	r.byID, r.byKey = map[string]*Item{}, map[content.SHA1]*Item{}
}

// add makes it known; fault.Exists when a key of it is taken.
func (r *registry) add(it *Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.byID[it.id]; old != nil {
		return fault.Errorf(fault.Exists, "the node has it already, as %s", old.id)
	}
	for _, k := range it.keys {
		if old := r.byKey[k]; old != nil {
			return fault.Errorf(fault.Exists, "the node has it already, as %s", old.id)
		}
	}
	r.byID[it.id] = it
	for _, k := range it.keys {
		r.byKey[k] = it
	}
	return nil
}

func (r *registry) remove(it *Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[it.id] == it {
		delete(r.byID, it.id)
	}
	for _, k := range it.keys {
		if r.byKey[k] == it {
			delete(r.byKey, k)
		}
	}
}

// get returns the item with that ID or unambiguous beginning of one.
func (r *registry) get(id string) (*Item, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if it := r.byID[id]; it != nil {
		return it, true
	}
	var found *Item
	for full, it := range r.byID {
		if len(id) >= 2 && len(id) < len(full) && full[:len(id)] == id {
			if found != nil {
				return nil, false
			}
			found = it
		}
	}
	return found, found != nil
}

// all returns the items, oldest first.
func (r *registry) all() []*Item {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*Item, 0, len(r.byID))
	for _, it := range r.byID {
		list = append(list, it)
	}
	slices.SortFunc(list, func(a, b *Item) int {
		return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.id, b.id))
	})
	return list
}

func (r *registry) lookup(key content.SHA1) *Item {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byKey[key]
}

// PublicKeys implements transport.Shares.
func (r *registry) PublicKeys() iter.Seq[content.SHA1] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var keys []content.SHA1
	for k, it := range r.byKey {
		if it.audience == peer.Public {
			keys = append(keys, k)
		}
	}
	return slices.Values(keys)
}

// Share implements transport.Shares.
func (r *registry) Share(key content.SHA1) (transport.Share, bool) {
	it := r.lookup(key)
	if it == nil || it.audience == peer.Public {
		return transport.Share{}, false
	}
	return transport.Share{Secret: it.secret, Audience: it.audience, Guard: it.guard.contract()}, true
}

// accept routes incoming connections until the listener closes. How many wait
// for their handshake is bounded by the listener's own limit on connections.
func (n *Node) accept() {
	for {
		c, err := n.listener.Accept()
		if err != nil {
			if fault.KindOf(err) != fault.Closed {
				n.log.Error("accept", "err", err)
			}
			return
		}
		n.wait.Go(func() { n.route(c) })
	}
}

// route reads the BitTorrent handshake of c and hands it to the transfer it asks
// for. The transfer judges the audience.
func (n *Node) route(c transport.Conn) {
	stop := context.AfterFunc(n.ctx, func() { _ = c.Close() })
	hs, err := readHandshake(c)
	if !stop() || err != nil {
		n.log.Debug("incoming connection refused", "remote", c.Remote(), "err", err)
		_ = c.Close()
		return
	}
	it := n.reg.lookup(hs.Key)
	if it == nil || !c.Key().IsZero() && n.reg.lookup(c.Key()) != it || !it.admit(c, hs) {
		n.log.Debug("incoming connection for no share of ours", "remote", c.Remote())
		_ = c.Close()
	}
}

func readHandshake(c transport.Conn) (wire.Handshake, error) {
	var hs wire.Handshake
	if err := c.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return hs, err
	}
	var buf [wire.HandshakeLen]byte
	if _, err := io.ReadFull(c, buf[:]); err != nil {
		return hs, err
	}
	hs, err := wire.ParseHandshake(buf[:])
	if err != nil {
		return hs, err
	}
	return hs, c.SetDeadline(time.Time{})
}
