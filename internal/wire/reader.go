package wire

import (
	"bufio"
	"io"
	"sync/atomic"

	"tandem/internal/content"
	"tandem/internal/fault"
)

// Limits bound what a Reader accepts and say where blocks go.
type Limits struct {
	// Pieces is how many the content has; 0 while unknown, see SetPieces. A
	// bitfield must then have exactly that many bits, rounded up to bytes.
	Pieces int
	// MaxBlock bounds the data of one piece message, in bytes; 0 is
	// content.BlockSize and MaxBlock is the most there can be.
	MaxBlock int
	// Block returns the buffer that the n bytes of a piece message are read
	// into; it must have length n. The caller of Read owns it from then on. Nil:
	// Payload is valid until the next Read, as for other messages.
	Block func(n int) []byte
	// Await, if not nil, is told before a wait for more of a block how many
	// bytes are missing, and with 1 that the wait is over: a connection that
	// can sleep until then saves a wake-up per packet.
	Await func(n int)
	// Buffer is how much is read at a time, in bytes; 0 is DefaultBuffer and
	// MaxControl the least.
	Buffer int
}

// DefaultBuffer is how much a Reader reads at a time, in bytes.
const DefaultBuffer = 64 << 10

// minAwait is for how many missing bytes Await is worth two system calls.
const minAwait = 4 << 10

// Reader reads messages. Its methods but SetPieces are for one goroutine.
type Reader struct {
	r        *bufio.Reader
	block    func(n int) []byte
	await    func(n int)
	maxBlock int
	pieces   atomic.Int64
	hashes   []content.Hash // reused between messages
	skip     int            // bytes of the last message still in r
}

// NewReader returns a Reader of what follows the handshake on r.
func NewReader(r io.Reader, l Limits) *Reader {
	if l.MaxBlock <= 0 {
		l.MaxBlock = content.BlockSize
	}
	if l.Buffer == 0 {
		l.Buffer = DefaultBuffer
	}
	rd := &Reader{
		r:        bufio.NewReaderSize(r, max(l.Buffer, MaxControl)),
		block:    l.Block,
		await:    l.Await,
		maxBlock: min(l.MaxBlock, MaxBlock),
	}
	rd.SetPieces(l.Pieces)
	return rd
}

// SetPieces tells how many pieces there are, once that is known. It may be
// called while another goroutine reads.
func (r *Reader) SetPieces(n int) { r.pieces.Store(int64(n)) }

// Read reads the next message into m. Payload and Hashes are valid until the
// next Read, but for the Payload of a piece when Limits.Block is set.
//
// The error is io.EOF between messages, io.ErrUnexpectedEOF within one, what
// the connection returned, or of kind fault.Protocol; nothing can be read
// after it. If it comes within the data of a piece, m.Payload is the buffer
// that Block returned, so that the caller can keep it.
func (r *Reader) Read(m *Message) error {
	*m = Message{}
	if _, err := r.r.Discard(r.skip); err != nil {
		return err
	}
	r.skip = 0
	prefix, err := r.r.Peek(prefixLen)
	if err != nil {
		return within(err, len(prefix))
	}
	size := be.Uint32(prefix)
	if size == 0 {
		m.ID, r.skip = KeepAlive, prefixLen
		return nil
	}
	head, err := r.r.Peek(prefixLen + 1)
	if err != nil {
		return within(err, len(head))
	}
	m.ID = ID(head[prefixLen])
	if size > maxFrame { // before it becomes an int
		return fault.Errorf(fault.Protocol, "%s (%d) of %d bytes", m.ID, uint8(m.ID), size-1)
	}
	n := int(size) - 1
	if err := checkSize(m.ID, n, int(r.pieces.Load()), r.maxBlock); err != nil {
		return err
	}
	r.r.Discard(prefixLen + 1) // was peeked: cannot fail
	if m.ID == Piece {
		return r.readPiece(m, n-(pieceHeaderLen-1))
	}
	body, err := r.body(n)
	if err != nil {
		return within(err, 1)
	}
	m.Hashes = r.hashes[:0]
	if err := m.parseBody(body); err != nil {
		return err
	}
	r.hashes = m.Hashes[:0]
	return nil
}

// readPiece reads the rest of a piece message with n bytes of data.
func (r *Reader) readPiece(m *Message, n int) error {
	b, err := r.r.Peek(pieceHeaderLen - 1)
	if err != nil {
		return within(err, 1)
	}
	m.Index, m.Begin, m.Length = be.Uint32(b), be.Uint32(b[4:]), uint32(n)
	r.r.Discard(pieceHeaderLen - 1)
	if r.block == nil {
		m.Payload, err = r.body(n)
		return within(err, 1)
	}
	m.Payload = r.block(n)[:n]
	return within(r.fill(m.Payload), 1)
}

// fill reads all of p. Each wait is for what is still missing and no more: to
// wait for bytes beyond it would be to wait for a message that may never come.
func (r *Reader) fill(p []byte) error {
	waiting := false
	for len(p) > 0 {
		switch {
		case r.await == nil || r.r.Buffered() > 0: // no wait
		case len(p) > minAwait:
			r.await(len(p))
			waiting = true
		case waiting:
			r.await(1)
			waiting = false
		}
		n, err := r.r.Read(p)
		p = p[n:]
		if err != nil && len(p) > 0 {
			return err
		}
	}
	if waiting {
		r.await(1)
	}
	return nil
}

// body returns the next n bytes, valid until the next Read. What does not fit
// the buffer is allocated as it arrives, not as it is promised.
func (r *Reader) body(n int) ([]byte, error) {
	if n <= r.r.Size() {
		b, err := r.r.Peek(n)
		r.skip = len(b)
		return b, err
	}
	var b []byte
	for step := r.r.Size(); len(b) < n; {
		at := len(b)
		b = append(b, make([]byte, min(step, n-at))...)
		if _, err := io.ReadFull(r.r, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// within turns the end of the stream into io.ErrUnexpectedEOF after got bytes of
// a message.
func within(err error, got int) error {
	if err == io.EOF && got > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}
