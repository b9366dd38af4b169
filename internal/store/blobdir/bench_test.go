package blobdir_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tandem/internal/content"
	"tandem/internal/store/blobdir"
)

// BenchmarkCommitSmall stores files of 4 KiB by 64 writers. TANDEM_BENCH_FILES
// says how many (default 2000), TANDEM_BENCH_DIR where.
func BenchmarkCommitSmall(b *testing.B) {
	files := setting(b, "TANDEM_BENCH_FILES", 2000)
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers, " writers"), func(b *testing.B) {
			s := openBench(b)
			data := noise(4 << 10)
			b.SetBytes(int64(files * len(data)))
			for round := 0; b.Loop(); round++ {
				commitAll(b, s, files, writers, round, data)
			}
			b.ReportMetric(float64(files*b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

func commitAll(b *testing.B, s *blobdir.Blobs, files, writers, round int, data []byte) {
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < files; i += writers {
				root := content.Hash{byte(i), byte(i >> 8), byte(i >> 16), byte(round), 1}
				st, err := s.Stage(b.Context(), fmt.Sprintf("f%d", i), 0, int64(len(data)))
				if err == nil {
					_, err = st.Write(data)
				}
				if err == nil {
					err = st.Commit(b.Context(), root)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkCommitBig stores one file, and writes and syncs the same bytes as plainly
// as can be right after. TANDEM_BENCH_MIB is its size (default 256).
func BenchmarkCommitBig(b *testing.B) {
	s := openBench(b)
	data := noise(1 << 20)
	size := setting(b, "TANDEM_BENCH_MIB", 256)
	plainly := filepath.Join(benchDir(b), "plain")
	var ours, commit, plain time.Duration
	b.SetBytes(int64(size) << 20)
	for b.Loop() {
		begun := time.Now()
		st, err := s.Stage(b.Context(), "big", 0, int64(size)<<20)
		for i := 0; i < size && err == nil; i++ {
			_, err = st.Write(data)
		}
		written := time.Now()
		if err == nil {
			err = st.Commit(b.Context(), content.Hash{2})
		}
		ours += time.Since(begun)
		commit += time.Since(written)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Remove(b.Context(), content.Hash{2}); err != nil {
			b.Fatal(err)
		}
		begun = time.Now()
		writePlain(b, plainly, data, size)
		plain += time.Since(begun)
	}
	total := float64(b.N) * float64(size) * 1.048576
	b.ReportMetric(total/ours.Seconds(), "ours-MB/s")
	b.ReportMetric(total/plain.Seconds(), "plain-MB/s")
	b.ReportMetric(1000*commit.Seconds()/float64(b.N), "commit-ms")
}

func writePlain(b *testing.B, name string, data []byte, times int) {
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < times && err == nil; i++ {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil || f.Close() != nil || os.Remove(name) != nil {
		b.Fatal("plain write failed", err)
	}
}

func benchDir(b *testing.B) string {
	if dir := os.Getenv("TANDEM_BENCH_DIR"); dir != "" {
		return dir
	}
	return b.TempDir()
}

func openBench(b *testing.B) *blobdir.Blobs {
	dir, err := os.MkdirTemp(benchDir(b), "blobs")
	if err != nil {
		b.Fatal(err)
	}
	s, err := blobdir.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if s.Close() != nil || os.RemoveAll(dir) != nil {
			b.Error("cannot clean up", dir)
		}
	})
	return s
}

func setting(b *testing.B, name string, n int) int {
	if s := os.Getenv(name); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

func noise(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(p)
	return p
}
