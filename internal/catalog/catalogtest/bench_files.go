package catalogtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
)

// BenchmarkFiles measures what a folder with very many files costs.
func BenchmarkFiles(b *testing.B, c catalog.Catalog) {
	const many = 100_000
	var in catalog.Collection
	var deep catalog.NodeID
	do(b, c, func(tx *catalog.Tx) error {
		owner, err := tx.Accounts.CreateUser(catalog.User{Name: "owner", Created: day()})
		if err != nil {
			return err
		}
		if in, err = tx.Collections.CreateCollection(catalog.Collection{Name: "many", Owner: owner, Created: day()}); err != nil {
			return err
		}
		at := catalog.Node{ID: in.Root}
		for _, name := range []string{"one", "two", "three", "four"} {
			if at, err = tx.Tree.MakeFolder(at.ID, name, day()); err != nil {
				return err
			}
		}
		deep = at.ID
		return nil
	})
	filled := 0
	fill := func(n int) {
		for end := filled + n; filled < end; {
			from := filled
			do(b, c, func(tx *catalog.Tx) error {
				filled = from
				for ; filled < min(from+256, end); filled++ {
					if err := putNumber(tx, deep, in.Owner, filled); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	fill(many)
	b.Run("put 10000 in Updates of 256", func(b *testing.B) {
		for b.Loop() {
			fill(10_000)
		}
	})
	benchReads(b, c, in, deep)
}

// benchReads measures what is asked of a folder with very many files.
func benchReads(b *testing.B, c catalog.Catalog, in catalog.Collection, deep catalog.NodeID) {
	look := func(name string, f func(tx *catalog.Tx) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.View(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	look("page of 200 in 100000", func(tx *catalog.Tx) error {
		page, err := tx.Tree.Children(deep, "file-050000", 200)
		if len(page) != 200 {
			return fmt.Errorf("%d nodes, %w", len(page), err)
		}
		return err
	})
	look("resolve 4 deep", func(tx *catalog.Tx) error {
		_, err := tx.Tree.Resolve(in.Root, []string{"one", "two", "three", "four"})
		return err
	})
	look("search", func(tx *catalog.Tx) error {
		_, err := tx.Tree.Search([]catalog.CollectionID{in.ID}, "E-0500", 100)
		return err
	})
	look("counts", func(tx *catalog.Tx) error {
		_, _, err := tx.Tree.Counts(in.ID)
		return err
	})
	look("nothing to sweep", func(tx *catalog.Tx) error {
		if _, err := tx.Contents.Unused(day(), 100); err != nil {
			return err
		}
		_, err := tx.Tree.TrashedBefore(day().AddDate(1, 0, 0), 0, 100)
		return err
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if found, err := c.Check(context.Background()); err != nil || len(found) > 0 {
				b.Fatal(found, err)
			}
		}
	})
}

// putNumber puts a file as the server does, content of its own.
func putNumber(tx *catalog.Tx, parent catalog.NodeID, by catalog.UserID, n int) error {
	sum := content.FileSum{Size: 4096, SHA256: content.Hash{1}}
	binary.BigEndian.PutUint64(sum.Root[:], uint64(n+1)*0x9e3779b97f4a7c15) // no order, as hashes have none
	now := day().Add(time.Duration(n) * time.Millisecond)
	if _, err := tx.Contents.Claim(sum, now); err != nil {
		return err
	}
	if err := tx.Contents.SetReady(sum.Root, now); err != nil {
		return err
	}
	_, err := tx.Tree.PutFile(parent, fmt.Sprintf("file-%06d", n), catalog.Version{Sum: sum, By: by, Modified: now, Created: now})
	return err
}

func do(b *testing.B, c catalog.Catalog, f func(tx *catalog.Tx) error) {
	b.Helper()
	if err := c.Update(context.Background(), f); err != nil {
		b.Fatal(err)
	}
}
