package transfer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/swarm"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// maxOutgoing is up to how many connections we dial by ourselves.
const maxOutgoing = 64

// dialSome starts dials while there is somebody to dial and room for it.
func (t *Transfer) dialSome() {
	if t.via() == ViaServer {
		return
	}
	limit := min(maxOutgoing, t.cfg.MaxConns)
	for t.dialing < maxDialing && len(t.conns)+t.dialing < limit {
		e := t.book.due(t.now, !t.isComplete(), t.far)
		if e == nil {
			return
		}
		to := e.want
		to.Addr, to.Audience, to.Key, to.Secret = e.addr, t.cfg.Audience, t.keys[e.key%len(t.keys)], t.cfg.Secret
		to.Global, to.MSE, to.Guard = e.global, e.mse, t.cfg.Guard
		e.dialing = true
		t.dialing++
		t.wg.Add(1)
		go t.dial(e, to, t.hello(to.Key, t.knowsV2()))
	}
}

// knowsV2 reports whether we would recognise a v2 key in an answer.
func (t *Transfer) knowsV2() bool {
	return t.cfg.Audience != peer.Public || len(t.keys) > 1 || (t.manifest != nil && t.manifest.HasV2)
}

// dialed takes the outcome of a dial.
func (t *Transfer) dialed(d dialed) {
	d.e.dialing = false
	t.dialing--
	if d.err != nil {
		d.e.failed(t.now)
		switch {
		case errors.Is(d.err, fault.Permission):
			d.e.never = true
		case errors.Is(d.err, errHungUp), errors.Is(d.err, fault.Refused): // of a hybrid it may know the other half only
			d.e.key++
		}
		if errors.Is(d.err, fault.Refused) {
			t.refusal = d.err
		}
		t.log.Debug("dial failed", "addr", d.e.addr, "err", d.err)
		return
	}
	d.e.mse = d.mse
	t.attach(d.nc, d.hs, d.e)
}

// turnAway closes nc. Is the other end ourselves, who dialed, it is answered
// first: from the answer it learns whom it dialed, and does not do so again.
func (t *Transfer) turnAway(nc transport.Conn, hs wire.Handshake, ours bool) {
	mine := t.hello(hs.Key, t.knowsV2())
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		if ours {
			_ = nc.SetWriteDeadline(time.Now().Add(handshakeTimeout))
			_, _ = nc.Write(mine.Append(nil))
		}
		_ = nc.Close()
	}()
}

// attach makes a connection on which handshakes were exchanged (outgoing: e is
// its entry) or read (incoming) part of the transfer, or closes it.
func (t *Transfer) attach(nc transport.Conn, hs wire.Handshake, e *entry) {
	c := &conn{nc: nc, hs: hs, key: peer.KeyOf(nc.Peer(), hs.PeerID, nc.Remote()), entry: e, since: t.now}
	c.near, c.shown = t.isNear(nc.Remote().Addr()), shown(nc)
	if err := t.accept(c); err != nil {
		if e != nil && errors.Is(err, fault.Refused) {
			t.refusal = err
		}
		t.log.Debug("connection refused", "peer", c.key, "err", err)
		if e != nil {
			e.failed(t.now)
			e.never = e.never || hs.PeerID == t.cfg.PeerID || t.bans.has(c.key)
		}
		t.turnAway(nc, hs, e == nil && errors.Is(err, errOurselves))
		return
	}
	if e != nil {
		e.conn, e.worked, e.fails = c, true, 0
	}
	t.refusal = nil
	t.nextID++
	c.id = t.nextID
	c.client = wire.ClientName(hs.PeerID)
	c.ctx, c.cancel = context.WithCancel(t.ctx)
	c.out.wake = make(chan struct{}, 1)
	limits := wire.Limits{Pieces: int(max(t.pieces.Load(), 0)), Block: func(n int) []byte { return c.blocks(n) }}
	if a, ok := nc.(transport.Awaiter); ok {
		limits.Await = a.Await
	}
	c.rd = wire.NewReader(nc, limits)
	c.lastRecv.Store(t.now.UnixNano())
	c.lastSent.Store(t.now.UnixNano())
	t.conns = append(t.conns, c)
	t.byID[c.id] = c
	t.byKey[c.key] = c
	t.greet(c)
	t.flush()
	t.wg.Add(2)
	go t.read(c)
	go t.write(c)
}

// accept applies what may speak against a connection: the audience, a ban, the
// number of connections, and one to the same peer that is there already.
func (t *Transfer) accept(c *conn) error {
	if t.via() == ViaServer {
		return fault.Errorf(fault.Refused, "this transfer uses the server alone")
	}
	if err := admit(c.nc, c.hs, t.share()); err != nil {
		return err
	}
	if t.bans.has(c.key) {
		return fault.Errorf(fault.Refused, "banned")
	}
	limit := t.cfg.MaxConns
	if !c.nc.Outgoing() {
		limit -= limit / 8 // for those we choose
	}
	if old := t.byKey[c.key]; old != nil {
		if !t.replaces(c, old) {
			return fault.Errorf(fault.Exists, "already connected")
		}
		t.drop(old, fault.Exists, "replaced by another connection")
		t.act()
	} else if len(t.conns) >= limit {
		return fault.Errorf(fault.Full, "enough connections")
	}
	return nil
}

