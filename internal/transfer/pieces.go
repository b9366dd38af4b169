package transfer

import (
	"errors"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/swarm"
)

// prepared is what the transfer works on once the metadata is known.
type prepared struct {
	torrent *metainfo.Torrent
	store   store.Pieces
	have    *content.Bitfield
	suspect *content.Bitfield
	wanted  *content.Bitfield
	err     error
}

// prepareLater parses the metadata if it came from peers, as info, and opens the
// store, on a goroutine of its own: both may take long. save keeps the metadata for
// a restart.
func (t *Transfer) prepareLater(tor *metainfo.Torrent, info []byte, save bool) {
	t.preparing = true
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		p := t.prepare(tor, info, save)
		if !t.mail.put(event{kind: evPrepared, body: p}) && p.store != nil {
			_ = p.store.Close()
		}
	}()
}

func (t *Transfer) prepare(tor *metainfo.Torrent, info []byte, save bool) (p prepared) {
	if tor == nil {
		if tor, p.err = metainfo.FromInfo(info); p.err != nil {
			p.err = fault.Errorf(fault.Invalid, "metadata from peers: %w", p.err)
			return p
		}
	}
	if !t.cfg.Want.IsZero() && (!tor.Manifest.HasV2 || tor.Manifest.InfoHash2 != t.cfg.Want) {
		p.err = fault.Errorf(fault.Invalid, "metadata is not that of the ticket")
		return p
	}
	if tor.Manifest.HasV2 && tor.Layers == nil {
		whole := *tor
		whole.Layers = content.NewLayers(tor.Manifest)
		tor = &whole
	}
	p.torrent = tor
	if p.store, p.err = t.cfg.Open(tor); p.err != nil {
		return p
	}
	p.have, p.suspect = p.store.Have(), p.store.Suspect()
	p.wanted = t.selected(tor.Manifest)
	if save && t.cfg.SaveTorrent != nil {
		if err := t.cfg.SaveTorrent(tor); err != nil {
			t.log.Warn("keep metadata for a restart", "err", err)
		}
	}
	return p
}

// selected returns the pieces of the files to fetch, nil for all. A piece that
// two files share (v1) is fetched for either.
func (t *Transfer) selected(m *content.Manifest) *content.Bitfield {
	if t.cfg.Select == nil {
		return nil
	}
	files := t.cfg.Select(m)
	if files == nil {
		return nil
	}
	want := content.NewBitfield(m.NumPieces())
	for i, f := range m.Files {
		if i >= len(files) || !files[i] || f.Length == 0 || f.Pad {
			continue
		}
		for p := f.Offset / m.PieceLength; p <= (f.Offset+f.Length-1)/m.PieceLength; p++ {
			want.Set(int(p))
		}
	}
	return want
}

// prepared starts the swarm.
func (t *Transfer) prepared(p prepared) {
	t.preparing = false
	t.store = p.store
	if p.err != nil {
		t.fail(p.err)
		return
	}
	t.torrent, t.manifest, t.layers = p.torrent, p.torrent.Manifest, p.torrent.Layers
	m := t.manifest
	if m.HasV2 {
		t.layersDone = t.layers.Complete()
	}
	t.hashing.Store(true)
	if t.cfg.Audience == peer.Public {
		t.keys = m.Keys()
	}
	t.pieces.Store(int64(m.NumPieces()))
	t.have, t.wanted = p.have.Clone(), p.wanted
	if m.HasV1 && m.HasV2 {
		t.roots = map[int]content.Hash{}
	}
	if m.Private {
		t.syncFinders()
	}
	t.wg.Add(1 + hashWorkers())
	go t.writeBehind()
	for range hashWorkers() {
		go t.hash()
	}
	t.countLeft()
	close(t.ready)
	for _, c := range t.conns {
		c.rd.SetPieces(m.NumPieces())
		c.v2 = c.v2 || t.isV2Key(c.hs.Key) // a magnet link names one key, and we did not know which
		if c.hs.Extended() {               // the metadata can be had from us now
			t.extendedHello(c)
		}
	}
	if p.suspect != nil && p.suspect.Count() > 0 {
		t.checking = p.suspect
		t.checkSuspects(p.suspect.Clone())
	}
	t.startSwarm()
}

// startSwarm begins to exchange pieces. What a crash left behind is hashed
// meanwhile; the swarm leaves it alone until then.
func (t *Transfer) startSwarm() {
	cfg := swarm.Config{
		Geometry: t.manifest, Have: t.have.Clone(), Wanted: t.wanted, Rand: t.random(), MaxQueuedIn: queueIn,
	}
	if t.checking != nil {
		cfg.Suspect = t.checking.Clone()
	}
	t.sw = swarm.New(cfg)
	if t.paused {
		t.sw.Pause(t.now, true)
	}
	t.joinAll()
	t.tickOrigins()
	t.act()
	t.askLayers()
	if t.done() { // nothing to fetch: do not wait for somebody to connect
		t.finish()
	}
}

