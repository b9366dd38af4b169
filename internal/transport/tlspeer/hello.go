package tlspeer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// What the proofs are made over. The two roles have different labels, so that
// no proof can be sent back to whom it came from, and so have the two audiences, so
// that none is good for the other.
const (
	exporterLabel      = "EXPORTER-tandem/1 link"
	clientLabel        = "tandem/1 client"
	serverLabel        = "tandem/1 server"
	networkClientLabel = "tandem/1 network client"
	networkServerLabel = "tandem/1 network server"
)

// A frame is a two-byte length, big-endian, of what follows; a type; a body.
type frameType uint8

const (
	frameHello        frameType = 1 // client: version, key, proof
	frameReady        frameType = 2 // server: proof
	frameRefuse       frameType = 3 // server: reason
	frameGuardedHello frameType = 4 // client: version, key, proof, sealed document
	frameGuardedReady frameType = 5 // server: proof, document

	version = 1

	proofSize = sha256.Size
	helloSize = 1 + 1 + len(content.SHA1{}) + proofSize // from the type on
	readySize = 1 + proofSize
	maxFrame  = 1 << 10 // room for later versions
)

type proof [proofSize]byte

// hello is the client's first frame.
type hello struct {
	Key     content.SHA1
	Proof   proof
	Guarded bool   // asks for a capability, and shows one
	Sealed  []byte // it, for who holds the secret only; see seal
}

