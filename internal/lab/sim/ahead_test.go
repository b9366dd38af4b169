package sim

import (
	"math/rand/v2"
	"testing"
)

// Looking ahead changes nothing: not with equal links, where hundreds of things happen
// at one moment, and not with others.
func TestLookingAheadChangesNothing(t *testing.T) {
	s := swarmOf(8<<20, 512<<10, 40, receivers(300, 20, 100), receivers(40, 3, 10))
	s.Stay.Kind = "leave"
	want := digest(swarmed(t, s, 1))
	e := newSwarm(s, 1)
	e.queue.soon = new(scout)
	r, err := e.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := digest(r); got != want || e.queue.soon.beyond == 0 {
		t.Errorf("%s, and without %s", got, want)
	}
}

// What is taken from a queue was foreseen, whether it comes in crowds or one by one.
func TestWhatComesIsForeseen(t *testing.T) {
	q := newQueue(0)
	q.soon = new(scout)
	r := rand.New(rand.NewPCG(1, 1))
	const n = 3000
	for k := range int32(n) {
		at := r.Int64N(1 << 28)
		if k%3 == 0 {
			at = 77<<20 + at&1
		}
		q.push(event{at, flowEnds, k})
	}
	seen := make([]bool, n)
	missed := 0
	for q.peek() != forever {
		q.gatherHeap()
		for _, v := range q.soon.soon {
			seen[v.arg] = true
		}
		q.soon.soon = q.soon.soon[:0]
		if v := q.pop(); !seen[v.arg] {
			missed++
		}
	}
	if missed > n/50 {
		t.Errorf("%d of %d were not", missed, n)
	}
}
