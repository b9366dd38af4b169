package metainfo

import (
	"crypto/sha1"
	"crypto/sha256"
	"slices"
	"strings"
	"unicode/utf8"

	"tandem/internal/bencode"
	"tandem/internal/content"
	"tandem/internal/fault"
)

func invalid(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, format, args...)
}

// parseInfo reads an info dictionary of any version.
func parseInfo(info bencode.Value) (*Torrent, error) {
	m := new(content.Manifest)
	t := &Torrent{Manifest: m, Info: info.Raw(), Unsorted: info.Unsorted()}
	if v, ok := info.Dict("meta version"); ok {
		switch n, ok := v.Int(); {
		case !ok || n < 1:
			return nil, invalid("meta version is not a number")
		case n > 2:
			return nil, invalid("meta version %d is newer than this program", n)
		case n == 2:
			m.HasV2 = true
			m.InfoHash2 = sha256.Sum256(t.Info)
		}
	}
	pieces, ok := info.Dict("pieces")
	if m.HasV1 = ok || !m.HasV2; m.HasV1 {
		m.InfoHash1 = sha1.Sum(t.Info)
	}
	if v, ok := info.Dict("private"); ok {
		n, _ := v.Int()
		m.Private = n == 1
	}
	var err error
	if m.Name, err = parseName(info); err != nil {
		return nil, err
	}
	if m.PieceLength, err = parsePieceLength(info, m.HasV2); err != nil {
		return nil, err
	}
	if err := t.parseFiles(info); err != nil {
		return nil, err
	}
	m.Seal()
	if n := m.NumPieces(); n > content.MaxPieces {
		return nil, invalid("%d pieces, more than %d", n, content.MaxPieces)
	}
	if m.HasV1 {
		if m.Pieces1, err = parsePieces(pieces, m.NumPieces()); err != nil {
			return nil, err
		}
	}
	if m.HasV2 {
		t.Layers = content.NewLayers(m)
	}
	return t, nil
}

// parseFiles reads the files of both versions and compares them.
func (t *Torrent) parseFiles(info bencode.Value) error {
	m := t.Manifest
	var v1, v2 list
	var err error
	if m.HasV1 {
		if err = v1.readV1(info, m.Name); err != nil {
			return err
		}
		if err = content.CheckFiles(v1.files); err != nil {
			return err
		}
		m.Files, m.Single, t.Links = v1.files, v1.single, v1.links
	}
	if !m.HasV2 {
		return nil
	}
	if err = v2.readTree(info, m.Name); err != nil {
		return err
	}
	if err = content.CheckFiles(v2.files); err != nil {
		return err
	}
	m.Files, t.Links = v2.files, v2.links
	if !m.HasV1 {
		m.Single = v2.single
		return nil
	}
	m.Tail, err = agree(v1.files, v2.files, m.PieceLength)
	return err
}

// parseName returns the name, preferring the one that says it is UTF-8 when the
// plain one is not.
func parseName(info bencode.Value) (string, error) {
	name := utf8String(info, "name")
	if name == "" {
		return "", invalid("no name")
	}
	return name, content.CheckPath([]string{name})
}

// utf8String returns the string at key, or at key with ".utf-8" when the first
// is not UTF-8.
func utf8String(v bencode.Value, key string) string {
	plain, _ := v.Dict(key)
	s, ok := plain.String()
	if ok && utf8.ValidString(s) {
		return s
	}
	other, _ := v.Dict(key + ".utf-8")
	if u, ok := other.String(); ok {
		return u
	}
	return s
}

func parsePieceLength(info bencode.Value, v2 bool) (int64, error) {
	v, _ := info.Dict("piece length")
	n, ok := v.Int()
	switch {
	case !ok:
		return 0, invalid("no piece length")
	case n < content.MinPieceLength || n > content.MaxPieceLength:
		return 0, invalid("piece length %d is not between %d and %d", n, content.MinPieceLength, content.MaxPieceLength)
	case v2 && n&(n-1) != 0:
		return 0, invalid("piece length %d is not a power of two", n)
	}
	return n, nil
}

