package content_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// tree computes every layer of a tree the plain way: layer 0 is the leaves,
// padded with zero hashes.
func tree(data []byte) [][]content.Hash {
	var leaves []content.Hash
	for at := 0; at < len(data); at += content.BlockSize {
		leaves = append(leaves, sha256.Sum256(data[at:min(at+content.BlockSize, len(data))]))
	}
	for len(leaves)&(len(leaves)-1) != 0 {
		leaves = append(leaves, content.Hash{})
	}
	layers := [][]content.Hash{leaves}
	for top := leaves; len(top) > 1; {
		var up []content.Hash
		for i := 0; i < len(top); i += 2 {
			up = append(up, sha256.Sum256(slices.Concat(top[i][:], top[i+1][:])))
		}
		layers = append(layers, up)
		top = up
	}
	return layers
}

func TestMerkleRootPads(t *testing.T) {
	pad := content.Hash{7}
	nodes := []content.Hash{{1}, {2}, {3}}
	full := append(slices.Clone(nodes), pad, pad, pad, pad, pad)
	if content.MerkleRoot(nodes, 8, pad) != content.MerkleRoot(full, 8, pad) {
		t.Error("padding by width and by hand differ")
	}
	if !slices.Equal(nodes, []content.Hash{{1}, {2}, {3}}) {
		t.Error("nodes were changed")
	}
	if content.MerkleRoot(nodes[:1], 1, pad) != nodes[0] || content.MerkleRoot(nil, 1, pad) != pad {
		t.Error("a tree of one node is not that node")
	}
}

func TestHashFilesBuildsTheTreesOfBEP52(t *testing.T) {
	const block = content.BlockSize
	for _, pieceLength := range []int64{block, 4 * block} {
		s := makeShare(t, false, true, pieceLength, 1, block-1, block, block+1, 4*block, 4*block+1, 0, 23*block+5)
		for i, data := range s.files {
			if len(data) == 0 {
				if !s.d.Roots[i].IsZero() || s.d.Layers[i] != nil {
					t.Errorf("the empty file has hashes")
				}
				continue
			}
			want := tree(data)
			if s.d.Roots[i] != want[len(want)-1][0] {
				t.Errorf("%d bytes in pieces of %d: wrong root", len(data), pieceLength)
			}
			layer := 0
			for ; block<<layer < pieceLength; layer++ {
			}
			n := (int64(len(data)) + pieceLength - 1) / pieceLength
			if n == 1 && s.d.Layers[i] != nil || n > 1 && !slices.Equal(s.d.Layers[i], want[layer][:n]) {
				t.Errorf("%d bytes in pieces of %d: wrong piece layer", len(data), pieceLength)
			}
		}
		for p := range s.m.NumPieces() {
			leaves, _ := s.leaves(p)
			if h, ok := s.l.Piece(p); !ok || h != s.m.PieceRoot(p, leaves) {
				t.Errorf("piece %d: root %x, %v", p, h[:4], ok)
			}
		}
	}
}

func TestLayersOfSmallFilesAreKnownAtOnce(t *testing.T) {
	s := makeShare(t, true, true, 32<<10, 5, 0, 32<<10)
	l := content.NewLayers(s.m)
	if !l.Complete() || len(l.MissingRanges(nil)) != 0 {
		t.Fatal("something is missing")
	}
	if h, ok := l.Piece(1); !ok || h != s.d.Roots[2] {
		t.Fatal("the piece of a small file is not its root")
	}
	if l.File(1) != nil {
		t.Error("an empty file has a layer")
	}
}

func TestSetFileRefusesWrongLayers(t *testing.T) {
	s := makeShare(t, false, true, 16<<10, 40<<10, 10, 40<<10)
	good := s.d.Layers[0]
	wrong := slices.Clone(good)
	wrong[2][0]++
	for name, c := range map[string]struct {
		file   int
		hashes []content.Hash
	}{
		"a hash changed":            {0, wrong},
		"one too few":               {0, good[:2]},
		"padding given":             {0, append(slices.Clone(good), content.Hash{})},
		"layer of another file":     {2, good},
		"none":                      {0, nil},
		"small file, not its root":  {1, good[:1]},
		"small file, too many":      {1, good},
		"order changed":             {0, []content.Hash{good[1], good[0], good[2]}},
		"leaf that is its own root": {0, []content.Hash{s.d.Roots[0]}},
	} {
		l := content.NewLayers(s.m)
		if err := l.SetFile(c.file, c.hashes); !errors.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := l.Piece(0); ok || l.Complete() {
			t.Errorf("%s: something became known", name)
		}
	}
}

