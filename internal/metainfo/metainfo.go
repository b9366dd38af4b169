// Package metainfo turns .torrent files, magnet links and tickets into
// manifests and back.
//
// Source: BEP 3, 9, 12, 19, 27, 47, 52. Differs: dictionaries with unsorted keys
// are read (the info-hash is taken over the original bytes), everything else
// that is not canonical is refused, and so are symbolic links.
package metainfo

import (
	"time"

	"tandem/internal/content"
)

// Torrent is what a .torrent file says.
type Torrent struct {
	Manifest  *content.Manifest
	Info      []byte          // the info dictionary as it was read; info-hashes are over it
	Layers    *content.Layers // nil for v1-only content
	Trackers  [][]string      // tiers
	WebSeeds  []string
	Comment   string
	CreatedBy string
	Created   time.Time // zero when not said
	Unsorted  bool      // some dictionary had unsorted keys
}

// Parse reads a .torrent file. Errors are of kind fault.Invalid, or
// fault.Conflict when the v1 and v2 halves describe different content.
func Parse(data []byte) (*Torrent, error) { panic("todo") }

// FromInfo reads an info dictionary alone, as peers send it (BEP 9). Piece layers
// are then unknown. Errors are those of Parse.
func FromInfo(info []byte) (*Torrent, error) { panic("todo") }

// Encode writes t as a .torrent file, with the piece layers that are known.
func (t *Torrent) Encode() ([]byte, error) { panic("todo") }

// BuildOptions say what Build writes.
type BuildOptions struct {
	V1, V2    bool // both: hybrid
	Private   bool // BEP 27
	Trackers  [][]string
	WebSeeds  []string
	Comment   string
	CreatedBy string
	Created   time.Time // left out when zero
}

// Build makes a torrent of m, whose name, files and piece length are set and
// whose files stand in BEP 52 order, and of the hashes in d. It returns a new
// Manifest and leaves m alone. Errors are of kind fault.Invalid.
func Build(m *content.Manifest, d *content.Digest, o BuildOptions) (*Torrent, error) {
	panic("todo")
}
