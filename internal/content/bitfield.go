package content

import "math/bits"

// Bitfield is a fixed-size set of piece or block numbers. The zero value is
// the empty set over nothing; make one with NewBitfield. Methods panic on an
// index out of range, as slices do: check what a peer sends first.
type Bitfield struct {
	words []uint64
	n     int
	count int
}

// NewBitfield returns an empty set over the numbers 0..n-1.
func NewBitfield(n int) *Bitfield {
	return &Bitfield{words: make([]uint64, (n+63)/64), n: n}
}

// FullBitfield returns the set of all numbers 0..n-1.
func FullBitfield(n int) *Bitfield {
	b := NewBitfield(n)
	for i := range b.words {
		b.words[i] = ^uint64(0)
	}
	if r := n % 64; r != 0 {
		b.words[len(b.words)-1] = 1<<r - 1
	}
	b.count = n
	return b
}

// ParseBitfield reads a BEP 3 bitfield over n pieces: most significant bit
// first, spare bits zero. It returns false when the length or a spare bit is
// wrong.
func ParseBitfield(p []byte, n int) (*Bitfield, bool) {
	if len(p) != (n+7)/8 || (n%8 != 0 && p[len(p)-1]<<(n%8) != 0) {
		return nil, false
	}
	b := NewBitfield(n)
	for i, c := range p {
		b.words[i/8] |= uint64(bits.Reverse8(c)) << (8 * (i % 8))
		b.count += bits.OnesCount8(c)
	}
	return b, true
}

// Bytes returns the BEP 3 form of b.
func (b *Bitfield) Bytes() []byte {
	p := make([]byte, (b.n+7)/8)
	for i := range p {
		p[i] = bits.Reverse8(uint8(b.words[i/8] >> (8 * (i % 8))))
	}
	return p
}

// Len returns the size of the universe, not of the set.
func (b *Bitfield) Len() int { return b.n }

// Count returns how many numbers are in the set.
func (b *Bitfield) Count() int { return b.count }

// Full reports whether every number is in the set.
func (b *Bitfield) Full() bool { return b.count == b.n }

// Has reports whether i is in the set.
func (b *Bitfield) Has(i int) bool {
	if uint(i) >= uint(b.n) {
		panic("content: bitfield index out of range")
	}
	return b.words[i/64]>>(i%64)&1 != 0
}

// Set adds i and reports whether it was new.
func (b *Bitfield) Set(i int) bool {
	if b.Has(i) {
		return false
	}
	b.words[i/64] |= 1 << (i % 64)
	b.count++
	return true
}

// Clear removes i and reports whether it was there.
func (b *Bitfield) Clear(i int) bool {
	if !b.Has(i) {
		return false
	}
	b.words[i/64] &^= 1 << (i % 64)
	b.count--
	return true
}

// Clone returns a copy.
func (b *Bitfield) Clone() *Bitfield {
	c := *b
	c.words = append([]uint64(nil), b.words...)
	return &c
}

// Next returns the smallest member >= i, or -1.
func (b *Bitfield) Next(i int) int {
	if i < 0 {
		i = 0
	}
	for i < b.n {
		if w := b.words[i/64] >> (i % 64); w != 0 {
			return i + bits.TrailingZeros64(w)
		}
		i = (i/64 + 1) * 64
	}
	return -1
}

// AnyNotIn reports whether b has a member that is not in c.
func (b *Bitfield) AnyNotIn(c *Bitfield) bool {
	for i, w := range b.words {
		if w&^c.words[i] != 0 {
			return true
		}
	}
	return false
}
