package transfer

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/store"
	"tandem/internal/store/disk"
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

// BenchmarkLoopback fetches 1 GiB over one TCP connection from a file to a file,
// and reports MB/s and the processor seconds of both sides together. Run it with
// TMPDIR on tmpfs to leave the disk out.
func BenchmarkLoopback(b *testing.B) {
	const size = 1 << 30
	files := testFiles(size)
	for _, f := range forms {
		b.Run(f.name, func(b *testing.B) {
			tor := makeTorrent(b, f, content.PieceLength(size), files, false)
			name := filepath.Join(b.TempDir(), tor.Manifest.Name)
			if err := os.WriteFile(name, files[0], 0o600); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			b.ReportAllocs()
			began := cpu()
			for b.Loop() {
				fetchOnce(b, tor, name)
			}
			b.ReportMetric((cpu()-began).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

// shared serves the file called name where it stands.
func shared(tor *metainfo.Torrent, name string) (store.Pieces, error) {
	p, err := disk.InPlace(tor.Manifest, name)
	for i := 0; err == nil && i < tor.Manifest.NumPieces(); i++ {
		err = p.Commit(i)
	}
	return p, err
}

func fetchOnce(b *testing.B, tor *metainfo.Torrent, name string) {
	dir, err := os.MkdirTemp(filepath.Dir(name), "to")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	network := tcp.New(tcp.Config{})
	seed := &node{cfg: Config{
		Audience: 1, Keys: tor.Manifest.Keys(), Torrent: tor, Network: network, PeerID: [20]byte{1}, Seed: 1,
		Open: func(*metainfo.Torrent) (store.Pieces, error) { return shared(tor, name) },
	}}
	l, err := network.Listen(ctx, "127.0.0.1:0", shares{seed})
	if err != nil {
		b.Fatal(err)
	}
	ws, err := disk.OpenWorkspace(dir, tor.Manifest.Keys()[0])
	if err != nil {
		b.Fatal(err)
	}
	defer ws.Close()
	got := seed.cfg
	got.PeerID[0] = 2
	got.Open = func(*metainfo.Torrent) (store.Pieces, error) { return ws.Pieces(tor.Manifest, nil) }
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
