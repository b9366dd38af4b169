package transfer

import (
	"context"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/store"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/wire"
)

// cpu returns the processor time this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLoopback fetches 256 MiB over one TCP connection, memory to memory.
// It reports MB/s and the processor seconds that 1 GiB costs both sides together.
func BenchmarkLoopback(b *testing.B) {
	const size = 256 << 20
	files := testFiles(size)
	for _, f := range forms {
		b.Run(f.name, func(b *testing.B) {
			tor := makeTorrent(b, f, content.PieceLength(size), files, false)
			full := fullMemory(tor.Manifest, files)
			b.SetBytes(size)
			b.ReportAllocs()
			began := cpu()
			for b.Loop() {
				fetchOnce(b, tor, full)
			}
			b.ReportMetric((cpu()-began).Seconds()/float64(b.N)*(1<<30)/size, "cpu-s/GiB")
		})
	}
}

func fetchOnce(b *testing.B, tor *metainfo.Torrent, full *memory) {
	ctx, cancel := context.WithCancel(context.Background())
	network := tcp.New(tcp.Config{})
	seed := &node{cfg: Config{
		Audience: 1, Keys: tor.Manifest.Keys(), Torrent: tor, Network: network, PeerID: [20]byte{1}, Seed: 1,
		Open: func(*metainfo.Torrent) (store.Pieces, error) { full.closed = false; return full, nil },
	}}
	l, err := network.Listen(ctx, "127.0.0.1:0", shares{seed})
	if err != nil {
		b.Fatal(err)
	}
	got := seed.cfg
	got.PeerID[0] = 2
	got.Open = func(*metainfo.Torrent) (store.Pieces, error) { return newMemory(tor.Manifest), nil }
	got.Peers = []transport.Target{{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), l.Addr().Port())}}
	from, err := New(seed.cfg)
	if err != nil {
		b.Fatal(err)
	}
	to, err := New(got)
	if err != nil {
		b.Fatal(err)
	}
	ends := make(chan error, 2)
	go func() { ends <- from.Run(ctx) }()
	go func() { ends <- to.Run(ctx) }()
	c, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	var buf [wire.HandshakeLen]byte
	if _, err := io.ReadFull(c, buf[:]); err != nil {
		b.Fatal(err)
	}
	hs, _ := wire.ParseHandshake(buf[:])
	from.AddConn(c, hs)
	<-to.Completed()
	cancel()
	<-ends
	<-ends
	_ = l.Close()
}