// replaces decides between two connections to one peer so that both sides
// decide alike: of two nodes that dialed each other, the dial of the one with
// the smaller peer ID stays. A peer that was started again has a new one.
func (t *Transfer) replaces(c, old *conn) bool {
	if c.hs.PeerID != old.hs.PeerID {
		return true
	}
	if c.nc.Outgoing() == old.nc.Outgoing() {
		return false
	}
	oursIsSmaller := bytes.Compare(t.cfg.PeerID[:], c.hs.PeerID[:]) < 0
	return c.nc.Outgoing() == oursIsSmaller
}

// greet sends the first messages: our handshake if it is still owed, what we
// have, and the extension handshake.
func (t *Transfer) greet(c *conn) {
	c.v2 = t.cfg.Audience != peer.Public || t.isV2Key(c.hs.Key)
	if !c.nc.Outgoing() {
		key := c.hs.Key
		if !c.v2 && c.hs.V2() && t.manifest != nil && t.manifest.HasV2 && t.cfg.Audience == peer.Public {
			key, c.v2 = t.manifest.InfoHash2.Truncated(), true // BEP 52, upgrade path
		}
		mine := t.hello(key, t.knowsV2())
		c.ctl = mine.Append(c.ctl)
		t.touch(c)
	}
	if t.sw != nil {
		t.join(c)
		t.act()
	} else if c.fast() {
		t.post(c, &wire.Message{ID: wire.HaveNone})
		c.told = true
	}
	if c.gone {
		return
	}
	if c.hs.Extended() {
		t.extendedHello(c)
	}
	if c.hs.DHT() && t.cfg.DHTPort != 0 && t.cfg.Audience == peer.Public && !t.private() {
		t.post(c, &wire.Message{ID: wire.Port, Port: t.cfg.DHTPort})
	}
}

// isV2Key reports whether key is a truncated v2 info-hash of ours.
func (t *Transfer) isV2Key(key content.SHA1) bool {
	if t.manifest != nil {
		return t.manifest.HasV2 && key == t.manifest.InfoHash2.Truncated()
	}
	return len(t.keys) == 2 && key == t.keys[1]
}

// join makes the swarm know a connection.
func (t *Transfer) join(c *conn) {
	c.joined = true
	t.sw.Connect(t.now, c.id, swarm.Caps{
		Key: c.key, Fast: c.fast(), V2: c.v2, Outgoing: c.nc.Outgoing(), Tandem: c.noticed(), Near: c.near,
	})
}

// drop ends a connection.
func (t *Transfer) drop(c *conn, kind fault.Kind, text string) {
	if c.gone {
		return
	}
	c.gone = true
	t.log.Debug("connection closed", "peer", c.key, "kind", kind, "why", text)
	t.hangUp(c)
	delete(t.byID, c.id)
	if t.byKey[c.key] == c {
		delete(t.byKey, c.key)
	}
	if i := slices.Index(t.conns, c); i >= 0 {
		t.conns = slices.Delete(t.conns, i, i+1)
	}
	if e := c.entry; e != nil && e.conn == c {
		e.conn, e.seed = nil, c.seed || c.uploads
		e.next = t.now.Add(retryAfter(kind, t.now.Sub(c.since)))
	}
	t.pexGen++
	t.earlyBytes -= c.early.size()
	c.early = early{}
	t.meta.forget(t, c)
	t.forgetAsks(c)
	credit(t.sources, c.name(), c.accepted)
	credit(t.sinks, c.name(), c.sentTo)
	if c.joined {
		t.sw.Disconnect(t.now, c.id)
	}
}

// retryAfter says when to dial a peer again whose connection ended.
func retryAfter(kind fault.Kind, lasted time.Duration) time.Duration {
	switch {
	case kind == fault.Exists: // the other connection stays
		return 30 * time.Second
	case kind == fault.Protocol, kind == fault.Corrupt:
		return 10 * time.Minute
	case lasted < 5*time.Second:
		return 10 * time.Second
	}
	return 2 * time.Second
}

// ban is drop, and no connection to that peer from now on.
func (t *Transfer) ban(c *conn, kind fault.Kind, text string) {
	t.log.Warn("peer banned", "peer", c.key, "why", text)
	t.bans.add(c.key)
	if c.entry != nil {
		c.entry.never = true
	}
	t.drop(c, kind, text)
}

// maxNames bounds the peers that bytes are counted for by name.
const maxNames = 4096

// credit adds n bytes to a peer's account.
func credit(m map[string]int64, name string, n int64) {
	if n == 0 {
		return
	}
	if _, ok := m[name]; !ok && len(m) >= maxNames {
		name = "others"
	}
	m[name] += n
}

// name is what the accounts and people call a peer.
func (c *conn) name() string {
	if !c.key.ID.IsZero() {
		return c.key.ID.Short()
	}
	if a, ok := c.listenAddr(); ok {
		return a.String()
	}
	return c.nc.Remote().String()
}
