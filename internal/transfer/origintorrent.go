package transfer

import (
	"context"
	"time"

	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

// torrentTimeout bounds the wait for an origin's metadata: a server may have to
// hash first.
const torrentTimeout = time.Minute

// originTorrent is what an origin said when it was asked for metadata.
type originTorrent struct {
	o   *origin
	tor *metainfo.Torrent
	err error
}

// askTorrent asks an origin for metadata, or for piece layers, while they are
// unknown. Peers are asked at the same time.
func (t *Transfer) askTorrent(o *origin) {
	unknown := t.torrent == nil && !t.preparing
	bare := t.torrent != nil && t.layers != nil && !t.layersDone && !o.told
	if (!unknown && !bare) || !o.asking.IsZero() || t.now.Before(o.next) {
		return
	}
	o.asking = t.now
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		ctx, cancel := context.WithTimeout(t.ctx, torrentTimeout)
		defer cancel()
		tor, err := o.src.Torrent(ctx)
		t.mail.put(event{kind: evTorrent, body: originTorrent{o, tor, err}})
	}()
}

// originTold takes the metadata of an origin. It is used if it is what was asked
// for, whoever else is about to bring it.
func (t *Transfer) originTold(r originTorrent) {
	o := r.o
	o.asking = time.Time{}
	if o.parted {
		return
	}
	switch {
	case r.err != nil:
		t.originFailed(o, r.err)
		return
	case r.tor == nil || r.tor.Manifest == nil || !t.isInfo(r.tor.Info):
		t.originFailed(o, fault.Errorf(fault.Changed, "%s: has other content than the link names", o.src.Name()))
		return
	}
	o.state, o.err, o.fails = originOK, nil, 0
	switch {
	case t.preparing: // asked again if layers are missing then
	case t.torrent == nil:
		o.told = true
		t.meta = metaFetch{}
		for _, c := range t.conns {
			c.metaAsked = 0
		}
		t.prepareLater(r.tor, nil, true)
	default:
		o.told = true
		t.learnLayers(r.tor)
	}
}

// learnLayers takes the piece layers that are still unknown from tor.
func (t *Transfer) learnLayers(tor *metainfo.Torrent) {
	if t.layers == nil || t.layersDone || tor.Layers == nil {
		return
	}
	for i := range t.manifest.Files {
		if t.manifest.Files[i].Length == 0 || t.layers.File(i) != nil {
			continue
		}
		if hashes := tor.Layers.File(i); hashes != nil {
			if err := t.layers.SetFile(i, hashes); err != nil {
				t.log.Warn("the server's piece layer does not fit", "file", i, "err", err)
			}
		}
	}
	t.layersGrew()
}
