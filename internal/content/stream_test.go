package content_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// sumOf is what a Stream has to come to, the plain way.
func sumOf(data []byte) content.FileSum {
	sum := content.FileSum{SHA256: sha256.Sum256(data), Size: int64(len(data))}
	if len(data) > 0 {
		layers := tree(data)
		sum.Root = layers[len(layers)-1][0]
	}
	return sum
}

func TestStreamIsWhatHashFilesSaysOfOneFile(t *testing.T) {
	const block = content.BlockSize
	for _, n := range []int{0, 1, block - 1, block, block + 1, 2 * block, 3*block + 5, 4 * block, 23*block + 7, 64 * block} {
		s := makeShare(t, false, true, 4*block, n)
		w := content.NewStream()
		w.Write(s.files[0])
		got := w.Sum()
		if got.Root != s.d.Roots[0] {
			t.Errorf("%d bytes: root %x, HashFiles says %x", n, got.Root, s.d.Roots[0])
		}
		if got != sumOf(s.files[0]) {
			t.Errorf("%d bytes: %+v", n, got)
		}
	}
}

func TestStreamTakesAnyCutAndGoesOnAnywhere(t *testing.T) {
	all := stream(7, 40*content.BlockSize)
	rapid.Check(t, func(t *rapid.T) {
		data := all[:rapid.IntRange(0, len(all)).Draw(t, "size")]
		w := content.NewStream()
		for at := 0; at < len(data); {
			n := min(len(data)-at, rapid.OneOf(
				rapid.IntRange(1, 200), rapid.IntRange(1, 3*content.BlockSize), rapid.IntRange(1, 20*content.BlockSize),
			).Draw(t, "write"))
			w.Write(data[at : at+n])
			at += n
			switch rapid.IntRange(0, 3).Draw(t, "then") {
			case 0:
				state := w.State()
				r, err := content.ResumeStream(state)
				if err != nil {
					t.Fatalf("resume at %d: %v", at, err)
				}
				if !bytes.Equal(r.State(), state) || r.Size() != int64(at) {
					t.Fatalf("the state at %d changed by being taken up", at)
				}
				w = r
			case 1:
				if got := w.Sum(); got != sumOf(data[:at]) {
					t.Fatalf("after %d bytes: %+v", at, got)
				}
			}
		}
		if got := w.Sum(); got != sumOf(data) {
			t.Fatalf("%d bytes: %+v, want %+v", len(data), got, sumOf(data))
		}
	})
}

func TestResumeRefusesWhatIsNoState(t *testing.T) {
	whole := content.NewStream()
	whole.Write(stream(1, 5*content.BlockSize+100))
	state := whole.State()
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(state)) }
	empty := content.NewStream().State()
	cases := map[string][]byte{
		"nothing":                  nil,
		"another version":          change(func(b []byte) []byte { b[0]++; return b }),
		"a byte too few":           state[:len(state)-1],
		"a byte too many":          append(bytes.Clone(state), 0),
		"another size":             change(func(b []byte) []byte { b[8]++; return b }),
		"a negative size":          change(func(b []byte) []byte { b[1] = 0x80; return b }),
		"a size that overflows":    change(func(b []byte) []byte { b[1] = 0x7f; return b }),
		"another magic":            change(func(b []byte) []byte { b[9]++; return b }),
		"garbage behind its input": change(func(b []byte) []byte { b[9+108-9]++; return b }),
		"an empty hash that has begun elsewhere": func() []byte {
			b := bytes.Clone(empty)
			b[9+5]++
			return b
		}(),
	}
	for name, b := range cases {
		if _, err := content.ResumeStream(b); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	huge := bytes.Clone(empty)
	binary.BigEndian.PutUint64(huge[1:], 1<<62+1)
	if _, err := content.ResumeStream(huge); !errors.Is(err, fault.Invalid) {
		t.Errorf("a size of 2^62+1: %v, want invalid", err)
	}
}

func FuzzResumeStream(f *testing.F) {
	for _, n := range []int{0, 1, 63, 64, content.BlockSize, content.BlockSize + 1, 7 * content.BlockSize, 9*content.BlockSize + 70} {
		s := content.NewStream()
		s.Write(stream(n, n))
		f.Add(s.State())
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		s, err := content.ResumeStream(state)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("refused as %v: %v", fault.KindOf(err), err)
			}
			return
		}
		if !bytes.Equal(s.State(), state) {
			t.Fatal("accepted and re-encoded differently")
		}
		s.Sum()
		s.Write(make([]byte, 3*content.BlockSize))
		s.Sum()
	})
}

// BenchmarkStream hashes in writes of 1 MiB, and the same bytes with SHA-256
// alone right after, and prints the ratio of the two rates.
func BenchmarkStream(b *testing.B) {
	data := stream(1, 1<<20)
	const writes = 128
	var both, alone time.Duration
	b.SetBytes(writes * int64(len(data)))
	for b.Loop() {
		start := time.Now()
		s := content.NewStream()
		for range writes {
			s.Write(data)
		}
		s.Sum()
		middle := time.Now()
		h := sha256.New()
		for range writes {
			h.Write(data)
		}
		h.Sum(nil)
		both += middle.Sub(start)
		alone += time.Since(middle)
	}
	total := float64(b.N) * writes * float64(len(data))
	b.ReportMetric(total/both.Seconds()/1e9, "stream-GB/s")
	b.ReportMetric(total/alone.Seconds()/1e9, "sha256-GB/s")
	b.ReportMetric(100*float64(alone)/float64(both), "%of-sha256")
}
