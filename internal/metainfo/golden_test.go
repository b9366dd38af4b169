package metainfo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/metainfo"
)

// golden are the torrents in testdata/v1, written by libtorrent 2.0.8 (see
// generate.py there), with the hashes it gives.
var golden = []struct {
	name, v1, v2 string
	files        string // path:length
	tail         int64
	built        bool // Build makes the same info dictionary
}{
	{"folder-v1", "8fd153fe4c2ff58ab38e30f7508f00b1cddf710d", "", "b.bin:70000 empty:0 sub/d.bin:200001 sub/c.bin:16384 a.txt:10", 0, false},
	{"folder-v1-padded", "56e90a81b11c3a858709d71fd7c297cc3d547f98", "", "a.txt:10 pad:32758 b.bin:70000 pad:28304 empty:0 sub/c.bin:16384 pad:16384 sub/d.bin:200001 pad:29375", 0, false},
	{"folder-v2", "", "ce5a011f0ff1ea81fee054f486d26bebf0a0ef6dcb83a451108f8cb034845f5a", "a.txt:10 b.bin:70000 empty:0 sub/c.bin:16384 sub/d.bin:200001", 0, true},
	{"folder-hybrid", "f40da7adea1021d25713b6c965d181910dcc1b79", "132fcc467929119bbfbdf4417d82ae55b3315356b74bddf4cc7028901b6ccde6", "a.txt:10 b.bin:70000 empty:0 sub/c.bin:16384 sub/d.bin:200001", 29375, false},
	{"folder-hybrid-untailed", "a8658a52c2906895bac43ee1ba787d87e327a9f1", "4ac2cedbebf3415ac0ea715cd429bb21c48e5846e9b78638c02b32199e4ee0e6", "a.txt:10 b.bin:70000 empty:0 sub/c.bin:16384 sub/d.bin:200001", 0, true},
	{"one-v1", "98f37256d7204d706652bb664feda7c10a21e55f", "", "one.bin:150000", 0, true},
	{"one-v2", "", "75ff7dfe4fefa144e4380dc985d8cb69266b2111e80ba55cbf9a8b6000f4b78e", "one.bin:150000", 0, true},
	{"one-hybrid", "64a5b9d5a30bd42f1bee5a95934b0f2427cdb1e1", "c2771c8cddd345253ba7abd0a86fd4e433a9973d11f35df70a45c0f0cd34f4a4", "one.bin:150000", 0, true},
	{"large-v2", "", "38a7e4d32ff3f467b51655cf975ca14977a58f7d29b25e8cd639fd45a60795cc", "large.bin:11000000", 0, true},
}

func readGolden(t testing.TB, name string) ([]byte, *metainfo.Torrent) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "v1", name+".torrent"))
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Parse(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return raw, tor
}

// fileContent is what generate.py put into a file.
func fileContent(m *content.Manifest, file int) []byte {
	f := &m.Files[file]
	name := strings.Join(f.Path, "/")
	if !m.Single {
		name = m.Name + "/" + name
	}
	in := append([]byte(name), '/')
	out := make([]byte, 0, f.Length+32)
	for i := int64(0); int64(len(out)) < f.Length; i++ {
		h := sha256.Sum256(strconv.AppendInt(in, i, 10))
		out = append(out, h[:]...)
	}
	return out[:f.Length]
}

func hexOrNone(b []byte) string {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return ""
	}
	return hex.EncodeToString(b)
}

func TestGoldenTorrentsAreRead(t *testing.T) {
	for _, g := range golden {
		_, tor := readGolden(t, g.name)
		m := tor.Manifest
		if v1 := hexOrNone(m.InfoHash1[:]); v1 != g.v1 || m.HasV1 != (g.v1 != "") {
			t.Errorf("%s: v1 info-hash %s", g.name, v1)
		}
		if v2 := hexOrNone(m.InfoHash2[:]); v2 != g.v2 || m.HasV2 != (g.v2 != "") {
			t.Errorf("%s: v2 info-hash %s", g.name, v2)
		}
		var list []string
		for _, f := range m.Files {
			name := strings.Join(f.Path, "/")
			if f.Pad {
				name = "pad"
			}
			list = append(list, fmt.Sprintf("%s:%d", name, f.Length))
		}
		if got := strings.Join(list, " "); got != g.files || m.Tail != g.tail {
			t.Errorf("%s: tail %d, files %s", g.name, m.Tail, got)
		}
		if m.Single != !strings.HasPrefix(g.name, "folder") || tor.Unsorted || tor.Created.Unix() != 1700000000 {
			t.Errorf("%s: single %v, unsorted %v, created %v", g.name, m.Single, tor.Unsorted, tor.Created)
		}
		if m.HasV2 && !tor.Layers.Complete() {
			t.Errorf("%s: piece layers are missing", g.name)
		}
	}
}

