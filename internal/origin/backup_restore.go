package origin

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// restorers is how many contents are brought back at once: their commits share syncs.
const restorers = 16

// Restore reads the newest state in folder, or the named one, into an empty catalog and a store. The
// catalog comes last and in one step, so that a Restore that broke off can be made again.
// All content is hashed, that which the store has, too. fault.Exists: the catalog is not empty. fault.Corrupt
// with a report whose Catalog is set: all is restored but for content that is damaged or
// missing in the backup, which is marked.
func Restore(ctx context.Context, cat catalog.Catalog, blobs store.Blobs, folder, name string, progress func(done, total int64)) (BackupReport, error) {
	b := &backup{blobs: blobs, progress: progress}
	err := b.restore(ctx, cat, folder, name)
	if err != nil {
		err = fmt.Errorf("restore from %s: %w", folder, err)
	}
	return b.BackupReport, err
}

func (b *backup) restore(ctx context.Context, cat catalog.Catalog, folder, name string) error {
	if err := emptyCatalog(ctx, cat); err != nil {
		return err
	}
	err := b.openExisting(folder)
	if err != nil {
		return err
	}
	defer b.root.Close()
	if name == "" {
		name, err = b.newest()
	} else if _, ok := parseState(name); !ok {
		err = fault.Errorf(fault.Invalid, "%q is not the name of a backup: catalog-TIME.jsonl.gz", name)
	}
	if err == nil {
		err = b.count(name)
	}
	if err == nil {
		err = b.each(ctx, name, restorers, b.copyIn)
	}
	if err == nil {
		err = b.load(ctx, cat, name)
	}
	if err != nil {
		return err
	}
	b.Catalog = name
	return b.complain("the backup")
}

// emptyCatalog says early what Load would say at the end.
func emptyCatalog(ctx context.Context, cat catalog.Catalog) error {
	return cat.View(ctx, func(tx *catalog.Tx) error {
		users, err := tx.Accounts.Users("", 1)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return fault.Errorf(fault.Exists, "the catalog is not empty: it has accounts")
		}
		return nil
	})
}

// newest returns the name of the newest catalog.
func (b *backup) newest() (name string, _ error) {
	entries, err := fs.ReadDir(b.root.FS(), ".")
	if err != nil {
		return "", osFault(err)
	}
	var best state
	for _, e := range entries {
		if s, ok := parseState(e.Name()); ok && e.Type().IsRegular() && best.before(s) {
			best, name = s, e.Name()
		}
	}
	if name == "" {
		return "", fault.Errorf(fault.NotFound, "there is no backup in it")
	}
	return name, nil
}

// copyIn brings content into the store, unless it is there and whole.
func (b *backup) copyIn(ctx context.Context, want content.FileSum) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if _, err := b.blobs.Stat(ctx, want.Root); err == nil {
		if got, err := sumOfBlob(ctx, b.blobs, want.Root, func(int64) {}); err == nil && got == want {
			b.advance(want.Size)
			return nil
		}
	} else if !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Corrupt) {
		return err
	}
	f, err := b.root.Open(blobFile(want.Root))
	if errors.Is(err, fs.ErrNotExist) {
		b.note(want.Root)
		return nil
	}
	if err != nil {
		return osFault(err)
	}
	defer f.Close()
	stage, err := b.blobs.Stage(ctx, hex.EncodeToString(want.Root[:]), 0, want.Size)
	if err != nil {
		return err
	}
	sum := content.NewStream()
	_, err = copyCounted(ctx, both{sum, stage}, f, b.advance)
	if err == nil && sum.Sum() != want || err != nil && damaging(err) {
		b.note(want.Root)
		return stage.Discard()
	}
	if err == nil {
		err = stage.Commit(ctx, want.Root)
	}
	if err != nil {
		return errors.Join(err, stage.Discard())
	}
	atomic.AddInt64(&b.Copied, 1)
	return nil
}

// both writes what it is given to the store, and hashes it.
type both struct {
	sum   *content.Stream
	stage store.Stage
}

func (w both) Write(p []byte) (int, error) {
	w.sum.Write(p)
	return w.stage.Write(p)
}

// load reads the catalog, ends what ran when it was written, and marks what could not be
// brought back.
func (b *backup) load(ctx context.Context, cat catalog.Catalog, name string) error {
	in, err := b.root.Open(name)
	if err != nil {
		return osFault(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<16))
	if err != nil {
		return fault.Errorf(fault.Corrupt, "read %s: %w", name, err)
	}
	if err := cat.Load(ctx, z); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return cat.Update(ctx, func(tx *catalog.Tx) error {
		for _, key := range []string{backupUntil, sweepLease} {
			if err := tx.Settings.Set(key, ""); err != nil {
				return err
			}
		}
		for _, root := range b.bad {
			if err := tx.Contents.SetChecked(root, time.Time{}, false); err != nil {
				return err
			}
		}
		return nil
	})
}