func parsePieces(v bencode.Value, want int) ([]content.SHA1, error) {
	raw, ok := v.Bytes()
	if !ok || len(raw)%len(content.SHA1{}) != 0 {
		return nil, invalid("pieces are not a string of hashes")
	}
	if n := len(raw) / len(content.SHA1{}); n != want {
		return nil, invalid("%d piece hashes, but the files make %d pieces", n, want)
	}
	pieces := make([]content.SHA1, want)
	for i := range pieces {
		copy(pieces[i][:], raw[i*len(pieces[i]):])
	}
	return pieces, nil
}

// list collects the files of one version.
type list struct {
	files  []content.File
	links  []string
	single bool
	roots  map[content.Hash]int64 // length of the file with that root
}

// attrs reads the attributes of BEP 47 of one file.
func attrs(v bencode.Value) (exec, pad, symlink bool) {
	a, _ := v.Dict("attr")
	s, _ := a.String()
	return strings.Contains(s, "x"), strings.Contains(s, "p"), strings.Contains(s, "l")
}

// readV1 reads "length" or "files".
func (l *list) readV1(info bencode.Value, name string) error {
	length, single := info.Dict("length")
	files, many := info.Dict("files")
	if single == many {
		return invalid("exactly one of length and files is needed")
	}
	if single {
		n, ok := length.Int()
		if !ok || n < 0 {
			return invalid("length is not a size")
		}
		exec, _, _ := attrs(info)
		l.single = true
		l.files = []content.File{{Path: []string{name}, Length: n, Exec: exec}}
		return nil
	}
	items, ok := files.List()
	if !ok || len(items) > 2*content.MaxFiles {
		return invalid("files are not a list, or more than %d", content.MaxFiles)
	}
	l.files = make([]content.File, 0, len(items))
	for i, item := range items {
		if err := l.addV1(item); err != nil {
			return invalid("file %d: %w", i, err)
		}
	}
	return nil
}

func (l *list) addV1(item bencode.Value) error {
	exec, pad, symlink := attrs(item)
	v, said := item.Dict("length")
	n, ok := v.Int()
	if (said || !symlink) && (!ok || n < 0) {
		return invalid("length is not a size")
	}
	f := content.File{Length: n, Exec: exec, Pad: pad}
	if !pad {
		var err error
		if f.Path, err = parsePath(item); err != nil {
			return err
		}
	}
	if symlink {
		return l.addLink(f)
	}
	l.files = append(l.files, f)
	return nil
}

// addLink notes a symbolic link, which is never created.
func (l *list) addLink(f content.File) error {
	if f.Length != 0 {
		return invalid("a symbolic link of %d bytes", f.Length)
	}
	if err := content.CheckPath(f.Path); err != nil {
		return err
	}
	l.links = append(l.links, strings.Join(f.Path, "/"))
	return nil
}

func parsePath(item bencode.Value) ([]string, error) {
	v, _ := item.Dict("path")
	path, ok := stringList(v)
	if !ok || !valid(path) {
		other, _ := item.Dict("path.utf-8")
		if u, found := stringList(other); found {
			return u, nil
		}
	}
	if !ok {
		return nil, invalid("path is not a list of names")
	}
	return path, nil
}

func valid(path []string) bool {
	return !slices.ContainsFunc(path, func(s string) bool { return !utf8.ValidString(s) })
}

func stringList(v bencode.Value) ([]string, bool) {
	items, ok := v.List()
	if !ok || len(items) > content.MaxDepth {
		return nil, false
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], ok = item.String(); !ok {
			return nil, false
		}
	}
	return out, true
}

// readTree reads the "file tree" of BEP 52.
func (l *list) readTree(info bencode.Value, name string) error {
	tree, _ := info.Dict("file tree")
	if tree.Kind() != bencode.Dict {
		return invalid("no file tree")
	}
	if _, ok := tree.Dict(""); ok {
		return invalid("the root of the file tree is a file")
	}
	l.roots = make(map[content.Hash]int64)
	if err := l.walk(tree, nil); err != nil {
		return err
	}
	folder, _ := info.Dict(folderKey)
	n, _ := folder.Int()
	l.single = n != 1 && looksSingle(l.files, name)
	return nil
}

