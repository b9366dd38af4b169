package metainfo

import (
	"net/netip"
	"time"

	"tandem/internal/content"
	"tandem/internal/peer"
)

// Ticket is a link to a share of audience link: who holds it may fetch. See
// docs/protocol/ticket.md.
type Ticket struct {
	InfoHash content.Hash
	Secret   [32]byte
	Node     peer.ID          // of the first sharer; zero when not said
	Addrs    []netip.AddrPort // where Node may be reached
	Trackers []string
	Name     string    // a hint
	NotAfter time.Time // UTC seconds; zero: no end
}

// ParseTicket reads the form String writes and no other. Errors are of kind
// fault.Invalid. It does not look at NotAfter: the caller has the clock.
func ParseTicket(s string) (*Ticket, error) { panic("todo") }

// String returns "tandem:" and the ticket in base64url.
func (t *Ticket) String() string { panic("todo") }

// Key returns the 20-byte key derived from the secret that stands for the share
// in the DHT, on the LAN, at trackers and in the hello.
func (t *Ticket) Key() content.SHA1 { panic("todo") }
