package transfer

import (
	"crypto/sha1"
	"crypto/sha256"
	"math"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/wire"
)

// Limits on the exchange of the info dictionary (BEP 9).
const (
	metaWindow  = 4               // requests outstanding to one peer
	metaTimeout = 5 * time.Second // for an answer
	metaRetry   = 2 * time.Second // before asking a peer again that rejected
)

// metaFetch gathers the info dictionary. One size is believed at a time; peers
// that claim another wait until the believed one has turned out wrong.
type metaFetch struct {
	size   int
	pieces []metaPiece
	left   int
	avoid  int   // a size whose claimants did not deliver: believed last
	alone  *conn // after a wrong hash: everything from one peer, to know who lied
	single bool
}

// metaPiece is one piece of the info dictionary.
type metaPiece struct {
	data []byte
	from *conn // who was asked, or who sent it
	at   time.Time
}

// askMetadata asks peers for pieces of the info dictionary that nobody was asked
// for.
func (t *Transfer) askMetadata() {
	if t.torrent != nil || t.preparing {
		return
	}
	f := &t.meta
	if f.size == 0 {
		t.chooseSize()
	}
	if f.size == 0 {
		return
	}
	fails := t.leastFails()
	for _, c := range t.conns {
		if !t.hasMetadata(c) || c.metaFails > fails {
			continue
		}
		id := c.number(wire.NameMetadata)
		if f.single {
			if f.alone == nil {
				f.alone = c
			}
			if f.alone != c {
				continue
			}
		}
		for i := range f.pieces {
			if c.metaAsked >= metaWindow {
				break
			}
			p := &f.pieces[i]
			if p.data != nil || p.from != nil {
				continue
			}
			p.from, p.at = c, t.now
			c.metaAsked++
			msg := wire.MetadataMsg{Type: wire.MetadataRequest, Piece: i}
			t.post(c, &wire.Message{ID: wire.Extended, Ext: id, Payload: wire.AppendMetadata(nil, &msg)})
		}
	}
}

// hasMetadata reports whether c may be asked for pieces of the info dictionary.
func (t *Transfer) hasMetadata(c *conn) bool {
	return c.number(wire.NameMetadata) != 0 && c.ext.MetadataSize == t.meta.size && !t.now.Before(c.metaWait)
}

// leastFails returns how often the best of those who may be asked failed us:
// who did not answer is asked again only when there is nobody better.
func (t *Transfer) leastFails() int {
	least := math.MaxInt
	for _, c := range t.conns {
		if t.hasMetadata(c) {
			least = min(least, c.metaFails)
		}
	}
	return least
}

// chooseSize believes the size that most peers claim.
func (t *Transfer) chooseSize() {
	votes := map[int]int{}
	best := 0
	for _, c := range t.conns {
		n := c.ext.MetadataSize
		if n <= 0 || c.number(wire.NameMetadata) == 0 {
			continue
		}
		votes[n]++
		if best == 0 || best == t.meta.avoid || (votes[n] > votes[best] && n != t.meta.avoid) {
			best = n
		}
	}
	if best > 0 {
		t.meta.start(best)
	}
}

// start begins anew with pieces for size bytes.
func (f *metaFetch) start(size int) {
	f.size = size
	f.left = wire.MetadataPieces(size)
	f.pieces = make([]metaPiece, f.left)
}

// metadata takes a metadata message.
func (t *Transfer) metadata(c *conn, m *wire.MetadataMsg) error {
	switch m.Type {
	case wire.MetadataRequest:
		return t.serveMetadata(c, m.Piece)
	case wire.MetadataData, wire.MetadataReject:
	default:
		return t.strike(c)
	}
	f := &t.meta
	if t.torrent != nil || t.preparing || m.Piece >= len(f.pieces) || f.pieces[m.Piece].from != c || f.pieces[m.Piece].data != nil {
		return t.strike(c) // not asked for, or no longer
	}
	p := &f.pieces[m.Piece]
	c.metaAsked--
	if m.Type == wire.MetadataReject {
		p.from = nil
		c.metaWait = t.now.Add(metaRetry)
		f.desert(c)
		t.askMetadata()
		return nil
	}
	if m.TotalSize != f.size {
		p.from = nil
		return fault.Errorf(fault.Protocol, "metadata of %d bytes, said %d", m.TotalSize, f.size)
	}
	p.data = slices.Clone(m.Data)
	if f.left--; f.left == 0 {
		t.metadataDone()
		return nil
	}
	t.askMetadata()
	return nil
}

