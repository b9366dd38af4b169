// Package bound says the best that each network model can do, in closed form.
//
// Sizes are bytes of content, rates bytes per second, times seconds; For and World take
// them from a Scenario. Each formula says where it is from: published (read again in its
// source or an abstract of it), derived here (the derivation stands beside it), or from
// memory (not checked, and so never shown as somebody's result).
//
// A bound holds for runs in which everybody who can finish does. What a scenario has
// besides links (arrivals, churn, latency, strategy) can only make a run slower.
package bound

import "math"

// ClientServer is B1: n copies of a file leave the origin, and the slowest downlink takes
// one. Published: Kurose and Ross, Computer Networking. n is a count, slowest the least
// downlink.
func ClientServer(size, n, origin, slowest float64) float64 {
	return max(over(n*size, origin), over(size, slowest))
}

// PeerToPeer is B2: one copy leaves the origin, the slowest downlink takes one, and n
// copies leave all uplinks together; uplinks is the sum over the receivers. Published:
// Kumar and Ross 2006, who show that it is reached in the fluid limit. It holds for the
// hybrid as it stands, where the server is the origin.
func PeerToPeer(size, n, origin, uplinks, slowest float64) float64 {
	return max(over(size, origin), over(size, slowest), over(n*size, origin+uplinks))
}

// Origins is B3: origins with the same content count with their uplinks together. From
// memory: not checked; it follows from B1 and B2, which look at nothing but the sum.
func Origins(each float64, count int) float64 { return each * float64(count) }

// Usable is B4: the uplinks that count when a share of the receivers can be reached and
// what they have is of use for a share of the time. Derived here. It is an estimate and
// no bound: see For for what unreachable receivers leave possible.
func Usable(uplinks, reachable, useful float64) float64 { return uplinks * reachable * useful }

// Rounds is B5: with equal uplinks for origin and receivers and whole pieces from one
// sender at a time, M + floor(log2 n) rounds of piece/up. Published: Mundinger, Weber,
// Weiss 2008 (their result for equal capacities; the form is from memory). It is no lower
// bound where blocks of a piece come from several peers.
func Rounds(pieces, n int, piece, up float64) float64 {
	if pieces < 1 || n < 1 {
		return 0
	}
	return over((float64(pieces)+math.Floor(math.Log2(float64(n))))*piece, up)
}

// Spread is B6: the last piece to leave the origin has yet to reach everybody. Derived
// here:
//
// Nobody serves a piece before it has the whole of it. Some piece has its first holder
// not before size/origin, since every piece has to leave first. From then x holders and
// the origin bring at most x*up + origin bytes a second to where it lacks, so that
// dx/dt <= (x*up + origin)/piece with x = 1 at the start, and n holders take
// (piece/up) ln((n+r)/(1+r)), r = origin/up. An origin that sends the piece to several
// before its first copy is complete gives e bytes beforehand and pays e/origin for it,
// which is no less than what they save.
//
// up is the greatest uplink of a receiver: with less the piece is slower. Where the last
// piece is short (rest = size mod piece), it may be the one that leaves last, and the
// one before it has its first holder rest/origin earlier; the greater of both times
// holds whatever the order.
func Spread(size, piece, origin, up, n float64) float64 {
	if n < 1 || piece <= 0 {
		return over(size, origin)
	}
	rest := math.Mod(size, piece)
	if rest == 0 || size < piece {
		return over(size, origin) + grow(min(size, piece), origin, up, n)
	}
	return max(over(size, origin)+grow(rest, origin, up, n), over(size-rest, origin)+grow(piece, origin, up, n))
}

// grow is how long a piece takes from one holder to n.
func grow(piece, origin, up, n float64) float64 {
	if n <= 1 {
		return 0
	}
	if up <= 0 {
		return over((n-1)*piece, origin)
	}
	// ln((n+r)/(1+r)) = ln(1 + (n-1)/(1+r)), which keeps its digits where r is large.
	return piece / up * math.Log1p((n-1)/(1+origin/up))
}

// Streaming is B7: the greatest rate at which everybody can watch at once. From memory:
// not checked (Kumar, Liu, Ross 2007, without the downlink).
func Streaming(n, origin, uplinks, slowest float64) float64 {
	if n < 1 {
		return min(origin, slowest)
	}
	return min(origin, slowest, (origin+uplinks)/n)
}

// Needed is B8: the least origin with which everybody can have the file by deadline, given
// the usable uplinks. Derived here, B2 solved for the origin; +Inf where the slowest
// downlink takes longer than that.
func Needed(size, n, uplinks, slowest, deadline float64) float64 {
	if deadline <= 0 || over(size, slowest) > deadline {
		return math.Inf(1)
	}
	return max(size/deadline, n*size/deadline-uplinks)
}

// Crossover is the number of receivers up to which peers cannot help: the origin fills
// every downlink by itself. Derived here from B1.
func Crossover(origin, slowest float64) float64 {
	if slowest <= 0 {
		return 0
	}
	return origin / slowest
}

// Offload is the share of all bytes that peers give when capacity binds: their share of
// the capacity, and never more than all but one copy. Derived here from B2.
func Offload(n, origin, uplinks float64) float64 {
	if n < 1 || uplinks <= 0 {
		return 0
	}
	return min(uplinks/(origin+uplinks), 1-1/n)
}

// Copies is the time that an origin which gives no more than so many copies needs, if it
// holds to that: the rest comes from the receivers. Derived here. The product's server
// gives more where nobody else has what is asked for, or has not given it in time.
func Copies(size, n, copies, uplinks float64) float64 {
	if copies >= n {
		return 0
	}
	return over((n-copies)*size, uplinks)
}

// Efficiency is a bound as a share of what was reached, 0 to 1.
func Efficiency(best, reached float64) float64 {
	if reached <= 0 || math.IsInf(reached, 1) {
		return 0
	}
	return best / reached
}

// Slope is the exponent b of T ~ N^b, fitted by least squares on logarithms: 1 is linear,
// 0 is flat. NaN with fewer than two different n.
func Slope(n, t []float64) float64 {
	var sx, sy, sxx, sxy, k float64
	for i := range min(len(n), len(t)) {
		if n[i] <= 0 || t[i] <= 0 {
			continue
		}
		x, y := math.Log(n[i]), math.Log(t[i])
		sx, sy, sxx, sxy, k = sx+x, sy+y, sxx+x*x, sxy+x*y, k+1
	}
	d := k*sxx - sx*sx
	if d <= 1e-12*k*sxx {
		return math.NaN()
	}
	return (k*sxy - sx*sy) / d
}

// over is a/b, infinite where there is nothing to divide by but something to bring.
func over(a, b float64) float64 {
	switch {
	case a <= 0:
		return 0
	case b <= 0:
		return math.Inf(1)
	}
	return a / b
}
