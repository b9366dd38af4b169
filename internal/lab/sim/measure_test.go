package sim

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/lab"
)

func newTestMeasures(n, pieces int, change func(*lab.Scenario)) *measures {
	s := crowd(func(s *lab.Scenario) {
		s.Receivers[0].Count = n
		if change != nil {
			change(s)
		}
	})
	p := newPeople(&s, 1)
	return newMeasures(lab.Run{Scenario: s, Seed: 1}, p, pieces)
}

func TestMeasures(t *testing.T) {
	m := newTestMeasures(2, 2, nil)
	for _, e := range []struct {
		from, to, piece int32
		t               int64
	}{{0, 0, 0, 10}, {1, 1, 0, 20}, {0, 0, 1, 30}, {1, 1, 1, 50}} {
		m.began(e.to, e.t)
		m.sent(e.from, 1+e.to, 100)
		m.piece(e.to, int(e.piece), 100, e.t*int64(time.Millisecond))
	}
	m.finish(0, 30*int64(time.Millisecond))
	m.finish(1, 50*int64(time.Millisecond))
	m.wasted, m.corrupt = 7, 8
	r := m.result(60*int64(time.Millisecond), "")
	if r.N != 2 || r.Done != 2 || r.Last != 50*time.Millisecond || r.Median != 40*time.Millisecond || r.Mean != r.Median || r.First != 15 {
		t.Errorf("%+v", r)
	}
	if r.OneOut != 30*time.Millisecond || r.FromOrigin != 200 || r.FromPeers != 200 || r.Wasted != 7 || r.Corrupt != 8 || r.Took != 60*time.Millisecond {
		t.Errorf("%+v", r)
	}
	if want := []lab.Pair{{From: 0, To: 1, Bytes: 200}, {From: 1, To: 2, Bytes: 200}}; !slices.Equal(r.Pairs, want) {
		t.Errorf("pairs %v", r.Pairs)
	}
	if want := []lab.Point{{}, {At: 30 * time.Millisecond, N: 1}, {At: 50 * time.Millisecond, N: 2}, {At: 60 * time.Millisecond, N: 2}}; !slices.Equal(r.Progress, want) {
		t.Errorf("progress %v", r.Progress)
	}
	if n := r.Nodes[1]; n.Took != 200 || n.Gave != 200 || n.Done != 30*time.Millisecond || n.Origin {
		t.Errorf("%+v", n)
	}
}

func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*measures)
		want time.Duration
	}{
		{"nobody gets anything any more", func(*measures) {}, 0},
		{"one of two does", func(m *measures) { m.piece(0, 1, 1, 150) }, 0},
		{"both do", func(m *measures) { m.piece(0, 1, 1, 150); m.piece(0, 2, 1, 160); m.piece(1, 1, 1, 180) }, 80},
		{"one does and the other leaves", func(m *measures) { m.piece(0, 1, 1, 150); m.left(1, 170) }, 70},
		{"after another kill it begins anew", func(m *measures) {
			m.piece(0, 1, 1, 150)
			m.killed(160, slices.Values([]int32{1}))
			m.piece(1, 1, 1, 190)
		}, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newTestMeasures(2, 4, nil)
			m.piece(0, 0, 1, 50)
			m.killed(100, slices.Values([]int32{0, 1}))
			c.then(m)
			r := m.result(1000, "")
			if got := r.Recovered[len(r.Recovered)-1]; got != c.want || r.Killed[0] != 100 {
				t.Errorf("recovered %v after %v", r.Recovered, r.Killed)
			}
		})
	}
}

func TestPoisonersDoNotCount(t *testing.T) {
	m := newTestMeasures(4, 1, func(s *lab.Scenario) { s.Hostile.Poisoners = 0.25 })
	for i := range int32(4) {
		m.piece(i, 0, 10, 5)
		m.finish(i, int64(10+i))
	}
	if r := m.result(100, ""); r.N != 3 || r.Done != 3 || len(r.Times) != 3 || len(r.Notes) != 1 || m.share() != 30/(3*float64(m.s.Size)) {
		t.Errorf("%d of %d, %v, %v", r.Done, r.N, r.Times, r.Notes)
	}
}

// However long a run is and however much happens, what is told of its course stays short, in order, and
// begins and ends where the run does.
func TestCourseStaysShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 900).Draw(t, "receivers")
		step := rapid.Int64Range(1, 1e10).Draw(t, "step")
		m := newTestMeasures(n, 3, nil)
		at := int64(0)
		for i := range int32(n) {
			for p := range 3 {
				at += step
				m.piece(i, p, 1, at)
			}
			m.finish(i, at)
		}
		r := m.result(at, "")
		if len(r.Copies) > maxCopies || len(r.Progress) > maxPoints {
			t.Fatalf("%d and %d points", len(r.Copies), len(r.Progress))
		}
		if end := r.Progress[len(r.Progress)-1]; end.N != n || end.At != time.Duration(at) || r.Progress[0] != (lab.Point{}) {
			t.Fatalf("it ends at %v of %d", end, n)
		}
		for k := 1; k < len(r.Copies); k++ {
			if a, b := r.Copies[k-1], r.Copies[k]; b.At <= a.At || b.Mean < a.Mean || float64(b.Min) > b.Mean {
				t.Fatalf("%v after %v", b, a)
			}
		}
		if n*3 > 400 && int64(len(r.Copies)) < 60 && at > 1000*int64(time.Millisecond) {
			t.Fatalf("only %d points of copies", len(r.Copies))
		}
	})
}

func TestQuantilesOfTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(0, 1e15), 1, 50).Draw(t, "times")
		slices.Sort(list)
		times, values := make([]time.Duration, len(list)), floats(list)
		for i, n := range list {
			times[i] = time.Duration(n)
		}
		q := rapid.IntRange(0, 1000).Draw(t, "q")
		want := lab.Quantile(values, float64(q)/1000)
		if got := float64(quantile(times, q)); got < want-3 || got > want+3 {
			t.Fatalf("%v, lab has %v", got, want)
		}
	})
}
