package origin

import (
	"context"
	"path/filepath"
	"testing"

	"tandem/internal/catalog/sqlite"
	"tandem/internal/store/mem"
)

// BenchmarkAuthenticate is what every request pays: a secret seen less than a second ago.
func BenchmarkAuthenticate(b *testing.B) {
	ctx := context.Background()
	cat, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "catalog"))
	if err != nil {
		b.Fatal(err)
	}
	defer cat.Close()
	s, err := New(ctx, Config{Catalog: cat, Blobs: mem.NewBlobs(nil)})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.MakeAdmin(ctx, "root", rightPassword); err != nil {
		b.Fatal(err)
	}
	secret, _, err := s.Login(ctx, from(1), "root", rightPassword, "")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("secret", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Authenticate(ctx, from(1), secret); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("password", func(b *testing.B) { // at the usual cost
		for b.Loop() {
			if _, _, err := s.Login(ctx, from(1), "root", rightPassword, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}
