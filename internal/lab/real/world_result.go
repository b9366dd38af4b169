package real

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tandem/internal/content"
	"tandem/internal/lab"
	"tandem/internal/units"
)

// result ends all processes and reads what has come of the run.
func (x *stage) result(ctx context.Context) (*lab.Result, error) {
	x.clear()
	c := x.course
	res := &lab.Result{
		Run: x.run, N: len(c.list), Done: c.complete, Took: x.took, Killed: c.killed, Notes: x.notes,
		Incomplete: c.incomplete(),
	}
	x.times(res)
	x.bytes(res)
	x.use(res)
	if err := x.check(ctx, res); err != nil {
		return nil, err
	}
	res.Void = x.void()
	if rule := content.PieceLength(c.size); x.run.Scenario.Piece > 0 && int64(x.run.Scenario.Piece) != rule {
		res.Notes = append(res.Notes, fmt.Sprintf("pieces of %s: the program makes no others for this size", units.Bytes(rule)))
	}
	if len(c.kills) > 0 {
		res.Notes = append(res.Notes, fmt.Sprintf("%d of the kills did not take place: the run ended before", len(c.kills)))
	}
	if x.run.Model == lab.PeerToPeer && x.hinted {
		res.Notes = append(res.Notes, "receivers that started after the origin's death were told of others, as the DHT tells, which runs do without")
	}
	return res, nil
}

// incomplete says why not all have finished.
func (c *course) incomplete() string {
	lack := len(c.list) - c.complete
	if lack == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d did not finish", lack, len(c.list))
	if c.slain > 0 {
		text += fmt.Sprintf(", %d of them killed", c.slain)
	}
	switch pieces := piecesOf(c.size); {
	case c.origin:
	case c.model == lab.ClientServer:
		text = "the origin died, and nobody else gives anything: " + text
	case c.lacking > 0:
		text = fmt.Sprintf("the origin died with %d of %d pieces not out: %s", c.lacking, pieces, text)
	default:
		text = "the origin died: " + text
	}
	for i := range c.list {
		if said := c.list[i].ending; said != "" && c.list[i].done == 0 {
			return text + fmt.Sprintf("; receiver %d ended: %s", i+1, said)
		}
	}
	return text
}

func piecesOf(size int64) int64 {
	p := content.PieceLength(size)
	return (size + p - 1) / p
}

// times fills in when who had it.
func (x *stage) times(res *lab.Result) {
	c := x.course
	var first, own []float64
	for i := range c.list {
		r := &c.list[i]
		if r.first > 0 {
			first = append(first, float64(r.first-r.start))
		}
		if r.done == 0 {
			continue
		}
		res.Times = append(res.Times, r.done-r.start)
		own = append(own, float64(r.done-r.start))
		res.Last = max(res.Last, r.done)
		res.Progress = append(res.Progress, lab.Point{At: r.done})
	}
	slices.Sort(res.Times)
	slices.SortFunc(res.Progress, func(a, b lab.Point) int { return cmp.Compare(a.At, b.At) })
	for i := range res.Progress {
		res.Progress[i].N = i + 1
	}
	if len(first) > 0 {
		res.First = time.Duration(lab.Quantile(first, 0.5))
	}
	if len(own) == 0 {
		return
	}
	rates := make([]float64, len(own))
	for i, t := range own {
		rates[i] = float64(c.size) / t
	}
	res.Median, res.P99 = time.Duration(lab.Quantile(own, 0.5)), time.Duration(lab.Quantile(own, 0.99))
	res.Mean, res.Jain = time.Duration(lab.Mean(own)), lab.Jain(rates)
}

// bytes fills in who gave what to whom. Of sessions that were ended nobody has said from
// which peer their bytes came, and of the last moment before it, whether from peers at all.
func (x *stage) bytes(res *lab.Result) {
	c := x.course
	res.Nodes = make([]lab.Node, 1+len(c.list))
	res.Nodes[0] = lab.Node{Name: "origin", Origin: true}
	index := map[string]int{}
	if x.origin.node != "" {
		index[x.origin.node] = 0
	}
	for i := range c.list {
		if c.list[i].node != "" {
			index[c.list[i].node] = i + 1
		}
	}
	given := newMatrix(len(res.Nodes))
	var unknown flows
	for i := range c.list {
		r := &c.list[i]
		all := r.past.plus(r.now)
		given.add(0, i+1, all.origin)
		left := all.peers
		for who, n := range r.sources {
			if from, ok := index[who]; ok {
				given.add(from, i+1, n)
				left -= n
			}
		}
		unknown.peers += max(left, 0)
		if short := c.size - all.origin - all.peers; r.done > 0 && short > 0 {
			if x.run.Model == lab.ClientServer {
				given.add(0, i+1, short)
			} else {
				unknown.origin += short
			}
		}
		res.Wasted += all.wasted
		node := &res.Nodes[i+1]
		*node = lab.Node{Name: filepath.Base(x.nodes[i].home), Took: all.origin + all.peers, Start: r.start}
		if r.first > 0 {
			node.First = r.first - r.start
		}
		if r.done > 0 {
			node.Done = r.done - r.start
		}
	}
	x.total(res, given, unknown)
}

