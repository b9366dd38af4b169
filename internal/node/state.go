package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/transfer"
)

// stateVersion is of the state file's format.
const stateVersion = 1

// record is what a restart needs of an item: one of the five, and, in a file of
// its own, the torrent.
type record struct {
	ID      string        `json:"id"`
	Started time.Time     `json:"started"`
	Share   *ShareOptions `json:"share,omitempty"`
	// InfoHash2, or InfoHash1 of a v1-only share, says what was shared: something
	// else at the same path must not be served under the old link.
	InfoHash1 []byte        `json:"infohash_v1,omitempty"`
	InfoHash2 []byte        `json:"infohash_v2,omitempty"`
	Get       *GetOptions   `json:"get,omitempty"`
	Seed      *SeedOptions  `json:"seed,omitempty"`
	Keep      *KeepOptions  `json:"keep,omitempty"`
	Offer     *OfferOptions `json:"offer,omitempty"`
}

// kept reports whether there is anything to take up again.
func (r record) kept() bool {
	return r.Share != nil || r.Get != nil || r.Seed != nil || r.Keep != nil || r.Offer != nil
}

func (r *record) setInfoHash(h infoHash) {
	if h.two.IsZero() {
		r.InfoHash1 = h.one[:]
	} else {
		r.InfoHash2 = h.two[:]
	}
}

func (r *record) infoHash() (h infoHash) {
	copy(h.one[:], r.InfoHash1)
	copy(h.two[:], r.InfoHash2)
	return h
}

// state is the state file. It holds the secrets of link shares: mode 0600.
type state struct {
	Version int      `json:"version"`
	Items   []record `json:"items"`
}

// stored returns the path of the torrent kept for an item.
func (n *Node) stored(id string) string {
	return filepath.Join(n.cfg.StateDir, "items", id+".torrent")
}

func (n *Node) statePath() string { return filepath.Join(n.cfg.StateDir, "node.json") }

// remember keeps it for the next start, with its torrent if that is known. It
// does nothing unless the node persists.
func (n *Node) remember(it *Item, t *metainfo.Torrent) error {
	if !n.cfg.Persist {
		return nil
	}
	if t != nil {
		data, err := t.Encode()
		if err == nil {
			err = os.MkdirAll(filepath.Dir(n.stored(it.id)), 0o700)
		}
		if err == nil {
			err = writeFile(n.stored(it.id), data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("keep torrent: %w", fileFault(err))
		}
		if g := it.record.Get; g != nil { // the user's file may go
			g.Source = n.stored(it.id)
		}
		if s := it.record.Seed; s != nil {
			s.Torrent = n.stored(it.id)
		}
	}
	return n.save()
}

// forget drops it for good.
func (n *Node) forget(it *Item) {
	n.reg.remove(it)
	if !n.cfg.Persist {
		return
	}
	n.pending.mu.Lock()
	delete(n.pending.list, it.id) // it may only just have been taken up
	n.pending.mu.Unlock()
	n.clear(it.id)
}

// clear removes what is kept of an item that is registered no more.
func (n *Node) clear(id string) {
	if err := n.save(); err != nil {
		n.log.Error("save state", "err", err)
	}
	if err := os.Remove(n.stored(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.log.Error("remove kept torrent", "item", id, "err", err)
	}
}

// save writes the state file from what is registered now.
func (n *Node) save() error {
	n.saving.Lock()
	defer n.saving.Unlock()
	if n.ctx.Err() != nil { // what ends now is to be taken up again
		return nil
	}
	s := state{Version: stateVersion, Items: []record{}}
	n.pending.mu.Lock()
	for id, w := range n.pending.list {
		if _, up := n.reg.get(id); !up {
			s.Items = append(s.Items, w.record)
		}
	}
	n.pending.mu.Unlock()
	for _, it := range n.reg.all() {
		if r := it.record; r.kept() {
			r.ID, r.Started = it.id, it.started
			s.Items = append(s.Items, r)
		}
	}
	data, err := json.MarshalIndent(s, "", "\t")
	if err == nil {
		err = writeFile(n.statePath(), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// restore takes up what the last run had, each item in the background.
func (n *Node) restore() error {
	data, err := os.ReadFile(n.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state: %w", fileFault(err))
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil || s.Version != stateVersion {
		return fault.Errorf(fault.Invalid, "read state: %s is damaged or of a newer tandem; move it away to start anew", n.statePath())
	}
	n.resume(s.Items)
	return nil
}

// waiting is an item of the last run that is not up again: it is being checked, or
// could not be taken up.
type waiting struct {
	record record
	cancel context.CancelFunc
	err    error // guarded by the node's pending.mu, as is the map
}

// pending are the items of the last run that are not up again, by ID.
type pending struct {
	mu   sync.Mutex // guards list and what it holds
	list map[string]*waiting
}

// resume starts the items of the last run. One that cannot go on stays to be
// looked at, with its error, until it is stopped.
func (n *Node) resume(items []record) {
	n.pending.list = map[string]*waiting{}
	for _, r := range items {
		ctx, cancel := context.WithCancel(n.ctx)
		n.pending.list[r.ID] = &waiting{record: r, cancel: cancel}
		n.wait.Go(func() {
			defer cancel()
			err := n.revive(ctx, r)
			if err != nil {
				n.log.Error("take up", "item", r.ID, "err", err)
			}
			n.pending.mu.Lock()
			defer n.pending.mu.Unlock()
			if w := n.pending.list[r.ID]; w != nil && err != nil {
				w.err = err
			} else {
				delete(n.pending.list, r.ID)
			}
		})
	}
}

// revive makes an item of the last run run again.
func (n *Node) revive(ctx context.Context, r record) error {
	var err error
	switch {
	case r.Share != nil:
		_, err = n.share(ctx, *r.Share, Watch{}, r.infoHash())
	case r.Get != nil:
		_, err = n.Get(ctx, *r.Get, Watch{})
	case r.Seed != nil:
		_, err = n.Seed(ctx, *r.Seed, Watch{})
	case r.Keep != nil && r.Keep.Until.After(n.clock()):
		_, err = n.Keep(ctx, *r.Keep, Watch{})
	case r.Offer != nil:
		_, err = n.offer(ctx, *r.Offer, Watch{}, true)
	}
	return err
}

// drop forgets an item of the last run that is not up again.
func (n *Node) drop(id string) bool {
	n.pending.mu.Lock()
	w := n.pending.list[id]
	delete(n.pending.list, id)
	n.pending.mu.Unlock()
	if w == nil {
		return false
	}
	w.cancel()
	n.clear(id)
	return true
}

// snapshot tells how far taking it up has come.
func (w *waiting) snapshot() Snapshot {
	s := Snapshot{ID: w.record.ID, State: string(transfer.Checking), Started: w.record.Started}
	switch r := w.record; {
	case r.Share != nil:
		s.Kind, s.Path, s.Name, s.Audience = KindShare, r.Share.Path, filepath.Base(r.Share.Path), r.Share.Audience.String()
	case r.Get != nil:
		s.Kind, s.Path = KindGet, r.Get.Dir
	case r.Seed != nil:
		s.Kind, s.Path = KindSeed, r.Seed.Dir
	case r.Keep != nil:
		s.Kind, s.Path, s.Until = KindKeep, r.Keep.Dir, r.Keep.Until
	case r.Offer != nil:
		s.Kind, s.Path, s.Name = KindOffer, r.Offer.Dir, r.Offer.Server.URL
	}
	if w.err != nil {
		s.State, s.Error, s.ErrorKind = string(transfer.Failed), w.err.Error(), fault.KindOf(w.err).String()
	}
	return s
}
