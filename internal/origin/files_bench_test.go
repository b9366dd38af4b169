package origin

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"tandem/internal/catalog/sqlite"
	"tandem/internal/policy"
	"tandem/internal/store/blobdir"
)

// onDisk is a Server on SQLite and a folder, and the owner of its collection "c".
func onDisk(b *testing.B) (*Server, Caller) {
	b.Helper()
	dir := b.TempDir()
	fail := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	cat, err := sqlite.Open(b.Context(), filepath.Join(dir, "catalog"))
	fail(err)
	blobs, err := blobdir.Open(filepath.Join(dir, "blobs"))
	fail(err)
	b.Cleanup(func() { _ = cat.Close(); _ = blobs.Close() })
	s, err := New(b.Context(), Config{
		Catalog: cat, Blobs: blobs, Now: time.Now, Rand: rand.Reader,
		Passwords: Argon2{Time: 1, Memory: 8, Threads: 1}, MinFree: 1,
	})
	fail(err)
	_, err = s.MakeAdmin(b.Context(), "root", rightPassword)
	fail(err)
	_, c, err := s.Login(b.Context(), from(1), "root", rightPassword, "bench")
	fail(err)
	_, err = s.CreateCollection(b.Context(), c, "c")
	fail(err)
	return s, c
}

// BenchmarkOpenAgain is the origin's part of a repeated GET.
func BenchmarkOpenAgain(b *testing.B) {
	s, c := onDisk(b)
	data := noise(1, 100<<10)
	if _, _, err := s.Put(b.Context(), c, UploadRequest{At: at("f"), Size: int64(len(data))}, bytes.NewReader(data)); err != nil {
		b.Fatal(err)
	}
	sum := sumOf(data)
	b.Run("file alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, _, err := s.cfg.Blobs.Open(b.Context(), sum.Root)
			if err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
	})
	b.Run("decided and counted", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d, err := s.Open(b.Context(), c, at("f"), 0, 0, nil)
			if err != nil {
				b.Fatal(err)
			}
			_ = d.Close(0, nil)
		}
	})
}

// BenchmarkPutBatch stores 10,000 files of 4 KiB, 256 at a time, by a client that sends so many
// batches side by side.
func BenchmarkPutBatch(b *testing.B) {
	for _, senders := range []int{1, 4} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) { putBatches(b, senders) })
	}
}

func putBatches(b *testing.B, senders int) {
	s, c := onDisk(b)
	const files, size, atOnce = 10_000, 4 << 10, 256
	round := 0
	for b.Loop() {
		round++
		each((files+atOnce-1)/atOnce, senders, func(n int) {
			var list []BatchFile
			for i := n * atOnce; i < min(files, (n+1)*atOnce); i++ {
				data := make([]byte, size)
				binary.BigEndian.PutUint64(data, uint64(i))
				binary.BigEndian.PutUint64(data[8:], uint64(round))
				list = append(list, BatchFile{Path: fmt.Sprintf("r%d/%02d/%d", round, i%100, i), Content: data})
			}
			results, err := s.PutBatch(b.Context(), c, at(""), list)
			if err != nil {
				b.Error(err)
			}
			for _, r := range results {
				if r.Err != nil {
					b.Error(r.Err)
				}
			}
		})
	}
	b.ReportMetric(float64(files)*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

// BenchmarkUpload stores 256 MiB, hashed and durable.
func BenchmarkUpload(b *testing.B) {
	s, c := onDisk(b)
	const size = 256 << 20
	b.SetBytes(size)
	block := noise(1, 1<<20)
	for n := 0; b.Loop(); n++ {
		binary.BigEndian.PutUint64(block, uint64(n))
		body := io.LimitReader(&repeat{block: block}, size)
		if _, _, err := s.Put(b.Context(), c, UploadRequest{At: at(fmt.Sprint(n)), Size: size}, body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSHA256 is what BenchmarkUpload is held against, beside the disk.
func BenchmarkSHA256(b *testing.B) {
	block := noise(1, 1<<20)
	b.SetBytes(int64(len(block)))
	h := sha256.New()
	for b.Loop() {
		h.Write(block)
	}
}

// repeat is a block without end.
type repeat struct {
	block []byte
	at    int
}

func (r *repeat) Read(b []byte) (int, error) {
	n := copy(b, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// BenchmarkList is a page of 200 of a folder of 10,000.
func BenchmarkList(b *testing.B) {
	s, c := onDisk(b)
	for first := 0; first < 10_000; first += 1000 {
		var list []BatchFile
		for i := range 1000 {
			list = append(list, BatchFile{Path: fmt.Sprintf("f%05d", first+i), Content: []byte("same")})
		}
		if _, err := s.PutBatch(b.Context(), c, at("folder"), list); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		l, err := s.List(b.Context(), c, at("folder"), "f05000", 200)
		if err != nil || len(l.Entries) != 200 || !l.Rights.Has(policy.AllRights) {
			b.Fatal(err, len(l.Entries))
		}
	}
}
