package mem

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"tandem/internal/content"
	"tandem/internal/fault"
	"tandem/internal/store"
)

// Blobs keeps finished content in memory. It implements store.Blobs.
type Blobs struct {
	now  func() time.Time
	hook func(op string) error

	mu          sync.Mutex // guards the fields below, and the stages' bytes
	blobs       map[content.Hash]memBlob
	quarantined map[content.Hash]memBlob
	stages      map[string]*staged
	limit, used int64 // bytes; limit 0: none
	closed      bool
}

type memBlob struct {
	data     []byte // never changed
	modified time.Time
}

// staged is what is kept of an upload, and who writes to it.
type staged struct {
	data     []byte
	durable  int
	modified time.Time
	writer   *Stage // nil: nobody
}

// NewBlobs returns an empty store.
func NewBlobs(now func() time.Time) *Blobs {
	return &Blobs{
		now: now, blobs: make(map[content.Hash]memBlob), quarantined: make(map[content.Hash]memBlob),
		stages: make(map[string]*staged),
	}
}

// Inject makes every operation ask hook first; an error of hook becomes the
// operation's, and nothing is done. It must be called before b is used.
func (b *Blobs) Inject(hook func(op string) error) { b.hook = hook }

// Limit sets how many bytes there is room for; 0: no limit.
func (b *Blobs) Limit(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = bytes
}

// Damage flips a bit of the content of root, or cuts its last byte, behind the
// back of everybody.
func (b *Blobs) Damage(root content.Hash, cut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.blobs[root]
	kept.data = bytes.Clone(kept.data)
	if cut {
		kept.data = kept.data[:len(kept.data)-1]
	} else {
		kept.data[len(kept.data)/2] ^= 1
	}
	b.blobs[root] = kept
}

// Quarantined returns what was put apart.
func (b *Blobs) Quarantined() []content.Hash {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.quarantined))
}

// Reopen returns what a new process finds after b was closed, killed (power
// false) or cut off from power. b is of no use afterwards.
func (b *Blobs) Reopen(power bool) *Blobs {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := NewBlobs(b.now)
	c.hook, c.limit = b.hook, b.limit
	c.blobs, c.quarantined = maps.Clone(b.blobs), maps.Clone(b.quarantined)
	for id, s := range b.stages {
		keep := len(s.data)
		if power {
			keep = s.durable
		}
		c.stages[id] = &staged{data: bytes.Clone(s.data[:keep]), durable: s.durable, modified: s.modified}
	}
	c.used = c.sum()
	b.closed = true
	return c
}

// sum returns the bytes kept. b.mu is held.
func (b *Blobs) sum() (n int64) {
	for _, kept := range b.blobs {
		n += int64(len(kept.data))
	}
	for _, s := range b.stages {
		n += int64(len(s.data))
	}
	return n
}

// begin is the first step of every operation. b.mu is held.
func (b *Blobs) begin(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Closed, err)
	}
	if b.closed {
		return fault.Errorf(fault.Closed, "%s: the store is closed", op)
	}
	if b.hook != nil {
		return b.hook(op)
	}
	return nil
}

// Open implements store.Blobs.
func (b *Blobs) Open(ctx context.Context, root content.Hash) (io.ReadSeekCloser, store.BlobInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	info, err := b.stat(ctx, "Open", root)
	if err != nil {
		return nil, store.BlobInfo{}, err
	}
	return reader{bytes.NewReader(b.blobs[root].data)}, info, nil
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

// Stat implements store.Blobs.
func (b *Blobs) Stat(ctx context.Context, root content.Hash) (store.BlobInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stat(ctx, "Stat", root)
}

func (b *Blobs) stat(ctx context.Context, op string, root content.Hash) (store.BlobInfo, error) {
	if err := b.begin(ctx, op); err != nil {
		return store.BlobInfo{}, err
	}
	kept, ok := b.blobs[root]
	if !ok {
		return store.BlobInfo{}, fault.Errorf(fault.NotFound, "content %x: not kept here", root)
	}
	return store.BlobInfo{Root: root, Size: int64(len(kept.data)), Modified: kept.modified}, nil
}

// Remove implements store.Blobs.
func (b *Blobs) Remove(ctx context.Context, root content.Hash) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.begin(ctx, "Remove"); err != nil {
		return err
	}
	b.used -= int64(len(b.blobs[root].data))
	delete(b.blobs, root)
	return nil
}

// Quarantine implements store.Blobs.
func (b *Blobs) Quarantine(ctx context.Context, root content.Hash) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.stat(ctx, "Quarantine", root); err != nil {
		return err
	}
	b.quarantined[root] = b.blobs[root]
	delete(b.blobs, root)
	return nil
}

// List implements store.Blobs.
func (b *Blobs) List(ctx context.Context) iter.Seq2[store.BlobInfo, error] {
	return func(yield func(store.BlobInfo, error) bool) {
		b.mu.Lock()
		err := b.begin(ctx, "List")
		kept := maps.Clone(b.blobs)
		b.mu.Unlock()
		if err != nil {
			yield(store.BlobInfo{}, err)
			return
		}
		for root, k := range kept {
			if !yield(store.BlobInfo{Root: root, Size: int64(len(k.data)), Modified: k.modified}, nil) {
				return
			}
		}
	}
}

// Stages implements store.Blobs.
func (b *Blobs) Stages(ctx context.Context) iter.Seq2[store.StageInfo, error] {
	return func(yield func(store.StageInfo, error) bool) {
		b.mu.Lock()
		err := b.begin(ctx, "Stages")
		list := make([]store.StageInfo, 0, len(b.stages))
		for id, s := range b.stages {
			list = append(list, store.StageInfo{ID: id, Size: int64(len(s.data)), Modified: s.modified})
		}
		b.mu.Unlock()
		if err != nil {
			yield(store.StageInfo{}, err)
			return
		}
		for _, info := range list {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Probe implements store.Blobs.
func (b *Blobs) Probe(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begin(ctx, "Probe")
}

// Space implements store.Blobs.
func (b *Blobs) Space() (free, total int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.limit-b.used), b.limit, b.limit > 0
}

// Close implements store.Blobs.
func (b *Blobs) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}
