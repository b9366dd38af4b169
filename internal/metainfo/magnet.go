package metainfo

import "tandem/internal/content"

// Magnet is a magnet link (BEP 9, 52).
type Magnet struct {
	InfoHash1 content.SHA1 // zero without "urn:btih"
	InfoHash2 content.Hash // zero without "urn:btmh"
	Name      string       // dn, a hint
	Length    int64        // xl, a hint; 0 when not said
	Trackers  []string     // tr
	Peers     []string     // x.pe, host:port
	WebSeeds  []string     // ws
}

// ParseMagnet reads a magnet link. Errors are of kind fault.Invalid.
func ParseMagnet(s string) (*Magnet, error) { panic("todo") }

// String returns the link.
func (m *Magnet) String() string { panic("todo") }
