package transport

import (
	"errors"

	"tandem/internal/capability"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// Refusal says to who dialed why it is turned away. The numbers are part of the
// protocol: docs/protocol/link.md.
type Refusal uint8

// The refusals. Everything from NeedsCapability on is said only to who has proven the
// secret and, where that is none, has shown what the share's server really signed.
const (
	NotShared       Refusal = 1 + iota // no such share, a wrong proof, or nothing more to be said
	EnoughConns                        // proven, but this peer has enough connections
	NeedsCapability                    // proven, but a capability has to be shown
	BadCapability                      // not the server's, or changed
	HasExpired
	NotYetValid
	ForOtherNode
	ForOtherShare
	WithoutRight
	WasRevoked
)

// refusals are the reasons that have a number of their own.
var refusals = [...]capability.Reason{
	NeedsCapability: capability.Missing, BadCapability: capability.Forged,
	HasExpired: capability.Expired, NotYetValid: capability.NotYet,
	ForOtherNode: capability.OtherNode, ForOtherShare: capability.OtherShare,
	WithoutRight: capability.NoRight, WasRevoked: capability.Revoked,
}

// Sound reports whether s may be served at all. The secret of audience network is
// none, so that without a guard nothing would protect such a share.
func (s Share) Sound() bool {
	return s.Audience == peer.Link || s.Audience == peer.Network && s.Guard != nil
}

// Judge decides about a node that has proven the secret of s. guarded says that it speaks of
// capabilities at all, doc is what it showed. The error is of kind fault.Refused and
// stays here; the Refusal is what the node may be told.
func (s Share) Judge(node peer.ID, guarded bool, doc []byte) (Refusal, error) {
	if s.Guard == nil {
		return 0, nil
	}
	err := error(nil)
	if guarded {
		err = s.Guard.Check(node, doc)
	} else {
		err = fault.Errorf(fault.Refused, "capability %w", capability.Missing)
	}
	if err == nil {
		return 0, nil
	}
	return s.refusal(err), fault.Errorf(fault.Refused, "peer %s: %w", node.Short(), err)
}

// refusal is what may be said of err.
func (s Share) refusal(err error) Refusal {
	var why capability.Reason
	if !errors.As(err, &why) || s.Audience != peer.Link && !why.Signed() {
		return NotShared
	}
	for r, reason := range refusals {
		if reason == why {
			return Refusal(r)
		}
	}
	return NotShared
}

// Err says r in words, to who was refused: an error of kind fault.Refused, with the
// capability.Reason in its chain if there is one. What no program of today says is taken
// for NotShared.
func (r Refusal) Err(audience peer.Audience) error {
	switch {
	case r == EnoughConns:
		return fault.Errorf(fault.Refused, "peer wants no more connections from this node")
	case int(r) < len(refusals) && refusals[r] != 0:
		return fault.Errorf(fault.Refused, "peer says that our capability %w", refusals[r])
	case audience == peer.Network:
		return fault.Errorf(fault.Refused, "peer does not share this, or our capability is not signed by the share's server")
	}
	return fault.Errorf(fault.Refused, "peer does not share this, or the ticket's secret is wrong")
}

// CheckTarget refuses what no driver can dial, with fault.Invalid.
func CheckTarget(to Target) error {
	switch {
	case to.Audience != peer.Public && to.Audience != peer.Link && to.Audience != peer.Network:
		return fault.Errorf(fault.Invalid, "no way to dial for audience %s", to.Audience)
	case to.Audience == peer.Network && to.Guard == nil:
		return fault.Errorf(fault.Invalid, "dial for audience network without a capability")
	}
	return nil
}
