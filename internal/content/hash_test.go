package content_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// padded returns the piece space of s as v1 clients see it.
func padded(s *share) []byte {
	var out []byte
	for p := range s.m.NumPieces() {
		piece := s.piece(p)
		out = append(out, piece...)
		out = append(out, make([]byte, s.m.PaddedSize(p)-len(piece))...)
	}
	return out
}

func TestHashFilesMatchesPlainHashing(t *testing.T) {
	for name, s := range map[string]*share{
		"v1 alone, a piece over three files": makeShare(t, true, false, 40_000, 100_000, 5, 0, 90_000, 1),
		"hybrid, files on piece boundaries":  makeShare(t, true, true, 32<<10, 100_000, 5, 0, 90_000, 1),
		"pieces larger than one read":        makeShare(t, true, true, 1<<20, 3<<20+1, 1<<20),
		"one byte":                           makeShare(t, true, true, 16<<10, 1),
		"only empty files":                   makeShare(t, true, true, 16<<10, 0, 0),
	} {
		space := padded(s)
		if want := (len(space) + int(s.m.PieceLength) - 1) / int(s.m.PieceLength); len(s.d.Pieces1) != want {
			t.Errorf("%s: %d pieces, not %d", name, len(s.d.Pieces1), want)
		}
		for p, got := range s.d.Pieces1 {
			at := p * int(s.m.PieceLength)
			if want := sha1.Sum(space[at:min(at+int(s.m.PieceLength), len(space))]); got != want {
				t.Errorf("%s: piece %d has another v1 hash", name, p)
			}
			if err := s.m.CheckPiece(s.l, p, s.piece(p)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestHashFilesReadsPadFilesAsZeros(t *testing.T) {
	m := &content.Manifest{PieceLength: 16 << 10, HasV1: true, Files: []content.File{
		{Path: []string{"a"}, Length: 5}, {Length: 10, Pad: true}, {Path: []string{"b"}, Length: 1},
	}}
	m.Seal()
	open := func(i int) (io.ReaderAt, io.Closer, error) {
		if i == 1 {
			t.Error("the pad file was opened")
		}
		return bytes.NewReader([]byte("abcde")[:m.Files[i].Length]), nil, nil
	}
	d, err := content.HashFiles(context.Background(), m, true, false, open, 1, nil)
	if err != nil || d.Pieces1[0] != sha1.Sum([]byte("abcde\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00a")) {
		t.Fatalf("%v", err)
	}
}

func TestHashFilesDoesNotDependOnWorkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		for i := range m.Files {
			m.Files[i].Path = []string{string(rune('a' + i))}
			m.Files[i].Pad = false
		}
		m.Tail = 0
		m.Seal()
		var data [][]byte
		for i := range m.Files {
			data = append(data, stream(i, int(m.Files[i].Length)))
		}
		open := func(i int) (io.ReaderAt, io.Closer, error) { return bytes.NewReader(data[i]), nil, nil }
		var first *content.Digest
		for _, workers := range []int{0, 1, 3, 100} {
			d, err := content.HashFiles(context.Background(), m, m.HasV1, m.HasV2, open, workers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = d
			}
			if !equalDigests(d, first) {
				t.Fatalf("%d workers: other hashes", workers)
			}
		}
	})
}

func equalDigests(a, b *content.Digest) bool {
	if len(a.Pieces1) != len(b.Pieces1) || len(a.Roots) != len(b.Roots) || len(a.Layers) != len(b.Layers) {
		return false
	}
	for i := range a.Pieces1 {
		if a.Pieces1[i] != b.Pieces1[i] {
			return false
		}
	}
	for i := range a.Roots {
		if a.Roots[i] != b.Roots[i] || len(a.Layers[i]) != len(b.Layers[i]) {
			return false
		}
	}
	return true
}

// counted counts open files.
type counted struct {
	io.ReaderAt
	open *atomic.Int32
}

func (c counted) Close() error { c.open.Add(-1); return nil }

func TestHashFilesClosesWhatItOpensAndCountsEveryByte(t *testing.T) {
	s := makeShare(t, true, true, 32<<10, 9<<20, 100, 0, 70_000)
	var open, most atomic.Int32
	var mu sync.Mutex
	var total int64
	_, err := content.HashFiles(context.Background(), s.m, true, true,
		func(i int) (io.ReaderAt, io.Closer, error) {
			mu.Lock()
			defer mu.Unlock()
			most.Store(max(most.Load(), open.Add(1)))
			return counted{bytes.NewReader(s.files[i]), &open}, counted{nil, &open}, nil
		}, 2, func(n int64) { total += n })
	if err != nil || open.Load() != 0 || most.Load() > 2 || total != s.m.TotalBytes() {
		t.Fatalf("%v: %d left open, at most %d, %d bytes of %d", err, open.Load(), most.Load(), total, s.m.TotalBytes())
	}
}

func TestHashFilesFails(t *testing.T) {
	s := makeShare(t, true, true, 16<<10, 5<<20, 5<<20)
	denied := fault.Wrap(fault.Permission, fs.ErrPermission)
	for name, c := range map[string]struct {
		open func(i int) (io.ReaderAt, io.Closer, error)
		kind error
	}{
		"file that cannot be opened": {func(int) (io.ReaderAt, io.Closer, error) { return nil, nil, denied }, fault.Permission},
		"file that got shorter": {func(i int) (io.ReaderAt, io.Closer, error) {
			return bytes.NewReader(s.files[i][:5<<20-i]), nil, nil
		}, fault.Changed},
		"file that cannot be read": {func(int) (io.ReaderAt, io.Closer, error) { return broken{}, nil, nil }, io.ErrClosedPipe},
	} {
		for _, workers := range []int{1, 4} {
			d, err := content.HashFiles(context.Background(), s.m, true, true, c.open, workers, nil)
			if d != nil || !errors.Is(err, c.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 3, io.ErrClosedPipe }

func TestHashFilesStopsWhenCancelled(t *testing.T) {
	s := makeShare(t, true, true, 16<<10, 12<<20)
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, err := content.HashFiles(ctx, s.m, true, true, s.open, 1, func(int64) { calls++; cancel() })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, fault.Closed) || calls != 1 {
		t.Fatalf("%d calls, %v", calls, err)
	}
}

func TestHashFilesRefusesWhatItCannotHash(t *testing.T) {
	file := []content.File{{Path: []string{"a"}, Length: 1}}
	for name, c := range map[string]struct {
		m      content.Manifest
		v1, v2 bool
	}{
		"nothing asked for":                   {content.Manifest{PieceLength: 16 << 10, Files: file}, false, false},
		"v2 of files without gaps":            {content.Manifest{PieceLength: 16 << 10, Files: file}, true, true},
		"v2 with an odd piece length":         {content.Manifest{PieceLength: 17 << 10, Files: file, HasV2: true}, false, true},
		"v2 with pieces smaller than a block": {content.Manifest{PieceLength: 8 << 10, Files: file, HasV2: true}, false, true},
		"no piece length":                     {content.Manifest{Files: file}, true, false},
		"pieces too large":                    {content.Manifest{PieceLength: 32 << 20, Files: file}, true, false},
		"no files":                            {content.Manifest{PieceLength: 16 << 10}, true, false},
		"negative length":                     {content.Manifest{PieceLength: 16 << 10, Files: []content.File{{Path: []string{"a"}, Length: -1}}}, true, false},
		"too many pieces":                     {content.Manifest{PieceLength: 16 << 10, Files: []content.File{{Path: []string{"a"}, Length: 1 << 40}}}, true, false},
	} {
		if c.m.PieceLength > 0 {
			c.m.Seal()
		}
		if _, err := content.HashFiles(context.Background(), &c.m, c.v1, c.v2, nil, 1, nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckPieceTellsWhatIsWrong(t *testing.T) {
	hybrid := makeShare(t, true, true, 32<<10, 100_000, 9)
	v2 := makeShare(t, false, true, 32<<10, 100_000, 9)
	v1 := makeShare(t, true, false, 32<<10, 100_000, 9)
	lying := makeShare(t, true, true, 32<<10, 100_000, 9)
	lying.m.Pieces1[1][0] ^= 1
	flip := func(p []byte) []byte {
		p = bytes.Clone(p)
		p[len(p)-1] ^= 1
		return p
	}
	for name, c := range map[string]struct {
		s    *share
		l    *content.Layers
		data []byte
		want error
	}{
		"hybrid, good":                              {hybrid, hybrid.l, hybrid.piece(1), nil},
		"hybrid, bad":                               {hybrid, hybrid.l, flip(hybrid.piece(1)), fault.Corrupt},
		"hybrid, good, layers unknown":              {hybrid, content.NewLayers(hybrid.m), hybrid.piece(1), nil},
		"hybrid, bad, layers unknown":               {hybrid, content.NewLayers(hybrid.m), flip(hybrid.piece(1)), fault.Corrupt},
		"hybrid, too short":                         {hybrid, hybrid.l, hybrid.piece(1)[1:], fault.Corrupt},
		"hybrid, too long":                          {hybrid, hybrid.l, append(hybrid.piece(1), 0), fault.Corrupt},
		"hybrid whose v1 hash is of something else": {lying, lying.l, lying.piece(1), fault.Conflict},
		"v2, good":                                  {v2, v2.l, v2.piece(1), nil},
		"v2, bad":                                   {v2, v2.l, flip(v2.piece(1)), fault.Corrupt},
		"v2, layers unknown":                        {v2, content.NewLayers(v2.m), v2.piece(1), fault.NotFound},
		"v1, good":                                  {v1, nil, v1.piece(1), nil},
		"v1, bad":                                   {v1, nil, flip(v1.piece(1)), fault.Corrupt},
		"v1, too short":                             {v1, nil, v1.piece(1)[1:], fault.Corrupt},
		"v1, empty":                                 {v1, nil, nil, fault.Corrupt},
	} {
		err := c.s.m.CheckPiece(c.l, 1, c.data)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLeavesOfPaddingDoNotCountAsBlocks(t *testing.T) {
	s := makeShare(t, false, true, 64<<10, 40_000)
	leaves, _ := s.leaves(0)
	if known, err := s.m.CheckLeaves(s.l, 0, leaves); !known || err != nil {
		t.Errorf("%v, %v", known, err)
	}
	if known, err := s.m.CheckLeaves(s.l, 0, append(leaves, content.Hash{})); !known || !errors.Is(err, fault.Corrupt) {
		t.Errorf("one leaf too many: %v, %v", known, err)
	}
}

func TestV1PaddingIsHashedAsZeros(t *testing.T) {
	s := makeShare(t, true, true, 256<<10, 100_000, 9) // 150 KiB of padding in piece 0
	if got := s.m.PaddedSize(0) - s.m.PieceSize(0); got != 256<<10-100_000 {
		t.Fatalf("padding is %d", got)
	}
	if err := s.m.CheckV1(0, s.piece(0)); err != nil {
		t.Error(err)
	}
	last := s.m.NumPieces() - 1
	s.m.Tail = s.m.PieceLength - 9
	s.m.Seal()
	s.m.Pieces1[last] = sha1.Sum(append(s.piece(last), make([]byte, s.m.Tail)...))
	if err := s.m.CheckV1(last, s.piece(last)); err != nil || s.m.PieceSize(last) != 9 {
		t.Errorf("padding behind the last file: %v", err)
	}
}
