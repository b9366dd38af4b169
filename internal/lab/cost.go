package lab

import (
	"math"
	"time"
)

const (
	gigabyte = 1e9 // what providers bill by
	month    = 730 * time.Hour

	// StepTime is what one step of setting up costs in staff time: reading about it,
	// typing it and looking whether it worked. It is an assumption, and counts only
	// where Prices.Staff is given.
	StepTime = 5 * time.Minute
)

// Cost returns what a transfer costs, in dollars: to whoever offers the content (the
// operator), and to the receivers together. originBytes left the origins, peerBytes the
// receivers, and took is how long the origins had to be there; with math.MaxInt64, which
// is never, only the bytes count.
//
// The operator pays for bytes that leave the origin in every model, since the origin
// stands on the same link in all of them; for server hours and storage, by the second,
// where there is a server, each of Origin.Count; and for staff by the steps of setting
// up. In the peer-to-peer model the origin is a machine that its owner has anyway. What
// a server costs when nothing is transferred is left out: it does not depend on the
// model. Receivers pay for the bytes that they give: peer-to-peer moves cost, and can
// raise the total.
func Cost(s Scenario, m Model, originBytes, peerBytes int64, took time.Duration) (operator, peers float64) {
	p := s.Prices
	operator = p.Egress * float64(originBytes) / gigabyte
	if m != PeerToPeer && took > 0 && took < math.MaxInt64 {
		servers := float64(max(s.Origin.Count, 1))
		operator += servers * p.Server * took.Hours()
		operator += servers * p.Storage * float64(s.Size) / gigabyte * (took.Hours() / month.Hours())
	}
	operator += p.Staff * float64(len(setUp(m))) * StepTime.Hours()
	return operator, p.Peer * float64(peerBytes) / gigabyte
}
