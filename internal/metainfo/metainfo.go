// Package metainfo turns .torrent files, magnet links and tickets into
// manifests and back.
//
// Source: BEP 3, 9, 12, 19, 27, 47, 52. Differs: dictionaries with unsorted keys
// are read (the info-hash is taken over the original bytes), everything else
// that is not canonical is refused; symbolic links are skipped; piece layers may
// be missing, since they can be asked for, but not wrong.
package metainfo

import (
	"time"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/internal/fault"
)

// Limits on foreign metadata. WarnSize is not one: libtorrent refuses what is
// longer, so whoever makes such a file should be told.
const (
	MaxSize     = 64 << 20 // bytes of a .torrent file or info dictionary
	WarnSize    = 10_000_000
	maxTrackers = 100  // and as many web seeds; more are dropped
	maxURL      = 2048 // bytes; longer ones are dropped
	maxText     = 4096 // bytes of a comment; cut
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
	Links     []string  // paths of symbolic links, which are not part of Manifest
}

// Parse reads a .torrent file. Texts in it are as they came: quote them before
// a terminal sees them. It refers to data, which must not be changed afterwards.
// Errors are of kind fault.Invalid, or fault.Conflict when the v1 and v2 halves
// describe different content.
func Parse(data []byte) (*Torrent, error) {
	top, err := decode(data)
	if err != nil {
		return nil, err
	}
	info, ok := top.Dict("info")
	if !ok || info.Kind() != bencode.Dict {
		return nil, fault.Errorf(fault.Invalid, "torrent: no info dictionary")
	}
	t, err := parseInfo(info)
	if err != nil {
		return nil, fault.Errorf(fault.KindOf(err), "torrent: %w", err)
	}
	t.Unsorted = top.Unsorted()
	if err := t.readLayers(top); err != nil {
		return nil, fault.Errorf(fault.Invalid, "torrent: %w", err)
	}
	t.Trackers = trackers(top)
	t.WebSeeds = webSeeds(top)
	t.Comment = text(top, "comment")
	t.CreatedBy = text(top, "created by")
	if v, ok := top.Dict("creation date"); ok {
		if n, ok := v.Int(); ok && n > 0 && n <= lastSecond {
			t.Created = time.Unix(n, 0).UTC()
		}
	}
	return t, nil
}

// lastSecond is the end of the year 9999, where dates stop having a text form.
const lastSecond = 253402300799

// FromInfo reads an info dictionary alone, as peers send it (BEP 9). Piece layers
// are then unknown. It refers to info, which must not be changed afterwards.
// Errors are those of Parse.
func FromInfo(info []byte) (*Torrent, error) {
	v, err := decode(info)
	if err != nil {
		return nil, err
	}
	t, err := parseInfo(v)
	if err != nil {
		return nil, fault.Errorf(fault.KindOf(err), "info: %w", err)
	}
	return t, nil
}

func decode(data []byte) (bencode.Value, error) {
	if len(data) > MaxSize {
		return bencode.Value{}, fault.Errorf(fault.Invalid, "torrent: %d bytes, more than %d", len(data), MaxSize)
	}
	v, err := bencode.Decode(data, bencode.Options{Unsorted: true})
	if err != nil {
		return bencode.Value{}, fault.Errorf(fault.Invalid, "torrent: %w", err)
	}
	if v.Kind() != bencode.Dict {
		return bencode.Value{}, fault.Errorf(fault.Invalid, "torrent: not a dictionary")
	}
	return v, nil
}

// readLayers reads the piece layers beside an info dictionary. Some writers
// list files that have none; what is there must be right.
func (t *Torrent) readLayers(top bencode.Value) error {
	v, ok := top.Dict("piece layers")
	if !ok || t.Layers == nil {
		return nil
	}
	entries, ok := v.Entries()
	if !ok {
		return fault.Errorf(fault.Invalid, "piece layers are not a dictionary")
	}
	for _, e := range entries {
		if len(e.Key) != len(content.Hash{}) {
			return fault.Errorf(fault.Invalid, "piece layers: a key of %d bytes is no root", len(e.Key))
		}
		file, ok := t.Layers.Lookup(content.Hash(e.Key))
		if !ok || t.Manifest.Files[file].Length <= t.Manifest.PieceLength {
			continue
		}
		raw, ok := e.Value.Bytes()
		if !ok || len(raw)%len(content.Hash{}) != 0 {
			return fault.Errorf(fault.Invalid, "piece layer of %q is not a string of hashes", t.Manifest.Files[file].Path)
		}
		hashes := make([]content.Hash, len(raw)/len(content.Hash{}))
		for i := range hashes {
			copy(hashes[i][:], raw[i*len(hashes[i]):])
		}
		if err := t.Layers.SetFile(file, hashes); err != nil {
			return err
		}
	}
	return nil
}

// trackers returns the tiers of BEP 12, or the one tracker of BEP 3.
func trackers(top bencode.Value) [][]string {
	var tiers [][]string
	n := 0
	list, _ := top.Dict("announce-list")
	items, _ := list.List()
	for _, item := range items {
		var tier []string
		urls, _ := item.List()
		for _, u := range urls {
			if s, ok := link(u); ok && n < maxTrackers {
				tier = append(tier, s)
				n++
			}
		}
		if len(tier) > 0 {
			tiers = append(tiers, tier)
		}
	}
	if v, _ := top.Dict("announce"); len(tiers) == 0 {
		if s, ok := link(v); ok {
			tiers = [][]string{{s}}
		}
	}
	return tiers
}

// webSeeds returns the URLs of BEP 19, which may be one string or a list.
func webSeeds(top bencode.Value) []string {
	v, _ := top.Dict("url-list")
	if s, ok := link(v); ok {
		return []string{s}
	}
	var urls []string
	items, _ := v.List()
	for _, item := range items {
		if s, ok := link(item); ok && len(urls) < maxTrackers {
			urls = append(urls, s)
		}
	}
	return urls
}

// link returns the URL v is, if it may be one.
func link(v bencode.Value) (string, bool) {
	s, ok := v.String()
	return s, ok && isLink(s)
}

// isLink reports whether s may be a URL or an address: short, and nothing in it
// that cannot be seen.
func isLink(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= maxURL
}

func text(top bencode.Value, key string) string {
	v, _ := top.Dict(key)
	s, _ := v.String()
	return s[:min(len(s), maxText)]
}
