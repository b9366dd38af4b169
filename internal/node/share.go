package node

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/store/disk"
	"tandem/internal/transport"
)

// mapPatience is how long a link waits for the router's answer.
const mapPatience = 1500 * time.Millisecond

// Watch is told what happens while an item is prepared. Its functions are called
// from one goroutine at a time, must not block, and may be nil.
type Watch struct {
	Hashing func(done, total int64) // bytes
	Warn    func(message string)
}

func (w Watch) hashing(done, total int64) {
	if w.Hashing != nil {
		w.Hashing(done, total)
	}
}

func (w Watch) warn(message string) {
	if w.Warn != nil {
		w.Warn(message)
	}
}

// Share hashes what stands at o.Path and serves it there until stopped. Ending ctx
// ends the hashing, not the share. Errors are those of disk.Scan, fault.Changed,
// fault.Exists (shared already), fault.Invalid (options that exclude each other),
// what writing o.Torrent met, and what the server says to a share through it.
func (n *Node) Share(ctx context.Context, o ShareOptions, w Watch) (*Item, error) {
	return n.share(ctx, o, w, infoHash{})
}

// infoHash says what was shared: the v2 info-hash, the v1 one of a v1-only share.
type infoHash struct {
	one content.SHA1
	two content.Hash
}

func infoHashOf(m *content.Manifest) infoHash {
	if m.HasV2 {
		return infoHash{two: m.InfoHash2}
	}
	return infoHash{one: m.InfoHash1}
}

// share is Share; expect, if not zero, is what the last run shared.
func (n *Node) share(ctx context.Context, o ShareOptions, w Watch, expect infoHash) (*Item, error) {
	if o.V1 && o.Audience != peer.Public {
		return nil, fault.Errorf(fault.Invalid, "share %s: only a public share can be v1-only: a ticket names the v2 info-hash", o.Path)
	}
	if err := o.checkServer(); err != nil {
		return nil, err
	}
	src, err := disk.Scan(ctx, o.Path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	for _, text := range src.Warnings {
		w.warn(text)
	}
	n.mapPort()
	t, err := n.cut(ctx, src, o, w)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", o.Path, err)
	}
	if expect != (infoHash{}) && infoHashOf(t.Manifest) != expect {
		return nil, fault.Errorf(fault.Changed, "share %s: it is no longer what was shared", o.Path)
	}
	pieces, err := src.InPlace(t.Manifest)
	if err != nil {
		return nil, fmt.Errorf("share %s: %w", o.Path, err)
	}
	for i := range t.Manifest.NumPieces() {
		if err := pieces.Commit(i); err != nil {
			return nil, errors.Join(fmt.Errorf("share %s: %w", o.Path, err), pieces.Close())
		}
	}
	serve := n.serve
	if o.Server != nil {
		serve = n.serveThrough
	}
	it, err := serve(ctx, t, pieces, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("share %s: %w", o.Path, err), pieces.Close())
	}
	return it, nil
}

// cut hashes src: v2 only for a link, hybrid or v1 only for the public.
func (n *Node) cut(ctx context.Context, src *disk.Source, o ShareOptions, w Watch) (*metainfo.Torrent, error) {
	m := &content.Manifest{
		Name: src.Name, Single: src.Single, Files: slices.Clone(src.Files),
		HasV1: o.Audience == peer.Public, HasV2: !o.V1,
	}
	if o.Name != "" {
		if err := content.CheckPath([]string{o.Name}); err != nil {
			return nil, fmt.Errorf("name: %w", err)
		}
		m.Name = o.Name
	}
	if m.Single && len(m.Files) == 1 {
		m.Files[0].Path = []string{m.Name}
	}
	var total int64
	for _, f := range m.Files {
		total += f.Length
	}
	m.PieceLength = content.PieceLength(total)
	m.Seal()
	var done int64
	w.hashing(0, total)
	d, err := content.HashFiles(ctx, m, m.HasV1, m.HasV2, src.Open, runtime.GOMAXPROCS(0), func(bytes int64) {
		done += bytes
		w.hashing(done, total)
	})
	if err != nil {
		return nil, err
	}
	b := metainfo.BuildOptions{V1: m.HasV1, V2: m.HasV2, CreatedBy: "tandem/" + Version}
	if o.Audience == peer.Public {
		b.Trackers = tiers(o.Trackers)
	}
	return metainfo.Build(m, d, b)
}

