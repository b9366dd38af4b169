package tcp_test

import (
	"io"
	"net"
	"testing"

	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/transporttest"
)

const (
	header = 13
	block  = 16 << 10
)

// BenchmarkMessages sends blocks with their headers over loopback, both sides
// in this process.
func BenchmarkMessages(b *testing.B) {
	tests := []struct {
		name    string
		cfg     tcp.Config
		target  transport.Target
		preface string
		batch   int // blocks in one WriteBuffers
	}{
		{"plain", tcp.Config{}, public, preface, 1},
		{"plain_batch4", tcp.Config{}, public, preface, 4},
		{"plain_unbounded", tcp.Config{NotSent: -1}, public, preface, 1},
		{"plain_notsent16k", tcp.Config{NotSent: 16 << 10}, public, preface, 1},
		{"mse", tcp.Config{}, hidden, "", 1},
		{"rc4", tcp.Config{Encryption: transport.RequireMSE}, public, "", 1},
		{"tls", tcp.Config{}, link, "", 1},
		{"tls_batch4", tcp.Config{}, link, "", 4},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			out, in := connect(b, tt.cfg, tt.target, tt.preface)
			size := int64(tt.batch * (header + block))
			go func() {
				msg := make([]byte, header+block)
				for range b.N {
					bufs := make(net.Buffers, 0, 2*tt.batch)
					for range tt.batch {
						bufs = append(bufs, msg[:header], msg[header:])
					}
					if _, err := transport.WriteBuffers(out, &bufs); err != nil {
						return
					}
				}
			}()
			buf := make([]byte, 64<<10)
			b.SetBytes(size)
			b.ResetTimer()
			for left := size * int64(b.N); left > 0; {
				n, err := in.Read(buf[:min(int64(len(buf)), left)])
				if err != nil {
					b.Fatal(err)
				}
				left -= int64(n)
			}
		})
	}
}

// connect makes two networks and one connection between them.
func connect(tb testing.TB, cfg tcp.Config, to transport.Target, preface string) (out, in transport.Conn) {
	tb.Helper()
	from, _ := network(tb, cfg)
	far, _ := network(tb, cfg)
	l, err := far.Listen(tb.Context(), "127.0.0.1:0", transporttest.SharesOf(to))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	to.Addr = l.Addr()
	if out, err = from.Dial(tb.Context(), to); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = out.Close() })
	if _, err := io.WriteString(out, preface); err != nil {
		tb.Fatal(err)
	}
	if in, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = in.Close() })
	if _, err := io.ReadFull(in, make([]byte, len(preface))); err != nil {
		tb.Fatal(err)
	}
	return out, in
}
