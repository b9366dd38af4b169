package metainfo_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/metainfo"
)

type dict = map[string]any

// v1Info is a valid v1 info dictionary of one file, with changes: nil takes a
// key away.
func v1Info(changes dict) dict {
	return with(dict{"name": "n", "piece length": 16384, "pieces": make([]byte, 40), "length": 20000}, changes)
}

// v1Folder is the same of a folder that holds files.
func v1Folder(files ...any) dict {
	return v1Info(dict{"length": nil, "files": files})
}

func file1(length int, path ...string) dict { return dict{"length": length, "path": path} }

var (
	rootA = bytes.Repeat([]byte{0xaa}, 32)
	rootB = bytes.Repeat([]byte{0xbb}, 32)
)

func file2(length int, root []byte) dict {
	props := dict{"length": length}
	if root != nil {
		props["pieces root"] = root
	}
	return dict{"": props}
}

// v2Info is a valid v2 info dictionary with that file tree.
func v2Info(tree any, changes dict) dict {
	return with(dict{"name": "n", "piece length": 16384, "meta version": 2, "file tree": tree}, changes)
}

func with(d, changes dict) dict {
	maps.Copy(d, changes)
	maps.DeleteFunc(d, func(_ string, v any) bool { return v == nil })
	return d
}

func fromInfo(info dict) (*metainfo.Torrent, error) {
	return metainfo.FromInfo(bencode.Append(nil, info))
}

func checkRefused(t *testing.T, name string, tor *metainfo.Torrent, err error, kind fault.Kind) {
	t.Helper()
	if tor != nil || !errors.Is(err, kind) || fault.KindOf(err) != kind {
		t.Errorf("%s: %v (%v)", name, err, fault.KindOf(err))
	} else if strings.ContainsAny(err.Error(), "\x00\x1b\n") || len(err.Error()) > 2000 {
		t.Errorf("%s: bad error text %q", name, err)
	}
}

func TestV1InfoIsRefused(t *testing.T) {
	many := make([]any, 2*content.MaxFiles+1)
	for i := range many {
		many[i] = dict{}
	}
	for name, info := range map[string]dict{
		"no name":                       v1Info(dict{"name": nil}),
		"empty name":                    v1Info(dict{"name": ""}),
		"name that is a path":           v1Info(dict{"name": "../x"}),
		"name with an escape":           v1Info(dict{"name": "\x1b[31m"}),
		"name that is a number":         v1Info(dict{"name": 5}),
		"no piece length":               v1Info(dict{"piece length": nil}),
		"piece length 0":                v1Info(dict{"piece length": 0}),
		"negative piece length":         v1Info(dict{"piece length": -16384}),
		"piece length below a block":    v1Info(dict{"piece length": 16383}),
		"piece length over 16 MiB":      v1Info(dict{"piece length": 16<<20 + 1}),
		"piece length of 2^63-1":        v1Info(dict{"piece length": int64(1<<63 - 1)}),
		"no pieces":                     v1Info(dict{"pieces": nil}),
		"pieces cut":                    v1Info(dict{"pieces": make([]byte, 39)}),
		"one hash too few":              v1Info(dict{"pieces": make([]byte, 20)}),
		"one hash too many":             v1Info(dict{"pieces": make([]byte, 60)}),
		"neither length nor files":      v1Info(dict{"length": nil}),
		"both length and files":         v1Info(dict{"files": []any{file1(20000, "a")}}),
		"negative length":               v1Info(dict{"length": -1}),
		"length of 2^63-1":              v1Info(dict{"length": int64(1<<63 - 1)}),
		"length that is a string":       v1Info(dict{"length": "20000"}),
		"files that are no list":        v1Info(dict{"length": nil, "files": dict{}}),
		"no files":                      v1Folder(),
		"too many files":                v1Folder(many...),
		"file that is no dictionary":    v1Folder(5),
		"file without a path":           v1Folder(dict{"length": 20000}),
		"file with an empty path":       v1Folder(file1(20000)),
		"file without a length":         v1Folder(dict{"path": []string{"a"}}),
		"negative file length":          v1Folder(file1(-1, "a"), file1(20001, "b")),
		"path to the parent":            v1Folder(file1(20000, "..", "a")),
		"absolute path":                 v1Folder(file1(20000, "/etc/passwd")),
		"empty component":               v1Folder(file1(20000, "", "a")),
		"right-to-left override":        v1Folder(file1(20000, "a\u202eb")),
		"NUL":                           v1Folder(file1(20000, "a\x00b")),
		"path of numbers":               v1Folder(dict{"length": 20000, "path": []any{1}}),
		"path 65 deep":                  v1Folder(file1(20000, strings.Split(strings.Repeat("a/", 64)+"a", "/")...)),
		"two entries the same file":     v1Folder(file1(10000, "a"), file1(10000, "a")),
		"file as a folder":              v1Folder(file1(10000, "a"), file1(10000, "a", "b")),
		"lengths that overflow":         v1Folder(dict{"length": int64(1 << 62), "path": []string{"a"}}, dict{"length": int64(1 << 62), "path": []string{"b"}}),
		"negative padding":              v1Folder(file1(20001, "a"), dict{"length": -1, "attr": "p"}),
		"symbolic link with content":    v1Folder(file1(10000, "a"), dict{"length": 10000, "path": []string{"b"}, "attr": "l"}),
		"symbolic link to lead outside": v1Folder(file1(20000, "a"), dict{"length": 0, "path": []string{"..", "b"}, "attr": "l"}),
		"path.utf-8 to the parent":      v1Folder(dict{"length": 20000, "path": []string{"\xff"}, "path.utf-8": []string{".."}}),
		"meta version 3":                v1Info(dict{"meta version": 3}),
		"meta version that is a string": v1Info(dict{"meta version": "2"}),
		"more pieces than allowed": v1Info(dict{
			"length": int64(content.MaxPieces+1) * 16384, "pieces": make([]byte, 20*(content.MaxPieces+1)),
		}),
	} {
		tor, err := fromInfo(info)
		checkRefused(t, name, tor, err, fault.Invalid)
	}
}

