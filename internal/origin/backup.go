package origin

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// A backup is a folder:
//
//	blobs/ab/ROOT                      content, of all backups in the folder
//	catalog-20260301T120000Z.jsonl.gz  one state, as Catalog.Dump writes it; -2, -3
//	                                   before the dot: others of the same second
//
// A catalog's file appears when all content that it names is there and durable.
const (
	catalogPrefix = "catalog-"
	catalogSuffix = ".jsonl.gz"
	catalogTime   = "20060102T150405Z"
	copiers       = 4 // contents copied at once
	mostNamed     = 5 // of what is damaged, in an error
)

// BackupReport is the outcome of Backup and Restore.
type BackupReport struct {
	Files   int64 // contents in the backup
	Bytes   int64
	Copied  int64  // contents copied this time; the others were there from an earlier backup
	Catalog string // name of the catalog's file in the backup
}

// Backup writes one consistent state into folder while the server runs: content first seen by an earlier
// backup in the same folder is not copied again. Everything is hashed on the way and synced before the catalog's
// file appears, whose name begins with the time. fault.Corrupt: all is there but for content that is damaged or missing in the
// store; scrub names it.
func Backup(ctx context.Context, cat catalog.Catalog, blobs store.Blobs, folder string, now func() time.Time, progress func(done, total int64)) (BackupReport, error) {
	b := &backup{blobs: blobs, hold: hold{cat: cat, now: now}, progress: progress, made: make(map[string]bool)}
	err := b.open(folder)
	if err == nil {
		err = b.write(ctx, cat, now())
		err = errors.Join(err, b.hold.end(ctx), b.root.Close())
	}
	if err != nil {
		return b.BackupReport, fmt.Errorf("back up to %s: %w", folder, err)
	}
	return b.BackupReport, nil
}

// backup is a Backup or a Restore under way.
type backup struct {
	BackupReport
	blobs    store.Blobs
	root     *os.Root
	hold     hold
	progress func(done, total int64)
	tag      string // of temporary names
	serial   atomic.Int64

	mu          sync.Mutex // guards the fields below
	done, total int64      // bytes
	made        map[string]bool
	bad         []content.Hash // damaged or missing
}

func (b *backup) open(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return osFault(err)
	}
	return b.openExisting(folder)
}

func (b *backup) openExisting(folder string) error {
	root, err := os.OpenRoot(folder)
	b.root = root
	return osFault(err)
}

// write makes the backup.
func (b *backup) write(ctx context.Context, cat catalog.Catalog, at time.Time) error {
	b.Catalog = b.freeName(at)
	b.tag = fmt.Sprintf(".%x-", at.UnixNano())
	if err := b.hold.keep(ctx); err != nil {
		return err
	}
	temp := b.tag + "catalog"
	defer func() { _ = b.root.Remove(temp) }() // gone when all went well
	if err := b.dump(ctx, cat, temp); err != nil {
		return err
	}
	if err := b.copyAll(ctx, temp); err != nil {
		return err
	}
	if err := b.syncDirs(); err != nil {
		return err
	}
	if err := b.root.Rename(temp, b.Catalog); err != nil {
		return osFault(err)
	}
	if err := b.syncDir("."); err != nil {
		return err
	}
	return b.complain("the store")
}

// freeName is the name of a catalog of now that is not taken.
func (b *backup) freeName(at time.Time) string {
	for n := 1; ; n++ {
		name := state{at, n}.name()
		if _, err := b.root.Lstat(name); err != nil {
			return name
		}
	}
}

// state is what a catalog's file is named by.
type state struct {
	at time.Time
	n  int // of that second, from 1
}

func (s state) name() string {
	name := catalogPrefix + s.at.UTC().Format(catalogTime)
	if s.n > 1 {
		name += "-" + strconv.Itoa(s.n)
	}
	return name + catalogSuffix
}

func (s state) before(t state) bool {
	return s.at.Before(t.at) || s.at.Equal(t.at) && s.n < t.n
}

// parseState reads the name of a catalog's file.
func parseState(name string) (s state, ok bool) {
	text, ok1 := strings.CutPrefix(name, catalogPrefix)
	text, ok2 := strings.CutSuffix(text, catalogSuffix)
	text, n, numbered := strings.Cut(text, "-")
	at, err := time.Parse(catalogTime, text)
	s = state{at, 1}
	if numbered && err == nil {
		s.n, err = strconv.Atoi(n)
	}
	return s, ok1 && ok2 && err == nil && s.name() == name
}

// dump writes the catalog to a file.
func (b *backup) dump(ctx context.Context, cat catalog.Catalog, name string) error {
	return b.create(name, func(f *os.File) error {
		z := gzip.NewWriter(f)
		return errors.Join(cat.Dump(ctx, z), z.Close())
	})
}

// create writes a file and makes its bytes durable.
func (b *backup) create(name string, write func(*os.File) error) error {
	f, err := b.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return osFault(err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		_ = b.root.Remove(name)
		return osFault(err)
	}
	return nil
}

// copyAll copies the content that a dump names.
func (b *backup) copyAll(ctx context.Context, dump string) error {
	if err := b.count(dump); err != nil {
		return err
	}
	return b.each(ctx, dump, copiers, b.copyOut)
}

