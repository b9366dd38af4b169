package origin

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
)

// form is which halves the metadata of a share has.
type form uint8

// The forms.
const (
	formV2     form = iota // of links and places
	formHybrid             // of public links
	formV1                 // of public links for clients that cannot read hybrids
)

func formOf(l *catalog.Link) form {
	switch {
	case l == nil || l.Audience != peer.Public:
		return formV2
	case l.V1:
		return formV1
	}
	return formHybrid
}

func (f form) v1() bool { return f != formV2 }
func (f form) v2() bool { return f != formV1 }

// shared is a share: some content, described to nodes. It is not changed.
type shared struct {
	hash    content.Hash // v2 info-hash; without a v2 half the SHA-1 and zeros
	v1      content.SHA1
	print   content.Hash
	name    string
	total   int64
	pieces  int
	torrent []byte
	files   []string // of those that are no padding, in order; "" for a single file
}

func (sh *shared) metadata() catalog.Metadata {
	return catalog.Metadata{Share: sh.hash, V1: sh.v1, Print: sh.print, Total: sh.total}
}

// parseShared reads a .torrent. What of its names no server can have is refused.
func parseShared(torrent []byte) (*shared, *metainfo.Torrent, error) {
	t, err := metainfo.Parse(torrent)
	if err != nil {
		return nil, nil, err
	}
	m := t.Manifest
	sh := &shared{
		hash: m.InfoHash2, v1: m.InfoHash1, name: m.Name,
		total: m.TotalBytes(), pieces: m.NumPieces(), torrent: torrent,
	}
	if !m.HasV2 {
		copy(sh.hash[:], sh.v1[:])
	}
	for i := range m.Files {
		switch f := &m.Files[i]; {
		case f.Pad:
		case m.Single:
			sh.files = append(sh.files, "")
		default:
			sh.files = append(sh.files, joinNames(f.Path))
		}
	}
	return sh, t, nil
}

// printing sums up content, names and all but the topmost name.
type printing struct{ b []byte }

func newPrinting(single bool) *printing {
	p := &printing{b: []byte("tandem/v1/print\x00\x00")}
	if single {
		p.b[len(p.b)-1] = 1
	}
	return p
}

func (p *printing) add(path string, size int64, root content.Hash) {
	p.b = binary.BigEndian.AppendUint32(p.b, uint32(len(path)))
	p.b = append(p.b, path...)
	p.b = binary.BigEndian.AppendUint64(p.b, uint64(size))
	p.b = append(p.b, root[:]...)
	if len(p.b) > 1<<16 { // what is summed up so far stands for itself
		sum := sha256.Sum256(p.b)
		p.b = append(p.b[:0], sum[:]...)
	}
}

func (p *printing) sum() content.Hash { return sha256.Sum256(p.b) }

// printOf sums up what a .torrent with a v2 half describes, as printing does for a tree.
func printOf(m *content.Manifest) content.Hash {
	p := newPrinting(m.Single)
	for i := range m.Files {
		f := &m.Files[i]
		path := ""
		if !m.Single {
			path = joinNames(f.Path)
		}
		if !f.Pad {
			p.add(path, f.Length, f.Root)
		}
	}
	return p.sum()
}

// shareDesk remembers what places lead to.
type shareDesk struct {
	building chan struct{} // of capacity 1: one builds at a time

	mu     sync.Mutex // guards the fields below
	prints map[catalog.NodeID]printed
	known  map[shareKey]*shared
	size   int // bytes of .torrent in known
	failed map[catalog.LinkID]content.Hash
	queue  []queued // places whose content is to be hashed
}

// printed is a folder's print as of a change of the catalog.
type printed struct {
	print           content.Hash
	changed, writes int64
	at              time.Time
}

type shareKey struct {
	link catalog.LinkID // of what a link itself leads to; 0: by node
	node catalog.NodeID
	form form
}

// Bounds of shareDesk. What is forgotten is looked up again.
const (
	mostShares    = 4096
	mostMetadata  = 128 << 20
	mostQueued    = 64
	printFor      = 2 * time.Second // though something was changed elsewhere meanwhile
	hashedAtOnce  = 4 << 20
	metadataAfter = time.Second // when to ask again for metadata that is being made
)

func (d *shareDesk) open() {
	d.building = make(chan struct{}, 1)
	d.prints = make(map[catalog.NodeID]printed)
	d.known = make(map[shareKey]*shared)
	d.failed = make(map[catalog.LinkID]content.Hash)
}

