package sim

import (
	"fmt"
	"slices"
	"time"

	"tandem/internal/lab"
)

// What a run's course is told with, at most.
const (
	maxCopies = 200 // points of copies per piece
	maxPoints = 400 // points of finished receivers
)

// measures gathers a run's Result. Those it is told of are nodes: origins first, then
// receivers. Times are nanoseconds since the first receiver's start, and never go back.
//
// Poisoners take part and are not counted: a Result is about the others.
type measures struct {
	s       *lab.Scenario
	run     lab.Run
	p       *people
	origins int
	pieces  int
	notes   []string

	gave, took []int64 // per node, of the first lab.MaxNodes receivers
	first      []int64 // per receiver, from its start; 0: nothing came
	done       []int64 // per receiver, from its start; 0: it did not finish
	finished   int     // of those that count
	last       int64   // when the last of those did
	pairs      []int64 // from x to; nil: too many nodes

	held     []int32 // per piece: copies that receivers have on disk
	copies   int64   // sum of held
	bare     int     // pieces that no receiver has
	oneOut   int64
	verified int64 // bytes, by receivers that count

	sample  thinning
	copied  []lab.Copies
	points  []lab.Point
	stride  int // receivers between two points
	kills   []kill
	waiting []bool // since the last kill, per receiver; nil: there was none

	wasted, corrupt, accepted int64
	fromPeers                 int64
}

// kill is what became of one.
type kill struct {
	at, recovered int64 // recovered: after at; 0: not
	waiting       int   // receivers that have not got a piece since
}

func newMeasures(r lab.Run, p *people, pieces int) *measures {
	s := &r.Scenario
	origins := max(s.Origin.Count, 1)
	n := p.len()
	m := &measures{
		s: s, run: r, p: p, origins: origins, pieces: pieces,
		gave: make([]int64, origins+min(n, lab.MaxNodes)), took: make([]int64, origins+min(n, lab.MaxNodes)), first: large(make([]int64, n)), done: large(make([]int64, n)),
		held: make([]int32, pieces), bare: pieces,
		sample: thinning{every: int64(time.Millisecond)},
		points: make([]lab.Point, 1, maxPoints+2),
		stride: max((n+maxPoints-3)/(maxPoints-2), 1),
	}
	if origins+n <= lab.MaxPairs {
		m.pairs = make([]int64, (origins+n)*(origins+n))
	}
	return m
}

func (m *measures) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(m.notes, text) {
		m.notes = append(m.notes, text)
	}
}

// counts reports whether receiver i counts: it is no poisoner.
func (m *measures) counts(i int32) bool { return !m.p.is(i, poisoner) }

// sent says that node from gave node to bytes of content, right or wrong, of use or not.
func (m *measures) sent(from, to int32, bytes int64) {
	if int(from) < len(m.gave) {
		m.gave[from] += bytes
	}
	if int(to) < len(m.took) {
		m.took[to] += bytes
	}
	if int(from) >= m.origins {
		m.fromPeers += bytes
	}
	if m.pairs != nil {
		m.pairs[int(from)*len(m.gave)+int(to)] += bytes
	}
}

// began says that the first byte came to receiver i.
func (m *measures) began(i int32, t int64) {
	if m.first[i] == 0 {
		m.first[i] = max(t-m.p.start[i], 1)
	}
}

// piece says that receiver i has verified a piece. What it was sent is told by sent.
func (m *measures) piece(i int32, piece int, bytes, t int64) {
	if m.held[piece]++; m.held[piece] == 1 {
		if m.bare--; m.bare == 0 && m.oneOut == 0 {
			m.oneOut = max(t, 1)
		}
	}
	m.copies++
	m.got(i, bytes, t)
	if t >= m.sample.next {
		m.look(t)
	}
}

// got says that receiver i has verified so many bytes.
func (m *measures) got(i int32, bytes, t int64) {
	if m.counts(i) {
		m.verified += bytes
	}
	if m.waiting != nil && m.waiting[i] {
		m.resumes(i, t)
	}
}

// finish says that receiver i has everything.
func (m *measures) finish(i int32, t int64) {
	m.done[i] = max(t-m.p.start[i], 1)
	if m.waiting != nil && m.waiting[i] {
		m.resumes(i, t)
	}
	if !m.counts(i) {
		return
	}
	m.finished++
	m.last = t
	if m.finished%m.stride == 0 {
		m.points = append(m.points, lab.Point{At: time.Duration(t), N: m.finished})
	}
}

// share returns which part of all that receivers want they have verified.
func (m *measures) share() float64 {
	return float64(m.verified) / (float64(m.s.Size) * float64(max(m.p.honest, 1)))
}

// look takes a sample of the copies there are.
func (m *measures) look(t int64) {
	least := m.held[0]
	for _, n := range m.held {
		least = min(least, n)
	}
	m.copiesAre(t, int(least), float64(m.copies)/float64(m.pieces))
}

// copiesAre takes a sample of copies per piece that somebody else has counted.
func (m *measures) copiesAre(t int64, least int, mean float64) {
	if m.sample.full(len(m.copied)) {
		m.copied = thin(m.copied)
	}
	m.copied = append(m.copied, lab.Copies{At: time.Duration(t), Min: least, Mean: mean})
	m.sample.passed(t)
}

// lost says that a piece of a receiver is gone with it.
func (m *measures) lost(piece int) {
	m.copies--
	if m.held[piece]--; m.held[piece] == 0 {
		m.bare++
	}
}

// killed says that there was a kill. unfinished yields those alive that lack something.
func (m *measures) killed(t int64, unfinished func(yield func(i int32) bool)) {
	m.waiting = make([]bool, m.p.len())
	k := kill{at: t}
	for i := range unfinished {
		m.waiting[i] = true
		k.waiting++
	}
	m.kills = append(m.kills, k)
}

// resumes says that receiver i got on for the first time since the last kill, or that
// it need not any more.
func (m *measures) resumes(i int32, t int64) {
	m.waiting[i] = false
	k := &m.kills[len(m.kills)-1]
	if k.waiting--; k.waiting == 0 {
		k.recovered = max(t-k.at, 1)
	}
}

// left says that receiver i has left before it had everything, and will not be back.
func (m *measures) left(i int32, t int64) {
	if m.waiting != nil && m.waiting[i] {
		m.resumes(i, t)
	}
}

// thinning says when to take samples so that there are never too many: it begins often,
// and takes every second one from then on whenever there are enough.
type thinning struct {
	every, next int64
}

func (s *thinning) full(n int) bool {
	if n < maxCopies-1 {
		return false
	}
	s.every *= 2
	return true
}

func (s *thinning) passed(t int64) { s.next = t - t%s.every + s.every }

// thin keeps every second of a list.
func thin(list []lab.Copies) []lab.Copies {
	kept := list[:0]
	for i := 0; i < len(list); i += 2 {
		kept = append(kept, list[i])
	}
	return kept
}

// deathOfOrigins says why a run without origins did not end well: because of pieces that
// nobody has, or because nobody gives what there is.
func deathOfOrigins(m *measures, bare int) string {
	if bare > 0 {
		return fmt.Sprintf("the origin died with %d of %d pieces not out", bare, m.pieces)
	}
	return fmt.Sprintf("the origin died before %d of %d receivers had finished", m.p.honest-m.finished, m.p.honest)
}
