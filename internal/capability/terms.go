package capability

import (
	"iter"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// Reason says what is wrong with what a peer showed. It is an error, so that
// errors.Is(err, capability.Expired) asks for it however deeply it was wrapped.
type Reason uint8

// The reasons. Those from Expired on are found only in documents that the right
// server really signed.
const (
	Missing    Reason = 1 + iota // nothing was shown
	Forged                       // no document, not the server's, or changed
	Expired                      // its not-after has passed
	NotYet                       // issued in the future: somebody's clock is wrong
	OtherNode                    // issued to another node
	OtherShare                   // issued for another share
	NoRight                      // does not allow what was asked
	Revoked                      // the server has taken it back
)

var reasons = [...]string{
	Missing: "is missing", Forged: "is not signed by the share's server, or was changed",
	Expired: "has expired", NotYet: "is not valid yet, so a clock is wrong",
	OtherNode: "was issued to another node", OtherShare: "was issued for another share",
	NoRight: "does not allow this", Revoked: "was revoked",
}

// Error says the reason in words that follow "capability".
func (r Reason) Error() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return "does not hold"
}

// Signed reports whether the reason tells of a document that the right server signed.
func (r Reason) Signed() bool { return r >= Expired && r <= Revoked }

// Terms are what a share asks of a capability.
type Terms struct {
	Server peer.ID
	Share  content.Hash
	// Audience peer.Network asks for a capability that names its node: what stands for
	// a secret there is none, so one for whoever shows it would be for everybody.
	Audience peer.Audience
}

// Check decides whether doc lets node do what it wants now, and returns what doc says.
// The error is of kind fault.Refused with a Reason in its chain.
func (t Terms) Check(node peer.ID, doc []byte, want Rights, now time.Time, denials iter.Seq[Denial]) (Capability, error) {
	if len(doc) == 0 {
		return Capability{}, fault.Errorf(fault.Refused, "capability %w", Missing)
	}
	v, err := Parse(doc, t.Server)
	if err != nil {
		if fault.KindOf(err) == fault.Invalid {
			err = fault.Errorf(fault.Refused, "capability %w: %w", Forged, err)
		}
		return Capability{}, err
	}
	c, ok := v.(Capability)
	if !ok {
		return Capability{}, fault.Errorf(fault.Refused, "capability %w: a denial was shown", Forged)
	}
	if err := t.Allow(c, node, want, now, denials); err != nil {
		return Capability{}, err
	}
	return c, nil
}

// Allow is Check for what Parse has read and found to be of t.Server: it verifies no signature, so
// that a connection can be judged again every second.
func (t Terms) Allow(c Capability, node peer.ID, want Rights, now time.Time, denials iter.Seq[Denial]) error {
	if c.Server != t.Server {
		return fault.Errorf(fault.Refused, "capability %w", Forged)
	}
	if err := c.Allows(t.Share, node, want, now); err != nil {
		return err
	}
	if t.Audience == peer.Network && c.Node.IsZero() {
		return fault.Errorf(fault.Refused, "capability %w: it names no node", OtherNode)
	}
	if denials != nil {
		for d := range denials {
			if d.Denies(c) {
				return fault.Errorf(fault.Refused, "capability %w: %s", Revoked, stamp(d.Issued))
			}
		}
	}
	return nil
}
