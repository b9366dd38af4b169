package metainfo

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tandem/internal/capability"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/peer"
)

// Ticket is a link to a share of audience link: who holds it may fetch. Its form
// is described in docs/protocol/ticket.md.
type Ticket struct {
	InfoHash content.Hash
	Secret   [32]byte
	Node     peer.ID          // of the first sharer; zero when not said
	Addrs    []netip.AddrPort // where Node may be reached, the best first
	Trackers []string
	Name     string    // a hint
	NotAfter time.Time // UTC, whole seconds; zero: no end

	// Server is whose shares these are, and Capability its signed word that who
	// holds this ticket may take part: package capability. Both or neither.
	Server     peer.ID
	Capability []byte
}

const (
	ticketScheme  = "tandem:"
	ticketVersion = 1
	checksumSize  = 4
	maxTicket     = 8 << 10 // bytes of text
	maxAddrs      = 16
	maxTicketURLs = 8
)

// Tags of the fields, in the order they stand. A reader refuses a tag it does
// not know: what a later version adds may restrict who may use the ticket.
const (
	tagInfoHash = 1
	tagSecret   = 2
	tagNode     = 3
	tagAddr     = 4 // repeated
	tagTracker  = 5 // repeated
	tagName     = 6
	tagNotAfter = 7

	tagServer     = 16
	tagCapability = 17
)

