package transfer

import (
	"net/netip"
	"slices"
	"strings"

	"tandem/internal/discover"
)

// lanFinder is the name of the finder that is joined also while peers that are not
// near are left alone.
const lanFinder = "lan"

// UseSwarm says whether peers that are not near are to be connected to. A transfer
// via both begins without them when it has an origin that answers, and with them
// when it has none.
func (t *Transfer) UseSwarm(on bool) { t.mail.put(event{kind: evUseSwarm, body: on}) }

// SpareOrigin says that origins are to be asked only for what no peer has.
func (t *Transfer) SpareOrigin(on bool) { t.mail.put(event{kind: evSpareOrigin, body: on}) }

// Spread passes a signed document on to connected peers and judges every connection
// again: after it, and after the guard has changed its mind for any other reason.
// nil spreads nothing but our own capability, if that has changed. Documents are
// kept, the newest 32, for peers that connect later; each peer is sent one once.
func (t *Transfer) Spread(doc []byte) {
	t.mail.put(event{kind: evSpread, body: slices.Clone(doc)})
}

// SetOrigins replaces the origins. One that stays is left as it is, but begins
// anew if it had been parted from for good.
func (t *Transfer) SetOrigins(origins ...Origin) {
	t.mail.put(event{kind: evOrigins, body: slices.Clone(origins)})
}

// hybrid is what the owner knows of the network model.
type hybrid struct {
	origins   []*origin
	far       bool // peers that are not near are used
	crowded   bool // the node said so last: the server has more to do than it can
	sparing   bool
	originSeq int
	heldBack  []held // the first due first

	joined map[string]*joining // finders, by name
}

// via is the network model.
func (t *Transfer) via() Via {
	if t.cfg.Via == "" {
		return ViaBoth
	}
	return t.cfg.Via
}

// useSwarm takes the node's word on peers that are not near.
func (t *Transfer) useSwarm(on bool) {
	t.crowded = on
	if t.via() == ViaBoth {
		t.setFar(on || !t.answering())
	}
}

// setFar begins or ceases to look for peers that are not near. Connections there
// are stay.
func (t *Transfer) setFar(on bool) {
	if t.far == on || t.via() != ViaBoth {
		return
	}
	t.far = on
	t.log.Debug("peers that are not near", "used", on)
	t.syncFinders()
}

// missOrigin is called when an origin does not answer: the swarm is on at once,
// until the node says otherwise.
func (t *Transfer) missOrigin() { t.setFar(true) }

// spareOrigins takes the node's word on sparing origins.
func (t *Transfer) spareOrigins(on bool) {
	t.sparing = on
	for _, o := range t.origins {
		if o.id != 0 {
			t.sw.Costly(t.now, o.id, on)
		}
	}
}

// isNear reports whether an address is on our local network.
func (t *Transfer) isNear(a netip.Addr) bool { return t.cfg.Near != nil && t.cfg.Near(a.Unmap()) }

// mayJoin reports whether a finder is to be used now.
func (t *Transfer) mayJoin(f discover.Finder) bool {
	switch {
	case t.via() == ViaServer:
		return false
	case t.private() && !strings.HasPrefix(f.Name(), "tracker"): // BEP 27
		return false
	}
	return t.far || f.Name() == lanFinder
}

// syncFinders joins and leaves finders, as is due now.
func (t *Transfer) syncFinders() {
	for _, f := range t.cfg.Finders {
		j, may := t.joined[f.Name()], t.mayJoin(f)
		switch {
		case may && j == nil:
			t.joinFinder(f)
		case !may && j != nil:
			j.leave()
			delete(t.joined, f.Name())
		}
	}
}