// appendHello writes the frame of h.
func appendHello(dst []byte, h hello) []byte {
	size, kind := helloSize, frameHello
	if h.Guarded {
		size, kind = size+2+len(h.Sealed), frameGuardedHello
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	dst = append(dst, byte(kind), version)
	dst = append(dst, h.Key[:]...)
	dst = append(dst, h.Proof[:]...)
	if h.Guarded {
		dst = appendDoc(dst, h.Sealed)
	}
	return dst
}

// parseHello reads what follows the length.
func parseHello(b []byte) (hello, error) {
	var h hello
	if len(b) < 2 || frameType(b[0]) != frameHello && frameType(b[0]) != frameGuardedHello {
		return h, fault.Errorf(fault.Protocol, "first frame is not a hello")
	}
	if b[1] != version {
		return h, fault.Errorf(fault.Protocol, "hello of version %d, want %d", b[1], version)
	}
	if h.Guarded = frameType(b[0]) == frameGuardedHello; h.Guarded && len(b) > helloSize {
		var err error
		if h.Sealed, err = parseDoc(b[helloSize:], maxSealed); err != nil {
			return hello{}, fmt.Errorf("hello: %w", err)
		}
		b = b[:helloSize]
	}
	if len(b) != helloSize || h.Guarded && h.Sealed == nil {
		return hello{}, fault.Errorf(fault.Protocol, "hello of %d bytes, want %d", len(b), helloSize)
	}
	n := copy(h.Key[:], b[2:])
	copy(h.Proof[:], b[2+n:])
	return h, nil
}

// ready is the server's answer to who may come in.
type ready struct {
	Proof   proof
	Guarded bool // answers a hello that was
	Doc     []byte
}

func appendReady(dst []byte, r ready) []byte {
	size, kind := readySize, frameReady
	if r.Guarded {
		size, kind = size+2+len(r.Doc), frameGuardedReady
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	dst = append(dst, byte(kind))
	dst = append(dst, r.Proof[:]...)
	if r.Guarded {
		dst = appendDoc(dst, r.Doc)
	}
	return dst
}

func appendRefuse(dst []byte, r transport.Refusal) []byte {
	return append(binary.BigEndian.AppendUint16(dst, 2), byte(frameRefuse), byte(r))
}

// parseAnswer reads the server's frame: what it says to who may come in, or a
// refusal as an error of kind fault.Refused.
func parseAnswer(b []byte, audience peer.Audience) (ready, error) {
	switch {
	case len(b) == readySize && frameType(b[0]) == frameReady:
		return ready{Proof: proof(b[1:])}, nil
	case len(b) > readySize && frameType(b[0]) == frameGuardedReady:
		doc, err := parseDoc(b[readySize:], capability.MaxSize)
		if err != nil {
			return ready{}, fmt.Errorf("answer to hello: %w", err)
		}
		return ready{proof(b[1:readySize]), true, doc}, nil
	case len(b) == 2 && frameType(b[0]) == frameRefuse:
		return ready{}, transport.Refusal(b[1]).Err(audience)
	}
	return ready{}, fault.Errorf(fault.Protocol, "answer to hello is neither ready nor a refusal")
}

// readFrame reads one frame and returns what follows the length.
func readFrame(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(size[:])
	if n == 0 || n > maxFrame {
		return nil, fault.Errorf(fault.Protocol, "frame of %d bytes, want 1 to %d", n, maxFrame)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, noEOF(err)
	}
	return b, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// prove computes one side's proof. Everything after the label has a fixed size: of a
// document it is over the hash.
func prove(secret transport.Secret, label string, exporter []byte, client, server peer.ID, docs ...[]byte) proof {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte(label))
	mac.Write(exporter)
	mac.Write(client[:])
	mac.Write(server[:])
	for _, doc := range docs {
		h := sha256.Sum256(doc)
		mac.Write(h[:])
	}
	return proof(mac.Sum(nil))
}

// bind returns who is there and the value that only this TLS session has.
func bind(conn *tls.Conn) (peer.ID, []byte, error) {
	cs := conn.ConnectionState()
	id, err := identityOf(cs)
	if err != nil {
		return peer.ID{}, nil, err
	}
	exporter, err := cs.ExportKeyingMaterial(exporterLabel, nil, 32)
	if err != nil {
		return peer.ID{}, nil, fmt.Errorf("TLS exporter: %w", err)
	}
	return id, exporter, nil
}

// greet is the client's side, after the TLS handshake. The server judges our
// certificate only after our handshake is done, so nothing but the hello is
// sent before its answer.
func (c *Config) greet(conn *tls.Conn, to transport.Target) (*Session, error) {
	server, exporter, err := bind(conn)
	if err != nil {
		return nil, err
	}
	b := bond{to.Secret, to.Audience, exporter, c.Identity.id, server}
	var doc []byte
	if to.Guard != nil {
		doc = to.Guard.Present()
	}
	if _, err := conn.Write(appendHello(nil, b.hello(to.Key, to.Guard != nil, doc))); err != nil {
		return nil, fmt.Errorf("send hello: %w", err)
	}
	frame, err := readFrame(conn)
	if err != nil {
		return nil, fmt.Errorf("answer to hello: %w", err)
	}
	got, err := parseAnswer(frame, to.Audience)
	if err != nil {
		return nil, err
	}
	if got.Guarded != (to.Guard != nil) {
		return nil, fault.Errorf(fault.Protocol, "answer to hello is not of its kind")
	}
	if want := b.ready(got.Guarded, got.Doc); !hmac.Equal(got.Proof[:], want.Proof[:]) {
		return nil, fault.Errorf(fault.Refused, "peer %s does not hold the ticket's secret", server.Short())
	}
	if to.Guard != nil {
		if err := to.Guard.Check(server, got.Doc); err != nil {
			return nil, fault.Errorf(fault.Refused, "peer %s: %w", server.Short(), err)
		}
	}
	return &Session{conn, server, to.Key, to.Audience, got.Doc}, nil
}

// answer is the server's side, after the TLS handshake.
func (c *Config) answer(conn *tls.Conn, shares transport.Shares, admit func(peer.ID) error) (*Session, error) {
	client, exporter, err := bind(conn)
	if err != nil {
		return nil, err
	}
	frame, err := readFrame(conn)
	if err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	h, err := parseHello(frame)
	if err != nil {
		return nil, err
	}
	// The same work whether the key is known or not: without a share, for a
	// secret that nobody has.
	share, known := shares.Share(h.Key)
	if known = known && share.Sound(); !known {
		_, _ = rand.Read(share.Secret[:]) // never fails
	}
	b := bond{share.Secret, share.Audience, exporter, client, c.Identity.id}
	if want := b.prove(h); !hmac.Equal(h.Proof[:], want[:]) || !known {
		_, _ = conn.Write(appendRefuse(nil, transport.NotShared))
		return nil, fault.Errorf(fault.Refused, "peer %s does not hold the secret of a share", client.Short())
	}
	s := &Session{Conn: conn, Peer: client, Key: h.Key, Audience: share.Audience}
	var say transport.Refusal
	if s.Shown, say, err = b.judge(share, h); err != nil {
		_, _ = conn.Write(appendRefuse(nil, say))
		return nil, err
	}
	if admit != nil {
		if err := admit(client); err != nil {
			_, _ = conn.Write(appendRefuse(nil, transport.EnoughConns))
			return nil, fault.Errorf(fault.Refused, "peer %s: %w", client.Short(), err)
		}
	}
	var doc []byte
	if h.Guarded && share.Guard != nil {
		doc = share.Guard.Present()
	}
	if _, err := conn.Write(appendReady(nil, b.ready(h.Guarded, doc))); err != nil {
		return nil, fmt.Errorf("send ready: %w", err)
	}
	return s, nil
}
