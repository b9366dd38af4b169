package swarm_test

import (
	"fmt"
	"testing"
	"time"

	"tandem/internal/content"
)

// chaos is a swarm of a hundred: two seeds, ninety-eight who fetch, some of
// whom lie, take only, fall silent, leave, or come back; and a partition.
type chaos struct {
	*world
	t      *testing.T
	seed   uint64
	honest []*node
	failed bool
}

const (
	chaosNodes  = 100
	chaosSeeds  = 3
	chaosDegree = 8
	chaosEnd    = 400 * time.Second
	answerTime  = 70 * time.Second // no request waits longer without being taken back
)

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{world: newWorld(seed, 1<<20+5000, 32<<10), t: t, seed: seed}
	c.leaves = seed%2 == 0
	c.fault = func(s string) {
		if !c.failed {
			t.Errorf("seed %d, at %v: %s", seed, c.now, s)
		}
		c.failed = true
	}
	for i := range chaosNodes {
		n := c.add(0.5+c.rand.Float64(), 10, i < 2 || i >= 90 && i < 95)
		switch {
		case i >= 95:
			n.silent = true
		case i >= 90: // complete, and poisonous
			n.poison = 0.3
		case i >= 80:
			n.freeload = true
		}
		if n.poison == 0 {
			c.honest = append(c.honest, n)
		}
	}
	return c
}

// mingle connects nodes that have few neighbours, again and again.
func (c *chaos) mingle() {
	for _, n := range c.nodes {
		if n.dead {
			continue
		}
		met := map[*node]bool{n: true}
		open := 0
		for _, e := range n.links {
			if !e.closed {
				met[e.other.node] = true
				open++
			}
		}
		for try := 0; open < chaosDegree && try < 4*chaosDegree; try++ {
			if o := c.nodes[c.rand.IntN(len(c.nodes))]; !met[o] && !o.dead {
				met[o] = true
				open++
				c.join(n, o, c.rand.IntN(8) > 0)
			}
		}
	}
	c.after(2*time.Second, c.mingle)
}

// churn kills some and lets half of them come back with what they had.
func (c *chaos) churn() {
	for range 20 {
		n := c.nodes[2+c.rand.IntN(78)]
		at := time.Duration(c.rand.IntN(12_000)) * time.Millisecond
		back := c.rand.IntN(2) == 0
		c.after(at, func() {
			if n.dead {
				return
			}
			n.kill()
			if back {
				c.after(5*time.Second, n.boot)
			}
		})
	}
}

// partition cuts the swarm in two for ten seconds.
func (c *chaos) partition() {
	c.after(3*time.Second, func() {
		c.apart = func(a, b *node) bool { return (a.id^b.id)&1 != 0 }
		for _, n := range c.nodes {
			for _, e := range n.links {
				if !e.closed && c.apart(n, e.other.node) {
					c.close(e)
				}
			}
		}
	})
	c.after(13*time.Second, func() { c.apart = nil })
}

// questions finds requests that nobody answered and nobody took back.
func (c *chaos) questions() {
	for q, at := range c.asked {
		if q.to.closed || q.to.node.dead || q.to.other.node.dead {
			delete(c.asked, q)
		} else if c.now-at > answerTime {
			c.fault(fmt.Sprintf("node %d waits for %v from node %d since %v", q.to.other.node.id, q.block, q.to.node.id, at))
			return
		}
	}
	c.after(5*time.Second, c.questions)
}

// settled reports whether every honest node that lives has what is to be had.
func (c *chaos) settled() bool {
	if c.now < 20*time.Second {
		return false
	}
	for _, n := range c.honest {
		if !n.dead && !n.verified.Full() {
			return c.failed
		}
	}
	return true
}

func TestHundredSurviveChurnPoisonAndPartition(t *testing.T) {
	for seed := uint64(1); seed <= chaosSeeds; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			c := newChaos(t, seed)
			c.mingle()
			c.churn()
			c.partition()
			c.questions()
			if seed%3 == 0 { // the seeds leave; whatever was out lives on
				for i, n := range c.nodes[:2] {
					c.after(time.Duration(6+6*i)*time.Second, n.kill)
				}
			}
			c.run(chaosEnd, c.settled)
			c.verdict()
		})
	}
}

// verdict holds the end against what could have been.
func (c *chaos) verdict() {
	union := content.NewBitfield(c.geo.NumPieces())
	for _, n := range c.honest {
		if !n.dead && !n.freeload && !n.silent {
			for i := n.verified.Next(0); i >= 0; i = n.verified.Next(i + 1) {
				union.Set(i)
			}
		}
	}
	left, corrupt, wasted := 0, int64(0), int64(0)
	for _, n := range c.honest {
		if n.dead {
			continue
		}
		st := n.sw.Stats()
		corrupt, wasted = corrupt+st.Corrupt, wasted+st.Wasted
		if union.AnyNotIn(n.verified) {
			left++
			c.t.Errorf("seed %d: node %d has %d of %d pieces at %v", c.seed, n.id, n.verified.Count(), union.Count(), c.now)
		}
		for at, bad := range n.bad {
			if bad && n.verified.Has(at[0]) {
				c.t.Errorf("seed %d: node %d verified piece %d with a bad block", c.seed, n.id, at[0])
			}
		}
	}
	c.t.Logf("seed %d: done at %v, %d of %d pieces lived on, corrupt %d KiB, wasted %d KiB", c.seed, c.now, union.Count(), union.Len(), corrupt>>10, wasted>>10)
	if corrupt == 0 {
		c.t.Errorf("seed %d: no poison was ever met", c.seed)
	}
}