func TestV2InfoIsRefused(t *testing.T) {
	deep := file2(5, rootA)
	for range 65 {
		deep = dict{"d": deep}
	}
	for name, info := range map[string]dict{
		"no file tree":                  v2Info(nil, nil),
		"file tree that is a list":      v2Info([]any{}, nil),
		"empty file tree":               v2Info(dict{}, nil),
		"only empty folders":            v2Info(dict{"a": dict{"b": dict{}}}, nil),
		"the root is a file":            v2Info(file2(5, rootA), nil),
		"piece length no power of two":  v2Info(dict{"n": file2(5, rootA)}, dict{"piece length": 16385}),
		"no pieces root":                v2Info(dict{"n": file2(5, nil)}, nil),
		"pieces root cut":               v2Info(dict{"n": file2(5, rootA[:31])}, nil),
		"pieces root of zeros":          v2Info(dict{"n": file2(5, make([]byte, 32))}, nil),
		"no length":                     v2Info(dict{"n": dict{"": dict{"pieces root": rootA}}}, nil),
		"negative length":               v2Info(dict{"n": file2(-5, rootA)}, nil),
		"length of 2^62":                v2Info(dict{"n": file2(1<<62, rootA)}, nil),
		"more pieces than allowed":      v2Info(dict{"n": file2((content.MaxPieces+1)*16384, rootA)}, nil),
		"file and folder at once":       v2Info(dict{"a": dict{"": dict{"length": 0}, "b": file2(0, nil)}}, nil),
		"file and empty folder at once": v2Info(dict{"a": dict{"": dict{"length": 0}, "b": dict{}}}, nil),
		"file that is a number":         v2Info(dict{"a": 5}, nil),
		"properties that are a number":  v2Info(dict{"a": dict{"": 5}}, nil),
		"parent":                        v2Info(dict{"..": dict{"a": file2(5, rootA)}}, nil),
		"separator":                     v2Info(dict{"a/../../b": file2(5, rootA)}, nil),
		"NUL":                           v2Info(dict{"a\x00": file2(5, rootA)}, nil),
		"right-to-left override":        v2Info(dict{"a\u202e": file2(5, rootA)}, nil),
		"65 folders deep":               v2Info(deep, nil),
		"one root, two lengths":         v2Info(dict{"a": file2(5, rootA), "b": file2(6, rootA)}, nil),
		"name that is a path":           v2Info(dict{"n": file2(5, rootA)}, dict{"name": "a/b"}),
		"v1 hashes without v1 files":    v2Info(dict{"n": file2(5, rootA)}, dict{"pieces": make([]byte, 20)}),
		"symbolic link with content":    v2Info(dict{"a": file2(5, rootA), "b": dict{"": dict{"attr": "l", "length": 5}}}, nil),
	} {
		tor, err := fromInfo(info)
		checkRefused(t, name, tor, err, fault.Invalid)
	}
}

