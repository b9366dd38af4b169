package rest

import (
	"sync/atomic"

	"tandem/internal/fault"
)

// budget bounds the memory of bodies that have to be read whole before they
// can be judged: batches, and chunks with a checksum.
type budget struct{ free int64 }

// maxBuffered is how much all of them together may take.
const maxBuffered = 256 << 20

// take sets n bytes aside; the caller gives them back.
func (b *budget) take(n int64) error {
	if atomic.AddInt64(&b.free, -n) < 0 {
		b.give(n)
		return fault.Errorf(fault.Limited, "too many large requests at once: try again in a moment")
	}
	return nil
}

func (b *budget) give(n int64) { atomic.AddInt64(&b.free, n) }
