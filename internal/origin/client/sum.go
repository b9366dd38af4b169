package client

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"tandem/internal/fault"
)

// blockSize is how much is read or written at a time.
const blockSize = 1 << 20

// summer computes a SHA-256 beside the work on the same bytes: its blocks are
// filled and added in turn, and are not touched again before they are hashed.
type summer struct {
	h     hash.Hash
	free  chan []byte
	full  chan []byte
	ended chan struct{}
}

// newSummer goes on from h. The goroutine ends with sum.
func newSummer(h hash.Hash) *summer {
	const depth = 3 // one is read, one waits, one is hashed
	s := &summer{h: h, free: make(chan []byte, depth), full: make(chan []byte, depth), ended: make(chan struct{})}
	for range depth {
		s.free <- nil // made when first used
	}
	go func() {
		defer close(s.ended)
		for b := range s.full {
			_, _ = s.h.Write(b)
			s.free <- b[:cap(b)]
		}
	}()
	return s
}

// block returns memory to fill.
func (s *summer) block() []byte {
	b := <-s.free
	if b == nil {
		b = make([]byte, blockSize)
	}
	return b
}

// add takes b, a part of the last block from its start.
func (s *summer) add(b []byte) { s.full <- b }

// sum ends the summer and returns the hash, which has seen everything added.
func (s *summer) sum() hash.Hash {
	close(s.full)
	<-s.ended
	return s.h
}

// sumFile returns the SHA-256, in hex, of what r yields, which is about size bytes.
func sumFile(ctx context.Context, r io.Reader, size int64) (string, error) {
	if size <= SmallFile { // not worth a goroutine
		h := sha256.New()
		_, err := io.Copy(h, r)
		return hexSum(h), err
	}
	h, err := hashOn(ctx, sha256.New(), r, nil)
	if err != nil {
		return "", err
	}
	return hexSum(h), nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// hashOn adds what r yields to h.
func hashOn(ctx context.Context, h hash.Hash, r io.Reader, seen func(int64)) (hash.Hash, error) {
	s := newSummer(h)
	for {
		b := s.block()
		n, err := io.ReadFull(r, b)
		s.add(b[:n])
		if seen != nil {
			seen(int64(n))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return s.sum(), nil
		}
		if err == nil && ctx.Err() != nil {
			err = fault.Wrap(fault.Closed, ctx.Err())
		}
		if err != nil {
			s.sum()
			return nil, err
		}
	}
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// snapshot is a SHA-256 on its way, to go on from later.
type snapshot struct {
	at    int64
	state []byte
}

func take(h hash.Hash, at int64) snapshot {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err) // SHA-256 always can
	}
	return snapshot{at, state}
}

func (s snapshot) hash() hash.Hash {
	h := sha256.New()
	if s.state != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.state); err != nil {
			panic(err) // we made it
		}
	}
	return h
}

// sendReader yields size bytes of a file from an offset, hashing them as they are taken.
type sendReader struct {
	from  io.ReaderAt
	off   int64
	end   int64
	s     *summer
	block []byte // being filled from and hashed when used up
	n, at int
	seen  func(int64)
}

// Read reports a file that got shorter as fault.Changed.
func (r *sendReader) Read(p []byte) (int, error) {
	if r.at == r.n {
		if r.block != nil {
			r.s.add(r.block[:r.n])
			r.block, r.n, r.at = nil, 0, 0
		}
		if r.off == r.end {
			return 0, io.EOF
		}
		b := r.s.block()
		n, err := r.from.ReadAt(b[:min(int64(len(b)), r.end-r.off)], r.off)
		r.block, r.n = b, n
		r.off += int64(n)
		if n == 0 {
			if err == io.EOF {
				err = fault.Errorf(fault.Changed, "the file got shorter while it was sent")
			}
			return 0, fmt.Errorf("read the file: %w", err)
		}
	}
	n := copy(p, r.block[r.at:r.n])
	r.at += n
	r.seen(int64(n))
	return n, nil
}

// finish returns the hash of everything that was read from the file. The reader is
// not used any more.
func (r *sendReader) finish() hash.Hash {
	if r.block != nil {
		r.s.add(r.block[:r.n])
		r.block = nil
	}
	return r.s.sum()
}

// watchdog cuts what has not moved for stallTime.
type watchdog struct{ t *time.Timer }

func watch(cut context.CancelCauseFunc) watchdog {
	return watchdog{time.AfterFunc(stallTime, func() { cut(errStalled) })}
}
func (w watchdog) moved() { w.t.Reset(stallTime) }
func (w watchdog) stop()  { w.t.Stop() }
