package tcp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/anacrolix/torrent/mse"

	"tandem/internal/content"
	"tandem/internal/metainfo"
	"tandem/internal/peer"
	"tandem/internal/store"
	"tandem/internal/store/mem"
	"tandem/internal/transfer"
	"tandem/internal/transport"
	"tandem/internal/transport/tcp"
	"tandem/internal/transport/tlspeer"
	"tandem/internal/transport/transporttest"
	"tandem/internal/wire"
)

// seed is a share that an engine gives: a block full of its canary.
type seed struct {
	offer
	*transfer.Transfer
}

// startSeed runs an engine that has all of o.
func startSeed(t *testing.T, n *tcp.Network, o *offer) *seed {
	t.Helper()
	public := o.share.Audience == peer.Public
	data := bytes.Repeat([]byte(o.canary), 1+(16<<10)/len(o.canary))[:16<<10]
	m := &content.Manifest{
		Name: "content", PieceLength: 16 << 10, HasV1: public, HasV2: !public, Single: true,
		Files: []content.File{{Path: []string{"content"}, Length: int64(len(data))}},
	}
	m.Seal()
	open := func(int) (io.ReaderAt, io.Closer, error) { return bytes.NewReader(data), nil, nil }
	d, err := content.HashFiles(t.Context(), m, public, !public, open, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Build(m, d, metainfo.BuildOptions{V1: public, V2: !public})
	if err != nil {
		t.Fatal(err)
	}
	if public {
		o.key = tor.Manifest.Keys()[0]
	}
	cfg := transfer.Config{
		Audience: o.share.Audience, Keys: []content.SHA1{o.key}, Secret: o.share.Secret, Guard: o.share.Guard, Torrent: tor, Network: n,
		Open: func(*metainfo.Torrent) (store.Pieces, error) { return mem.NewFull(tor.Manifest, [][]byte{data}), nil },
	}
	copy(cfg.PeerID[:], "-TD0001-"+o.name)
	if !public {
		cfg.Want = tor.Manifest.InfoHash2
	}
	tr, err := transfer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	})
	<-tr.Ready()
	return &seed{*o, tr}
}

// engines serve all over one port, as a node does: by what the handshake names.
func engines(t *testing.T, n *tcp.Network, all []offer) string {
	var seeds []*seed
	for i := range all {
		seeds = append(seeds, startSeed(t, n, &all[i]))
	}
	shares := &transporttest.Shares{Shares: map[content.SHA1]transport.Share{}}
	for _, o := range all {
		if o.share.Audience == peer.Public {
			shares.Public = append(shares.Public, o.key)
		} else {
			shares.Shares[o.key] = o.share
		}
	}
	l, err := n.Listen(t.Context(), "127.0.0.1:0", shares)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, wire.HandshakeLen)
			_, err = io.ReadFull(c, b)
			hs, perr := wire.ParseHandshake(b)
			i := slices.IndexFunc(seeds, func(s *seed) bool { return s.key == hs.Key })
			if err != nil || perr != nil || i < 0 {
				_ = c.Close()
				continue
			}
			_ = c.SetDeadline(time.Time{})
			seeds[i].AddConn(c, hs) // whatever it was admitted for: the engine has to say no
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// suck is what a client does that wants block 0 of key: until it has it, or the connection has ended.
func suck(c io.ReadWriter, key content.SHA1) {
	hs := wire.NewHandshake(key, [20]byte{'x'}, wire.FeatureFast|wire.FeatureExtended|wire.FeatureV2)
	interested := wire.AppendMessage(nil, &wire.Message{ID: wire.Interested})
	if _, err := c.Write(append(hs.Append(nil), interested...)); err != nil {
		return
	}
	if _, err := io.ReadFull(c, make([]byte, wire.HandshakeLen)); err != nil {
		return
	}
	rd := wire.NewReader(c, wire.Limits{})
	for {
		var m wire.Message
		if err := rd.Read(&m); err != nil || m.ID == wire.Piece {
			return
		}
		if m.ID == wire.Unchoke {
			ask := wire.AppendMessage(nil, &wire.Message{ID: wire.Request, Length: 16 << 10})
			if _, err := c.Write(ask); err != nil {
				return
			}
		}
	}
}

