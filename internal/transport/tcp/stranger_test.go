package tcp_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// stranger speaks docs/protocol/link.md as that page has it, apart from the product's code, and
// does what no node would do.
type stranger struct {
	id   peer.ID
	cert tls.Certificate
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return &stranger{peer.ID(pub), tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}}
}

func (s *stranger) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{s.cert}, NextProtos: []string{"tandem/1"},
		ClientAuth: tls.RequireAnyClientCert, InsecureSkipVerify: true,
	}
}

// ask is what a stranger says in its hello.
type ask struct {
	key     content.SHA1
	secret  [32]byte
	network bool
	guarded bool
	doc     []byte
}

// side is what proofs are made over: one TLS session, and the two identities.
type side struct {
	exporter       []byte
	client, server []byte
}

func (s *stranger) side(c *tls.Conn, client bool) (side, error) {
	cs := c.ConnectionState()
	exporter, err := cs.ExportKeyingMaterial("EXPORTER-tandem/1 link", nil, 32)
	if err != nil {
		return side{}, err
	}
	other := []byte(cs.PeerCertificates[0].PublicKey.(ed25519.PublicKey))
	if client {
		return side{exporter, s.id[:], other}, nil
	}
	return side{exporter, other, s.id[:]}, nil
}

func (s side) prove(secret [32]byte, label string, extra ...byte) []byte {
	mac := hmac.New(sha256.New, secret[:])
	for _, part := range [][]byte{[]byte(label), s.exporter, s.client, s.server, extra} {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// hello is the client's frame.
func (s side) hello(a ask) ([]byte, error) {
	label := "tandem/1 client"
	if a.network {
		label = "tandem/1 network client"
	}
	if !a.guarded {
		return frame(1, []byte{1}, a.key[:], s.prove(a.secret, label)), nil
	}
	block, err := aes.NewCipher(s.prove(a.secret, "tandem/1 document"))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sealed := gcm.Seal(nil, make([]byte, 12), a.doc, nil)
	h := sha256.Sum256(sealed)
	return frame(4, []byte{1}, a.key[:], s.prove(a.secret, label, h[:]...), size16(sealed), sealed), nil
}

// ready is the server's frame.
func (s side) ready(a ask) []byte {
	label := "tandem/1 server"
	if a.network {
		label = "tandem/1 network server"
	}
	if !a.guarded {
		return frame(2, s.prove(a.secret, label))
	}
	h := sha256.Sum256(a.doc)
	return frame(5, s.prove(a.secret, label, h[:]...), size16(a.doc), a.doc)
}

func size16(b []byte) []byte { return binary.BigEndian.AppendUint16(nil, uint16(len(b))) }

func frame(kind byte, parts ...[]byte) []byte {
	body := append([]byte{kind}, bytes.Join(parts, nil)...)
	return append(size16(body), body...)
}

// heard is all that came from the other side.
type heard struct {
	wire  []byte // off the wire
	plain []byte // after TLS; as wire where there is none
}

// call sends a hello and, unless it is refused, the handshake of a BitTorrent client, and listens until the other
// side has closed.
func (s *stranger) call(addr string, a ask) (heard, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return heard{}, err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	tapped := &tap{Conn: raw}
	c := tls.Client(tapped, s.config())
	if err := c.Handshake(); err != nil {
		return heard{}, err
	}
	session, err := s.side(c, true)
	if err != nil {
		return heard{}, err
	}
	hello, err := session.hello(a)
	if err != nil {
		return heard{}, err
	}
	if _, err := c.Write(hello); err != nil {
		return heard{}, err
	}
	answer := make([]byte, 3) // length and type
	if n, err := io.ReadFull(c, answer); err != nil {
		return heard{tapped.read(), answer[:n]}, closed(err)
	}
	if answer[2] != 3 {
		if _, err := c.Write(handshake(a.key)); err != nil {
			return heard{}, err
		}
		_ = c.CloseWrite()
	}
	rest, err := io.ReadAll(c)
	return heard{tapped.read(), append(answer, rest...)}, closed(err)
}

// answer takes one connection of l as if it were a node, says READY to whatever hello there is, and listens.
func (s *stranger) answer(l net.Listener, a ask) (heard, error) {
	raw, err := l.Accept()
	if err != nil {
		return heard{}, err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	tapped := &tap{Conn: raw}
	c := tls.Server(tapped, s.config())
	size := make([]byte, 2)
	if _, err := io.ReadFull(c, size); err != nil {
		return heard{tapped.read(), nil}, closed(err)
	}
	hello := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(c, hello); err != nil {
		return heard{tapped.read(), nil}, closed(err)
	}
	session, err := s.side(c, false)
	if err != nil {
		return heard{}, err
	}
	if _, err := c.Write(session.ready(a)); err != nil {
		return heard{}, err
	}
	rest, err := io.ReadAll(c)
	return heard{tapped.read(), append(append(size, hello...), rest...)}, closed(err)
}

// closed is nil for every way in which a connection ends, but not for one that has not.
func closed(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("still open: %w", err)
	}
	return nil
}

// handshake is that of BEP 3.
func handshake(key content.SHA1) []byte {
	b := append([]byte(preface), make([]byte, 8)...)
	b = append(b, key[:]...)
	return append(b, "-XX0000-............"...)
}

// tap keeps what was read.
type tap struct {
	net.Conn
	mu  sync.Mutex
	got bytes.Buffer
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got.Write(b[:n])
	return n, err
}

func (c *tap) read() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.got.Bytes())
}
