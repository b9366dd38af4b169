package metainfo

import (
	"strconv"
	"time"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/internal/fault"
)

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
// whose files stand in BEP 52 order, and of the hashes in d. The same content
// gives the same info-hashes. It returns a new Manifest, which is what Parse
// returns for the file, and leaves m alone. Errors are of kind fault.Invalid.
func Build(m *content.Manifest, d *content.Digest, o BuildOptions) (*Torrent, error) {
	if err := checkBuild(m, d, o); err != nil {
		return nil, fault.Errorf(fault.Invalid, "build %q: %w", m.Name, err)
	}
	info := map[string]any{"name": m.Name, "piece length": m.PieceLength}
	if o.Private {
		info["private"] = 1
	}
	if o.V1 {
		addV1(info, m, d, o.V2)
	}
	if o.V2 {
		info["meta version"] = 2
		info["file tree"] = fileTree(m, d)
		if !o.V1 && !m.Single && looksSingle(m.Files, m.Name) {
			info[folderKey] = 1
		}
	}
	t, err := FromInfo(bencode.Append(nil, info))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "build %q: %w", m.Name, err)
	}
	for i, layer := range d.Layers {
		if o.V2 && layer != nil {
			if err := t.Layers.SetFile(i, layer); err != nil {
				return nil, fault.Errorf(fault.Invalid, "build %q: %w", m.Name, err)
			}
		}
	}
	for _, tier := range o.Trackers {
		if len(tier) > 0 {
			t.Trackers = append(t.Trackers, tier)
		}
	}
	t.WebSeeds = o.WebSeeds
	t.Comment, t.CreatedBy = o.Comment, o.CreatedBy
	if !o.Created.IsZero() {
		t.Created = time.Unix(o.Created.Unix(), 0).UTC()
	}
	return t, nil
}

// checkBuild looks for what FromInfo cannot see in the result.
func checkBuild(m *content.Manifest, d *content.Digest, o BuildOptions) error {
	switch {
	case !o.V1 && !o.V2:
		return invalid("neither v1 nor v2")
	case o.V2 != m.HasV2:
		return invalid("files stand as for another version")
	case o.V2 && (len(d.Roots) != len(m.Files) || len(d.Layers) != len(m.Files)):
		return invalid("no v2 hashes")
	case o.V1 && len(d.Pieces1) != m.NumPieces():
		return invalid("no v1 hashes")
	case m.Single && (len(m.Files) != 1 || len(m.Files[0].Path) != 1 || m.Files[0].Path[0] != m.Name):
		return invalid("a single file has the path %q", m.Name)
	}
	for _, tier := range append(o.Trackers[:len(o.Trackers):len(o.Trackers)], o.WebSeeds) {
		for _, s := range tier {
			if !isLink(s) {
				return invalid("%.200q is no URL", s)
			}
		}
	}
	for i := range m.Files {
		if m.Files[i].Pad {
			return invalid("a pad file")
		}
		if i > 0 && o.V2 && content.ComparePaths(m.Files[i-1].Path, m.Files[i].Path) >= 0 {
			return invalid("%q stands before %q", m.Files[i-1].Path, m.Files[i].Path)
		}
	}
	return nil
}

// addV1 adds the v1 half. In a hybrid, pad files stand where v2 has gaps; none
// behind the last file, where there is nothing to align.
func addV1(info map[string]any, m *content.Manifest, d *content.Digest, hybrid bool) {
	pieces := make([]byte, 0, len(d.Pieces1)*len(content.SHA1{}))
	for i := range d.Pieces1 {
		pieces = append(pieces, d.Pieces1[i][:]...)
	}
	info["pieces"] = pieces
	if m.Single {
		info["length"] = m.Files[0].Length
		if m.Files[0].Exec {
			info["attr"] = "x"
		}
		return
	}
	var files []any
	var end int64 // of the last file in the piece space
	for i := range m.Files {
		f := &m.Files[i]
		if gap := f.Offset - end; hybrid && f.Length > 0 && gap > 0 {
			files = append(files, map[string]any{
				"attr": "p", "length": gap, "path": []string{".pad", strconv.FormatInt(gap, 10)},
			})
		}
		if f.Length > 0 {
			end = f.Offset + f.Length
		}
		entry := map[string]any{"length": f.Length, "path": f.Path}
		if f.Exec {
			entry["attr"] = "x"
		}
		files = append(files, entry)
	}
	info["files"] = files
}

func fileTree(m *content.Manifest, d *content.Digest) map[string]any {
	tree := make(map[string]any)
	for i := range m.Files {
		f := &m.Files[i]
		entry := map[string]any{"length": f.Length}
		if f.Length > 0 {
			entry["pieces root"] = d.Roots[i][:]
		}
		if f.Exec {
			entry["attr"] = "x"
		}
		at := tree
		for _, c := range f.Path {
			below, ok := at[c].(map[string]any)
			if !ok {
				below = make(map[string]any)
				at[c] = below
			}
			at = below
		}
		at[""] = entry
	}
	return tree
}

// Encode writes t as a canonical .torrent file around its info dictionary as it
// is, with the piece layers that are known. The error is of kind fault.Invalid:
// the file would be longer than Parse reads.
func (t *Torrent) Encode() ([]byte, error) {
	top := map[string]any{"info": bencode.Raw(t.Info)}
	if len(t.Trackers) > 0 {
		top["announce"] = t.Trackers[0][0]
		if len(t.Trackers) > 1 || len(t.Trackers[0]) > 1 {
			tiers := make([]any, len(t.Trackers))
			for i, tier := range t.Trackers {
				tiers[i] = tier
			}
			top["announce-list"] = tiers
		}
	}
	if len(t.WebSeeds) > 0 {
		top["url-list"] = t.WebSeeds
	}
	if t.Comment != "" {
		top["comment"] = t.Comment
	}
	if t.CreatedBy != "" {
		top["created by"] = t.CreatedBy
	}
	if !t.Created.IsZero() {
		top["creation date"] = t.Created.Unix()
	}
	if t.Layers != nil {
		top["piece layers"] = t.encodeLayers()
	}
	out := bencode.Append(nil, top)
	if len(out) > MaxSize {
		return nil, fault.Errorf(fault.Invalid, "torrent: %d bytes, more than %d", len(out), MaxSize)
	}
	return out, nil
}

func (t *Torrent) encodeLayers() map[string]any {
	layers := make(map[string]any)
	for i := range t.Manifest.Files {
		f := &t.Manifest.Files[i]
		hashes := t.Layers.File(i)
		if len(hashes) < 2 {
			continue
		}
		raw := make([]byte, 0, len(hashes)*len(content.Hash{}))
		for _, h := range hashes {
			raw = append(raw, h[:]...)
		}
		layers[string(f.Root[:])] = raw
	}
	return layers
}
