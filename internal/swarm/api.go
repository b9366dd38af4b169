package swarm

import (
	"time"

	"tandem/internal/content"
)

// Connect says that a handshake is done. It emits Announce, or Ban at once for
// a key that was banned before.
func (s *Swarm) Connect(now time.Time, id ConnID, caps Caps) {}

// Disconnect says that a connection is gone, whoever closed it.
func (s *Swarm) Disconnect(now time.Time, id ConnID) {}

// PeerHave says that the peer announced piece, which the driver range-checked.
func (s *Swarm) PeerHave(now time.Time, id ConnID, piece int) {}

// PeerBitfield says that the peer announced the set have, also by have-all or
// have-none. The Swarm copies what it needs.
func (s *Swarm) PeerBitfield(now time.Time, id ConnID, have *content.Bitfield) {}

// PeerChoke says whether the peer chokes us.
func (s *Swarm) PeerChoke(now time.Time, id ConnID, choked bool) {}

// PeerInterest says whether the peer is interested in us.
func (s *Swarm) PeerInterest(now time.Time, id ConnID, interested bool) {}

// PeerRequest takes a request with any numbers a peer can send.
func (s *Swarm) PeerRequest(now time.Time, id ConnID, b Block) {}

// PeerCancel takes back a request of the peer.
func (s *Swarm) PeerCancel(now time.Time, id ConnID, b Block) {}

// PeerReject says that the peer will not answer our request (BEP 6).
func (s *Swarm) PeerReject(now time.Time, id ConnID, b Block) {}

// PeerAllowed says that piece may be asked for while choked (BEP 6).
func (s *Swarm) PeerAllowed(now time.Time, id ConnID, piece int) {}

// PeerSuggest is a hint that the peer has piece at hand (BEP 6). It is ignored:
// following it would put the sender's cache before the rarity of pieces.
func (s *Swarm) PeerSuggest(now time.Time, id ConnID, piece int) {}

// PeerBlock says that data arrived and reports whether to store it: it was
// asked for and is not a copy. Write it to the store before carrying out the
// actions that follow, since Verify may be among them.
func (s *Swarm) PeerBlock(now time.Time, id ConnID, b Block) bool { return false }

// PieceVerified answers Verify.
func (s *Swarm) PieceVerified(now time.Time, piece int, ok bool) {}

// BlocksJudged answers JudgeBlocks: bad lists the block numbers whose leaf hash
// is wrong. !ok means that no leaf hashes were to be had.
func (s *Swarm) BlocksJudged(now time.Time, piece int, bad []int, ok bool) {}

// PieceLost says that the store can no longer read a verified piece.
func (s *Swarm) PieceLost(now time.Time, piece int) {}

// Sent says that the socket took bytes of Serve payload. Every Serve is
// followed by its Sent unless the connection ends; also when the block could
// not be read (after PieceLost, or SendReject by the driver).
func (s *Swarm) Sent(now time.Time, id ConnID, bytes int) {}

// RTT gives the transport's estimate of the round trip.
func (s *Swarm) RTT(id ConnID, d time.Duration) {}

// ReqQ gives the number of requests the peer says it will queue (BEP 10
// "reqq"); until then 250 is assumed.
func (s *Swarm) ReqQ(id ConnID, n int) {}

// Pause stops new requests (disk full, down limit) or lets them go on.
func (s *Swarm) Pause(now time.Time, paused bool) {}

// Tick lets time pass. The driver calls it every TickEvery.
func (s *Swarm) Tick(now time.Time) {}

// Actions appends the pending actions to buf and forgets them.
func (s *Swarm) Actions(buf []Action) []Action { return buf }

// Stats returns a snapshot. It looks at every piece: call it for people, not
// for blocks.
func (s *Swarm) Stats() Stats { return Stats{} }

// Swarm is one transfer as a state machine. Make one with New.
type Swarm struct{ cfg Config }

// New returns a Swarm with no connections.
func New(cfg Config) *Swarm { return &Swarm{cfg: cfg} }
