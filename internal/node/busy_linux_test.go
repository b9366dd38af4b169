package node

import "testing"

func TestCPUTimesAreRead(t *testing.T) {
	for _, c := range []struct {
		name, stat string
		work, all  int64
		ok         bool
	}{
		{"a usual line", "cpu  100 20 30 800 40 5 6 7 8 9\ncpu0 1 2 3 4\n", 168, 1008, true},
		{"an old system's", "cpu 10 0 5 85\n", 15, 100, true},
		{"another file", "MemTotal: 12 kB\n", 0, 0, false},
		{"nothing", "", 0, 0, false},
		{"no numbers", "cpu a b c d e\n", 0, 0, false},
		{"below zero", "cpu 1 -2 3 4 5\n", 0, 0, false},
	} {
		work, all, ok := cpuTimes([]byte(c.stat))
		if work != c.work || all != c.all || ok != c.ok {
			t.Errorf("%s: %d of %d, %v, want %d of %d, %v", c.name, work, all, ok, c.work, c.all, c.ok)
		}
	}
}

func TestBusyNeedsTwoLooks(t *testing.T) {
	busy := newBusy()
	if _, ok := busy(); ok {
		t.Error("the first look has nothing to compare with")
	}
	if part, _ := busy(); part < 0 || part > 1 {
		t.Errorf("%v of the CPUs are busy", part)
	}
}
