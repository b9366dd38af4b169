package transfer

import (
	"strings"

	"tandem/internal/fault"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// clientName is what the extension handshake calls us.
const clientName = "tandem"

// queueIn is how many requests of one peer we queue, and say so (reqq).
const queueIn = 256

// private reports whether the content is known to be private (BEP 27).
func (t *Transfer) private() bool { return t.manifest != nil && t.manifest.Private }

// extendedHello sends the extension handshake (BEP 10).
func (t *Transfer) extendedHello(c *conn) {
	h := wire.ExtHandshake{
		M: wire.OurExtensions(!t.private()), ReqQ: queueIn, Client: clientName, Port: t.cfg.Port,
		YourIP: c.nc.Remote().Addr().Unmap(), UploadOnly: t.isComplete(),
	}
	if t.torrent != nil {
		h.MetadataSize = len(t.torrent.Info)
	}
	t.post(c, &wire.Message{ID: wire.Extended, Payload: wire.AppendExtHandshake(nil, &h)})
}

// extended takes an extension message.
func (t *Transfer) extended(c *conn, m *wire.Message) error {
	if !c.hs.Extended() {
		return fault.Errorf(fault.Protocol, "extension message without the extension protocol")
	}
	switch m.Ext {
	case wire.ExtHandshakeID:
		h, err := wire.ParseExtHandshake(m.Payload)
		if err != nil {
			return err
		}
		t.extHandshake(c, h)
		return t.strike(c)
	case wire.ExtMetadata:
		msg, err := wire.ParseMetadata(m.Payload)
		if err != nil {
			return err
		}
		return t.metadata(c, &msg)
	case wire.ExtPEX:
		p, err := wire.ParsePEX(m.Payload)
		if err != nil {
			return err
		}
		t.pex(c, &p)
		return t.strike(c)
	case wire.ExtUploadOnly:
		on, err := wire.ParseUploadOnly(m.Payload)
		if err != nil {
			return err
		}
		c.uploads = on
	case wire.ExtDocument:
		return t.document(c, m.Payload)
	case wire.ExtFetching:
		return t.takeNotice(c, m.Payload)
	}
	return t.strike(c)
}

// extHandshake takes an extension handshake; a later one changes what an earlier
// one said.
func (t *Transfer) extHandshake(c *conn, h wire.ExtHandshake) {
	if !c.extDone {
		c.ext = h
	}
	for name, id := range h.M {
		if c.ext.M == nil {
			c.ext.M = map[string]uint8{}
		}
		c.ext.M[name] = id
	}
	if h.MetadataSize > 0 {
		c.ext.MetadataSize = h.MetadataSize
	}
	if h.Client != "" {
		c.client = h.Client
	}
	c.uploads = h.UploadOnly
	if h.ReqQ > 0 {
		c.ext.ReqQ = h.ReqQ
		if c.joined {
			t.sw.ReqQ(c.id, h.ReqQ)
		}
	}
	if !c.extDone {
		c.extDone = true
		t.know(c)
		t.pexGen++
		t.introduce(c)
	}
	t.askMetadata()
}

// know notes where an incoming peer listens, so that it is not dialed as well.
func (t *Transfer) know(c *conn) {
	if c.entry != nil {
		return
	}
	addr, ok := c.listenAddr()
	if !ok {
		return
	}
	if e := t.book.add(addr, "peer", c.global()); e != nil && e.conn == nil {
		e.conn, c.entry = c, e
	}
}

// tandem reports whether the other side is a tandem node.
func (c *conn) tandem() bool {
	return strings.HasPrefix(string(c.hs.PeerID[:]), "-TD") && strings.HasPrefix(c.ext.Client, clientName)
}

// number returns the peer's number of an extension message, 0 if it has none.
func (c *conn) number(name string) uint8 { return c.ext.M[name] }

// sayUploadOnly tells peers that we want nothing any more (BEP 21).
func (t *Transfer) sayUploadOnly() {
	for _, c := range t.conns {
		if id := c.number(wire.NameUploadOnly); id != 0 {
			t.post(c, &wire.Message{ID: wire.Extended, Ext: id, Payload: wire.AppendUploadOnly(nil, true)})
		}
	}
}

// global reports whether the peer is at a global address: it may then neither
// name local addresses nor be named them.
func (c *conn) global() bool { return transport.IsGlobal(c.nc.Remote().Addr()) }
