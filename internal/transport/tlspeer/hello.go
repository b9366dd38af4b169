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

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
	"tandem/internal/transport"
)

// What the proofs are made over. The two roles have different labels, so that
// no proof can be sent back to whom it came from.
const (
	exporterLabel = "EXPORTER-tandem/1 link"
	clientLabel   = "tandem/1 client"
	serverLabel   = "tandem/1 server"
)

// A frame is a two-byte length, big-endian, of what follows; a type; a body.
type frameType uint8

const (
	frameHello  frameType = 1 // client: version, key, proof
	frameReady  frameType = 2 // server: proof
	frameRefuse frameType = 3 // server: reason

	version = 1

	proofSize = sha256.Size
	helloSize = 1 + 1 + len(content.SHA1{}) + proofSize // from the type on
	readySize = 1 + proofSize
	maxFrame  = 256 // room for later versions
)

// reason says why a hello was refused. An unknown key and a wrong proof have
// the same reason: who does not hold the secret learns nothing about shares.
type reason uint8

const (
	reasonNo   reason = 1 // no such share, or wrong proof
	reasonBusy reason = 2 // proven, but this peer has enough connections
)

type proof [proofSize]byte

// hello is the client's first frame.
type hello struct {
	Key   content.SHA1
	Proof proof
}

// appendHello writes the frame of h.
func appendHello(dst []byte, h hello) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(helloSize))
	dst = append(dst, byte(frameHello), version)
	dst = append(dst, h.Key[:]...)
	return append(dst, h.Proof[:]...)
}

// parseHello reads what follows the length.
func parseHello(b []byte) (hello, error) {
	var h hello
	if len(b) < 2 || frameType(b[0]) != frameHello {
		return h, fault.Errorf(fault.Protocol, "first frame is not a hello")
	}
	if b[1] != version {
		return h, fault.Errorf(fault.Protocol, "hello of version %d, want %d", b[1], version)
	}
	if len(b) != helloSize {
		return h, fault.Errorf(fault.Protocol, "hello of %d bytes, want %d", len(b), helloSize)
	}
	n := copy(h.Key[:], b[2:])
	copy(h.Proof[:], b[2+n:])
	return h, nil
}

func appendReady(dst []byte, p proof) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(readySize))
	dst = append(dst, byte(frameReady))
	return append(dst, p[:]...)
}

func appendRefuse(dst []byte, r reason) []byte {
	return append(binary.BigEndian.AppendUint16(dst, 2), byte(frameRefuse), byte(r))
}

// parseAnswer reads the server's frame: its proof, or a refusal as an error of
// kind fault.Refused.
func parseAnswer(b []byte) (proof, error) {
	switch {
	case len(b) == readySize && frameType(b[0]) == frameReady:
		return proof(b[1:]), nil
	case len(b) == 2 && frameType(b[0]) == frameRefuse && reason(b[1]) == reasonBusy:
		return proof{}, fault.Errorf(fault.Refused, "peer wants no more connections from this node")
	case len(b) == 2 && frameType(b[0]) == frameRefuse:
		return proof{}, fault.Errorf(fault.Refused, "peer does not share this, or the ticket's secret is wrong")
	}
	return proof{}, fault.Errorf(fault.Protocol, "answer to hello is neither ready nor a refusal")
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

// prove computes one side's proof. Everything after the label has a fixed size.
func prove(secret transport.Secret, label string, exporter []byte, client, server peer.ID) proof {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte(label))
	mac.Write(exporter)
	mac.Write(client[:])
	mac.Write(server[:])
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
	client := c.Identity.id
	h := hello{to.Key, prove(to.Secret, clientLabel, exporter, client, server)}
	if _, err := conn.Write(appendHello(nil, h)); err != nil {
		return nil, fmt.Errorf("send hello: %w", err)
	}
	b, err := readFrame(conn)
	if err != nil {
		return nil, fmt.Errorf("answer to hello: %w", err)
	}
	got, err := parseAnswer(b)
	if err != nil {
		return nil, err
	}
	want := prove(to.Secret, serverLabel, exporter, client, server)
	if !hmac.Equal(got[:], want[:]) {
		return nil, fault.Errorf(fault.Refused, "peer %s does not hold the ticket's secret", server.Short())
	}
	return &Session{conn, server, to.Key}, nil
}

// answer is the server's side, after the TLS handshake.
func (c *Config) answer(conn *tls.Conn, shares transport.Shares, admit func(peer.ID) error) (*Session, error) {
	client, exporter, err := bind(conn)
	if err != nil {
		return nil, err
	}
	b, err := readFrame(conn)
	if err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	h, err := parseHello(b)
	if err != nil {
		return nil, err
	}
	// The same work whether the key is known or not: without a share, for a
	// secret that nobody has.
	var none transport.Secret
	_, _ = rand.Read(none[:]) // never fails
	share, known := shares.Share(h.Key)
	secret := share.Secret
	if !known {
		secret = none
	}
	server := c.Identity.id
	want := prove(secret, clientLabel, exporter, client, server)
	ready := prove(secret, serverLabel, exporter, client, server)
	if proven := hmac.Equal(h.Proof[:], want[:]); !proven || !known {
		_, _ = conn.Write(appendRefuse(nil, reasonNo))
		return nil, fault.Errorf(fault.Refused, "peer %s does not hold the secret of a share", client.Short())
	}
	if admit != nil {
		if err := admit(client); err != nil {
			_, _ = conn.Write(appendRefuse(nil, reasonBusy))
			return nil, fault.Errorf(fault.Refused, "peer %s: %w", client.Short(), err)
		}
	}
	if _, err := conn.Write(appendReady(nil, ready)); err != nil {
		return nil, fmt.Errorf("send ready: %w", err)
	}
	return &Session{conn, client, h.Key}, nil
}
