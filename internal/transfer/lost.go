package transfer

import "tandem/internal/fault"

// maxStoreFaults is how often a store may take verified pieces back before the
// device is given up.
const maxStoreFaults = 5

// lost notes that a verified piece is gone. It is fetched again if it is wanted.
func (t *Transfer) lost(piece int) {
	if !t.have.Clear(piece) {
		return
	}
	if t.wanted == nil || t.wanted.Has(piece) {
		t.figures.left.Add(int64(t.manifest.PieceSize(piece)))
	}
	if t.sw != nil {
		t.sw.PieceLost(t.now, piece)
	}
}

// reconcile is called with the error of a Commit, Sync or Finish. A store whose
// background sync failed says so once, there, and has taken back what may be
// lost (see store.Pieces): that is fetched again. It reports whether the call is
// to be made again; otherwise err stands.
func (t *Transfer) reconcile(err error) bool {
	switch fault.KindOf(err) {
	case fault.Other:
	default: // says what is wrong, and that it will stay so
		return false
	}
	kept, n := t.store.Have(), 0
	for i := t.have.Next(0); i >= 0; i = t.have.Next(i + 1) {
		if !kept.Has(i) {
			t.lost(i)
			n++
		}
	}
	t.storeFaults++
	t.log.Warn("the store failed: pieces are fetched again", "pieces", n, "err", err)
	return t.storeFaults <= maxStoreFaults
}
