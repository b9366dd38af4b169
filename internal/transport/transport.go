// Package transport dials and listens. Its contract is Network; the drivers are
// tcp (plain, and the encrypted BitTorrent handshake), tlspeer (TLS 1.3 between
// nodes, for link shares) and mem (in memory, for tests).
package transport

import (
	"context"
	"iter"
	"net"
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// Path says how a connection came about.
type Path string

// The paths.
const (
	PathPlain Path = "tcp" // BitTorrent in the clear
	PathMSE   Path = "mse" // the encrypted BitTorrent handshake
	PathTLS   Path = "tls" // TLS 1.3 between nodes
	PathMem   Path = "mem"
)

// Conn is a connection on which the share has been agreed as far as the
// transport can: an anonymous BitTorrent connection still has its handshake
// (BEP 3) before it, and a link connection carries that handshake inside, after
// both sides have proven the ticket's secret.
type Conn interface {
	net.Conn

	// Peer is the verified identity, zero for an anonymous BitTorrent peer.
	Peer() peer.ID
	// Audience is what the connection was admitted for.
	Audience() peer.Audience
	// Key is the swarm key that was proven (link), or negotiated (MSE);
	// zero for a plain connection, whose handshake will tell.
	Key() content.SHA1
	Path() Path
	// Remote is the other side's address.
	Remote() netip.AddrPort
	Outgoing() bool
}

// Meter is what a Conn may tell about the system's side of it. Each answer is
// as of now; false means that the system does not say. A link connection
// answers for the TCP connection under it, TLS overhead included.
type Meter interface {
	// RTT is the smoothed round-trip time.
	RTT() (time.Duration, bool)
	// Unsent counts bytes accepted by Write that have not left this machine
	// yet: what a cancel can no longer take back, though it need not be there.
	Unsent() (int, bool)
	// Flight counts bytes accepted by Write that the other side's system has not
	// acknowledged, unsent ones included, and gives the shortest round trip seen.
	// Whatever Flight counts beyond what the link carries in that time stands in
	// queues on the way.
	Flight() (int, time.Duration, bool)
	// Acked counts bytes the other side's system has acknowledged since the
	// connection began.
	Acked() (uint64, bool)
}

// Awaiter is a Conn whose reader need not wake for every packet: after Await(n)
// a Read that finds nothing sleeps until n bytes have come or the connection
// ends. Await(1) goes back to normal. For the reading goroutine only.
type Awaiter interface {
	Await(n int)
}

// BuffersWriter is a Conn that sends several buffers at the cost of one: by
// writev where the bytes go out as they are, by one joined Write where they are
// enciphered. Like net.Buffers.WriteTo it consumes bufs, but not the bytes
// they refer to. Not to be called at the same time as Write.
type BuffersWriter interface {
	WriteBuffers(bufs *net.Buffers) (int64, error)
}

// WriteBuffers sends bufs on c in the cheapest way c has. It consumes bufs.
func WriteBuffers(c net.Conn, bufs *net.Buffers) (int64, error) {
	if w, ok := c.(BuffersWriter); ok {
		return w.WriteBuffers(bufs)
	}
	return bufs.WriteTo(c)
}

// Encryption is a policy for public connections.
type Encryption uint8

// The policies.
const (
	PreferPlain Encryption = iota // plain first, encrypted when that is refused; both accepted
	ForbidMSE                     // plain only
	RequireMSE                    // encrypted handshake only, RC4 for the payload
)

// Secret is the 32-byte secret of a ticket.
type Secret [32]byte

// Guard asks for signed documents on the connections of a share whose server limits
// who may take part: package capability has the documents, the node keeps them. It
// is safe for concurrent use and quick.
type Guard interface {
	// Present returns the newest capability of ours, to be shown in the first
	// frames; nil: there is none.
	Present() []byte
	// Check judges what the other side showed, now. The error is of kind
	// fault.Refused and says why: no capability, expired, for another node, another share,
	// another server's, a changed byte, or revoked.
	Check(node peer.ID, doc []byte) error
}

// Share is what a listener must know of a share served over TLS.
type Share struct {
	Secret   Secret
	Audience peer.Audience // peer.Link or peer.Network
	Guard    Guard         // nil: holding the secret is enough
}

// Guarded is a Conn on which a capability was shown.
type Guarded interface {
	// Shown is the document the other side showed; nil: none was asked for.
	Shown() []byte
}

// Target is whom to dial, and for what.
type Target struct {
	Addr     netip.AddrPort
	Audience peer.Audience
	Key      content.SHA1 // the swarm key: info-hash, or the key derived from the secret
	Secret   Secret       // link and network
	Guard    Guard        // link and network; nil: none
	Want     peer.ID      // link and network: the identity expected there; zero: any that proves itself

	// MSE asks for the encrypted BitTorrent handshake where the policy is
	// PreferPlain. A client that requires encryption closes a plain
	// connection without answering its BitTorrent handshake: dial again with
	// MSE set. Public only.
	MSE bool
	// Global says that a source at a global address named Addr (a tracker, a
	// DHT node, a peer). Such an address may not lead into a local network;
	// see IsGlobal. Leave it false for what the user named, and for what
	// sources at local addresses named.
	Global bool
}

// Shares answers what an incoming connection may ask for.
type Shares interface {
	// PublicKeys yields the swarm keys of public shares.
	PublicKeys() iter.Seq[content.SHA1]
	// Share returns the share of audience link or network with that derived key.
	Share(key content.SHA1) (Share, bool)
}

// Network dials and listens. Errors are of kind fault.Refused (wrong secret,
// identity or audience, or the other side wants no more connections),
// fault.Timeout, fault.Unreachable, fault.Protocol, fault.Permission (our own
// policy forbids the dial, or the system the port), fault.Invalid (an address
// that cannot be listened at), fault.Busy (address in use) or fault.Closed
// (ctx was cancelled, or the network is closed).
type Network interface {
	// Dial connects within ctx. The caller closes the connection.
	Dial(ctx context.Context, to Target) (Conn, error)
	// Listen starts accepting at addr ("host:port", port 0 for any). ctx
	// bounds the setting up only; Close ends the listening.
	Listen(ctx context.Context, addr string, shares Shares) (Listener, error)
}

// Listener yields connections whose transport handshake is done. Unfinished
// handshakes are bounded in number and time and never block Accept.
type Listener interface {
	// Accept returns the next connection, or an error of kind fault.Closed.
	Accept() (Conn, error)
	Addr() netip.AddrPort
	// Close stops listening and abandons unfinished handshakes; accepted
	// connections stay open.
	Close() error
}