// folderKey in a v2-only info dictionary says that the one file of the same
// name stands in a folder of that name. Nothing else in BEP 52 would tell. It is
// ours; others take it for a single file.
const folderKey = "tandem folder"

// looksSingle reports whether files are one file called name. A tree with
// nothing but a file is that file, or a folder that holds it: the name tells.
func looksSingle(files []content.File, name string) bool {
	return len(files) == 1 && slices.Equal(files[0].Path, []string{name})
}

// walk adds the files below v. Its depth is bounded by CheckPath's limit.
func (l *list) walk(v bencode.Value, path []string) error {
	entries, ok := v.Entries()
	if !ok || len(path) > content.MaxDepth {
		return invalid("file tree: %.200q is not a folder, or too deep", path)
	}
	for _, e := range entries {
		if len(e.Key) > 0 {
			below := append(slices.Clip(path), string(e.Key))
			if err := l.walk(e.Value, below); err != nil {
				return err
			}
			continue
		}
		if len(entries) != 1 {
			return invalid("file tree: %.200q is both a file and a folder", path)
		}
		if err := l.addV2(e.Value, path); err != nil {
			return invalid("file tree: %.200q: %w", path, err)
		}
	}
	return nil
}

func (l *list) addV2(v bencode.Value, path []string) error {
	if len(l.files) >= content.MaxFiles {
		return invalid("more than %d files", content.MaxFiles)
	}
	exec, _, symlink := attrs(v)
	length, said := v.Dict("length")
	n, ok := length.Int()
	if (said || !symlink) && (!ok || n < 0) {
		return invalid("length is not a size")
	}
	f := content.File{Path: path, Length: n, Exec: exec}
	if symlink {
		return l.addLink(f)
	}
	if n > 0 {
		root, _ := v.Dict("pieces root")
		raw, _ := root.Bytes()
		if len(raw) != len(f.Root) || content.Hash(raw).IsZero() {
			return invalid("no pieces root")
		}
		f.Root = content.Hash(raw)
		if other, ok := l.roots[f.Root]; ok && other != n {
			return invalid("one pieces root for files of %d and %d bytes", other, n)
		}
		l.roots[f.Root] = n
	}
	l.files = append(l.files, f)
	return nil
}

// agree checks that the v1 list describes the content of the v2 list: same
// files, order, sizes and places. It returns the padding behind the last file.
func agree(v1, v2 []content.File, pieceLength int64) (tail int64, err error) {
	conflict := func(format string, args ...any) (int64, error) {
		return 0, fault.Errorf(fault.Conflict, "v1 and v2 disagree: "+format, args...)
	}
	var at1, at2 int64 // ends so far
	i := 0
	for _, f := range v1 {
		if f.Pad {
			at1 += f.Length
			continue
		}
		if i == len(v2) {
			return conflict("%.200q is in v1 only", f.Path)
		}
		g := v2[i]
		i++
		if !slices.Equal(f.Path, g.Path) {
			return conflict("%.200q in v1 is %.200q in v2", f.Path, g.Path)
		}
		if f.Length != g.Length {
			return conflict("%.200q has %d bytes in v1, %d in v2", f.Path, f.Length, g.Length)
		}
		if f.Length == 0 {
			continue
		}
		at2 = (at2 + pieceLength - 1) / pieceLength * pieceLength
		if at1 != at2 {
			return conflict("%.200q is at %d in v1, at %d in v2", f.Path, at1, at2)
		}
		at1, at2 = at1+f.Length, at2+f.Length
	}
	if i < len(v2) {
		return conflict("%.200q is in v2 only", v2[i].Path)
	}
	if tail = at1 - at2; tail > 0 && (at2-1)/pieceLength != (at1-1)/pieceLength {
		return conflict("%d bytes of padding behind the last file", tail)
	}
	return tail, nil
}
