package choke_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/choke"
)

// Whoever waits, the first of them in the line is whom Next names.
func TestLineAgreesWithNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := choke.MakeLine(nil, []int32{})
		served := map[int32]time.Duration{} // 0: never
		var active, all []int32
		now := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Second
			switch op := rapid.IntRange(0, 4).Draw(t, "op"); {
			case op == 0 || len(all) == 0:
				c, fresh := int32(now/time.Second), 0
				for fresh < len(line.Waiting()) && served[line.Waiting()[fresh]] == 0 {
					fresh++
				}
				line.Join(c, fresh)
				line.SetNote(line.Find(c), c)
				served[c] = 0
				all = append(all, c)
			case op == 1 && len(active) > 0:
				i := rapid.IntRange(0, len(active)-1).Draw(t, "ends")
				line.End(active[i])
				served[active[i]] = now
				active = slices.Delete(active, i, i+1)
			case op == 2 && len(all) > len(active):
				c := rapid.SampledFrom(line.Waiting()).Draw(t, "leaves")
				if !line.Leave(c) || line.Leave(c) {
					t.Fatalf("%d does not leave once", c)
				}
				all = slices.DeleteFunc(all, func(o int32) bool { return o == c })
			default:
				c := begin(t, &line, all, active, served, now)
				if c >= 0 {
					active = append(active, c)
				}
			}
			for i, c := range line.All() {
				if line.Note(i) != c || line.Find(c) != i {
					t.Fatalf("%d has the note to %d", c, line.Note(i))
				}
			}
			if len(line.All()) != len(all) || len(line.Waiting()) != len(all)-len(active) {
				t.Fatalf("%d in the line, %d of them waiting, want %d and %d", len(line.All()), len(line.Waiting()), len(all), len(all)-len(active))
			}
		}
	})
}

// begin sends to whom the line and Next both name, of those that want something now,
// and returns it, -1 for nobody.
func begin(t *rapid.T, line *choke.Line, all, active []int32, served map[int32]time.Duration, now time.Duration) int32 {
	wants := make(map[int32]bool)
	var waiting []choke.Waiting
	var names []int32
	for _, c := range all {
		wants[c] = rapid.Bool().Draw(t, "wants")
		if wants[c] && !slices.Contains(active, c) {
			waiting, names = append(waiting, choke.Waiting{Served: served[c]}), append(names, c)
		}
	}
	i := slices.IndexFunc(line.Waiting(), func(c int32) bool { return wants[c] })
	k := choke.Next(now, waiting)
	switch {
	case i < 0 && k < 0:
		return -1
	case i < 0 || k < 0 || line.Waiting()[i] != names[k]:
		t.Fatalf("the line's %d is not Next's %d", i, k)
	}
	line.Begin(i)
	return names[k]
}
