package origin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/policy"
	"tandem/internal/store"
)

// BatchFile is one small file of PutBatch; Content is at most MaxBatchFile long.
type BatchFile struct {
	Path     string // below the batch's place
	Content  []byte
	Modified time.Time
	SHA256   content.Hash // zero: not said
}

// Limits of PutBatch.
const (
	MaxBatchFile  = 256 << 10
	MaxBatchBytes = 16 << 20
	MaxBatchFiles = 1024
)

const (
	// commitsAtOnce is how many small files of a batch are committed to the store side by side; they
	// share a sync. So many files may be open.
	commitsAtOnce = 256
	// stagesAtOnce is how many are staged side by side: more only wait for each other in one folder.
	stagesAtOnce = 4
)

// BatchResult is what became of one file.
type BatchResult struct {
	Path  string
	Entry Entry
	Err   error
}

// PutBatch stores many small files with one sync and one transaction; each stands or falls alone.
// The error is of what concerns all of them; then none was stored.
func (s *Server) PutBatch(ctx context.Context, c Caller, at Place, list []BatchFile) ([]BatchResult, error) {
	b := &batch{s: s, c: c, at: at, files: make([]batchFile, len(list))}
	err := b.check(list)
	if err == nil {
		err = s.room(b.bytes)
	}
	if err == nil {
		each(len(list), runtime.GOMAXPROCS(0), b.hash)
		err = b.claim(ctx)
	}
	if err == nil {
		b.commit(ctx)
		err = b.complete(ctx)
	}
	if err != nil {
		s.refuse(ctx, c, "put", asked(c, at), err)
		return nil, fmt.Errorf("put %d files into %s: %w", len(list), asked(c, at), err)
	}
	out := make([]BatchResult, len(list))
	for i, f := range b.files {
		out[i] = BatchResult{Path: list[i].Path, Entry: f.entry, Err: f.err}
	}
	return out, nil
}

// batch is a PutBatch under way.
type batch struct {
	s     *Server
	c     Caller
	at    Place
	files []batchFile
	bytes int64
	same  map[content.Hash][]int // files by content, those without an error
}

type batchFile struct {
	BatchFile
	names []string
	sum   content.FileSum
	entry Entry
	err   error
	// brought says that the store did not have the content before.
	brought bool
	// late is what came of the last transaction tried; it becomes err when that is committed.
	late error
}

// check looks at the limits, and at each path.
func (b *batch) check(list []BatchFile) error {
	if len(list) > MaxBatchFiles {
		return fault.Errorf(fault.Invalid, "more than %d files", MaxBatchFiles)
	}
	for i, f := range list {
		b.bytes += int64(len(f.Content))
		if b.bytes > MaxBatchBytes {
			return fault.Errorf(fault.Invalid, "more than %d bytes", MaxBatchBytes)
		}
		b.files[i].BatchFile = f
		names, err := splitPath(f.Path)
		switch {
		case err != nil:
		case len(names) == 0:
			err = fault.Errorf(fault.Invalid, "a file without a name")
		case len(f.Content) > MaxBatchFile:
			err = fault.Errorf(fault.Invalid, "%s: longer than %d bytes", f.Path, MaxBatchFile)
		}
		b.files[i].names, b.files[i].err = names, err
	}
	return nil
}

