package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// maxTorrent bounds a .torrent file, in bytes.
const maxTorrent = 64 << 20

// Source is what a ticket, a magnet link or a .torrent file names.
type Source struct {
	Audience peer.Audience
	Keys     []content.SHA1
	Torrent  *metainfo.Torrent // nil for links
	Ticket   *metainfo.Ticket  // nil for the others
	Magnet   *metainfo.Magnet  // nil for the others
	Name     string            // a hint until the metadata is known; may hold anything
	Trackers [][]string
	Peers    []string // "host:port"

	secret transport.Secret
	server peer.ID      // whose capabilities it asks for; zero: nobody's
	want   content.Hash // v2 info-hash of audiences link and network
	guard  *guard       // made for a node; nil: none is needed
}

// guarded gives the source its guard, if it needs one.
func (n *Node) guarded(src *Source) error {
	if src.server.IsZero() || src.Audience == peer.Public {
		return nil
	}
	src.guard = n.newGuard(src.server, src.want, src.Audience)
	if src.Ticket == nil {
		return nil
	}
	_, err := src.guard.accept(src.Ticket.Capability)
	return err
}

// ParseSource reads a ticket, a magnet link or the .torrent file at that path.
// Errors are of kind fault.Invalid (ErrSource when it is none of the three),
// fault.NotFound, fault.Permission or fault.Conflict.
func ParseSource(s string) (*Source, error) {
	switch {
	case strings.HasPrefix(s, "tandem:"):
		return ticketSource(s)
	case strings.HasPrefix(strings.ToLower(s), "magnet:"):
		return magnetSource(s)
	case strings.Contains(s, "://"):
		return nil, fmt.Errorf("%s: %w", s, ErrSource)
	}
	t, err := readTorrent(s)
	if err != nil {
		return nil, err
	}
	return &Source{
		Audience: peer.Public, Keys: t.Manifest.Keys(), Torrent: t,
		Name: t.Manifest.Name, Trackers: t.Trackers,
	}, nil
}

func ticketSource(s string) (*Source, error) {
	t, err := metainfo.ParseTicket(s)
	if err != nil {
		return nil, fmt.Errorf("read ticket: %w", err)
	}
	src := &Source{
		Audience: peer.Link, Keys: []content.SHA1{t.Key()}, Ticket: t,
		Name: t.Name, Trackers: tiers(t.Trackers), secret: t.Secret, server: t.Server, want: t.InfoHash,
	}
	return src, nil
}

func magnetSource(s string) (*Source, error) {
	m, err := metainfo.ParseMagnet(s)
	if err != nil {
		return nil, fmt.Errorf("read magnet link: %w", err)
	}
	src := &Source{Audience: peer.Public, Magnet: m, Name: m.Name, Trackers: tiers(m.Trackers), Peers: m.Peers}
	if !m.InfoHash1.IsZero() {
		src.Keys = append(src.Keys, m.InfoHash1)
	}
	if !m.InfoHash2.IsZero() {
		src.Keys = append(src.Keys, m.InfoHash2.Truncated())
	}
	return src, nil
}

// readTorrent reads a .torrent file of at most maxTorrent bytes.
func readTorrent(path string) (*metainfo.Torrent, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) && !strings.HasSuffix(path, ".torrent") {
			return nil, fmt.Errorf("%s: %w, and no such file exists", path, ErrSource)
		}
		return nil, fmt.Errorf("read torrent: %w", fileFault(err))
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, fmt.Errorf("%s is a folder: %w", path, ErrSource)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTorrent+1))
	if err != nil {
		return nil, fmt.Errorf("read torrent: %w", fileFault(err))
	}
	if len(data) > maxTorrent {
		return nil, fault.Errorf(fault.Invalid, "read torrent %s: larger than 64 MiB", path)
	}
	t, err := metainfo.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read torrent %s: %w", path, err)
	}
	return t, nil
}

// tiers makes every tracker a tier of its own, so that all are announced to.
func tiers(urls []string) [][]string {
	var out [][]string
	for _, u := range urls {
		out = append(out, []string{u})
	}
	return out
}

// dialed returns whom to connect to first: the nodes the source names, and
// those the user does.
func (n *Node) dialed(src *Source) []transport.Target {
	var out []transport.Target
	if t := src.Ticket; t != nil {
		for _, a := range t.Addrs {
			out = append(out, transport.Target{
				Addr: a, Audience: peer.Link, Key: src.Keys[0], Secret: src.secret, Want: t.Node, Guard: src.guard.contract(),
			})
		}
	}
	return out
}

func (s *Source) expired(now time.Time) bool {
	return s.Ticket != nil && !s.Ticket.NotAfter.IsZero() && now.After(s.Ticket.NotAfter)
}

// magnet returns the public link to t, reachable through trackers and addresses.
func magnet(t *metainfo.Torrent, peers []string) string {
	m := &metainfo.Magnet{
		InfoHash1: t.Manifest.InfoHash1, InfoHash2: t.Manifest.InfoHash2,
		Name: t.Manifest.Name, Length: t.Manifest.TotalBytes(), Peers: peers, WebSeeds: t.WebSeeds,
	}
	for _, tier := range t.Trackers {
		m.Trackers = append(m.Trackers, tier...)
	}
	return m.String()
}
