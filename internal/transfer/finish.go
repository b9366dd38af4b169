package transfer

import (
	"errors"
	"maps"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// finish puts the files under their final names, on a goroutine of its own.
func (t *Transfer) finish() {
	if t.finishing || t.isComplete() || !t.done() {
		return
	}
	t.finishing = true
	have, roots := t.have.Clone(), maps.Clone(t.roots)
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		t.mail.put(event{kind: evFinished, err: t.finishFiles(have, roots)})
	}()
}

func (t *Transfer) finishFiles(have *content.Bitfield, roots map[int]content.Hash) error {
	if err := t.checkRoots(have, roots); err != nil {
		return err
	}
	if err := t.whenRoom(t.store.Sync); err != nil {
		return err
	}
	return t.whenRoom(t.store.Finish)
}

// checkRoots makes sure of the v2 half of a hybrid whose piece layers no peer
// told: they were computed on arrival, or are from what is stored, and must lead
// to the root of each file. Nothing is finished before.
func (t *Transfer) checkRoots(have *content.Bitfield, roots map[int]content.Hash) error {
	m := t.manifest
	if !m.HasV1 || !m.HasV2 || t.layers.Complete() {
		return nil
	}
	var scratch []byte
	for i := range m.Files {
		f := &m.Files[i]
		if f.Length == 0 || t.layers.File(i) != nil {
			continue
		}
		first := int(f.Offset / m.PieceLength)
		last := int((f.Offset + f.Length - 1) / m.PieceLength)
		hashes := make([]content.Hash, 0, last-first+1)
		for p := first; p <= last && have.Has(p); p++ {
			if t.ctx.Err() != nil {
				return fault.Wrap(fault.Closed, t.ctx.Err())
			}
			if root, ok := roots[p]; ok {
				hashes = append(hashes, root)
				continue
			}
			data := grow(&scratch, m.PieceSize(p))
			if err := t.store.ReadAt(data, p, 0); err != nil {
				return err
			}
			hashes = append(hashes, m.PieceRoot(p, content.Leaves(nil, data)))
		}
		if len(hashes) <= last-first { // not selected
			continue
		}
		if err := t.layers.SetFile(i, hashes); err != nil {
			return fault.Errorf(fault.Conflict, "file %q fits its v1 hashes and not its v2 root", f.Path)
		}
	}
	return nil
}

// finished takes the outcome.
func (t *Transfer) finished(err error) {
	t.finishing = false
	switch {
	case errors.Is(err, fault.Closed):
		return
	case err != nil && t.reconcile(err):
		t.finish()
		return
	case err != nil:
		t.fail(err)
		return
	case !t.done(): // a piece was lost meanwhile
		return
	}
	t.complete = t.now
	t.limits.freeze(t.fromPeers+t.fromOrigin > 0)
	if t.layers != nil && !t.layersDone {
		t.layersGrew()
	}
	close(t.completed)
	t.log.Info("complete", "name", t.manifest.Name)
	t.tickOrigins()
	t.sayUploadOnly()
	t.wakeFinders()
}