// fetch brings l up to date from a node that knows all, as a transfer does.
func fetch(t testing.TB, s *share, l *content.Layers) {
	t.Helper()
	for _, r := range l.MissingRanges(nil) {
		hashes, err := s.m.AnswerRange(s.l, r, s.leaves)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		file, ok := l.Lookup(r.Root)
		if !ok {
			t.Fatal("unknown root")
		}
		if err := l.AddRange(file, r.Index, hashes[:r.Length], hashes[r.Length:]); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
	}
}

// large is content with a piece layer of several ranges: 1,100 pieces of
// one block each stand in a tree of 2,048.
func large(t testing.TB) *share {
	return makeShare(t, false, true, content.BlockSize, 1100*content.BlockSize-7, 3*content.BlockSize)
}

func TestRangesBringEveryLayer(t *testing.T) {
	s := large(t)
	l := content.NewLayers(s.m)
	missing := l.MissingRanges(nil)
	if len(missing) != 4 || missing[2].Index != 1024 || missing[2].Length != 512 || missing[2].ProofLayers != 10 || missing[3].Length != 4 {
		t.Fatalf("missing: %+v", missing)
	}
	if first, ok := l.Missing(); !ok || first != missing[0] {
		t.Error("Missing is not the first range")
	}
	fetch(t, s, l)
	if !l.Complete() || len(l.MissingRanges(nil)) != 0 {
		t.Fatal("not complete")
	}
	for i := range s.files {
		if !slices.Equal(l.File(i), s.d.Layers[i]) {
			t.Errorf("file %d: wrong layer", i)
		}
	}
}

func TestPartlyKnownLayersAnswerForWhatTheyKnow(t *testing.T) {
	s := large(t)
	l := content.NewLayers(s.m)
	r := l.MissingRanges(nil)[1]
	want, err := s.m.AnswerRange(s.l, r, s.leaves)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AddRange(0, r.Index, want[:r.Length], want[r.Length:]); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Piece(511); ok {
		t.Error("a piece outside the range is known")
	}
	if h, ok := l.Piece(512); !ok || h != s.d.Layers[0][512] {
		t.Error("a piece of the range is unknown")
	}
	if l.File(0) != nil || l.Complete() {
		t.Error("the layer counts as known")
	}
	got, err := s.m.AnswerRange(l, r, s.leaves)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("its own range: %v", err)
	}
	r.Index = 0
	if _, err := s.m.AnswerRange(l, r, s.leaves); !errors.Is(err, fault.NotFound) {
		t.Errorf("another range: %v", err)
	}
}

func TestAddRangeRefusesLies(t *testing.T) {
	s := large(t)
	r := content.NewLayers(s.m).MissingRanges(nil)[2] // ends in padding
	all, err := s.m.AnswerRange(s.l, r, s.leaves)
	if err != nil {
		t.Fatal(err)
	}
	good, proof := all[:r.Length], all[r.Length:]
	change := func(hashes []content.Hash, i int) []content.Hash {
		hashes = slices.Clone(hashes)
		hashes[i][31] ^= 1
		return hashes
	}
	for name, c := range map[string]struct {
		file, index   int
		hashes, proof []content.Hash
	}{
		"first hash":            {0, 1024, change(good, 0), proof},
		"padding":               {0, 1024, change(good, 511), proof},
		"lowest uncle":          {0, 1024, good, change(proof, 0)},
		"highest uncle":         {0, 1024, good, change(proof, len(proof)-1)},
		"no proof":              {0, 1024, good, nil},
		"too much proof":        {0, 1024, good, append(slices.Clone(proof), content.Hash{})},
		"another index":         {0, 512, good, proof},
		"index not aligned":     {0, 1, good, proof},
		"negative index":        {0, -512, good, proof},
		"index behind the file": {0, 1536, good, proof},
		"half the range":        {0, 1024, good[:256], proof},
		"nothing":               {0, 0, nil, nil},
		"another file":          {1, 0, good, proof},
		"root as its own proof": {0, 0, []content.Hash{s.d.Roots[0]}, nil},
	} {
		l := content.NewLayers(s.m)
		if err := l.AddRange(c.file, c.index, c.hashes, c.proof); !errors.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := l.Piece(1024); ok {
			t.Errorf("%s: something became known", name)
		}
	}
}

