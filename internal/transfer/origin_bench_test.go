package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/store"
	"tandem/internal/store/disk"
	"tandem/internal/transport/tcp"
)

// overHTTP is an Origin of one file, over HTTP.
type overHTTP struct {
	url    string
	tor    *metainfo.Torrent
	client http.Client
}

func (o *overHTTP) Name() string { return o.url }
func (o *overHTTP) Near() bool   { return false }
func (o *overHTTP) Torrent(context.Context) (*metainfo.Torrent, error) {
	return o.tor, nil
}

func (o *overHTTP) Open(ctx context.Context, s Span) (*Stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", s.Off, s.Off+s.Len-1))
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err)
	}
	if resp.StatusCode != http.StatusPartialContent {
		resp.Body.Close()
		return nil, fault.Errorf(fault.Protocol, "%s", resp.Status)
	}
	return &Stream{ReadCloser: resp.Body}, nil
}

// BenchmarkOrigin fetches 512 MiB over HTTP on loopback from a file to a file, as
// one stream that is hashed and written by io.Copy, and as a transfer from an
// origin. Run it with TMPDIR on tmpfs to leave the disk out.
func BenchmarkOrigin(b *testing.B) {
	const size = 512 << 20
	files := testFiles(size)
	name := filepath.Join(b.TempDir(), "content")
	if err := os.WriteFile(name, files[0], 0o600); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })}
	go func() { _ = web.Serve(l) }()
	defer web.Close()
	url := "http://" + l.Addr().String() + "/content"
	run := func(what string, f func(dir string)) {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			began := cpu()
			for b.Loop() {
				dir := filepath.Join(filepath.Dir(name), "to")
				f(dir)
				os.RemoveAll(dir)
			}
			b.ReportMetric((cpu()-began).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
	run("io.Copy and SHA-256", func(dir string) { copyAndHash(b, url, dir) })
	for _, form := range forms {
		tor := makeTorrent(b, form, content.PieceLength(size), files, false)
		run("transfer "+form.name, func(dir string) { fromOrigin(b, tor, &overHTTP{url: url, tor: tor}, dir) })
	}
}

// copyAndHash is what a plain program does that checks what it gets.
func copyAndHash(b *testing.B, url, dir string) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "content"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyBuffer(io.MultiWriter(f, sha256.New()), resp.Body, make([]byte, 1<<20)); err != nil {
		b.Fatal(err)
	}
}

// fromOrigin runs a transfer from o alone.
func fromOrigin(b *testing.B, tor *metainfo.Torrent, o *overHTTP, dir string) {
	ws, err := disk.OpenWorkspace(dir, tor.Manifest.Keys()[0])
	if err != nil {
		b.Fatal(err)
	}
	defer ws.Close()
	t, err := New(Config{
		Audience: 1, Keys: tor.Manifest.Keys(), Torrent: tor, Network: tcp.New(tcp.Config{}), PeerID: [20]byte{1}, Seed: 1,
		Open:    func(*metainfo.Torrent) (store.Pieces, error) { return ws.Pieces(tor.Manifest, nil) },
		Origins: []Origin{o},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- t.Run(ctx) }()
	select {
	case <-t.Completed():
	case err := <-ended:
		b.Fatal(errors.Join(err, t.Status().Err))
	}
	cancel()
	<-ended
	o.client.CloseIdleConnections()
}