// count adds up what a dump names.
func (b *backup) count(dump string) error {
	return b.contents(dump, func(c catalog.Content) error {
		b.Files++
		b.Bytes += c.Sum.Size
		b.total = b.Bytes
		return nil
	})
}

// contents calls f for the content that a dump names and the store should have.
func (b *backup) contents(dump string, f func(catalog.Content) error) error {
	in, err := b.root.Open(dump)
	if err != nil {
		return osFault(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<16))
	if err != nil {
		return fault.Errorf(fault.Corrupt, "read %s: %w", dump, err)
	}
	if err := dumpedContents(z, f); err != nil {
		return fmt.Errorf("read %s: %w", dump, err)
	}
	return nil
}

// each calls f for every content of a dump, by some workers, until one fails.
func (b *backup) each(ctx context.Context, dump string, workers int, f func(context.Context, content.FileSum) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan content.FileSum)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for sum := range next {
				if err := f(ctx, sum); err != nil {
					cancel(fmt.Errorf("content %x: %w", sum.Root, err))
				}
			}
		})
	}
	err := b.contents(dump, func(c catalog.Content) error {
		select {
		case next <- c.Sum:
			return nil
		case <-ctx.Done():
			return ended(ctx)
		}
	})
	close(next)
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = ended(ctx)
	}
	return err
}

func blobFile(root content.Hash) string {
	name := hex.EncodeToString(root[:])
	return path.Join("blobs", name[:2], name)
}

// copyOut copies content into the backup, unless it is there.
func (b *backup) copyOut(ctx context.Context, want content.FileSum) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if err := b.hold.keep(ctx); err != nil {
		return err
	}
	name := blobFile(want.Root)
	if fi, err := b.root.Lstat(name); err == nil && fi.Mode().IsRegular() && fi.Size() == want.Size {
		b.advance(want.Size)
		return nil
	}
	if err := b.makeDir(path.Dir(name)); err != nil {
		return err
	}
	var kept error // of the hold, while it is read
	temp := path.Join(path.Dir(name), fmt.Sprintf("%s%d", b.tag, b.serial.Add(1)))
	err := b.create(temp, func(f *os.File) error {
		r, _, err := b.blobs.Open(ctx, want.Root)
		if err != nil {
			return err
		}
		defer r.Close()
		sum := content.NewStream()
		_, err = copyCounted(ctx, io.MultiWriter(sum, f), r, func(n int64) {
			b.advance(n)
			kept = errors.Join(kept, b.hold.keep(ctx))
		})
		if err = errors.Join(err, kept); err == nil && sum.Sum() != want {
			err = fault.Errorf(fault.Corrupt, "it is damaged")
		}
		return err
	})
	if errors.Is(err, fault.NotFound) || err != nil && damaging(err) {
		b.note(want.Root)
		return nil
	}
	if err != nil {
		return err
	}
	if err := b.root.Rename(temp, name); err != nil {
		return osFault(err)
	}
	atomic.AddInt64(&b.Copied, 1)
	return nil
}

func (b *backup) advance(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done += n; b.progress != nil {
		b.progress(min(b.done, b.total), b.total)
	}
}

// note remembers content that is not as it should be.
func (b *backup) note(root content.Hash) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad = append(b.bad, root)
}

// complain says what was not as it should be in where.
func (b *backup) complain(where string) error {
	if len(b.bad) == 0 {
		return nil
	}
	slices.SortFunc(b.bad, func(x, y content.Hash) int { return slices.Compare(x[:], y[:]) })
	text := ""
	for i, root := range b.bad {
		if i == mostNamed {
			text += " ..."
			break
		}
		text += fmt.Sprintf(" %x", root)
	}
	return fault.Errorf(fault.Corrupt, "%d contents are damaged or missing in %s; all others are done:%s", len(b.bad), where, text)
}

// makeDir makes a folder below the backup, and remembers to sync it.
func (b *backup) makeDir(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made[name] {
		return nil
	}
	if err := b.root.MkdirAll(name, 0o700); err != nil {
		return osFault(err)
	}
	b.made[name] = true
	return nil
}

// syncDirs makes the names of what was copied durable.
func (b *backup) syncDirs() error {
	for name := range b.made {
		if err := b.syncDir(name); err != nil {
			return err
		}
	}
	if len(b.made) == 0 {
		return nil
	}
	return b.syncDir("blobs")
}

func (b *backup) syncDir(name string) error {
	f, err := b.root.Open(name)
	if err != nil {
		return osFault(err)
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return nil // folders that cannot be synced, or need not be
	}
	return osFault(err)
}

// osFault gives an error of the system its kind.
func osFault(err error) error {
	switch {
	case err == nil || fault.KindOf(err) != fault.Other:
		return err
	case errors.Is(err, syscall.ENOSPC):
		return fault.Wrap(fault.Full, err)
	case errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.NotFound, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Wrap(fault.Permission, err)
	case errors.Is(err, fs.ErrExist):
		return fault.Wrap(fault.Exists, err)
	}
	return err
}