// Every piece of the content has the hashes the other program gave it.
func TestGoldenHashesFitTheContent(t *testing.T) {
	for _, g := range golden {
		_, tor := readGolden(t, g.name)
		m := tor.Manifest
		files := make([][]byte, len(m.Files))
		for i := range m.Files {
			if !m.Files[i].Pad {
				files[i] = fileContent(m, i)
			}
		}
		for p := range m.NumPieces() {
			data := make([]byte, 0, m.PieceLength)
			for _, e := range m.Extents(nil, p, 0, m.PieceSize(p)) {
				if e.File < 0 {
					data = append(data, make([]byte, e.Length)...)
				} else {
					data = append(data, files[e.File][e.Offset:e.Offset+int64(e.Length)]...)
				}
			}
			if err := m.CheckPiece(tor.Layers, p, data); err != nil {
				t.Fatalf("%s: %v", g.name, err)
			}
		}
	}
}

// The same content gives the same info dictionary as the other program writes.
func TestBuildMakesTheGoldenTorrents(t *testing.T) {
	for _, g := range golden {
		if !g.built {
			continue
		}
		_, want := readGolden(t, g.name)
		got := build(t, want.Manifest, metainfo.BuildOptions{V1: g.v1 != "", V2: g.v2 != "", Created: time.Unix(1700000000, 0)})
		if !bytes.Equal(got.Info, want.Info) {
			t.Errorf("%s: got  %q\nwant %q", g.name, got.Info, want.Info)
		}
		if !reflect.DeepEqual(got.Manifest, want.Manifest) {
			t.Errorf("%s: another manifest", g.name)
		}
		for i := range want.Manifest.Files {
			if want.Layers != nil && !slices.Equal(got.Layers.File(i), want.Layers.File(i)) {
				t.Errorf("%s: another piece layer", g.name)
			}
		}
	}
}

// build hashes the content of m anew and builds a torrent of it.
func build(t testing.TB, of *content.Manifest, o metainfo.BuildOptions) *metainfo.Torrent {
	t.Helper()
	m := &content.Manifest{Name: of.Name, Single: of.Single, PieceLength: of.PieceLength, HasV1: o.V1, HasV2: o.V2}
	for _, f := range of.Files {
		m.Files = append(m.Files, content.File{Path: f.Path, Length: f.Length, Exec: f.Exec})
	}
	m.Seal()
	var files [][]byte
	for i := range m.Files {
		files = append(files, fileContent(m, i))
	}
	d, err := content.HashFiles(context.Background(), m, o.V1, o.V2, func(i int) (io.ReaderAt, io.Closer, error) {
		return bytes.NewReader(files[i]), nil, nil
	}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Build(m, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

func TestGoldenTorrentsComeBackFromEncode(t *testing.T) {
	for _, g := range golden {
		_, tor := readGolden(t, g.name)
		out, err := tor.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := metainfo.Parse(out)
		if err != nil || !equalTorrents(back, tor) {
			t.Errorf("%s: %v", g.name, err)
		}
		again, err := back.Encode()
		if err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: encodes differently the second time", g.name)
		}
		alone, err := metainfo.FromInfo(tor.Info)
		if err != nil || !reflect.DeepEqual(alone.Manifest, tor.Manifest) {
			t.Errorf("%s: info alone: %v", g.name, err)
		}
	}
}

// equalTorrents compares everything but the state inside the layers, of which
// it compares what is known.
func equalTorrents(a, b *metainfo.Torrent) bool {
	x, y := *a, *b
	x.Layers, y.Layers = nil, nil
	if !reflect.DeepEqual(x, y) || (a.Layers == nil) != (b.Layers == nil) {
		return false
	}
	for i := range a.Manifest.Files {
		if a.Layers != nil && !slices.Equal(a.Layers.File(i), b.Layers.File(i)) {
			return false
		}
	}
	return true
}