// A creator can commit to a tree whose padding is not padding. Such hashes
// could never be assembled into a layer that SetFile takes.
func TestAddRangeRefusesFalsePadding(t *testing.T) {
	m := &content.Manifest{HasV2: true, PieceLength: content.BlockSize, Files: []content.File{
		{Path: []string{"x"}, Length: 600 * content.BlockSize},
	}}
	layer := make([]content.Hash, 1024)
	for i := range layer {
		layer[i] = content.Hash{1, byte(i), byte(i >> 8)}
	}
	m.Files[0].Root = content.MerkleRoot(layer, 1024, content.Hash{})
	m.Seal()
	second := content.MerkleRoot(layer[512:], 512, content.Hash{})
	first := content.MerkleRoot(layer[:512], 512, content.Hash{})
	l := content.NewLayers(m)
	if err := l.AddRange(0, 512, layer[512:], []content.Hash{first}); !errors.Is(err, fault.Corrupt) {
		t.Errorf("range with false padding: %v", err)
	}
	// The uncle covers pieces that exist, so it may be anything.
	if err := l.AddRange(0, 0, layer[:512], []content.Hash{second}); err != nil {
		t.Errorf("range without padding: %v", err)
	}
}

func TestAddRangeRefusesFalsePaddingAmongTheUncles(t *testing.T) {
	m := &content.Manifest{HasV2: true, PieceLength: content.BlockSize, Files: []content.File{
		{Path: []string{"x"}, Length: 1100 * content.BlockSize},
	}}
	layer := make([]content.Hash, 2048)
	for i := range 1100 {
		layer[i] = content.Hash{1, byte(i), byte(i >> 8)}
	}
	layer[2000] = content.Hash{1}
	m.Files[0].Root = content.MerkleRoot(layer, 2048, content.Hash{})
	m.Seal()
	low, high := content.MerkleRoot(layer[:1024], 1024, content.Hash{}), content.MerkleRoot(layer[1536:], 512, content.Hash{})
	if err := content.NewLayers(m).AddRange(0, 1024, layer[1024:1536], []content.Hash{high, low}); !errors.Is(err, fault.Corrupt) {
		t.Error(err)
	}
}

func TestIdenticalFilesShareTheirLayer(t *testing.T) {
	s := makeShare(t, false, true, 16<<10, 40<<10)
	twin := s.m.Files[0]
	twin.Path = []string{"b"}
	s.m.Files = append(s.m.Files, twin)
	s.m.Seal()
	l := content.NewLayers(s.m)
	if n := len(l.MissingRanges(nil)); n != 1 {
		t.Fatalf("%d ranges missing", n)
	}
	fetchOne := l.MissingRanges(nil)[0]
	hashes, err := s.m.AnswerRange(s.l, fetchOne, s.leaves)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AddRange(0, 0, hashes, nil); err != nil || !l.Complete() || l.File(1) == nil {
		t.Fatalf("complete %v, %v", l.Complete(), err)
	}
}

func TestAnswerRangeGivesAnyNodeOfTheTree(t *testing.T) {
	const pieceLayer = 2
	s := makeShare(t, false, true, content.BlockSize<<pieceLayer, 3000, 75*content.BlockSize+1)
	trees := [][][]content.Hash{tree(s.files[0]), tree(s.files[1])}
	rapid.Check(t, func(t *rapid.T) {
		file := rapid.IntRange(0, 1).Draw(t, "file")
		tree := trees[file]
		height := len(tree) - 1
		base := rapid.IntRange(0, height).Draw(t, "base")
		log := rapid.IntRange(0, height-base).Draw(t, "log")
		r := content.HashRange{Root: s.d.Roots[file], Base: base, Length: 1 << log}
		r.Index = rapid.IntRange(0, 1<<(height-base-log)-1).Draw(t, "index") << log
		r.ProofLayers = rapid.IntRange(0, max(0, height-base-1)).Draw(t, "proof")
		want := slices.Clone(tree[base][r.Index : r.Index+r.Length])
		for k := 1; k <= r.ProofLayers; k++ { // BEP 52: the first log2(length)-1 are left out
			if k > log-1 {
				want = append(want, tree[base+k][r.Index>>k^1])
			}
		}
		calls := 0
		got, err := s.m.AnswerRange(s.l, r, func(p int) ([]content.Hash, error) {
			calls++
			return s.leaves(p)
		})
		if calls > 1 {
			t.Fatalf("%+v: %d pieces read", r, calls)
		}
		if base < pieceLayer && log > pieceLayer-base {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("%+v: of more than one piece, %v", r, err)
			}
			return
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v: %d hashes, not %d, %v", r, len(got), len(want), err)
		}
	})
}