// serve starts a share of t, whose pieces are verified as far as they are.
func (n *Node) serve(ctx context.Context, t *metainfo.Torrent, pieces store.Pieces, o ShareOptions) (*Item, error) {
	keys, secret := t.Manifest.Keys(), transport.Secret{}
	var ticket *metainfo.Ticket
	if o.Audience == peer.Link {
		var err error
		if secret, err = n.secretFor(t.Manifest.InfoHash2, o.Secret); err != nil {
			return nil, err
		}
		ticket = &metainfo.Ticket{
			InfoHash: t.Manifest.InfoHash2, Secret: secret, Node: n.identity.ID(),
			Trackers: o.Trackers, Name: t.Manifest.Name,
		}
		keys = []content.SHA1{ticket.Key()}
	}
	it, err := n.newItem(KindShare, t.Manifest.Name, o.Path, &Source{Audience: o.Audience, Keys: keys, secret: secret})
	if err != nil {
		return nil, err
	}
	o.Secret = secret[:]
	if o.Audience != peer.Link {
		o.Secret = nil
	}
	it.record = record{Share: &o}
	it.record.setInfoHash(infoHashOf(t.Manifest))
	p := plan{
		torrent: t, want: t.Manifest.InfoHash2, common: o.Common, keep: Forever, trackers: tiers(o.Trackers),
		link: n.shareLink(ctx, t, ticket),
		open: func(*metainfo.Torrent) (store.Pieces, error) { return pieces, nil },
	}
	err = writeTorrent(o.Torrent, t)
	if err == nil {
		err = n.remember(it, t)
	}
	if err == nil {
		err = it.start(p)
	}
	if err != nil {
		it.abandon(err)
		n.forget(it)
		return nil, err
	}
	return it, nil
}

// shareLink returns the ticket or magnet link with our addresses in it, and notes
// how far they reach.
func (n *Node) shareLink(ctx context.Context, t *metainfo.Torrent, ticket *metainfo.Ticket) string {
	patience := mapPatience
	if n.global() { // no router in between
		patience = 0
	}
	s := n.mapped(ctx, patience)
	var external netip.AddrPort
	if s.Mapped {
		external = s.External
	}
	addrs := n.addresses(external)
	if ticket != nil {
		ticket.Addrs = addrs
		return ticket.String()
	}
	peers := make([]string, len(addrs))
	for i, a := range addrs {
		peers[i] = a.String()
	}
	return magnet(t, peers)
}

// Reachability says in a sentence who can reach the node, and what to do when not
// everybody can.
func (n *Node) Reachability(ctx context.Context) string {
	return n.reachability(n.mapped(ctx, 0))
}

// secretFor returns the secret of the link share of that content. A node gives
// the same content the same secret, so that a link survives a restart; nobody
// can derive it who has not the node's key file.
func (n *Node) secretFor(hash content.Hash, given []byte) (transport.Secret, error) {
	if len(given) == len(transport.Secret{}) {
		return transport.Secret(given), nil
	}
	key, err := loadKey(filepath.Join(n.cfg.StateDir, "share.key"))
	if err != nil {
		return transport.Secret{}, fmt.Errorf("load share key: %w", err)
	}
	b, err := hkdf.Key(sha256.New, key, hash[:], "tandem/v1 share secret", len(transport.Secret{}))
	if err != nil {
		return transport.Secret{}, err
	}
	return transport.Secret(b), nil
}

// loadKey reads 32 random bytes, making them on the first use.
func loadKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		err = writeNew(path, key)
		if errors.Is(err, fs.ErrExist) { // another process was first
			key, err = os.ReadFile(path)
		}
	}
	if err == nil && len(key) != 32 {
		err = fault.Errorf(fault.Invalid, "%s is damaged: %d bytes, not 32", path, len(key))
	}
	return key, fileFault(err)
}

// writeTorrent writes t to path, whole or not at all; no path writes nothing.
func writeTorrent(path string, t *metainfo.Torrent) error {
	if path == "" {
		return nil
	}
	data, err := t.Encode()
	if err == nil {
		err = writeFile(path, data, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write torrent: %w", err)
	}
	return nil
}