// joinAll makes the swarm know the connections that came before it.
func (t *Transfer) joinAll() {
	for _, c := range append([]*conn(nil), t.conns...) {
		t.join(c)
		t.act()
		if c.gone {
			continue
		}
		if c.ext.ReqQ > 0 {
			t.sw.ReqQ(c.id, c.ext.ReqQ)
		}
		if err := t.replay(c); err != nil {
			t.drop(c, fault.KindOf(err), err.Error())
		}
		t.act()
	}
}

// verified takes the outcome of a Verify.
func (t *Transfer) verified(piece int, err error) {
	switch {
	case err == nil && t.storeFaults > 0 && !t.store.Have().Has(piece): // taken back meanwhile
		t.verifyLater(t.arrived(piece))
	case err == nil:
		t.gained(piece)
		if leaves := t.leaves[piece]; t.roots != nil && leaves != nil {
			if _, known := t.layers.Piece(piece); !known {
				t.roots[piece] = t.manifest.PieceRoot(piece, leaves)
			}
		}
		t.forgetLeaves(piece)
		delete(t.arrivals, piece)
		t.sw.PieceVerified(t.now, piece, true)
		t.finish() // the swarm says Complete once, and pieces may have been lost since
	case errors.Is(err, errUnknown):
		if _, known := t.layers.Piece(piece); known { // by now
			t.verifyLater(t.arrived(piece))
			return
		}
		t.awaiting = append(t.awaiting, piece)
	case errors.Is(err, fault.Corrupt):
		t.log.Warn("piece does not match its hash", "piece", piece)
		t.sw.PieceVerified(t.now, piece, false)
	case errors.Is(err, fault.Closed):
	case t.reconcile(err):
		t.verifyLater(t.arrived(piece))
	default:
		t.fail(err)
	}
}

// checked takes the outcome of hashing a suspect piece, of which root is the v2
// hash.
func (t *Transfer) checked(piece int, root content.Hash, err error) {
	switch {
	case err == nil && t.storeFaults > 0 && !t.store.Have().Has(piece): // taken back meanwhile
		t.sw.PieceLost(t.now, piece)
	case err == nil:
		t.gained(piece)
		t.sw.PieceFound(t.now, piece)
		t.finish()
	case errors.Is(err, errUnknown):
		t.awaitCheck = append(t.awaitCheck, piece)
		t.compute(piece, root)
		return
	case errors.Is(err, fault.Corrupt), errors.Is(err, fault.NotFound):
		t.sw.PieceLost(t.now, piece)
	case errors.Is(err, fault.Closed):
		return
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.Changed), errors.Is(err, fault.Permission):
		t.fail(err)
		return
	default:
		t.log.Warn("piece cannot be read back", "piece", piece, "err", err)
		t.reconcile(err)
		t.sw.PieceLost(t.now, piece)
	}
	t.checking.Clear(piece)
	if t.checking.Count() == 0 {
		t.checking, t.computed = nil, nil
	}
}

// compute notes the v2 hash of a suspect piece whose piece layer is unknown. A
// file all of whose pieces were hashed tells its own layer, by its root; without
// that, or if something in it is bad, peers have to tell it.
func (t *Transfer) compute(piece int, root content.Hash) {
	if t.computed == nil {
		t.computed = map[int]content.Hash{}
	}
	t.computed[piece] = root
	m := t.manifest
	file := m.FileAt(int64(piece) * m.PieceLength)
	first := int(m.Files[file].Offset / m.PieceLength)
	n := int((m.Files[file].Length + m.PieceLength - 1) / m.PieceLength)
	if t.computedOf[file]++; t.computedOf[file] < n {
		t.recheck()
		return
	}
	hashes := make([]content.Hash, n)
	for i := range hashes {
		hashes[i] = t.computed[first+i]
	}
	if t.layers.SetFile(file, hashes) == nil {
		t.layersGrew()
	}
	t.recheck()
}

// recheck hands suspect pieces whose hash became known to the workers again.
func (t *Transfer) recheck() {
	wait := t.awaitCheck[:0]
	for _, piece := range t.awaitCheck {
		if _, known := t.layers.Piece(piece); !known {
			wait = append(wait, piece)
			continue
		}
		t.jobs.put(func(scratch *[]byte) { t.check(piece, scratch) })
	}
	t.awaitCheck = wait
}

// gained notes a verified piece.
func (t *Transfer) gained(piece int) {
	if t.have.Set(piece) && (t.wanted == nil || t.wanted.Has(piece)) {
		t.figures.left.Add(-int64(t.manifest.PieceSize(piece)))
	}
}

// countLeft counts what is still to come.
func (t *Transfer) countLeft() {
	var left int64
	for i := range t.manifest.NumPieces() {
		if !t.have.Has(i) && (t.wanted == nil || t.wanted.Has(i)) {
			left += int64(t.manifest.PieceSize(i))
		}
	}
	t.figures.left.Store(left)
}

// done reports whether every wanted piece is verified.
func (t *Transfer) done() bool {
	if t.have == nil {
		return false
	}
	if t.wanted == nil {
		return t.have.Full()
	}
	return !t.wanted.AnyNotIn(t.have)
}

// isComplete reports whether everything is verified and in place.
func (t *Transfer) isComplete() bool { return !t.complete.IsZero() }