func TestAnswerRangeRefusesWhatIsNotInTheTree(t *testing.T) {
	s := makeShare(t, false, true, content.BlockSize, 5*content.BlockSize)
	root := s.d.Roots[0]
	for name, c := range map[string]struct {
		r    content.HashRange
		kind fault.Kind
	}{
		"unknown root":            {content.HashRange{Root: content.Hash{1}, Length: 2}, fault.NotFound},
		"length 0":                {content.HashRange{Root: root}, fault.Invalid},
		"length not a power of 2": {content.HashRange{Root: root, Length: 3}, fault.Invalid},
		"negative length":         {content.HashRange{Root: root, Length: -2}, fault.Invalid},
		"huge length":             {content.HashRange{Root: root, Length: 1 << 62}, fault.Invalid},
		"longer than the layer":   {content.HashRange{Root: root, Length: 16}, fault.Invalid},
		"index behind the layer":  {content.HashRange{Root: root, Index: 8, Length: 2}, fault.Invalid},
		"negative index":          {content.HashRange{Root: root, Index: -2, Length: 2}, fault.Invalid},
		"index not aligned":       {content.HashRange{Root: root, Index: 1, Length: 2}, fault.Invalid},
		"base above the root":     {content.HashRange{Root: root, Base: 4, Length: 1}, fault.Invalid},
		"negative base":           {content.HashRange{Root: root, Base: -1, Length: 2}, fault.Invalid},
		"proof above the root":    {content.HashRange{Root: root, Length: 2, ProofLayers: 3}, fault.Invalid},
		"negative proof":          {content.HashRange{Root: root, Length: 2, ProofLayers: -1}, fault.Invalid},
		"huge proof":              {content.HashRange{Root: root, Length: 2, ProofLayers: 1 << 40}, fault.Invalid},
	} {
		if _, err := s.m.AnswerRange(s.l, c.r, s.leaves); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	missing := fault.Errorf(fault.NotFound, "piece is not here")
	none := func(int) ([]content.Hash, error) { return nil, missing }
	big := makeShare(t, false, true, 4*content.BlockSize, 20*content.BlockSize)
	if _, err := big.m.AnswerRange(big.l, big.m.LeafRange(1), none); err != missing {
		t.Errorf("leaves that cannot be read: %v", err)
	}
	if _, err := s.m.AnswerRange(nil, content.HashRange{}, none); !errors.Is(err, fault.NotFound) {
		t.Errorf("without layers: %v", err)
	}
}

func TestLeavesOfAPieceBlameTheBlock(t *testing.T) {
	s := makeShare(t, true, true, 4*content.BlockSize, 3*content.BlockSize, 9*content.BlockSize+1)
	for p := range s.m.NumPieces() {
		r := s.m.LeafRange(p)
		if r.Length < s.m.NumBlocks(p) || r.ProofLayers != 0 || r.Base != 0 {
			t.Fatalf("piece %d: %+v", p, r)
		}
		sent, err := s.m.AnswerRange(s.l, r, s.leaves)
		if err != nil {
			t.Fatal(err)
		}
		arrived, _ := s.leaves(p)
		if bad, ok := s.m.BadBlocks(s.l, p, arrived, sent); !ok || len(bad) != 0 {
			t.Errorf("piece %d: good data blamed: %v, %v", p, bad, ok)
		}
		last := len(arrived) - 1
		arrived[last][0] ^= 1
		if bad, ok := s.m.BadBlocks(s.l, p, arrived, sent); !ok || !slices.Equal(bad, []int{last}) {
			t.Errorf("piece %d: bad blocks %v, %v", p, bad, ok)
		}
		sent[0][0] ^= 1
		if _, ok := s.m.BadBlocks(s.l, p, arrived, sent); ok {
			t.Errorf("piece %d: leaves that do not lead to the piece were believed", p)
		}
		if _, ok := s.m.BadBlocks(s.l, p, arrived, nil); ok {
			t.Errorf("piece %d: no leaves were believed", p)
		}
	}
}