// N28: a hybrid whose halves describe different content.
func TestHybridsThatDisagreeAreRefused(t *testing.T) {
	tree := dict{"a": file2(20000, rootA), "b": file2(5, rootB)}
	pad := func(n int) dict { return dict{"attr": "p", "length": n, "path": []string{".pad", fmt.Sprint(n)}} }
	hybrid := func(pieces int, files ...any) dict {
		return v2Info(tree, dict{"files": files, "pieces": make([]byte, 20*pieces)})
	}
	for name, good := range map[string]dict{
		"padding between":                      hybrid(3, file1(20000, "a"), pad(12768), file1(5, "b")),
		"padding split and without a path":     hybrid(3, file1(20000, "a"), pad(12000), dict{"attr": "p", "length": 768}, file1(5, "b")),
		"padding behind the last file as well": hybrid(3, file1(20000, "a"), pad(12768), file1(5, "b"), pad(16379)),
	} {
		if _, err := fromInfo(good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string]dict{
		"another length":                hybrid(3, file1(20001, "a"), pad(12767), file1(5, "b")),
		"another name":                  hybrid(3, file1(20000, "x"), pad(12768), file1(5, "b")),
		"another case":                  hybrid(3, file1(20000, "A"), pad(12768), file1(5, "b")),
		"another order":                 hybrid(3, file1(5, "b"), pad(16379), file1(20000, "a")),
		"no padding":                    hybrid(2, file1(20000, "a"), file1(5, "b")),
		"too little padding":            hybrid(3, file1(20000, "a"), pad(12767), file1(5, "b")),
		"a piece of padding too much":   hybrid(4, file1(20000, "a"), pad(12768+16384), file1(5, "b")),
		"padding before the first file": hybrid(4, pad(16384), file1(20000, "a"), pad(12768), file1(5, "b")),
		"padding that makes a piece":    hybrid(4, file1(20000, "a"), pad(12768), file1(5, "b"), pad(16380)),
		"a file in v1 only":             hybrid(3, file1(20000, "a"), pad(12768), file1(5, "b"), file1(0, "c")),
		"a file in v2 only":             hybrid(2, file1(20000, "a")),
		"one file against a folder":     v2Info(tree, dict{"length": 20000, "pieces": make([]byte, 40)}),
		"one file of another name":      v2Info(dict{"a": file2(5, rootA)}, dict{"length": 5, "pieces": make([]byte, 20)}),
	} {
		tor, err := fromInfo(bad)
		checkRefused(t, name, tor, err, fault.Conflict)
	}
	tor, err := fromInfo(hybrid(2, file1(20000, "a"), pad(12768), file1(5, "b")))
	checkRefused(t, "a hash too few", tor, err, fault.Invalid)
}

func TestTorrentIsRefused(t *testing.T) {
	info := string(bencode.Append(nil, v1Info(nil)))
	good := "d4:info" + info + "e"
	if _, err := metainfo.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"nothing":                  "",
		"text":                     "<html>404</html>",
		"a list":                   "le",
		"no info":                  "de",
		"info that is a number":    "d4:infoi1ee",
		"info that is a list":      "d4:infolee",
		"cut in the middle":        good[:len(good)/2],
		"last byte missing":        good[:len(good)-1],
		"trailing newline":         good + "\n",
		"duplicate info":           "d4:info" + info + "4:info" + info + "e",
		"leading zero in a number": strings.Replace(good, "i20000e", "i020000e", 1),
		"minus zero":               strings.Replace(good, "i20000e", "i-0e", 1),
		"leading zero in a length": strings.Replace(good, "4:name", "04:name", 1),
		"101 deep":                 "d1:a" + strings.Repeat("l", 100) + strings.Repeat("e", 100) + "4:info" + info + "e",
	} {
		tor, err := metainfo.Parse([]byte(in))
		checkRefused(t, name, tor, err, fault.Invalid)
	}
	tor, err := metainfo.Parse(make([]byte, metainfo.MaxSize+1))
	checkRefused(t, "too large", tor, err, fault.Invalid)
}