// total sums up what was given. unknown is what came from peers of which nobody knows which
// one, and what came from nobody knows where: it is shared out as what is known.
func (x *stage) total(res *lab.Result, given matrix, unknown flows) {
	for from := range given {
		for to, n := range given[from] {
			if n > 0 && len(res.Nodes) <= lab.MaxPairs {
				res.Pairs = append(res.Pairs, lab.Pair{From: from, To: to, Bytes: n})
			}
		}
		res.Nodes[from].Gave = given.row(from)
		if from == 0 {
			res.FromOrigin += res.Nodes[0].Gave
		} else {
			res.FromPeers += res.Nodes[from].Gave
		}
	}
	gave := make([]float64, len(res.Nodes))
	for i := range gave {
		gave[i] = float64(res.Nodes[i].Gave)
	}
	res.Gini = lab.Gini(gave)
	if x.run.Model == lab.PeerToPeer { // the first seeder is a peer to them
		unknown = flows{origin: unknown.peers + unknown.origin}
	}
	all := unknown.peers + unknown.origin
	if all == 0 {
		return
	}
	if known := res.FromOrigin + res.FromPeers; known > 0 {
		unknown.origin = int64(float64(unknown.origin) * float64(res.FromOrigin) / float64(known))
	}
	res.FromOrigin += unknown.origin
	res.FromPeers += all - unknown.origin
	res.Notes = append(res.Notes, fmt.Sprintf("of %s, taken in sessions that ended early, it is not known who gave them", units.Bytes(all)))
}

// matrix is who gave how much to whom.
type matrix [][]int64

func newMatrix(n int) matrix {
	m := make(matrix, n)
	for i := range m {
		m[i] = make([]int64, n)
	}
	return m
}

func (m matrix) add(from, to int, n int64) { m[from][to] += n }

func (m matrix) row(from int) (sum int64) {
	for _, n := range m[from] {
		sum += n
	}
	return sum
}

// use fills in what the run cost the machine.
func (x *stage) use(res *lab.Result) {
	u := &lab.Use{Shaping: x.ground.how(), Busy: max(x.busy, 0), Calibrated: x.ratio}
	cpu, memory := x.origin.usage()
	u.OriginCPU, u.OriginRSS = cpu.Seconds(), memory
	for i := range x.nodes {
		n := &x.nodes[i]
		for _, p := range append(slices.Clone(n.old), n.proc) {
			if p == nil {
				continue
			}
			cpu, memory := p.usage()
			u.PeerCPU += cpu.Seconds()
			u.PeerRSS = max(u.PeerRSS, memory)
		}
	}
	res.Use = u
	if x.busy < 0 {
		res.Notes = append(res.Notes, "how busy the machine was is not known on "+machine())
	}
	if x.ratio == 0 {
		res.Notes = append(res.Notes, "the limits were not calibrated: that is not possible on "+machine())
	}
}

// offBy is how far a calibration flow may be from what it should be.
const offBy = 0.03

// void says why the run is not to be believed.
func (x *stage) void() string {
	switch {
	case x.busy > maxBusy:
		return fmt.Sprintf("the machine was %.0f %% busy; above %.0f %% it is the machine that is measured", 100*x.busy, 100*maxBusy)
	case x.ratio > 0 && (x.ratio < 1-offBy || x.ratio > 1+offBy):
		return fmt.Sprintf("the calibration flow was %+.1f %% off what the links should give; %.0f %% is the most", 100*(x.ratio-1), 100*offBy)
	}
	return ""
}

// check compares what finished receivers have with what was to be brought to them.
func (x *stage) check(ctx context.Context, res *lab.Result) error {
	for i := range x.nodes {
		if x.course.list[i].done == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(x.nodes[i].got, contentName)
		sum, err := sumOf(path)
		if err == nil && sum == x.sum {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("check what receiver %d has: %w", i+1, err)
		}
		wrong, err := differing(x.file, path)
		if err != nil {
			return fmt.Errorf("check what receiver %d has: %w", i+1, err)
		}
		res.Accepted += wrong
		res.Notes = append(res.Notes, fmt.Sprintf("receiver %d finished with %d wrong bytes", i+1, wrong))
	}
	return nil
}

// differing counts the bytes in which a file is not what it should be. One that is not
// there has none that are right.
func differing(want, got string) (n int64, err error) {
	a, err := os.Open(want)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	all, err := a.Stat()
	if err != nil {
		return 0, err
	}
	b, err := os.Open(got)
	if errors.Is(err, fs.ErrNotExist) {
		return all.Size(), nil
	}
	if err != nil {
		return 0, err
	}
	defer b.Close()
	have, err := b.Stat()
	if err != nil {
		return 0, err
	}
	n = max(all.Size()-have.Size(), have.Size()-all.Size())
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for left := min(all.Size(), have.Size()); left > 0; {
		k := min(left, int64(len(p)))
		if _, err := io.ReadFull(a, p[:k]); err != nil {
			return n, err
		}
		if _, err := io.ReadFull(b, q[:k]); err != nil {
			return n, err
		}
		for i := range k {
			if p[i] != q[i] {
				n++
			}
		}
		left -= k
	}
	return n, nil
}
