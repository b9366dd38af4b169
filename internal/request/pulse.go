package request

import "time"

const (
	// pulseLeast is the shortest silence that can be one between two pulses.
	pulseLeast = 100 * time.Millisecond
	// pulseMost bounds what is believed of a peer: a longer silence is no rhythm.
	pulseMost = 2 * time.Second
)

// Pulse notices a peer that answers in pulses: silence, all that it was asked at
// once, silence. transmission hands blocks to its sockets twice a second; with
// four requests outstanding, enough by a round trip of a millisecond, it is kept
// at 131 kB/s for ever, since what does not flow does not raise the rate that the
// depth follows. A queue that was too short for the silence is told by this: all
// of it came in one burst, and the next silence found it empty. Twice in a row,
// since once alone is a turn come late. The zero Pulse has seen nothing.
type Pulse struct {
	began  time.Duration // the last burst
	left   int           // answers in it until nothing is left of the queue that the silence found
	dry    bool          // nothing was left
	period time.Duration // from the burst before to it, if that emptied the queue too
	held   time.Duration // what is believed of the period
}

// Answered counts a block that came after waited, the time since the last one or
// since there was something to wait for, when outstanding requests, it included,
// were unanswered.
func (p *Pulse) Answered(now, waited time.Duration, outstanding int) {
	if waited >= pulseLeast {
		p.period = 0
		if p.dry {
			p.period = min(now-p.began, pulseMost)
		}
		p.began, p.left, p.dry = now, outstanding, false
		if outstanding < MinDepth {
			p.left = 0 // little was asked for: that it came at once says nothing
		}
	}
	if p.left == 0 {
		return
	}
	if p.left--; p.left > 0 {
		return
	}
	p.dry = true
	switch {
	case p.period > p.held:
		p.held = p.period
	case p.period > 0:
		p.held -= (p.held - p.period) / 8
	}
}

// Slack returns what a queue is to hold beyond the round trip, as a time: a
// quarter of a second, or the time between two pulses twice, so that the rate of
// a peer with more to give doubles with each.
func (p *Pulse) Slack() time.Duration { return max(slack, 2*p.held) }