// metadataDone checks what was gathered against the info-hash.
func (t *Transfer) metadataDone() {
	f := &t.meta
	info := make([]byte, 0, f.size)
	senders := map[*conn]bool{}
	for _, p := range f.pieces {
		info = append(info, p.data...)
		senders[p.from] = true
	}
	if t.isInfo(info) {
		t.meta = metaFetch{}
		t.prepareLater(nil, info, true)
		return
	}
	t.log.Warn("metadata does not match the info-hash", "bytes", len(info), "senders", len(senders))
	size := f.size
	for _, c := range t.conns {
		c.metaAsked = 0
	}
	f.size, f.pieces, f.alone = 0, nil, nil
	if len(senders) > 1 { // ask one peer at a time from now on, to know who lies
		f.single = true
		f.start(size)
		t.askMetadata()
		return
	}
	for c := range senders {
		if !c.gone {
			t.ban(c, fault.Corrupt, "sent metadata that does not match the info-hash")
		}
	}
	t.act()
	t.askMetadata()
}

// isInfo reports whether info is the info dictionary that was asked for.
func (t *Transfer) isInfo(info []byte) bool {
	v2 := content.Hash(sha256.Sum256(info))
	if !t.cfg.Want.IsZero() {
		return v2 == t.cfg.Want
	}
	v1 := content.SHA1(sha1.Sum(info))
	return slices.Contains(t.cfg.Keys, v1) || slices.Contains(t.cfg.Keys, v2.Truncated())
}

// forget takes back what c was asked for. It is called when c is gone.
func (f *metaFetch) forget(t *Transfer, c *conn) {
	again := false
	for i := range f.pieces {
		if p := &f.pieces[i]; p.from == c && p.data == nil {
			p.from = nil
			again = true
		}
	}
	again = again || f.alone == c
	f.desert(c)
	c.ext.MetadataSize = 0
	if again {
		t.askMetadata()
	}
}

// desert gives up on c as the only peer that is asked: what another sends must not
// be mixed with what it sent.
func (f *metaFetch) desert(c *conn) {
	if f.alone != c {
		return
	}
	f.alone = nil
	for i := range f.pieces {
		f.pieces[i] = metaPiece{}
	}
	f.left = len(f.pieces)
	c.metaAsked = 0
}

// timeMetadata asks others for what did not come in time, and gives up a size
// nobody claims any more.
func (t *Transfer) timeMetadata() {
	f := &t.meta
	if t.torrent != nil || t.preparing {
		return
	}
	claimed := false
	for _, c := range t.conns {
		claimed = claimed || c.ext.MetadataSize == f.size
	}
	if !claimed && f.size != 0 {
		f.size, f.pieces, f.alone = 0, nil, nil
	}
	late := false
	for i := range f.pieces {
		p := &f.pieces[i]
		if p.data == nil && p.from != nil && t.now.Sub(p.at) > metaTimeout {
			p.from.metaAsked--
			p.from.metaFails++
			from := p.from
			p.from = nil
			f.desert(from)
			late = true
		}
	}
	if late {
		t.otherSize()
	}
	t.askMetadata()
}

// otherSize believes another size, if anybody claims one, after a request for
// the believed one was not answered in time.
func (t *Transfer) otherSize() {
	f := &t.meta
	f.avoid = f.size
	for _, c := range t.conns {
		if n := c.ext.MetadataSize; n > 0 && n != f.size {
			f.size, f.pieces, f.alone = 0, nil, nil
			for _, c := range t.conns {
				c.metaAsked = 0
			}
			return
		}
	}
}

// serveMetadata answers a request for a piece of the info dictionary. A peer is
// served each piece twice on average, and nothing while it does not read.
func (t *Transfer) serveMetadata(c *conn, piece int) error {
	id := c.number(wire.NameMetadata)
	if id == 0 {
		return t.strike(c)
	}
	msg := wire.MetadataMsg{Type: wire.MetadataReject, Piece: piece}
	if t.torrent != nil {
		info := t.torrent.Info
		n := wire.MetadataPieces(len(info))
		if piece < n && c.metaServe < 2*n+8 && c.out.waiting()+len(c.ctl) < maxControl/2 {
			c.metaServe++
			at := piece * content.BlockSize
			msg = wire.MetadataMsg{
				Type: wire.MetadataData, Piece: piece, TotalSize: len(info),
				Data: info[at:min(at+content.BlockSize, len(info))],
			}
		}
	}
	t.post(c, &wire.Message{ID: wire.Extended, Ext: id, Payload: wire.AppendMetadata(nil, &msg)})
	if msg.Type == wire.MetadataReject {
		return t.strike(c)
	}
	return nil
}
