// Package capability says, under a server's signature, who may take part in a
// share, and until when.
//
// A Capability allows, a Denial takes back. Both are short documents in one
// deterministic binary form that any node can check without the server: allow is
// a signature that runs out, deny is a set that only grows. A capability with a
// node is for that node alone; one without is for whoever holds the share's
// ticket. A document's ID is the SHA-256 of its body, never of its signature.
//
// Form and rules: docs/protocol/capability.md.
package capability

import (
	"crypto/ed25519"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// Rights are what a capability allows.
type Rights uint8

// The rights. Unknown bits are refused.
const (
	Fetch Rights = 1 << iota // take blocks
	Serve                    // give blocks
)

// MaxSize bounds an encoded document, in bytes.
const MaxSize = 512

// Source is what a capability came from: a link, or an account's access to a
// collection. Denying it denies every capability that came from it. It is a hash,
// so that it tells nobody which link or account that is.
type Source [16]byte

// Capability allows taking part in one share.
type Capability struct {
	Server   peer.ID      // whose signature this carries
	Share    content.Hash // v2 info-hash
	Node     peer.ID      // zero: whoever proves the ticket's secret
	Rights   Rights
	Source   Source
	Issued   time.Time // UTC, whole seconds, as the server's clock says
	NotAfter time.Time // UTC, whole seconds
}

// Denial takes back every capability of a source, or those of one node of it.
type Denial struct {
	Server   peer.ID
	Source   Source
	Node     peer.ID // zero: all
	Issued   time.Time
	NotAfter time.Time // when nothing it denies can be valid any more: it may be forgotten then
}

// Sign returns the document c under key, whose public half must be c.Server.
func (c Capability) Sign(key ed25519.PrivateKey) ([]byte, error) { panic("TODO") }

// Sign returns the document d under key, whose public half must be d.Server.
func (d Denial) Sign(key ed25519.PrivateKey) ([]byte, error) { panic("TODO") }

// Parse reads a document and checks that server signed it: it returns a Capability or a
// Denial. Errors are of kind fault.Invalid (no document, or one of a newer program) or
// fault.Refused (another server's, or a changed byte).
func Parse(doc []byte, server peer.ID) (any, error) { panic("TODO") }

// Allows decides whether c lets node take part in share now. The error is of kind fault.Refused and
// says what is wrong: expired, not yet valid (a clock is wrong), for another node, for another
// share, no such right.
func (c Capability) Allows(share content.Hash, node peer.ID, want Rights, now time.Time) error {
	panic("TODO")
}

// Denies reports whether d takes c back.
func (d Denial) Denies(c Capability) bool { panic("TODO") }

// ID is the SHA-256 of the body of a document.
func ID(doc []byte) content.Hash { panic("TODO") }
