package sim

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Events come out by time, whatever the spans between them, none is lost, and what is
// pushed meanwhile finds its place.
func TestQueueOrdersEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(0)
		var model []int64
		now, n := int64(0), int32(0)
		span := rapid.SampledFrom([]int64{1, 3, 1 << 8, 1 << 20, 1 << 40, 1 << 61})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			wide := span.Draw(t, "span")
			for range rapid.SampledFrom([]int{0, 1, 5, 200}).Draw(t, "pushes") {
				at := now + rapid.Int64Range(0, wide).Draw(t, "at")
				q.push(event{at: at, arg: n})
				model = append(model, at)
				n++
			}
			slices.Sort(model)
			for range min(len(model), rapid.SampledFrom([]int{1, 3, 150}).Draw(t, "pops")) {
				if p := q.peek(); p != model[0] {
					t.Fatalf("the next is at %d, want %d", p, model[0])
				}
				now = q.pop().at
				if now != model[0] {
					t.Fatalf("popped %d, want %d", now, model[0])
				}
				model = model[1:]
			}
			if q.n != len(model) {
				t.Fatalf("%d in the queue, want %d", q.n, len(model))
			}
		}
		if len(model) == 0 && q.peek() != forever {
			t.Fatal("an empty queue has a next event")
		}
	})
}

func TestRingIsFirstInFirstOut(t *testing.T) {
	var r ring
	in, out := int32(0), int32(0)
	for round := range 40 {
		for range round * 5 {
			r.push(parcel{at: int64(in), piece: in})
			in++
		}
		for range round * 4 {
			if r.peek() != int64(out) || r.pop().piece != out {
				t.Fatalf("parcel %d is not next", out)
			}
			out++
		}
	}
	if r.n != int(in-out) {
		t.Errorf("%d left, want %d", r.n, in-out)
	}
}

// BenchmarkQueue pops an event and pushes another, with a million in the queue.
func BenchmarkQueue(b *testing.B) {
	q := newQueue(0)
	x := uint64(1)
	for i := range int32(1_000_000) {
		x = mix(x, 1, 2)
		q.push(event{at: int64(x >> 31), arg: i})
	}
	for b.Loop() {
		e := q.pop()
		x = mix(x, 1, 2)
		q.push(event{at: e.at + int64(x>>31), arg: e.arg})
	}
}
