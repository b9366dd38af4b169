package real

import (
	"os"
	"testing"
	"time"
)

func TestWhatTheSystemSaysOfAProcess(t *testing.T) {
	for text, want := range map[string]int64{
		"Name:\ttandem\nVmPeak:\t  99 kB\nVmHWM:\t   30124 kB\nVmRSS:\t 5 kB\n": 30124 << 10,
		"Name:\ttandem\n":       0,
		"VmHWM:\t lots of kB\n": 0,
	} {
		if got := parsePeak(text); got != want {
			t.Errorf("%q is a peak of %d", text, got)
		}
	}
	for text, want := range map[string]time.Duration{
		"42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 8 0 100 0": 3 * time.Second,
		"42 (tandem) S 1 42":                0,
		"":                                  0,
		"42 (a) S 1 2 3 4 5 6 7 8 9 10 x y": 0,
	} {
		if got := parseCPU(text); got != want {
			t.Errorf("%q is %v of CPU time", text, got)
		}
	}
	if pid := os.Getpid(); peakMemory(pid) < 1<<20 || !alive(pid) || peakMemory(1<<30) != 0 || alive(1<<30) {
		t.Error("what is known of this process, or of one that is not there, is wrong")
	}
}
