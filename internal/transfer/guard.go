package transfer

import (
	"bytes"
	"slices"
	"time"

	"tandem/internal/fault"
	"tandem/internal/transport"
	"tandem/internal/wire"
)

// Limits on signed documents.
const (
	keptDocs  = 32      // spread to peers that connect later
	docBurst  = 64      // taken from one peer at once
	docRate   = 4       // and per second
	maxNotice = 1 << 16 // notices taken from one peer in a second
)

// credentials are what the owner knows of signed documents.
type credentials struct {
	docs    [][]byte // spread so far, the newest last; at most keptDocs
	refusal error    // the last; nil: none, or a peer was met since
}

// papers are the signed documents of one connection.
type papers struct {
	shown     []byte // its newest capability, nil without a guard
	presented []byte // ours that it knows; nil: we cannot say
	docsAt    time.Time
	docsLeft  float64 // that may come now
	notices   int     // of this second
	fetching  []int   // pieces to tell once it has numbered its messages
}

// shown returns the capability that was shown on a new connection.
func shown(nc transport.Conn) []byte {
	if g, ok := nc.(transport.Guarded); ok {
		return g.Shown()
	}
	return nil
}

// spread passes doc on and judges everybody again.
func (t *Transfer) spread(doc []byte) {
	if t.cfg.Guard == nil {
		return
	}
	known := slices.ContainsFunc(t.docs, func(d []byte) bool { return bytes.Equal(d, doc) })
	if len(doc) > 0 && len(doc) <= wire.MaxDocument && !known {
		if len(t.docs) == keptDocs {
			t.docs = slices.Delete(t.docs, 0, 1)
		}
		t.docs = append(t.docs, doc)
		for _, c := range t.conns {
			t.sendDocument(c, doc)
		}
	}
	t.judgeAll()
}

// judgeAll ends the connections to those who may not take part, or no longer, and
// shows the others our newest capability.
func (t *Transfer) judgeAll() {
	if t.cfg.Guard == nil {
		return
	}
	mine := t.cfg.Guard.Present()
	for _, c := range slices.Clone(t.conns) {
		if c.gone {
			continue
		}
		if err := t.cfg.Guard.Check(c.nc.Peer(), c.shown); err != nil {
			t.refusal = fault.Errorf(fault.Refused, "capability of %s: %w", c.key, err)
			t.log.Info("peer may not take part any more", "peer", c.key, "why", err)
			t.drop(c, fault.Refused, err.Error())
			continue
		}
		t.present(c, mine)
	}
}

// present shows c our capability unless it knows it.
func (t *Transfer) present(c *conn, doc []byte) {
	if len(doc) > 0 && !bytes.Equal(doc, c.presented) && t.sendDocument(c, doc) {
		c.presented = slices.Clone(doc)
	}
}

func (t *Transfer) sendDocument(c *conn, doc []byte) bool {
	id := c.number(wire.NameDocument)
	if id == 0 || c.gone {
		return false
	}
	t.post(c, &wire.Message{ID: wire.Extended, Ext: id, Payload: doc})
	return true
}

// introduce tells a peer that has just numbered its messages what others were told
// before.
func (t *Transfer) introduce(c *conn) {
	if t.cfg.Guard != nil {
		for _, doc := range t.docs {
			t.sendDocument(c, doc)
		}
		t.present(c, t.cfg.Guard.Present())
	}
	for _, piece := range c.fetching {
		t.notice(c, piece, true)
	}
	c.fetching = nil
}

// document takes a signed document that c passed on. One that makes c welcome is
// its own newest capability; what else it may be, the node knows.
func (t *Transfer) document(c *conn, payload []byte) error {
	doc, err := wire.ParseDocument(payload)
	if err != nil {
		return err
	}
	if t.cfg.Guard == nil {
		return t.strike(c)
	}
	if c.docsAt.IsZero() {
		c.docsLeft = docBurst
	} else {
		c.docsLeft = min(docBurst, c.docsLeft+docRate*t.now.Sub(c.docsAt).Seconds())
	}
	c.docsAt = t.now
	if c.docsLeft < 1 {
		return t.strike(c)
	}
	c.docsLeft--
	if t.cfg.Guard.Check(c.nc.Peer(), doc) == nil {
		c.shown = doc
	}
	if t.cfg.OnDocument != nil {
		t.cfg.OnDocument(doc)
	}
	return nil
}

// noticed reports whether c is a tandem node, which takes notices. Its numbers of
// messages may still be to come.
func (c *conn) noticed() bool {
	return c.hs.Extended() && bytes.HasPrefix(c.hs.PeerID[:], []byte("-TD"))
}

// notice tells c that we fetch a piece from far away, or no longer do.
func (t *Transfer) notice(c *conn, piece int, on bool) {
	id := c.number(wire.NameFetching)
	if id == 0 {
		i := slices.Index(c.fetching, piece)
		switch {
		case c.extDone: // it takes none
		case on && i < 0 && len(c.fetching) < maxNotice:
			c.fetching = append(c.fetching, piece)
		case !on && i >= 0:
			c.fetching = slices.Delete(c.fetching, i, i+1)
		}
		return
	}
	f := wire.Fetching{Piece: piece, On: on}
	t.post(c, &wire.Message{ID: wire.Extended, Ext: id, Payload: wire.AppendFetching(nil, &f)})
}

// takeNotice takes what c says about a piece that it fetches from far away.
func (t *Transfer) takeNotice(c *conn, payload []byte) error {
	f, err := wire.ParseFetching(payload)
	if err != nil {
		return err
	}
	if c.notices++; c.notices > maxNotice {
		return fault.Errorf(fault.Protocol, "floods us with notices")
	}
	if t.sw == nil {
		return nil
	}
	if f.Piece >= t.manifest.NumPieces() {
		return fault.Errorf(fault.Protocol, "notice of piece %d, there are %d", f.Piece, t.manifest.NumPieces())
	}
	t.sw.PeerFetching(t.now, c.id, f.Piece, f.On)
	return nil
}
