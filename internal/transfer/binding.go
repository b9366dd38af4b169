package transfer

import (
	"maps"
	"slices"
	"time"
)

// The limits that may bind a download; limitUp binds a seeder.
const (
	limitNone     = "nothing to do"
	limitPeers    = "no peer has what is missing" // and no server answers
	limitServer   = "the server's upload"
	limitChoked   = "peers do not serve us"
	limitDown     = "the down limit"
	limitUp       = "the up limit"
	limitDisk     = "your disk"
	limitFull     = "no room on the device"
	limitLink     = "your download link"
	limitUploads  = "the swarm's upload"
	limitComputer = "this computer"
	limitUnknown  = "too short to tell"
)

// limitTally counts, second by second, which limit bound.
type limitTally struct {
	now    string
	count  map[string]int
	frozen string

	seeding string // what limits a node that has everything, now
}

// sample judges the last second.
func (l *limitTally) sample(t *Transfer) {
	if t.isComplete() {
		l.seeding = limitNone
		if limit := strictest(t.cfg.Up); limit > 0 && t.sw.Stats().UpRate > nearLimit*limit {
			l.seeding = limitUp
		}
		return
	}
	if l.count == nil {
		l.count = map[string]int{}
	}
	l.now = t.binding()
	l.count[l.now]++
}

// freeze keeps what bound the transfer most of the time. One that was over
// before a second was judged does not tell.
func (l *limitTally) freeze(fetched bool) {
	names := slices.Sorted(maps.Keys(l.count))
	for _, name := range names {
		if l.frozen == "" || l.count[name] > l.count[l.frozen] {
			l.frozen = name
		}
	}
	switch {
	case !fetched:
		l.frozen = limitNone
	case l.frozen == "":
		l.frozen = limitUnknown
	}
}

func (l *limitTally) say(t *Transfer) string {
	switch {
	case !t.isComplete():
		return l.now
	case l.frozen == limitNone && l.seeding != "": // it only ever served
		return l.seeding
	}
	return l.frozen
}

// nearBusy is the part of the machine's CPUs from which on they bind. Where the system
// does not say, it is taken from a rate, in bytes per second, at which hashing and copying
// bind rather than a link: an eighth of what one core hashes.
const (
	nearBusy = 0.9
	fastRate = 150e6
)

// overworked reports whether the machine could not do more in the last second.
func (t *Transfer) overworked(rate float64) bool {
	if t.cfg.Busy != nil {
		if part, ok := t.cfg.Busy(); ok {
			return part > nearBusy
		}
	}
	return rate > fastRate
}

// nearLimit is the part of a limit from which on it counts as binding.
const nearLimit = 0.85

// serverPart is the part of what arrives from which on a server's upload, rather
// than the swarm's, is what binds.
const serverPart = 0.5

// binding names what limits the download now. A link of ours shows by round
// trips that grow on all connections together, since the queue is then before
// our door. Of a server we do not see round trips, but it knows its own uplink
// and says when there is a crowd; while it says nothing it gives what we can
// take. Otherwise it is the others' uploads.
func (t *Transfer) binding() string {
	if t.paused {
		return limitFull
	}
	if t.done() {
		return limitNone
	}
	s := t.sw.Stats()
	busy := t.overworked(s.DownRate)
	useful, waiting, grown, timed := 0, 0, 0, 0
	fromServer := 0.0
	for _, st := range s.Conns {
		if !st.WeInterested && !st.Origin {
			continue
		}
		useful++
		if st.Outstanding > 0 {
			waiting++
		}
		if st.Origin {
			fromServer += st.DownRate
			continue
		}
		if c := t.byID[st.Conn]; c != nil && c.rtt > 0 && st.DownRate > 0 {
			timed++
			if c.rtt > 2*c.best && c.rtt-c.best > 20*time.Millisecond {
				grown++
			}
		}
	}
	limit := strictest(t.cfg.Down)
	switch {
	case useful == 0:
		return limitPeers
	case limit > 0 && s.DownRate > nearLimit*limit:
		return limitDown
	case t.budget.scarce():
		return limitDisk
	case waiting == 0 && t.diverted():
		return limitServer
	case waiting == 0:
		return limitChoked
	case busy:
		return limitComputer
	case timed > 1 && 3*grown > 2*timed:
		return limitLink
	case fromServer <= serverPart*s.DownRate:
		return limitUploads
	case t.diverted() || (timed == 0 && t.crowded) || (timed > 0 && 3*grown <= 2*timed):
		return limitServer
	}
	return limitLink
}