func (d *shareDesk) get(k shareKey, print content.Hash) *shared {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sh := d.known[k]; sh != nil && sh.print == print {
		return sh
	}
	return nil
}

func (d *shareDesk) put(k shareKey, sh *shared) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.known[k]; old != nil {
		d.size -= len(old.torrent)
	}
	if len(d.known) >= mostShares || d.size+len(sh.torrent) > mostMetadata {
		clear(d.known)
		d.size = 0
	}
	d.known[k] = sh
	d.size += len(sh.torrent)
}

// errToHash is the answer while content is being hashed.
func errToHash() error {
	return retryLater(fault.Busy, metadataAfter, "what nodes need to know of it is being made: try again in a second")
}

// share returns the share that j leads to now. fault.Busy while its metadata is being made.
func (s *Server) share(ctx context.Context, j *joining) (*shared, error) {
	l := j.own()
	if j.pending {
		return s.keptShare(ctx, j.key(), l)
	}
	print, err := s.print(ctx, j.place)
	if err != nil {
		return nil, err
	}
	d := &s.swarm.shares
	if sh := d.get(j.key(), print); sh != nil {
		return sh, nil
	}
	if l != nil && l.Torrent == catalog.TorrentMade && l.Meta.Print == print {
		return s.keptShare(ctx, j.key(), l)
	}
	select {
	case d.building <- struct{}{}:
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Closed, ctx.Err())
	}
	defer func() { <-d.building }()
	if sh := d.get(j.key(), print); sh != nil {
		return sh, nil
	}
	return s.newShare(ctx, j)
}

// keptShare reads the share of a link whose metadata was made.
func (s *Server) keptShare(ctx context.Context, key shareKey, l *catalog.Link) (*shared, error) {
	if sh := s.swarm.shares.get(key, l.Meta.Print); sh != nil {
		return sh, nil
	}
	var torrent []byte
	err := s.cfg.Catalog.View(ctx, func(tx *catalog.Tx) (err error) {
		torrent, err = tx.Links.Torrent(l.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	sh, _, err := parseShared(torrent)
	if err != nil {
		return nil, fault.Errorf(fault.Corrupt, "metadata of link %d: %w", l.ID, err)
	}
	sh.print = l.Meta.Print
	s.swarm.shares.put(key, sh)
	return sh, nil
}

// newShare makes a share's metadata at once when that is quick, and has it made otherwise.
func (s *Server) newShare(ctx context.Context, j *joining) (*shared, error) {
	t, err := s.describe(ctx, j.place, j.form)
	if err != nil {
		return nil, err
	}
	sh, err := s.build(ctx, t, j.form, hashedAtOnce, nil)
	l := j.own()
	switch {
	case errors.Is(err, fault.Busy) && l != nil:
		return nil, errors.Join(s.wantTorrent(ctx, l, t.print), err)
	case errors.Is(err, fault.Busy):
		s.enqueue(queued{j.place, j.form})
		return nil, err
	case err != nil:
		return nil, err
	}
	if l != nil {
		if err := s.keepMetadata(ctx, l, sh); err != nil {
			return nil, err
		}
	}
	s.swarm.shares.put(j.key(), sh)
	return sh, nil
}

// wantTorrent has the metadata of a link made, unless it was found that it cannot.
func (s *Server) wantTorrent(ctx context.Context, l *catalog.Link, print content.Hash) error {
	d := &s.swarm.shares
	d.mu.Lock()
	failed := l.Torrent == catalog.TorrentFailed && d.failed[l.ID] == print
	d.mu.Unlock()
	if failed {
		return fault.Errorf(fault.Corrupt, "nodes cannot be told what this link leads to: its content is damaged")
	}
	if l.Torrent != catalog.TorrentWanted {
		err := s.progress(ctx, func(tx *catalog.Tx) error {
			return tx.Links.SetTorrent(l.ID, catalog.TorrentWanted, nil, catalog.Metadata{})
		})
		if err != nil {
			return err
		}
	}
	s.links.wake()
	return nil
}

// keepMetadata keeps a link's metadata for all instances.
func (s *Server) keepMetadata(ctx context.Context, l *catalog.Link, sh *shared) error {
	return s.progress(ctx, func(tx *catalog.Tx) error {
		if err := tx.Settings.Set(torrentKey(l.ID), ""); err != nil {
			return err
		}
		return tx.Links.SetTorrent(l.ID, catalog.TorrentMade, sh.torrent, sh.metadata())
	})
}
