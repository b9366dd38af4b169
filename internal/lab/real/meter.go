package real

import (
	"os"
	"strconv"
	"strings"
)

// maxBusy is the share of the machine's CPU above which a run is void: what is measured
// then is the machine.
const maxBusy = 0.70

// meter measures how busy the machine is, all its programs together.
type meter struct{ busy, total int64 }

// startMeter begins to measure.
func startMeter() meter {
	text, _ := os.ReadFile("/proc/stat")
	return parseLoad(string(text))
}

// stop returns the share of the machine's CPU that was busy, 0 to 1, and whether that is
// known here.
func (m meter) stop() (float64, bool) {
	now := startMeter()
	if now.total <= m.total {
		return 0, false
	}
	return float64(now.busy-m.busy) / float64(now.total-m.total), true
}

// parseLoad reads the first line of /proc/stat: ticks of all CPUs together, by what they
// did. Waiting for a disk is idle; what a hypervisor took away is not, since it was wanted.
func parseLoad(text string) (m meter) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return meter{}
	}
	for i, f := range fields[1:min(len(fields), 9)] { // guests are counted in user time
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || n < 0 {
			return meter{}
		}
		m.total += n
		if i != 3 && i != 4 {
			m.busy += n
		}
	}
	return m
}
