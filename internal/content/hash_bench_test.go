package content_test

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"tandem/internal/content"
)

// BenchmarkHashFiles hashes a file in the page cache, and the same bytes in
// memory with the same number of goroutines right after, and prints the ratio of
// the two rates. TANDEM_BENCH_MIB sets the size (default 256).
func BenchmarkHashFiles(b *testing.B) {
	size := int64(256)
	if s := os.Getenv("TANDEM_BENCH_MIB"); s != "" {
		if _, err := fmt.Sscan(s, &size); err != nil {
			b.Fatal(err)
		}
	}
	size <<= 20
	path := filepath.Join(b.TempDir(), "content")
	writeStream(b, path, size)
	for _, c := range []struct {
		name   string
		v1, v2 bool
	}{{"v2 only", false, true}, {"hybrid", true, true}} {
		b.Run(c.name, func(b *testing.B) { benchHash(b, path, size, c.v1, c.v2) })
	}
}

func benchHash(b *testing.B, path string, size int64, v1, v2 bool) {
	m := &content.Manifest{
		PieceLength: content.PieceLength(size), HasV1: v1, HasV2: v2,
		Files: []content.File{{Path: []string{"content"}, Length: size}},
	}
	m.Seal()
	open := func(int) (io.ReaderAt, io.Closer, error) {
		f, err := os.Open(path)
		return f, f, err
	}
	workers := runtime.GOMAXPROCS(0)
	data := make([]byte, min(size, 256<<20))
	for i := range data {
		data[i] = byte(i >> 3) // touched, so that every page is memory of its own
	}
	var fromFile, inMemory time.Duration
	b.SetBytes(size)
	for b.Loop() {
		start := time.Now()
		if _, err := content.HashFiles(context.Background(), m, v1, v2, open, workers, nil); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		hashMemory(data, size, workers, v1)
		fromFile += middle.Sub(start)
		inMemory += time.Since(middle)
	}
	b.ReportMetric(100*float64(inMemory)/float64(fromFile), "%of-memory")
	b.ReportMetric(float64(size)*float64(b.N)/fromFile.Seconds()/1e6, "file-MB/s")
}

// hashMemory hashes size bytes out of data, split among the goroutines, and does
// nothing else: no tree, no read.
func hashMemory(data []byte, size int64, workers int, v1 bool) {
	const run = 1 << 20
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for at := int64(w) * run; at < size; at += int64(workers) * run {
				p := data[at%int64(len(data)):][:run]
				if v1 {
					_ = sha1.Sum(p)
				}
				for ; len(p) > 0; p = p[content.BlockSize:] {
					_ = content.LeafHash(p[:content.BlockSize])
				}
			}
		})
	}
	wg.Wait()
}

func writeStream(tb testing.TB, path string, size int64) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(block)) {
		for i := range block {
			block[i] = byte(int64(i) * (at>>20 + 1) >> 3)
		}
		if _, err := f.Write(block); err != nil {
			tb.Fatal(err)
		}
	}
}
