package metainfo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

func manifest(name string, files ...string) *content.Manifest {
	m := &content.Manifest{Name: name, PieceLength: 32 << 10}
	for _, f := range files {
		path, size, _ := strings.Cut(f, ":")
		var n int64
		_, _ = fmt.Sscan(size, &n)
		m.Files = append(m.Files, content.File{Path: strings.Split(path, "/"), Length: n, Exec: strings.HasSuffix(path, ".sh")})
	}
	m.Single = len(files) == 1 && len(m.Files[0].Path) == 1 && m.Files[0].Path[0] == name
	return m
}

func inFolder(m *content.Manifest) *content.Manifest {
	m.Single = false
	return m
}

func TestBuildComesBackFromParse(t *testing.T) {
	for name, m := range map[string]*content.Manifest{
		"one file":                              manifest("one.bin", "one.bin:100000"),
		"one empty file":                        manifest("one", "one:0"),
		"one executable":                        manifest("run.sh", "run.sh:5"),
		"folder with one file":                  manifest("folder", "one.bin:100000"),
		"folder with one file of the same name": inFolder(manifest("same", "same:100000")),
		"folder of files and folders":           manifest("folder", "a:5", "b/c:100000", "b/d.sh:0", "e/f/g:32768", "h:1"),
		"folder of identical names":             manifest("a", "a/a:40000", "b/a:40000"),
		"names other systems refuse":            manifest("CON", "a.:5", "nul:7", "é:5"),
		"empty files around":                    manifest("f", "a:0", "b:50000", "c:0", "d:50000", "e:0"),
	} {
		for _, o := range []metainfo.BuildOptions{
			{V1: true},
			{V2: true},
			{
				V1: true, V2: true, Private: true, Comment: "c", CreatedBy: "tandem", Created: time.Unix(1e9, 5),
				Trackers: [][]string{{"http://a/", "udp://b:1"}, {"http://c/"}}, WebSeeds: []string{"http://w/"},
			},
		} {
			tor := build(t, m, o)
			raw, err := tor.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := metainfo.Parse(raw)
			if err != nil || !equalTorrents(back, tor) || back.Unsorted {
				t.Errorf("%s: %v\n%+v\n%+v", name, err, back, tor)
				continue
			}
			got := back.Manifest
			if got.Name != m.Name || got.Single != m.Single || got.Private != o.Private || got.HasV1 != o.V1 || got.HasV2 != o.V2 {
				t.Errorf("%s: %+v", name, got)
			}
			for i, f := range m.Files {
				if g := got.Files[i]; fmt.Sprint(g.Path) != fmt.Sprint(f.Path) || g.Length != f.Length || g.Exec != f.Exec {
					t.Errorf("%s: file %d is %+v", name, i, g)
				}
			}
			if o.V2 && !back.Layers.Complete() {
				t.Errorf("%s: piece layers are missing", name)
			}
		}
	}
}

func TestTheSameContentHasTheSameHashes(t *testing.T) {
	m := manifest("folder", "a:5", "b/c:100000")
	a := build(t, m, metainfo.BuildOptions{V1: true, V2: true, Comment: "x", Trackers: [][]string{{"http://a/"}}})
	b := build(t, m, metainfo.BuildOptions{V1: true, V2: true, Created: time.Unix(1e9, 0)})
	if a.Manifest.InfoHash1 != b.Manifest.InfoHash1 || a.Manifest.InfoHash2 != b.Manifest.InfoHash2 {
		t.Error("what stands around info changes the info-hash")
	}
	if a.Manifest.Files[0].Root.IsZero() || a.Manifest.Files[0].Root != build(t, m, metainfo.BuildOptions{V2: true}).Manifest.Files[0].Root {
		t.Error("v2 roots depend on v1")
	}
}

