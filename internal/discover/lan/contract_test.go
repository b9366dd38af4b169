package lan

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem/internal/discover"
	"tandem/internal/discover/discovertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	discovertest.Run(t, discovertest.Driver{
		Source: "lan",
		Network: func(t *testing.T) func(t *testing.T) discover.Finder {
			w := new(wire)
			return func(t *testing.T) discover.Finder {
				l := w.node()
				l.pace = 10 * time.Millisecond
				return l
			}
		},
	})
}

// wire is a local network in memory: what one sends, all receive.
type wire struct {
	mu    sync.Mutex // guards the fields below
	plugs []*plug
	nodes int
}

// node adds a LAN on the wire, at the next address of 10.0.0.0/24.
func (w *wire) node() *LAN {
	l := New(Options{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes++
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(w.nodes)}), 6771)
	l.listen = func(ctx context.Context, group string) (conn, error) { return w.plug(group, from), nil }
	return l
}

func (w *wire) plug(group string, from netip.AddrPort) *plug {
	p := &plug{w: w, group: group, from: from, in: make(chan datagram, 1000), closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plugs = append(w.plugs, p)
	return p
}

type datagram struct {
	b    []byte
	from netip.AddrPort
}

// plug is one node's conn for one group.
type plug struct {
	w      *wire
	group  string
	from   netip.AddrPort
	in     chan datagram
	closed chan struct{}
}

func (p *plug) Group() string        { return p.group }
func (p *plug) Near(netip.Addr) bool { return false }

func (p *plug) Close() error {
	close(p.closed)
	return nil
}

func (p *plug) Read(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-p.in:
		return copy(b, d.b), d.from, nil
	case <-p.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (p *plug) Send(b []byte) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, q := range p.w.plugs {
		if q.group == p.group {
			select {
			case q.in <- datagram{b, p.from}:
			default:
			}
		}
	}
	return nil
}
