package bound

import "math"

// QueueLimit is the arrivals per second that a server sustains: size/origin seconds of its
// uplink each. Published (any text on queues).
func QueueLimit(size, origin float64) float64 { return over(origin, size) }

// SingleQueue is the mean time in a server's queue under Poisson arrivals, shared or one
// after the other with exponential sizes: (F/u_s)/(1 - arrivals*F/u_s); +Inf from the
// limit on. Published (M/M/1; the same mean for processor sharing of any sizes).
func SingleQueue(size, origin, arrivals float64) float64 {
	service := over(size, origin)
	if math.IsInf(service, 1) || arrivals*service >= 1 {
		return math.Inf(1)
	}
	return service / (1 - arrivals*service)
}

// SwarmLimit is the arrivals per second that a swarm sustains whose peers serve for stay
// seconds after they have everything. With stay 0 it is origin/piece: the missing piece
// leaves the origin no faster. Published: Hajek and Zhu, The Missing Piece Syndrome (in
// pieces); restated here in bytes. Each that stays gives the piece on up*stay/piece
// times; from one time on there is no limit: Zhu and Hajek 2012, in between derived here.
func SwarmLimit(size, piece, origin, up, stay float64) float64 {
	if up <= 0 { // nobody gives anything on
		return QueueLimit(size, origin)
	}
	more := up * stay / piece
	if more >= 1 {
		return math.Inf(1)
	}
	return origin / piece / (1 - more)
}

// Fluid is the mean download time of the fluid swarm in steady state, whatever the
// arrivals. up and down are a peer's links in files per second, useful the share of the
// time that what it has is of use, leave the rate at which seeders go (+Inf: at once),
// abort that of those who give up. From memory: not checked (Qiu and Srikant 2004).
func Fluid(down, up, useful, leave, abort float64) float64 {
	wait := max(over(1, down), over(1, useful)*(over(1, up)-over(1, leave)))
	if math.IsInf(wait, 1) {
		return over(1, abort)
	}
	return 1 / (abort + 1/wait)
}

// HybridSteady is the mean download time in steady state when peers leave at once and an
// origin gives s = origin/size files a second, fewer than arrive. Derived here: what
// arrives per second leaves per second, so n*useful*up + s = arrivals, and a peer stays
// n/arrivals (Little): (1 - s/arrivals)/(useful*up), and never less than its downlink
// needs. up and down are in files per second.
func HybridSteady(down, up, useful, s, arrivals float64) float64 {
	least := over(1, down)
	if arrivals <= s {
		return least
	}
	return max(least, over(1-s/arrivals, useful*up))
}

// SelfSustained is the probability that somebody has the file when there is no origin:
// peers arrive at a rate and stay for a mean time. From memory: not checked; it is the
// probability that an M/G/inf queue is not empty.
func SelfSustained(arrivals, stay float64) float64 { return -math.Expm1(-arrivals * stay) }

// Replicas is the availability of a file on k nodes, each available for a share of the
// time. Published. Independence is assumed, which is optimistic: power cuts, office hours
// and updates come to many at once.
func Replicas(each float64, k int) float64 { return 1 - math.Pow(1-each, float64(k)) }

// Coded is the availability of a file of which any m of n parts suffice. Published;
// independence as for Replicas.
func Coded(each float64, m, n int) float64 {
	switch {
	case m <= 0 || each >= 1 && m <= n:
		return 1
	case m > n || each <= 0:
		return 0
	}
	ln, _ := math.Lgamma(float64(n) + 1)
	sum := 0.0
	for i := m; i <= n; i++ {
		li, _ := math.Lgamma(float64(i) + 1)
		lo, _ := math.Lgamma(float64(n-i) + 1)
		sum += math.Exp(ln - li - lo + float64(i)*math.Log(each) + float64(n-i)*math.Log1p(-each))
	}
	return min(sum, 1)
}

// OneServer is the availability of one server by its mean times to failure and to repair.
// Published.
func OneServer(mttf, mttr float64) float64 {
	if mttf <= 0 {
		return 0
	}
	return mttf / (mttf + max(mttr, 0))
}

// Physical is what a run on shaped Ethernet cannot beat, as a multiple of the bound over
// whole links: headers, and where receivers upload also their acknowledgements and
// requests on the same uplink. Measured with this lab's links.
const (
	PhysicalServer = 1514. / 1448 // 1.046
	PhysicalSwarm  = 1.073
)
