package sim

import "math"

// Functions of math differ in the last bit from machine to machine, where one has an
// instruction for them or fuses a product with a sum. A time that is drawn goes through
// those here, which consist of operations that IEEE 754 leaves no choice about: every
// product is converted, so that none is fused.

// ln2 in two parts, the first with enough zeros behind that its product with a small
// integer is exact.
const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// ln returns the natural logarithm of x > 0, to some 1e-15 of itself.
func ln(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = float64(2*m), e-1
	}
	s := (m - 1) / (m + 1) // ln m = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172
	square := float64(s * s)
	sum, power := 0.0, s
	for k := 1; k < 25; k += 2 {
		sum += power / float64(k)
		power = float64(power * square)
	}
	return float64(float64(e)*ln2Hi) + (float64(2*sum) + float64(float64(e)*ln2Lo))
}

// exp returns e to the x, for |x| < 700.
func exp(x float64) float64 {
	k := math.Floor(float64(x/(ln2Hi+ln2Lo)) + 0.5)
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo) // |r| < 0.35
	sum, term := 1.0, 1.0
	for i := 1; i < 18; i++ {
		term = float64(term*r) / float64(i)
		sum += term
	}
	return math.Ldexp(sum, int(k))
}

// mix makes a number that has nothing to do with its inputs (splitmix64, by Steele,
// Lea and Flood), so that what is drawn for one receiver does not depend on what was
// drawn for others.
func mix(seed, a, b uint64) uint64 {
	x := seed
	for _, v := range [...]uint64{a, b} {
		x = (x ^ v) + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// unit makes a number of (0, 1) of random bits.
func unit(bits uint64) float64 { return (float64(bits>>11) + 0.5) / (1 << 53) }
