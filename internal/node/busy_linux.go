package node

import (
	"bytes"
	"os"
	"strconv"
)

// newBusy returns what tells which part of this machine's CPUs was busy since it was
// last asked. It is for one goroutine.
func newBusy() func() (float64, bool) {
	var work, all int64
	return func() (float64, bool) {
		stat, err := os.ReadFile("/proc/stat")
		if err != nil {
			return 0, false
		}
		w, a, ok := cpuTimes(stat)
		part := float64(w-work) / float64(max(a-all, 1))
		first := all == 0
		work, all = w, a
		return part, ok && !first
	}
}

// cpuTimes reads the first line of /proc/stat (proc(5)): the time, in ticks of all CPUs
// together, that went into work, and all of it.
func cpuTimes(stat []byte) (work, all int64, ok bool) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 5 || string(fields[0]) != "cpu" {
		return 0, 0, false
	}
	const idle, iowait, guest = 4, 5, 9 // guests are counted as user already
	for i, f := range fields[1:min(len(fields), guest)] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		all += n
		if i+1 != idle && i+1 != iowait {
			work += n
		}
	}
	return work, all, true
}
