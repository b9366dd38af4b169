package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/store/disk"
	"tandem/internal/transfer"
)

// Get fetches o.Source into o.Dir, in the background. Errors are those of
// ParseSource and disk.OpenWorkspace, ErrExpired, fault.Exists (the node has it
// already) and fault.Unreachable (a peer's name cannot be looked up); from a server
// also what it says, ErrPassword among it.
func (n *Node) Get(ctx context.Context, o GetOptions, w Watch) (*Item, error) {
	return n.get(ctx, KindGet, o, record{Get: &o}, w)
}

func (n *Node) get(ctx context.Context, kind string, o GetOptions, r record, w Watch) (*Item, error) {
	switch o.Via {
	case "", transfer.ViaBoth, transfer.ViaServer, transfer.ViaPeers:
	default:
		return nil, fault.Errorf(fault.Invalid, "via %q: it is server, peers or both", o.Via)
	}
	if !o.Until.IsZero() {
		o.KeepSeeding = Forever
	}
	at, err := n.place(o.Source, o.Password, o.Server)
	if err != nil {
		return nil, err
	}
	if at != nil {
		return n.getFrom(ctx, kind, at, o, r, w)
	}
	src, err := ParseSource(o.Source)
	if err != nil {
		return nil, err
	}
	if src.expired(time.Now()) {
		return nil, fmt.Errorf("get: %w", ErrExpired)
	}
	if o.Via == transfer.ViaServer {
		return nil, fault.Errorf(fault.Invalid, "get %s: no server shares it, so that it cannot come from one alone", shortName(src))
	}
	if err := n.guarded(src); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return n.begin(ctx, kind, src, o, r, plan{})
}

// begin makes the item of a get and starts it; p is what is special about it.
func (n *Node) begin(ctx context.Context, kind string, src *Source, o GetOptions, r record, p plan) (*Item, error) {
	it, err := n.newItem(kind, src.Name, o.Dir, src)
	if err != nil {
		src.guard.end()
		return nil, fmt.Errorf("get: %w", err)
	}
	it.record = r
	it.mu.Lock()
	it.until = o.Until
	it.mu.Unlock()
	if err := n.fetch(ctx, it, src, o, p); err != nil {
		it.abandon(err)
		n.forget(it)
		return nil, fmt.Errorf("get %s: %w", shortName(src), err)
	}
	return it, nil
}

// shortName names a source without giving a ticket away.
func shortName(src *Source) string {
	if src.Name != "" {
		return src.Name
	}
	return fmt.Sprintf("%x", src.Keys[0][:4])
}

func (n *Node) fetch(ctx context.Context, it *Item, src *Source, o GetOptions, p plan) (err error) {
	named, err := n.targets(ctx, append(o.Peers, src.Peers...), src)
	if err != nil {
		return err
	}
	ws, err := openWorking(o.Dir, src.Keys[0])
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ws.release())
		}
	}()
	p.torrent, p.want, p.trackers = src.Torrent, src.want, append(src.Trackers, tiers(o.Trackers)...)
	p.peers, p.common, p.keep, p.link = append(named, n.dialed(src)...), o.Common, o.KeepSeeding, o.Source
	p.pick = func(m *content.Manifest) []bool { return selected(m, o.Select) }
	p.open = func(t *metainfo.Torrent) (store.Pieces, error) {
		wanted := selected(t.Manifest, o.Select)
		if wanted != nil && !anyOf(wanted) {
			return nil, fmt.Errorf("select %s: %w", strings.Join(o.Select, ", "), ErrSelect)
		}
		m, err := renamed(t.Manifest, o.Name)
		if err != nil {
			return nil, err
		}
		return ws.pieces(m, wanted)
	}
	p.save = func(t *metainfo.Torrent) error {
		data, err := t.Encode()
		if err != nil {
			return err
		}
		return ws.SaveTorrent(data)
	}
	p.release = func() {
		if err := ws.release(); err != nil {
			n.log.Error("close working copy", "item", it.id, "err", err)
		}
	}
	if src.Torrent != nil && p.session == nil {
		p.link = ""
		if src.Audience == peer.Public {
			p.link = magnet(src.Torrent, nil)
		}
	} else if src.Torrent == nil {
		p.torrent = kept(ws.Workspace, src)
	}
	typed := src.Torrent // which may go
	if p.session != nil {
		typed = nil
	}
	if err := n.remember(it, typed); err != nil {
		return err
	}
	return it.start(p)
}