// An engine over real connections gives nobody a byte who may not have it.
func TestAccessToAnEngine(t *testing.T) {
	checkLeaks(t)
	id := identity(t)
	all := offers(t, id.ID())
	n := tcp.New(tcp.Config{TLS: &tlspeer.Config{Identity: id}, Limits: tcp.Limits{PerIdentity: 100}})
	addr := engines(t, n, all)
	s := newStranger(t)
	for _, o := range all {
		public := o.share.Audience == peer.Public
		for _, kind := range []string{"plain BitTorrent", "encrypted BitTorrent", "HTTP"} {
			got := s.attack(t, addr, kind, o)
			judgeCanaries(t, kind+" for "+o.name, all, got, o.name, public && kind != "HTTP")
		}
		authority := o.a
		if authority == nil {
			authority = transporttest.NewAuthority(0x11, peer.Link)
		}
		for _, p := range append(transporttest.Papers(), transporttest.Paper{Name: "no hello with one"}) {
			for ticket, secret := range map[string][32]byte{"no": {0xff}, "the right": o.share.Secret} {
				if ticket == "no" && p.Name != "the right one" {
					continue // TestAccessByTLS has them
				}
				a := ask{key: o.key, secret: secret, network: o.share.Audience == peer.Network}
				if p.Doc != nil {
					a.guarded, a.doc = true, p.Doc(t, authority, s.id)
				}
				right := !public && ticket == "the right" && (o.a == nil || p.Doc != nil && p.Reason == 0)
				name := fmt.Sprintf("TLS for %s, %s ticket, %s", o.name, ticket, p.Name)
				judgeCanaries(t, name, all, s.attackTLS(t, addr, a), o.name, right)
			}
		}
	}
}

func judgeCanaries(t *testing.T, name string, all []offer, got heard, of string, right bool) {
	t.Helper()
	for _, o := range all {
		if want := right && o.name == of; bytes.Contains(got.plain, []byte(o.canary)) != want {
			t.Errorf("%s: the canary of %s: %v, want %v", name, o.name, !want, want)
		}
		if o.share.Audience != peer.Public && bytes.Contains(got.wire, []byte(o.canary)) {
			t.Errorf("%s: the canary of %s in the clear", name, o.name)
		}
	}
}

// attack asks for o without TLS.
func (s *stranger) attack(t *testing.T, addr, kind string, o offer) heard {
	t.Helper()
	raw := dialTap(t, addr)
	defer raw.Close()
	inner := &tap{Conn: raw}
	switch kind {
	case "plain BitTorrent":
		suck(inner, o.key)
	case "HTTP":
		_, _ = fmt.Fprintf(inner, "GET /s/%x/download HTTP/1.1\r\nHost: x\r\n\r\n", o.key)
		_, _ = io.Copy(io.Discard, inner)
	default:
		rw, _, err := mse.InitiateHandshake(raw, o.key[:], nil, mse.AllSupportedCrypto)
		if err == nil {
			clear := &tape{ReadWriter: rw}
			suck(clear, o.key)
			return heard{raw.read(), clear.got.Bytes()}
		}
	}
	return heard{raw.read(), inner.read()}
}

// attackTLS asks for the share of a over TLS, also when it was refused.
func (s *stranger) attackTLS(t *testing.T, addr string, a ask) heard {
	t.Helper()
	raw := dialTap(t, addr)
	defer raw.Close()
	c := tls.Client(raw, s.config())
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	session, err := s.side(c, true)
	if err != nil {
		t.Fatal(err)
	}
	hello, err := session.hello(a)
	if err != nil {
		t.Fatal(err)
	}
	clear := &tape{ReadWriter: c}
	_, _ = clear.Write(hello)
	head := make([]byte, 2)
	if _, err := io.ReadFull(clear, head); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	_, _ = io.ReadFull(clear, make([]byte, int(head[0])<<8+int(head[1])))
	suck(clear, a.key)
	return heard{raw.read(), clear.got.Bytes()}
}

func dialTap(t *testing.T, addr string) *tap {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	return &tap{Conn: raw}
}

// tape keeps what was read of a stream.
type tape struct {
	io.ReadWriter
	got bytes.Buffer
}

func (s *tape) Read(b []byte) (int, error) {
	n, err := s.ReadWriter.Read(b)
	s.got.Write(b[:n])
	return n, err
}