// each calls f for 0 to n-1, side by side.
func each(n, workers int, f func(int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, workers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

func (b *batch) hash(i int) {
	f := &b.files[i]
	f.sum = sumOf(f.Content)
	if f.err == nil && !f.SHA256.IsZero() && f.sum.SHA256 != f.SHA256 {
		f.err = fault.Errorf(fault.Corrupt, "%s: what arrived has the SHA-256 %x, not the %x that was announced", f.Path, f.sum.SHA256, f.SHA256)
	}
}

// claim decides, and claims all content in one Update.
func (b *batch) claim(ctx context.Context) error {
	states := make([]catalog.ContentState, len(b.files))
	err := b.s.patiently(ctx, func() error {
		b.same = make(map[content.Hash][]int)
		return b.s.progress(ctx, func(tx *catalog.Tx) error {
			clear(b.same)
			if _, err := b.target(tx, b.c); err != nil {
				return err
			}
			for i := range b.files {
				f := &b.files[i]
				if f.err != nil || f.sum.Size == 0 {
					continue
				}
				b.same[f.sum.Root] = append(b.same[f.sum.Root], i)
				if len(b.same[f.sum.Root]) > 1 {
					continue
				}
				var err error
				if states[i], err = b.s.claim(tx, f.sum); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for root, users := range b.same {
		if states[users[0]] == catalog.Ready {
			delete(b.same, root)
		}
	}
	return nil
}

// target decides where the batch goes.
func (b *batch) target(tx *catalog.Tx, c Caller) (arrival, error) {
	p, err := b.s.find(tx, c, policy.PublishFile, b.at)
	a := arrival{spot: p, payer: c.User.ID}
	if err == nil && c.Link != nil {
		a.payer, a.via, a.rename = c.Link.By, c.Link.ID, true
	}
	return a, err
}

// commit brings what the store has not yet there. All is staged before anything is committed, so that
// one sync is enough for many.
func (b *batch) commit(ctx context.Context) {
	var roots [][]int
	for _, users := range b.same {
		roots = append(roots, users)
	}
	for part := range slices.Chunk(roots, commitsAtOnce) {
		stages := make([]store.Stage, len(part))
		errs := make([]error, len(part))
		each(len(part), stagesAtOnce, func(i int) {
			stages[i], errs[i] = b.s.stage(ctx, b.files[part[i][0]].Content)
		})
		each(len(part), len(part), func(i int) {
			if errs[i] == nil {
				errs[i] = commitStage(ctx, stages[i], b.files[part[i][0]].sum)
			}
			for _, user := range part[i] {
				b.files[user].err, b.files[user].brought = errs[i], true
			}
		})
	}
}

// complete makes the files visible in one Update.
func (b *batch) complete(ctx context.Context) error {
	err := b.s.unlessInDoubt(ctx, func() error {
		return b.s.update(ctx, func(tx *catalog.Tx) error {
			now, err := b.s.present(tx, b.c)
			if err != nil {
				return err
			}
			a, err := b.target(tx, now)
			if err != nil {
				return err
			}
			return b.completeAll(tx, a)
		})
	})
	if err != nil {
		return err
	}
	for i := range b.files {
		if f := &b.files[i]; f.err == nil {
			f.err = f.late
		}
	}
	return nil
}

func (b *batch) completeAll(tx *catalog.Tx, top arrival) error {
	who := authors{}
	folders := make(map[string]catalog.NodeID)
	paid, err := b.pay(tx, top)
	if err != nil {
		return err
	}
	var log []catalog.Entry
	for i := range b.files {
		f := &b.files[i]
		if f.err != nil {
			continue
		}
		a := top
		a.names = append(top.names[:len(top.names):len(top.names)], f.names...)
		n, err := b.completeOne(tx, folders, paid, a, f)
		err = lostMeanwhile(err)
		if f.late = err; err != nil {
			if !refusable(err) && !errors.Is(err, fault.Busy) {
				return err
			}
			log = append(log, b.s.entry(b.c, "put", a.object(), outcome(err), ""))
			continue
		}
		a.names[len(a.names)-1] = n.Name
		if f.entry, err = a.entry(tx, who, n, a.names); err != nil {
			return err
		}
		log = append(log, b.s.entry(b.c, "put", a.object(), "ok", fmt.Sprintf("bytes=%d sha256=%x", f.sum.Size, f.sum.SHA256)))
	}
	return tx.Audit.Append(log...)
}

// completeOne places one file. What can be refused is, before anything is written, since a
// batch has one transaction.
func (b *batch) completeOne(tx *catalog.Tx, folders map[string]catalog.NodeID, paid bool, a arrival, f *batchFile) (catalog.Node, error) {
	if err := a.creatable(); err != nil {
		return catalog.Node{}, err
	}
	var err error
	if !paid { // before folders are made that would stay empty
		err = b.s.account(tx, a, f.sum, f.brought)
	} else if f.brought {
		err = tx.Contents.SetReady(f.sum.Root, b.s.now())
	}
	if err != nil {
		return catalog.Node{}, err
	}
	last := len(a.names) - 1
	parent, err := b.parent(tx, folders, a)
	if err != nil {
		return catalog.Node{}, err
	}
	var there *catalog.Node
	if a.rename { // otherwise PutFile sees whether a folder has the name
		there, err = child(tx, parent, a.names[last])
	}
	if err != nil {
		return catalog.Node{}, err
	}
	a.modified = canonicalTime(f.Modified)
	n, _, err := b.s.placeIn(tx, a, parent, a.names[last], there, f.sum)
	return n, err
}

// parent returns the folder of a's file and makes what is missing; each is looked for once in a batch.
func (b *batch) parent(tx *catalog.Tx, folders map[string]catalog.NodeID, a arrival) (catalog.NodeID, error) {
	at, key := a.base, ""
	for _, name := range a.names[:len(a.names)-1] {
		key += "/" + name
		next, known := folders[key]
		if !known {
			var err error
			if next, _, err = b.s.folders(tx, at, []string{name}, a.rename); err != nil {
				return 0, err
			}
			folders[key] = next
		}
		at = next
	}
	return at, nil
}

// pay asks whether all of the batch is within the quotas. Where it is not, each file is asked about.
func (b *batch) pay(tx *catalog.Tx, a arrival) (paid bool, _ error) {
	if a.via != 0 {
		return false, nil
	}
	err := b.s.pay(tx, a.payer, a.col.ID, b.bytes)
	if errors.Is(err, fault.Quota) {
		return false, nil
	}
	return err == nil, err
}