func TestWrongPieceLayersAreRefused(t *testing.T) {
	hashes := []content.Hash{{1}, {2}, {3}}
	root := content.MerkleRoot(hashes, 4, content.Hash{})
	var raw []byte
	for _, h := range hashes {
		raw = append(raw, h[:]...)
	}
	info := v2Info(dict{"n": file2(40000, root[:])}, nil)
	parse := func(layers any) (*metainfo.Torrent, error) {
		return metainfo.Parse(bencode.Append(nil, dict{"info": info, "piece layers": layers}))
	}
	tor, err := parse(dict{string(root[:]): raw})
	if err != nil || !tor.Layers.Complete() {
		t.Fatalf("good layers: %v", err)
	}
	for name, layers := range map[string]any{
		"missing":                  dict{},
		"of a file that is not in": dict{string(rootA): raw},
	} {
		if tor, err := parse(layers); err != nil || tor.Layers.Complete() {
			t.Errorf("%s: %v", name, err)
		}
	}
	small := v2Info(dict{"n": file2(5, rootA)}, nil)
	for name, layers := range map[string]any{"its root": rootA, "anything else": rootB, "no hash": 5} {
		if _, err := metainfo.Parse(bencode.Append(nil, dict{"info": small, "piece layers": dict{string(rootA): layers}})); err != nil {
			t.Errorf("layer of a file of one piece, which needs none, %s: %v", name, err)
		}
	}
	for name, layers := range map[string]any{
		"not a dictionary":    []any{},
		"key too short":       dict{string(root[:31]): raw},
		"not a string":        dict{string(root[:]): 5},
		"cut in a hash":       dict{string(root[:]): raw[:95]},
		"a hash too few":      dict{string(root[:]): raw[:64]},
		"padding given":       dict{string(root[:]): append(bytes.Clone(raw), make([]byte, 32)...)},
		"another hash":        dict{string(root[:]): append(bytes.Clone(raw[:64]), rootA...)},
		"the root as a layer": dict{string(root[:]): root[:]},
	} {
		tor, err := parse(layers)
		checkRefused(t, name, tor, err, fault.Invalid)
	}
}

func TestForeignTorrentsAreRead(t *testing.T) {
	info := "d4:name1:n6:lengthi20000e12:piece lengthi16384e6:pieces40:" + strings.Repeat("x", 40) + "e" // not in order
	tor, err := metainfo.Parse([]byte("d4:info" + info + "8:announce8:udp://t/e"))
	if err != nil || !tor.Unsorted || tor.Manifest.InfoHash1 != sha1.Sum([]byte(info)) || string(tor.Info) != info {
		t.Fatalf("unsorted keys: %+v, %v", tor, err)
	}
	if out, err := tor.Encode(); err != nil || !bytes.Contains(out, []byte(info)) {
		t.Errorf("unsorted keys: the info dictionary changed: %v", err)
	}
	if tor, err = fromInfo(v1Info(dict{"piece length": 16385})); err != nil || tor.Manifest.NumPieces() != 2 {
		t.Errorf("piece length no power of two: %v", err)
	}
	if tor, err = fromInfo(v1Info(dict{"name": "\xe9", "name.utf-8": "é"})); err != nil || tor.Manifest.Name != "é" {
		t.Errorf("name in two encodings: %v", err)
	}
	if tor, err = fromInfo(v1Info(dict{"private": 1})); err != nil || !tor.Manifest.Private {
		t.Errorf("private: %v", err)
	}
	if tor, err = fromInfo(v1Info(dict{"attr": "hx"})); err != nil || !tor.Manifest.Files[0].Exec {
		t.Errorf("executable: %v", err)
	}
	if tor, err = fromInfo(v1Info(dict{"length": 0, "pieces": ""})); err != nil || tor.Manifest.NumPieces() != 0 {
		t.Errorf("empty file: %v", err)
	}
	b := file2(5, rootB)
	unsorted := "d9:file treed1:b" + string(bencode.Append(nil, b)) + "1:a" + string(bencode.Append(nil, file2(5, rootA))) +
		"e12:meta versioni2e4:name1:n12:piece lengthi16384ee"
	tor, err = metainfo.FromInfo([]byte(unsorted))
	if err != nil || tor.Manifest.Files[0].Path[0] != "b" || tor.Manifest.InfoHash2 != sha256.Sum256([]byte(unsorted)) {
		t.Errorf("file tree out of order: %v", err)
	}
}

