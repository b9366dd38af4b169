package node

import (
	"context"
	"errors"
	"fmt"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/store"
	"tandem/internal/store/disk"
)

// Seed checks what is there of a torrent and serves it. Errors are those of
// ParseSource and disk.OpenExisting, and ErrNothing.
func (n *Node) Seed(ctx context.Context, o SeedOptions, w Watch) (*Item, error) {
	it, err := n.seed(ctx, o, w, func(t *metainfo.Torrent, bad []BadPiece) error {
		if len(bad) == 0 {
			return nil
		}
		if len(bad) == t.Manifest.NumPieces() {
			return fmt.Errorf("%w, in %s: %w", ErrNothing, o.Dir, bad[0].Why)
		}
		w.warn(fmt.Sprintf("%d of %d pieces are missing or bad and are not served", len(bad), t.Manifest.NumPieces()))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("seed %s: %w", o.Torrent, err)
	}
	return it, nil
}

// Repair checks what is there of a torrent, tells report what is bad, fetches
// only that, and ends.
func (n *Node) Repair(ctx context.Context, o SeedOptions, w Watch, report func(*metainfo.Torrent, []BadPiece)) (*Item, error) {
	o.Repair = true
	it, err := n.seed(ctx, o, w, func(t *metainfo.Torrent, bad []BadPiece) error {
		report(t, bad)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("repair %s: %w", o.Torrent, err)
	}
	return it, nil
}

// Verify checks what is there of a torrent and returns what is bad of it.
func Verify(ctx context.Context, o SeedOptions, w Watch) (*metainfo.Torrent, []BadPiece, error) {
	t, err := readTorrent(o.Torrent)
	if err != nil {
		return nil, nil, err
	}
	pieces, err := disk.OpenExisting(o.Dir, t.Manifest, false)
	if err != nil {
		return nil, nil, fmt.Errorf("verify %s: %w", o.Torrent, err)
	}
	bad, err := check(ctx, t, pieces, w)
	if err = errors.Join(err, pieces.Close()); err != nil {
		return nil, nil, fmt.Errorf("verify %s: %w", o.Torrent, err)
	}
	return t, bad, nil
}

func (n *Node) seed(ctx context.Context, o SeedOptions, w Watch, judge func(*metainfo.Torrent, []BadPiece) error) (*Item, error) {
	src, err := ParseSource(o.Torrent)
	if err != nil {
		return nil, err
	}
	if src.Torrent == nil {
		return nil, fmt.Errorf("%w: only a .torrent file has all the hashes", ErrSource)
	}
	named, err := n.targets(ctx, o.Peers, src)
	if err != nil {
		return nil, err
	}
	t := src.Torrent
	kind := KindSeed
	if o.Repair {
		kind = KindRepair
	}
	pieces, err := disk.OpenExisting(o.Dir, t.Manifest, o.Repair)
	if err != nil {
		return nil, err
	}
	bad, err := check(ctx, t, pieces, w)
	if err == nil {
		err = judge(t, bad)
	}
	if err != nil {
		return nil, errors.Join(err, pieces.Close())
	}
	it, err := n.newItem(kind, t.Manifest.Name, o.Dir, src)
	if err != nil {
		return nil, errors.Join(err, pieces.Close())
	}
	it.record = record{Seed: &o}
	p := plan{
		torrent: t, trackers: append(src.Trackers, tiers(o.Trackers)...), peers: named, common: o.Common, keep: Forever,
		open: func(*metainfo.Torrent) (store.Pieces, error) { return pieces, nil },
	}
	if o.Repair {
		p.keep = 0
	} else {
		n.mapPort()
		p.link = n.shareLink(ctx, t, nil)
		if len(bad) > 0 {
			p.pick = func(m *content.Manifest) []bool { return make([]bool, len(m.Files)) }
		}
	}
	err = n.remember(it, t)
	if err == nil {
		err = it.start(p)
	}
	if err != nil {
		it.abandon(err)
		n.forget(it)
		return nil, errors.Join(err, pieces.Close())
	}
	return it, nil
}
