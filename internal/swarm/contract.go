// Package swarm is one transfer as a state machine: events in, actions out.
//
// The driver (package transfer, or a simulation) reports what happened by
// calling the event methods of a Swarm, each with the current time, and then
// carries out what Actions returns, in order. The machine never blocks, reads no
// clock and draws randomness only from the source it was given, so a run can be
// replayed. It is not safe for concurrent use: one goroutine owns it.
//
// Strategy: rules R1-R8 of the design study (docs/architecture.md, "Strategy").
package swarm

import (
	"math/rand/v2"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// ConnID names a connection within one Swarm. The driver chooses it and never
// uses one again.
type ConnID int32

// Geometry is what the machine needs to know of a manifest.
// *content.Manifest has it.
type Geometry interface {
	NumPieces() int
	NumBlocks(piece int) int
	BlockLen(piece, block int) int // bytes
	PieceSize(piece int) int       // bytes
	PaddedSize(piece int) int      // bytes, as v1 peers may request them
}

// Config is what a Swarm is made from. Zero limits take the defaults.
type Config struct {
	Geometry Geometry
	Have     *content.Bitfield // pieces verified at the start; the Swarm keeps it
	Wanted   *content.Bitfield // pieces to fetch; nil means all
	// Suspect are pieces that may be here and are still to be verified: neither
	// fetched nor served until PieceFound or PieceLost. Nil: none; the Swarm
	// keeps it.
	Suspect *content.Bitfield
	Rand    *rand.Rand

	Serving     int // K of R4: connections sent to at a time (2)
	MaxUnchoked int // 0: everybody interested is unchoked
	MaxQueuedIn int // requests queued from one peer (256); more are rejected
	MaxDepth    int // requests outstanding to one peer (512)

	NoGuard bool // switch R5 off, for measurements
}

// Caps says what a new connection can do.
type Caps struct {
	Key      peer.Key // whom bans and statistics are kept for
	Fast     bool     // BEP 6 was agreed
	V2       bool     // the peer understands BEP 52 hash requests
	Outgoing bool
	Tandem   bool // takes notices (SendFetching, SendFetched)
	Near     bool // on the same local network as we are

	// Origin is a server asked for ranges: it has everything at once, takes no
	// messages but requests, and is asked for whole pieces, neighbours after
	// each other where nothing speaks against it, so that the driver can join
	// them into one range. Announce and interest are not emitted for it.
	Origin bool
}

// Block is a request: bytes of a piece.
type Block struct {
	Piece, Begin, Length int
}

// Kind says what an Action asks of the driver.
type Kind uint8

// The kinds of Action, with the fields each uses besides Conn.
const (
	Announce       Kind = iota + 1 // send Have as bitfield, have-all or have-none; first message of a connection
	SendHave                       // Block.Piece
	SendChoke                      //
	SendUnchoke                    //
	SendInterest                   // interested
	SendNoInterest                 // not interested
	SendRequest                    // Block
	SendCancel                     // Block
	SendReject                     // Block; only to peers with Fast
	Serve                          // Block: read it from the store and send it; report Sent when the socket took it
	Verify                         // Block.Piece: all blocks were accepted; hash it, then call PieceVerified
	JudgeBlocks                    // Block.Piece failed with several senders: get its leaf hashes (from Conn first), then call BlocksJudged
	Drop                           // close Conn because of Reason; the driver then calls Disconnect
	Ban                            // as Drop, and refuse Key from now on
	Complete                       // every wanted piece is verified; Conn is unused; emitted once
	SendFetching                   // Block.Piece: we fetch it from an origin or from afar; only to peers with Tandem (R8)
	SendFetched                    // Block.Piece: that is over and nothing came of it; otherwise SendHave says so
)

// Action is one thing for the driver to do.
type Action struct {
	Kind   Kind
	Conn   ConnID
	Block  Block
	Have   *content.Bitfield // Announce only; the driver must not keep or change it
	Reason fault.Kind        // Drop and Ban
	Text   string            // Drop and Ban: what the peer did
}

// ConnStats is a snapshot of one connection.
type ConnStats struct {
	Conn         ConnID
	Key          peer.Key
	Down, Up     int64   // payload bytes received and handed to the socket
	DownRate     float64 // bytes per second, decayed average
	UpRate       float64
	Pieces       int // how many the peer has
	Outstanding  int // our requests without an answer
	QueuedIn     int // its requests we have not answered
	ChokesUs     bool
	Choked       bool
	Interested   bool // the peer is interested in us
	WeInterested bool
	Origin, Near bool
}

// Stats is a snapshot of the transfer.
type Stats struct {
	Have, Wanted, Pieces int   // pieces verified (of those wanted), wanted, in all
	Bytes, Total         int64 // wanted payload bytes verified, and in all
	Wasted               int64 // payload received twice or thrown away
	Corrupt              int64 // bytes that failed their hash
	DownRate, UpRate     float64
	Copies               float64 // whole copies among connected peers, us excluded: min count plus the share of pieces above it
	GuardOn              bool    // R5 is still holding pieces back
	Conns                []ConnStats
}

// Lost is a run of wanted pieces that nobody connected has. There is none while an
// origin is connected, and none names an origin as its holder.
type Lost struct {
	First, Last int
	Holder      peer.Key  // who had them last; zero: nobody ever
	Since       time.Time // when that one left
}

// TickEvery is how often the driver must call Tick while anything is connected.
const TickEvery = 100 * time.Millisecond

// Event methods of *Swarm, all taking the time first:
//
//	Connect(now, id, Caps)             a handshake is done; emits Announce
//	Disconnect(now, id)                the connection is gone, whoever closed it
//	PeerHave(now, id, piece)           piece was range-checked by the driver
//	PeerBitfield(now, id, *Bitfield)   also for have-all and have-none
//	PeerChoke(now, id, choked)
//	PeerInterest(now, id, interested)
//	PeerRequest(now, id, Block)        any numbers a peer can send; the machine checks them
//	PeerCancel(now, id, Block)
//	PeerReject(now, id, Block)
//	PeerAllowed(now, id, piece)        BEP 6 allowed fast
//	PeerSuggest(now, id, piece)
//	PeerBlock(now, id, Block) bool     data arrived; true: store it, it was asked for and is not a copy
//	PieceVerified(now, piece, ok)      answer to Verify
//	BlocksJudged(now, piece, bad []int, ok bool)  answer to JudgeBlocks; !ok: no leaf hashes were to be had
//	PieceFound(now, piece)             a suspect piece was verified
//	PieceLost(now, piece)              the store can no longer read it, or a suspect piece is bad
//	Sent(now, id, bytes)               the socket took bytes of Serve payload
//	RTT(id, d)                         the transport's estimate
//	PeerFetching(now, id, piece, on)   a peer with Tandem fetches piece from an origin or from afar, or does no longer;
//	                                   PeerHave of the piece ends it as well
//	Elsewhere(now, id, []Block, taken *Bitfield, after)  an origin will not give these blocks now; nor, for as long as after,
//	                                   the pieces in taken (nil: none known); it asks to be left alone for after when taken is full
//	Costly(now, id, bool)              an origin is to be asked only for what no connected peer has or fetches
//	InOrder(now, id, from)             an origin sends whole files only: ask for what is needed from piece from on, in
//	                                   order; negative: as usual again
//	Pause(now, paused)                 no new requests while paused (disk full, down limit)
//	Tick(now)
//
// and Actions(buf []Action) []Action, which appends and forgets the pending
// actions, Stats() Stats, and Lost() []Lost.