func TestBuildRefuses(t *testing.T) {
	digest := func(m *content.Manifest) *content.Digest {
		d := &content.Digest{Roots: make([]content.Hash, len(m.Files)), Layers: make([][]content.Hash, len(m.Files))}
		for i := range d.Roots {
			d.Roots[i] = content.Hash{byte(i + 1)}
		}
		return d
	}
	v2 := metainfo.BuildOptions{V2: true}
	good := func() *content.Manifest {
		m := manifest("f", "a:5", "b:6")
		m.HasV2 = true
		m.Seal()
		return m
	}
	if _, err := metainfo.Build(good(), digest(good()), v2); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(m *content.Manifest, d *content.Digest, o *metainfo.BuildOptions)
	}{
		"no version":                {func(_ *content.Manifest, _ *content.Digest, o *metainfo.BuildOptions) { o.V2 = false }},
		"v1 of files placed for v2": {func(_ *content.Manifest, _ *content.Digest, o *metainfo.BuildOptions) { o.V1, o.V2 = true, false }},
		"hybrid without v1 hashes":  {func(_ *content.Manifest, _ *content.Digest, o *metainfo.BuildOptions) { o.V1 = true }},
		"no v2 hashes":              {func(_ *content.Manifest, d *content.Digest, _ *metainfo.BuildOptions) { d.Roots = nil }},
		"root missing":              {func(_ *content.Manifest, d *content.Digest, _ *metainfo.BuildOptions) { d.Roots[1] = content.Hash{} }},
		"layer of a small file wrong": {func(_ *content.Manifest, d *content.Digest, _ *metainfo.BuildOptions) {
			d.Layers[1] = []content.Hash{{9}}
		}},
		"files out of order":    {func(m *content.Manifest, _ *content.Digest, _ *metainfo.BuildOptions) { m.Files[0].Path[0] = "c" }},
		"file twice":            {func(m *content.Manifest, _ *content.Digest, _ *metainfo.BuildOptions) { m.Files[0].Path[0] = "b" }},
		"pad file":              {func(m *content.Manifest, _ *content.Digest, _ *metainfo.BuildOptions) { m.Files[0].Pad = true }},
		"bad file name":         {func(m *content.Manifest, _ *content.Digest, _ *metainfo.BuildOptions) { m.Files[0].Path[0] = ".." }},
		"bad name":              {func(m *content.Manifest, _ *content.Digest, _ *metainfo.BuildOptions) { m.Name = "a\nb" }},
		"single with two files": {func(m *content.Manifest, _ *content.Digest, _ *metainfo.BuildOptions) { m.Single = true }},
		"tracker with a control": {func(_ *content.Manifest, _ *content.Digest, o *metainfo.BuildOptions) {
			o.Trackers = [][]string{{"http://\x1b"}}
		}},
		"web seed that is empty": {func(_ *content.Manifest, _ *content.Digest, o *metainfo.BuildOptions) { o.WebSeeds = []string{""} }},
	} {
		m, o := good(), v2
		d := digest(m)
		c.change(m, d, &o)
		if tor, err := metainfo.Build(m, d, o); tor != nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBuildOfAnyFolderComesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 40_000), 1, 5).Draw(rt, "sizes")
		var files []string
		for i, n := range sizes {
			files = append(files, fmt.Sprintf("%c/%d:%d", 'a'+i/2, i, n))
		}
		m := manifest("folder", files...)
		m.PieceLength = 16 << 10 << rapid.IntRange(0, 3).Draw(rt, "piece")
		tor := build(t, m, metainfo.BuildOptions{V1: true, V2: true})
		raw, err := tor.Encode()
		if err != nil {
			rt.Fatal(err)
		}
		if back, err := metainfo.Parse(raw); err != nil || !equalTorrents(back, tor) {
			rt.Fatal(err)
		}
		if tor.Manifest.NumPieces() != len(tor.Manifest.Pieces1) {
			rt.Fatal("v1 and v2 have other numbers of pieces")
		}
	})
}
