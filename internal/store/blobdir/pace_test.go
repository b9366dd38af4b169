package blobdir

import (
	"testing"
	"time"
)

func TestPaceFindsTheFasterWay(t *testing.T) {
	for name, c := range map[string]struct {
		device, files time.Duration // of a group of 10
		want          way
	}{
		"a device of our own":             {5 * time.Millisecond, 9 * time.Millisecond, deviceSync},
		"a device that others write much": {90 * time.Millisecond, 9 * time.Millisecond, fileSyncs},
		"no difference":                   {time.Millisecond, time.Millisecond, deviceSync},
	} {
		var p pace
		var used [2]int
		for range 10 * probeEvery {
			w := p.choose()
			used[w]++
			p.note(w, [2]time.Duration{c.device, c.files}[w], 10)
		}
		if rare := used[1-c.want]; rare > 12 || rare < 9 {
			t.Errorf("%s: synced %d times the other way", name, rare)
		}
	}
}

func TestPaceNoticesAChange(t *testing.T) {
	var p pace
	cost := [2]time.Duration{time.Millisecond, 10 * time.Millisecond}
	for range 2 * probeEvery {
		w := p.choose()
		p.note(w, cost[w], 1)
	}
	cost[deviceSync] = time.Second
	used := 0
	for range 2 * probeEvery {
		w := p.choose()
		p.note(w, cost[w], 1)
		if w == deviceSync {
			used++
		}
	}
	if used > 4 {
		t.Errorf("the slow way was taken %d times before it was left", used)
	}
}