func TestSymbolicLinksAreSkippedAndNamed(t *testing.T) {
	link1 := dict{"attr": "l", "path": []string{"d", "link"}, "symlink path": []string{"etc", "passwd"}}
	tor, err := fromInfo(v1Folder(file1(20000, "a"), link1))
	if err != nil || len(tor.Manifest.Files) != 1 || fmt.Sprint(tor.Links) != "[d/link]" {
		t.Errorf("v1: %+v, %v", tor, err)
	}
	link2 := dict{"": dict{"attr": "l", "length": 0, "symlink path": []string{"etc", "passwd"}}}
	tor, err = fromInfo(v2Info(dict{"a": file2(5, rootA), "d": dict{"link": link2}}, nil))
	if err != nil || len(tor.Manifest.Files) != 1 || fmt.Sprint(tor.Links) != "[d/link]" {
		t.Errorf("v2: %+v, %v", tor, err)
	}
}

func TestTrackersAndWebSeeds(t *testing.T) {
	info := v1Info(nil)
	for name, c := range map[string]struct {
		top             dict
		trackers, seeds string
	}{
		"none":                {dict{}, "[]", "[]"},
		"one":                 {dict{"announce": "http://a/"}, "[[http://a/]]", "[]"},
		"tiers go before one": {dict{"announce": "x", "announce-list": []any{[]string{"a", "b"}, []string{"c"}}}, "[[a b] [c]]", "[]"},
		"empty tiers":         {dict{"announce": "x", "announce-list": []any{[]string{}, []string{""}}}, "[[x]]", "[]"},
		"not lists":           {dict{"announce": 5, "announce-list": 5, "url-list": 5}, "[]", "[]"},
		"control characters":  {dict{"announce": "http://a/\x1b[2J", "url-list": "a\nb"}, "[]", "[]"},
		"too long":            {dict{"announce": strings.Repeat("a", 2049)}, "[]", "[]"},
		"one web seed":        {dict{"url-list": "http://w/"}, "[]", "[http://w/]"},
		"several web seeds":   {dict{"url-list": []any{"http://w/", 5, "http://v/"}}, "[]", "[http://w/ http://v/]"},
	} {
		tor, err := metainfo.Parse(bencode.Append(nil, with(c.top, dict{"info": info})))
		if err != nil || fmt.Sprint(tor.Trackers) != c.trackers || fmt.Sprint(tor.WebSeeds) != c.seeds {
			t.Errorf("%s: %v, %v, %v", name, tor.Trackers, tor.WebSeeds, err)
		}
	}
	urls := make([]any, 500)
	for i := range urls {
		urls[i] = []string{fmt.Sprint("http://", i)}
	}
	tor, err := metainfo.Parse(bencode.Append(nil, dict{"info": info, "announce-list": urls}))
	if err != nil || len(tor.Trackers) != 100 {
		t.Errorf("%d tiers, %v", len(tor.Trackers), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		raw, _ := readGolden(f, g.name)
		if len(raw) < 4096 {
			f.Add(raw)
		}
	}
	f.Add(bencode.Append(nil, dict{"info": v1Folder(file1(20000, "a"), dict{"attr": "l", "path": []string{"b"}})}))
	f.Add([]byte("d8:announce1:a4:infod4:name1:n6:lengthi0e12:piece lengthi16384e6:pieces0:ee"))
	f.Fuzz(func(t *testing.T, in []byte) {
		tor, err := metainfo.Parse(in)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.Conflict {
				t.Fatalf("%v is of kind %v", err, k)
			}
			return
		}
		m := tor.Manifest
		for p := range min(m.NumPieces(), 100) {
			if n := m.PieceSize(p); n <= 0 || n > int(m.PieceLength) {
				t.Fatalf("piece %d has %d bytes", p, n)
			}
			tor.Layers.Piece(p)
		}
		out, err := tor.Encode()
		if err != nil {
			t.Fatal(err)
		}
		unsorted := tor.Unsorted
		back, err := metainfo.Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		tor.Unsorted, back.Unsorted = false, false // what is around info is in order now
		if !equalTorrents(back, tor) {
			t.Fatalf("%q (unsorted %v) comes back as another torrent: %q", in, unsorted, out)
		}
	})
}
