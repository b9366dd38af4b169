package sim

import (
	"fmt"
	"slices"
	"time"

	"tandem/internal/lab"
)

// result returns what came of the run, which ended at t. incomplete is why not all
// have finished, "" when they have.
func (m *measures) result(t int64, incomplete string) *lab.Result {
	if n := m.p.len() - m.p.honest; n > 0 {
		m.note("%d poisoners take part and are not counted among receivers", n)
	}
	r := &lab.Result{
		Run: m.run, Incomplete: incomplete, Notes: m.notes,
		N: m.p.honest, Done: m.finished, Last: time.Duration(m.last), Took: time.Duration(t),
		FromPeers: m.fromPeers, Wasted: m.wasted, Corrupt: m.corrupt, Accepted: m.accepted,
		OneOut: time.Duration(m.oneOut), Jain: min(lab.Jain(m.rates(t)), 1), Gini: lab.Gini(floats(m.gave)),
	}
	for _, n := range m.gave[:m.origins] {
		r.FromOrigin += n
	}
	m.times(r)
	m.course(r, t)
	for _, k := range m.kills {
		r.Killed = append(r.Killed, time.Duration(k.at))
		r.Recovered = append(r.Recovered, time.Duration(k.recovered))
	}
	if m.p.len() <= lab.MaxNodes {
		m.nodes(r)
	}
	m.exchange(r)
	return r
}

// times fills in what receivers' own times come to.
func (m *measures) times(r *lab.Result) {
	times := make([]time.Duration, 0, m.finished)
	firsts := make([]time.Duration, 0, m.p.honest)
	var sum float64
	for i, d := range m.done {
		if !m.counts(int32(i)) {
			continue
		}
		if d > 0 {
			times = append(times, time.Duration(d))
			sum += float64(d)
		}
		if m.first[i] > 0 {
			firsts = append(firsts, time.Duration(m.first[i]))
		}
	}
	slices.Sort(times)
	slices.Sort(firsts)
	if len(times) > 0 {
		r.Median, r.P99 = quantile(times, 500), quantile(times, 990)
		r.Mean = time.Duration(sum / float64(len(times)))
	}
	if len(firsts) > 0 {
		r.First = quantile(firsts, 500)
	}
	if m.p.len() <= lab.MaxNodes {
		r.Times = times
	}
}

// course fills in how the run went on, ended at t.
func (m *measures) course(r *lab.Result, t int64) {
	r.Copies = m.copied
	if n := m.finished; n > m.points[len(m.points)-1].N {
		m.points = append(m.points, lab.Point{At: time.Duration(m.last), N: n})
	}
	if last := m.points[len(m.points)-1]; last.At < time.Duration(t) {
		m.points = append(m.points, lab.Point{At: time.Duration(t), N: last.N})
	}
	r.Progress = m.points
}

// rates returns what each receiver that counts got per second of its time, until it had
// everything or the run ended. Of very many it is those whose bytes are counted.
func (m *measures) rates(end int64) []float64 {
	list := make([]float64, 0, m.p.honest)
	for i, d := range m.done[:len(m.took)-m.origins] {
		if !m.counts(int32(i)) || m.p.start[i] > end {
			continue
		}
		if d == 0 {
			d = max(end-m.p.start[i], 1)
		}
		list = append(list, float64(m.took[m.origins+i])/float64(d))
	}
	return list
}

func (m *measures) nodes(r *lab.Result) {
	r.Nodes = make([]lab.Node, 0, len(m.gave))
	for k := range m.origins {
		r.Nodes = append(r.Nodes, lab.Node{Name: originName(k, m.origins), Origin: true, Gave: m.gave[k], Took: m.took[k]})
	}
	for i := range m.done {
		k := m.origins + i
		r.Nodes = append(r.Nodes, lab.Node{
			Name: m.p.name(m.s, i), Gave: m.gave[k], Took: m.took[k],
			Start: time.Duration(m.p.start[i]), First: time.Duration(m.first[i]), Done: time.Duration(m.done[i]),
		})
	}
}

func (m *measures) exchange(r *lab.Result) {
	n := len(m.gave)
	for k, bytes := range m.pairs {
		if bytes > 0 {
			r.Pairs = append(r.Pairs, lab.Pair{From: k / n, To: k % n, Bytes: bytes})
		}
	}
}

func originName(k, of int) string {
	if of == 1 {
		return "origin"
	}
	return fmt.Sprintf("origin %d", k+1)
}

func floats(list []int64) []float64 {
	f := make([]float64, len(list))
	for i, n := range list {
		f[i] = float64(n)
	}
	return f
}

// quantile returns a quantile, in thousandths, of times in ascending order, with straight
// lines between them as lab.Quantile has, but in whole numbers.
func quantile(times []time.Duration, thousandths int) time.Duration {
	at := (len(times) - 1) * thousandths
	i, part := at/1000, time.Duration(at%1000)
	if part == 0 {
		return times[i]
	}
	step := times[i+1] - times[i]
	return times[i] + step/1000*part + step%1000*part/1000
}
