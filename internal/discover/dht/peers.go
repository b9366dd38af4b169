package dht

import (
	"container/list"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	peerstore "github.com/anacrolix/dht/v2/peer-store"

	"tandem/internal/content"
	"tandem/internal/discover"
)

// Bounds of what is stored for others (security.md, section 3).
const (
	maxKeys      = 2000
	maxKeyPeers  = 500
	maxPerAddr   = 16               // ports of one address of the Internet, for one key
	peerLife     = 45 * time.Minute // announces are renewed every 15
	maxPeersSent = 50               // in one reply: 400 bytes
)

// peers stores who announced what. It replaces the library's own store, which
// keeps one peer for each address and has no bound.
type peers struct {
	now func() time.Time
	// announced is told of every peer stored; it must not block.
	announced func(content.SHA1, netip.AddrPort)

	mu    sync.Mutex // guards the fields below
	index map[content.SHA1]*list.Element
	order list.List // of *stored, the one announced last in front
}

type stored struct {
	key   content.SHA1
	peers []storedPeer // the one that announced longest ago in front
}

type storedPeer struct {
	addr netip.AddrPort
	seen time.Time
}

// AddPeer implements the library's store.
func (p *peers) AddPeer(hash peerstore.InfoHash, na krpc.NodeAddr) {
	ip, ok := netip.AddrFromSlice(na.IP)
	if !ok || na.Port < 1 || na.Port > 65535 {
		return
	}
	addr := netip.AddrPortFrom(ip.Unmap(), uint16(na.Port))
	if !discover.MayDial(addr, false) {
		return
	}
	p.add(content.SHA1(hash), addr)
	if p.announced != nil {
		p.announced(content.SHA1(hash), addr)
	}
}

func (p *peers) add(key content.SHA1, addr netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.touch(key)
	now := p.now()
	same := 0
	kept := s.peers[:0]
	for _, e := range s.peers {
		if e.addr == addr || now.Sub(e.seen) > peerLife {
			continue
		}
		if e.addr.Addr() == addr.Addr() {
			same++
		}
		kept = append(kept, e)
	}
	s.peers = kept
	if same >= maxPerAddr && discover.IsGlobal(addr.Addr()) {
		return
	}
	if len(s.peers) >= maxKeyPeers {
		s.peers = append(s.peers[:0], s.peers[1:]...)
	}
	s.peers = append(s.peers, storedPeer{addr, now})
}

// touch finds or makes the entry of key and moves it to the front. Of too many
// the one announced longest ago is forgotten.
func (p *peers) touch(key content.SHA1) *stored {
	if p.index == nil {
		p.index = make(map[content.SHA1]*list.Element)
	}
	if e, ok := p.index[key]; ok {
		p.order.MoveToFront(e)
		return e.Value.(*stored)
	}
	if p.order.Len() >= maxKeys {
		last := p.order.Back()
		delete(p.index, last.Value.(*stored).key)
		p.order.Remove(last)
	}
	s := &stored{key: key}
	p.index[key] = p.order.PushFront(s)
	return s
}

// GetPeers implements the library's store: up to 50 peers, chosen at random.
func (p *peers) GetPeers(hash peerstore.InfoHash) []krpc.NodeAddr {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.index[content.SHA1(hash)]
	if !ok {
		return nil
	}
	all := e.Value.(*stored).peers
	now := p.now()
	var out []krpc.NodeAddr
	for _, i := range rand.Perm(len(all)) {
		if now.Sub(all[i].seen) > peerLife {
			continue
		}
		var na krpc.NodeAddr
		na.FromAddrPort(all[i].addr)
		if out = append(out, na); len(out) == maxPeersSent {
			break
		}
	}
	return out
}