// String returns "tandem:" and the ticket in base64url. Addresses and trackers
// beyond what a ticket holds are left out, and so is a name no file may have.
func (t *Ticket) String() string {
	b := []byte{ticketVersion}
	field := func(tag byte, value []byte) {
		b = append(b, tag)
		b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	field(tagInfoHash, t.InfoHash[:])
	field(tagSecret, t.Secret[:])
	if !t.Node.IsZero() {
		field(tagNode, t.Node[:])
	}
	for _, a := range cleanAddrs(t.Addrs) {
		field(tagAddr, binary.BigEndian.AppendUint16(a.Addr().AsSlice(), a.Port()))
	}
	for _, s := range cleanTrackers(t.Trackers) {
		field(tagTracker, []byte(s))
	}
	if t.Name != "" && content.CheckPath([]string{t.Name}) == nil {
		field(tagName, []byte(t.Name))
	}
	if n := t.NotAfter.Unix(); !t.NotAfter.IsZero() {
		field(tagNotAfter, binary.BigEndian.AppendUint64(nil, uint64(min(max(n, 1), lastSecond))))
	}
	if !t.Server.IsZero() && len(t.Capability) > 0 && len(t.Capability) <= capability.MaxSize {
		field(tagServer, t.Server[:])
		field(tagCapability, t.Capability)
	}
	sum := ticketSum(b)
	return ticketScheme + base64.RawURLEncoding.EncodeToString(append(b, sum[:]...))
}

// ticketSum catches a ticket that was cut or mistyped; it is no protection.
func ticketSum(b []byte) (sum [checksumSize]byte) {
	h := sha256.Sum256(append([]byte("tandem/v1/ticket\x00"), b...))
	copy(sum[:], h[:])
	return sum
}

// cleanAddrs returns the addresses a ticket holds: each once, without zones.
func cleanAddrs(addrs []netip.AddrPort) []netip.AddrPort {
	var out []netip.AddrPort
	for _, a := range addrs {
		a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
		if validAddr(a) && len(out) < maxAddrs && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func validAddr(a netip.AddrPort) bool {
	return a.IsValid() && a.Port() != 0 && !a.Addr().IsUnspecified() && !a.Addr().Is4In6()
}

func cleanTrackers(urls []string) []string {
	var out []string
	for _, s := range urls {
		if isTicketURL(s) && len(out) < maxTicketURLs && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// isTicketURL keeps every ticket below maxTicket.
func isTicketURL(s string) bool { return isLink(s) && len(s) <= 512 }

// ParseTicket reads the form String writes and no other. Errors are of kind
// fault.Invalid and do not quote the ticket, which is a secret. It does not look
// at NotAfter: the caller has the clock.
func ParseTicket(s string) (*Ticket, error) {
	body, ok := strings.CutPrefix(s, ticketScheme)
	if !ok {
		return nil, invalid("ticket: does not start with %s", ticketScheme)
	}
	if len(s) > maxTicket {
		return nil, invalid("ticket: %d characters, more than %d", len(s), maxTicket)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || strings.ContainsAny(body, "\r\n") {
		return nil, invalid("ticket: holds characters that no ticket has; copy it again")
	}
	if len(b) < 1+checksumSize {
		return nil, invalid("ticket: too short; copy it again")
	}
	b, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	if want := ticketSum(b); !bytes.Equal(sum, want[:]) {
		return nil, invalid("ticket: cut short or mistyped; copy it again")
	}
	if b[0] != ticketVersion {
		return nil, invalid("ticket: version %d; a newer program made it", b[0])
	}
	t := new(Ticket)
	if err := t.readFields(b[1:]); err != nil {
		return nil, invalid("ticket: %w", err)
	}
	return t, nil
}

// readFields reads the fields, whose tags must ascend. Addresses and trackers
// may repeat theirs.
func (t *Ticket) readFields(b []byte) error {
	var last byte
	var seen [256]bool
	for len(b) > 0 {
		if len(b) < 3 {
			return invalid("field is cut short")
		}
		tag, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if size > len(b)-3 {
			return invalid("field %d is cut short", tag)
		}
		if tag < last || (tag == last && tag != tagAddr && tag != tagTracker) {
			return invalid("field %d is out of order", tag)
		}
		if err := t.readField(tag, b[3:3+size]); err != nil {
			return err
		}
		last, seen[tag] = tag, true
		b = b[3+size:]
	}
	if !seen[tagInfoHash] || !seen[tagSecret] {
		return invalid("no info-hash or no secret")
	}
	if seen[tagServer] != seen[tagCapability] {
		return invalid("a server without its capability, or the reverse")
	}
	if seen[tagServer] {
		return t.checkCapability()
	}
	return nil
}

// checkCapability makes sure that a ticket is what its server said of this share. The times
// are for who has a clock.
func (t *Ticket) checkCapability() error {
	v, err := capability.Parse(t.Capability, t.Server)
	if err != nil {
		return fault.Wrap(fault.Invalid, err)
	}
	c, ok := v.(capability.Capability)
	switch {
	case !ok:
		return invalid("field %d is no capability", tagCapability)
	case c.Share != t.InfoHash:
		return invalid("the capability is for another share")
	case !c.Node.IsZero():
		return invalid("the capability is for one node, not for whoever holds the ticket")
	}
	return nil
}

func (t *Ticket) readField(tag byte, v []byte) error {
	ok := false
	switch tag {
	case tagInfoHash:
		ok = copy(t.InfoHash[:], v) == len(v) && len(v) == len(t.InfoHash) && !t.InfoHash.IsZero()
	case tagSecret:
		ok = copy(t.Secret[:], v) == len(v) && len(v) == len(t.Secret)
	case tagNode:
		ok = copy(t.Node[:], v) == len(v) && len(v) == len(t.Node) && !t.Node.IsZero()
	case tagAddr:
		var a netip.AddrPort
		if len(v) == 4+2 || len(v) == 16+2 {
			ip, _ := netip.AddrFromSlice(v[:len(v)-2])
			a = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(v[len(v)-2:]))
		}
		ok = validAddr(a) && len(t.Addrs) < maxAddrs && !slices.Contains(t.Addrs, a)
		t.Addrs = append(t.Addrs, a)
	case tagTracker:
		s := string(v)
		ok = isTicketURL(s) && len(t.Trackers) < maxTicketURLs && !slices.Contains(t.Trackers, s)
		t.Trackers = append(t.Trackers, s)
	case tagName:
		t.Name = string(v)
		ok = content.CheckPath([]string{t.Name}) == nil
	case tagNotAfter:
		if len(v) == 8 {
			n := binary.BigEndian.Uint64(v)
			ok = n >= 1 && n <= lastSecond
			t.NotAfter = time.Unix(int64(n), 0).UTC()
		}
	case tagServer:
		ok = copy(t.Server[:], v) == len(v) && len(v) == len(t.Server) && !t.Server.IsZero()
	case tagCapability:
		ok = len(v) > 0 && len(v) <= capability.MaxSize
		t.Capability = slices.Clone(v)
	default:
		return invalid("field %d is unknown; a newer program made it", tag)
	}
	if !ok {
		return invalid("field %d is malformed", tag)
	}
	return nil
}

// Key returns the key that stands for the share wherever an info-hash would in
// public: SwarmKey of its secret.
func (t *Ticket) Key() content.SHA1 { return SwarmKey(t.Secret) }

// SwarmKey returns the 20-byte key derived from a secret that stands for a share
// in the DHT, on the LAN, at trackers and in the hello: HKDF-SHA256 of the
// secret. Who sees it learns neither the secret nor the info-hash.
func SwarmKey(secret [32]byte) content.SHA1 {
	key, err := hkdf.Key(sha256.New, secret[:], nil, "tandem/v1 swarm key", len(content.SHA1{}))
	if err != nil { // only FIPS mode refuses, and never a 32-byte secret
		panic("metainfo: derive swarm key: " + err.Error())
	}
	return content.SHA1(key)
}
