package catalogtest

import (
	"slices"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

func (h *history) chargeDownload() {
	id, remote, n := h.linkID(), h.remote(), int64(h.pick("bytes", 9)-1)
	h.failed("charge download", h.tx.Links.ChargeDownload(id, remote, n), h.m.chargeDownload(id, remote, n))
}

func (m *memory) chargeDownload(id catalog.LinkID, remote string, n int64) error {
	if n < 0 {
		return fault.Invalid
	}
	if d, ok := m.downloads[downloadKey{id, remote}]; ok {
		d.had += n
		m.downloads[downloadKey{id, remote}] = d
	}
	return nil
}

func (h *history) settleLink() {
	id, node := h.linkID(), h.node()
	h.failed("settle link", h.tx.Links.SettleLink(id, node), h.m.settleLink(id, node))
}

func (m *memory) settleLink(id catalog.LinkID, node catalog.NodeID) error {
	l, n := m.links[id], m.nodes[node]
	if l == nil || n == nil || l.Pending == "" || n.Collection != l.Collection {
		return fault.NotFound
	}
	l.Node, l.Pending = node, ""
	return nil
}

// readSwarmLinks looks links up in the ways that swarms do.
func (h *history) readSwarmLinks(limit int) {
	key := content.SHA1{1, byte(h.pick("sha1", 4))}
	if h.pick("by v2", 2) == 1 {
		key = hash(byte(h.pick("share", 4))).Truncated()
	}
	oldest := func(ok func(*catalog.Link) bool) []catalog.Link {
		list := h.m.linksThat(func(l *catalog.Link) bool { return l.Revoked.IsZero() && ok(l) })
		slices.Reverse(list)
		return list[:min(limit, len(list))]
	}
	list, err := h.tx.Links.PublicLinks(key, limit)
	agree(h, "public links", list, err, oldest(func(l *catalog.Link) bool {
		return !key.IsZero() && l.Audience == peer.Public && (l.Meta.V1 == key || l.Meta.Share.Truncated() == key)
	}), nil)
	list, err = h.tx.Links.PendingLinks(limit)
	agree(h, "pending links", list, err, oldest(func(l *catalog.Link) bool { return l.Pending != "" }), nil)
	list, err = h.tx.Links.CopiedLinks(limit)
	agree(h, "copied links", list, err, oldest(func(l *catalog.Link) bool {
		return l.Copies > 0 && l.Torrent == catalog.TorrentMade
	}), nil)
}
