package pick

import (
	"math/bits"
	"math/rand/v2"
)

// planes is how many bits a count has: more peers than this allows are not told apart.
const planes = 8

// lanes is how many words of pieces are counted at a time: those of one cache line.
const lanes = 8

// Pull chooses as Picker.Rarest does, but from counts that it takes when a choice is
// made, where Picker keeps them with each announcement: of use where choices are few
// beside announcements, as in a simulation of very many nodes. Counts are kept bit by
// bit for 64 pieces at a time. The zero Pull is ready; it is scratch space and holds no
// state between choices.
type Pull struct {
	count [lanes]column
	least []word
}

// column is a count for each of 64 pieces: bit i of column[k] is bit k of the count of
// piece i. It stays at its highest value.
type column [planes]uint64

// word is pieces that are equally rare: bits of the words from at on.
type word struct {
	at  int
	set uint64
}

// add counts the pieces in set.
func (c *column) add(set uint64) {
	for k := range c {
		if set == 0 {
			return
		}
		carry := c[k] & set
		c[k] ^= set
		set = carry
	}
	for k := range c { // an overflow
		c[k] |= set
	}
}

// lowest returns which pieces of a set, which is not empty, count least, and how much.
func (c *column) lowest(set uint64) (uint64, int) {
	n := 0
	for k := planes - 1; k >= 0; k-- {
		if low := set &^ c[k]; low != 0 {
			set = low
		} else {
			n |= 1 << k
		}
	}
	return set, n
}

// Rarest returns a piece of open (words of a bit set) that the fewest peers have, ties
// broken at random, or false if open is empty. have holds a row of len(open) words for
// each node, and peers names rows.
func (p *Pull) Rarest(open, have []uint64, peers []int32, r *rand.Rand) (int, bool) {
	if len(open) == 1 {
		return p.one(open[0], have, peers, r)
	}
	p.least = p.least[:0]
	best, total := 1<<planes, 0
	for lo := 0; lo < len(open); lo += lanes {
		hi := min(lo+lanes, len(open))
		if !p.tally(open[lo:hi], have, peers, lo, len(open)) {
			continue
		}
		for k, set := range open[lo:hi] {
			if set == 0 {
				continue
			}
			low, n := p.count[k].lowest(set)
			if n > best {
				continue
			}
			if n < best {
				best, total, p.least = n, 0, p.least[:0]
			}
			total += bits.OnesCount64(low)
			p.least = append(p.least, word{lo + k, low})
		}
	}
	if total == 0 {
		return 0, false
	}
	n := r.IntN(total)
	for _, w := range p.least {
		if c := bits.OnesCount64(w.set); n >= c {
			n -= c
			continue
		}
		return w.at*64 + nth(w.set, n), true
	}
	return 0, false
}

// tally counts the open pieces among peers, for the words of one cache line, or
// reports that none is open.
func (p *Pull) tally(open, have []uint64, peers []int32, lo, words int) bool {
	some := uint64(0)
	for k, set := range open {
		some |= set
		p.count[k] = column{}
	}
	if some == 0 {
		return false
	}
	for _, q := range peers {
		row := have[int(q)*words+lo:]
		for k, set := range open {
			p.count[k].add(row[k] & set)
		}
	}
	return true
}

// one is Rarest for at most 64 pieces.
func (p *Pull) one(open uint64, have []uint64, peers []int32, r *rand.Rand) (int, bool) {
	if open&(open-1) == 0 {
		return bits.TrailingZeros64(open), open != 0
	}
	var low uint64
	if len(peers) < 1<<5 {
		low = fewest(open, have, peers)
	} else {
		var c column
		for _, q := range peers {
			c.add(have[q] & open)
		}
		low, _ = c.lowest(open)
	}
	return nth(low, r.IntN(bits.OnesCount64(low))), true
}

// fewest returns which of open the fewest of up to 31 peers have: what a column would
// say, without a branch in the loop.
func fewest(open uint64, have []uint64, peers []int32) uint64 {
	var c0, c1, c2, c3, c4 uint64
	for _, q := range peers {
		set := have[q]
		c0, set = c0^set, c0&set
		c1, set = c1^set, c1&set
		c2, set = c2^set, c2&set
		c3, set = c3^set, c3&set
		c4 ^= set
	}
	for _, plane := range [...]uint64{c4, c3, c2, c1, c0} {
		if low := open &^ plane; low != 0 {
			open = low
		}
	}
	return open
}

// nth returns the place of the n-th bit of set, from 0.
func nth(set uint64, n int) int {
	for range n {
		set &= set - 1
	}
	return bits.TrailingZeros64(set)
}
