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
	"crypto/hkdf"
	"crypto/sha256"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// Rights are what a capability allows.
type Rights uint8

// The rights. Unknown bits are refused.
const (
	Fetch Rights = 1 << iota // take blocks
	Serve                    // give blocks

	allRights = Fetch | Serve
)

// MaxSize bounds an encoded document, in bytes.
const MaxSize = 512

// Skew is by how much a document may be from the future: as far as two clocks that
// are both called right may be apart.
const Skew = 5 * time.Minute

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
	NotAfter time.Time // UTC, whole seconds; still good in that second
}

// Denial takes back the capabilities of a source, or those of one node of it, that
// were issued up to the second in which it was issued itself. What the server issues
// later is good again.
type Denial struct {
	Server   peer.ID
	Source   Source
	Node     peer.ID // zero: all
	Issued   time.Time
	NotAfter time.Time // when nothing it denies can be valid any more: it may be forgotten then
}

// Sign returns the document c under key, whose public half must be c.Server. Times are cut
// to whole seconds. The error is of kind fault.Invalid: c is nothing that Parse would read.
func (c Capability) Sign(key ed25519.PrivateKey) ([]byte, error) {
	return sign(typeCapability, appendCapability(nil, c), c.Server, key)
}

// Sign returns the document d under key, whose public half must be d.Server. Times are cut
// to whole seconds. The error is of kind fault.Invalid: d is nothing that Parse would read.
func (d Denial) Sign(key ed25519.PrivateKey) ([]byte, error) {
	return sign(typeDenial, appendDenial(nil, d), d.Server, key)
}

// Parse reads a document and checks that server signed it: it returns a Capability or a
// Denial. Errors are of kind fault.Invalid (no document, or one of a newer program) or
// fault.Refused (another server's, or a changed byte; Forged is in their chain).
func Parse(doc []byte, server peer.ID) (any, error) {
	v, err := parse(doc)
	if err != nil {
		return nil, err
	}
	signer, t := signerOf(v)
	if server.IsZero() || signer != server {
		return nil, fault.Errorf(fault.Refused, "%s of another server: %w", t, Forged)
	}
	body, sig := split(doc)
	if !ed25519.Verify(server[:], t.signed(body), sig) {
		return nil, fault.Errorf(fault.Refused, "%s of server %s: %w", t, server.Short(), Forged)
	}
	return v, nil
}

// Allows decides whether c lets node take part in share now. The error is of kind fault.Refused and
// says what is wrong: expired, not yet valid (a clock is wrong), for another node, for another
// share, no such right. The Reason is in its chain.
func (c Capability) Allows(share content.Hash, node peer.ID, want Rights, now time.Time) error {
	switch {
	case c.Share != share:
		return fault.Errorf(fault.Refused, "capability %w", OtherShare)
	case !c.Node.IsZero() && c.Node != node:
		return fault.Errorf(fault.Refused, "capability %w: for %s, shown by %s", OtherNode, c.Node.Short(), node.Short())
	case c.Rights&want != want:
		return fault.Errorf(fault.Refused, "capability %w", NoRight)
	case now.Add(Skew).Before(c.Issued):
		return fault.Errorf(fault.Refused, "capability %w: issued %s, and here it is %s", NotYet, stamp(c.Issued), stamp(now))
	case now.Truncate(time.Second).After(c.NotAfter):
		return fault.Errorf(fault.Refused, "capability %w: %s", Expired, stamp(c.NotAfter))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Denies reports whether d takes c back.
func (d Denial) Denies(c Capability) bool {
	return d.Server == c.Server && d.Source == c.Source &&
		(d.Node.IsZero() || d.Node == c.Node) && !c.Issued.After(d.Issued)
}

// ID is the SHA-256 of the body of a document, zero for what is too short to be one.
func ID(doc []byte) content.Hash {
	body, _ := split(doc)
	if body == nil {
		return content.Hash{}
	}
	return sha256.Sum256(body)
}

// NetworkSecret is what stands for a ticket's secret where a share is for whom its
// server has signed a capability. It is no secret: who knows the server and the
// info-hash can compute it. What protects such a share is the capability.
func NetworkSecret(server peer.ID, share content.Hash) [32]byte {
	ikm := append(append(make([]byte, 0, len(server)+len(share)), server[:]...), share[:]...)
	secret, err := hkdf.Key(sha256.New, ikm, nil, "tandem/v1 network secret", 32)
	if err != nil { // only FIPS mode refuses, and never 64 bytes
		panic("capability: derive network secret: " + err.Error())
	}
	return [32]byte(secret)
}
