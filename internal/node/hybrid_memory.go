package node

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// memoryVersion is of the form on disk.
const memoryVersion = 1

// forgetShares is when what is kept of a server's share is surely of no use.
const forgetShares = 60 * 24 * time.Hour

// identity is what makes a server's share what it is to nodes, wherever the server is by
// now. It is kept in the state folder, closed to others: it holds secrets.
type identity struct {
	Version    int           `json:"version"`
	Server     peer.ID       `json:"server"`
	InfoHash   content.Hash  `json:"infohash"` // of v1-only content its SHA-1 and zeros
	Audience   peer.Audience `json:"audience"`
	Name       string        `json:"name,omitempty"`
	Link       string        `json:"link,omitempty"` // ticket or magnet link
	Capability []byte        `json:"capability,omitempty"`
	Full       string        `json:"full,omitempty"` // of a share to a server: the link people get

	torrent *metainfo.Torrent // in a file beside it; nil: not known
}

// source returns it as a source, checked as if somebody had typed it. The guard is not set.
func (id *identity) source() (*Source, error) {
	switch id.Audience {
	case peer.Link, peer.Public:
		src, err := ParseSource(id.Link)
		if err != nil {
			return nil, err
		}
		if src.Audience != id.Audience || !src.names(id.InfoHash) {
			return nil, fault.Errorf(fault.Protocol, "the server's link is for something else than it says")
		}
		src.server = id.Server
		src.Torrent = id.torrent
		return src, nil
	case peer.Network:
		if id.Server.IsZero() || id.InfoHash.IsZero() {
			return nil, fault.Errorf(fault.Protocol, "the server does not say what it shares")
		}
		src := &Source{
			Audience: peer.Network, Name: id.Name, Torrent: id.torrent, want: id.InfoHash, server: id.Server,
			secret: transport.Secret(capability.NetworkSecret(id.Server, id.InfoHash)),
		}
		src.Keys = []content.SHA1{metainfo.SwarmKey(src.secret)}
		return src, nil
	}
	return nil, fault.Errorf(fault.Protocol, "the server shares it in a way that this program does not know")
}

// names reports whether s is of the content with that info-hash, as a server writes it.
func (s *Source) names(hash content.Hash) bool {
	switch {
	case s.Ticket != nil:
		return s.Ticket.InfoHash == hash
	case s.Magnet != nil && !s.Magnet.InfoHash2.IsZero():
		return s.Magnet.InfoHash2 == hash
	case s.Magnet != nil:
		return padded(s.Magnet.InfoHash1) == hash
	}
	return s.want == hash
}

// padded writes a v1 info-hash where a v2 one stands otherwise.
func padded(one content.SHA1) (h content.Hash) {
	copy(h[:], one[:])
	return h
}

// hashOf is how a server names content.
func hashOf(m *content.Manifest) content.Hash {
	if m.HasV2 {
		return m.InfoHash2
	}
	return padded(m.InfoHash1)
}

// memory is where an identity is kept, by what a user typed.
type memory struct{ base string }

func (n *Node) memory(about string) memory {
	sum := sha256.Sum256([]byte("tandem/v1 share\x00" + about))
	return memory{filepath.Join(n.cfg.StateDir, "shares", fmt.Sprintf("%x", sum[:12]))}
}

// recall returns what is kept; nil: nothing that could be used.
func (m memory) recall() *identity {
	data, err := os.ReadFile(m.base + ".json")
	if err != nil {
		return nil
	}
	id := &identity{}
	if json.Unmarshal(data, id) != nil || id.Version != memoryVersion {
		return nil
	}
	if data, err := os.ReadFile(m.base + ".torrent"); err == nil {
		if t, err := metainfo.Parse(data); err == nil && hashOf(t.Manifest) == id.InfoHash {
			id.torrent = t
		}
	}
	return id
}

// keep writes it down. The torrent goes first: it is of no use without the rest.
func (m memory) keep(id identity) error {
	id.Version = memoryVersion
	if err := os.MkdirAll(filepath.Dir(m.base), 0o700); err != nil {
		return fmt.Errorf("keep share: %w", fileFault(err))
	}
	if id.torrent != nil {
		data, err := id.torrent.Encode()
		if err == nil {
			err = writeFile(m.base+".torrent", data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("keep share: %w", err)
		}
	}
	data, err := json.Marshal(id)
	if err == nil {
		err = writeFile(m.base+".json", append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep share: %w", err)
	}
	return nil
}

// forget removes it; what is not there is gone already.
func (m memory) forget() error {
	var all error
	for _, name := range []string{m.base + ".json", m.base + ".torrent"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, fileFault(err))
		}
	}
	return all
}

// forgetOld removes what has not been used for long.
func (n *Node) forgetOld() {
	dir := filepath.Join(n.cfg.StateDir, "shares")
	list, err := os.ReadDir(dir)
	if err != nil { // none was ever kept
		return
	}
	for _, e := range list {
		if st, err := e.Info(); err == nil && n.clock().Sub(st.ModTime()) > forgetShares {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				n.log.Debug("forget share", "err", err)
			}
		}
	}
}
