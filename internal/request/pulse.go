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
	gap    time.Duration // the silence before this burst
	left   int           // answers in it until nothing is left of the queue that the silence found
	before time.Duration // the silence before the last burst, if it emptied the queue
	pause  time.Duration
}

// Answered counts a block that came after waited, the time since the last one or
// since there was something to wait for, when outstanding requests, it included,
// were unanswered.
func (p *Pulse) Answered(waited time.Duration, outstanding int) {
	if waited >= pulseLeast {
		if p.left > 0 {
			p.before = 0
		}
		p.gap, p.left = min(waited, pulseMost), outstanding
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
	gap := min(p.gap, p.before)
	p.before = p.gap
	if gap > p.pause {
		p.pause = gap
	} else if gap > 0 {
		p.pause -= (p.pause - gap) / 8
	}
}

// Slack returns what a queue is to hold beyond the round trip, as a time: a
// quarter of a second, or the silence between pulses and half as much again, so
// that the rate of a peer with more to give grows by half with each.
func (p *Pulse) Slack() time.Duration { return max(slack, p.pause+p.pause/2) }