// renamed returns m under another name; "": its own.
func renamed(m *content.Manifest, name string) (*content.Manifest, error) {
	if name == "" {
		return m, nil
	}
	if err := content.CheckPath([]string{name}); err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	out := *m
	out.Name = name
	if out.Single && len(out.Files) > 0 {
		out.Files = slices.Clone(out.Files)
		out.Files[0].Path = []string{name}
	}
	return &out, nil
}

// working is the working copy of one item.
type working struct {
	*disk.Workspace
	idle atomic.Bool // it was made by us, and nothing can be in it yet
}

func openWorking(dir string, key content.SHA1) (*working, error) {
	_, err := os.Lstat(filepath.Join(dir, fmt.Sprintf(".tandem-%x", key[:8])))
	ws, werr := disk.OpenWorkspace(dir, key)
	if werr != nil {
		return nil, werr
	}
	w := &working{Workspace: ws}
	w.idle.Store(errors.Is(err, fs.ErrNotExist))
	return w, nil
}

func (w *working) pieces(m *content.Manifest, wanted []bool) (store.Pieces, error) {
	p, err := w.Pieces(m, wanted)
	if err == nil {
		w.idle.Store(false)
	}
	return p, err
}

// release keeps what the next get may go on from; a transfer that did not begin
// leaves nothing behind.
func (w *working) release() error {
	if w.idle.Load() {
		return w.Remove()
	}
	return w.Close()
}

// kept returns the metadata an earlier run got from peers, if it is of src.
func kept(ws *disk.Workspace, src *Source) *metainfo.Torrent {
	data, err := ws.Torrent()
	if err != nil {
		return nil
	}
	t, err := metainfo.Parse(data)
	if err != nil {
		return nil
	}
	switch m := t.Manifest; {
	case !src.want.IsZero():
		if m.HasV2 && m.InfoHash2 == src.want {
			return t
		}
	case src.Magnet != nil:
		one, two := src.Magnet.InfoHash1, src.Magnet.InfoHash2
		if (one.IsZero() || m.HasV1 && m.InfoHash1 == one) && (two.IsZero() || m.HasV2 && m.InfoHash2 == two) {
			return t
		}
	}
	return nil
}

// selected says which files match one of globs; nil means all. A glob without a
// slash is matched against the last component as well.
func selected(m *content.Manifest, globs []string) []bool {
	if len(globs) == 0 {
		return nil
	}
	wanted := make([]bool, len(m.Files))
	for i := range m.Files {
		name := FilePath(m, i)
		for _, g := range globs {
			wanted[i] = wanted[i] || !m.Files[i].Pad && matches(g, name, m.Name)
		}
	}
	return wanted
}

func matches(glob, name, folder string) bool {
	for _, s := range []string{name, folder + "/" + name} {
		if ok, err := path.Match(glob, s); err == nil && ok || strings.HasPrefix(s, strings.TrimSuffix(glob, "/")+"/") {
			return true
		}
	}
	ok, err := path.Match(glob, path.Base(name))
	return err == nil && ok && !strings.Contains(glob, "/")
}

// CheckGlob returns an error for a malformed pattern.
func CheckGlob(glob string) error {
	if _, err := path.Match(glob, ""); err != nil {
		return fault.Errorf(fault.Invalid, "pattern %q is malformed", glob)
	}
	return nil
}

func anyOf(list []bool) bool {
	for _, b := range list {
		if b {
			return true
		}
	}
	return false
}

// FilePath returns the path of file i inside its folder, or its name.
func FilePath(m *content.Manifest, i int) string {
	if m.Single {
		return m.Name
	}
	return strings.Join(m.Files[i].Path, "/")
}
