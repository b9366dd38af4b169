package swarm

import (
	"time"

	"tandem/internal/peer"
)

// holders remembers who had pieces last that nobody connected has.
type holders struct {
	last []uint16 // per piece: place in known, 0 for nobody; made with the first
	// known[0] is nobody. Those that no piece refers to any more make room.
	known []holder
}

type holder struct {
	key   peer.Key
	since time.Duration
}

// maxHolders bounds holders.known. With more, the oldest are forgotten: those
// pieces are lost without a name.
const maxHolders = 1024

// left notes what goes with c, which is still counted.
func (h *holders) left(s *Swarm, c *conn) {
	if c.origin || s.complete {
		return
	}
	at := uint16(0)
	for i := s.wanted.Next(0); i >= 0; i = s.wanted.Next(i + 1) {
		if s.have.Has(i) || !c.peer.Has(i) || s.picker.Count(i) != 1 {
			continue
		}
		if at == 0 {
			at = h.add(s.geo.NumPieces(), holder{c.caps.Key, s.now})
		}
		h.last[i] = at
	}
}

// add returns the place of a holder that was not there.
func (h *holders) add(pieces int, who holder) uint16 {
	if h.last == nil {
		h.last = make([]uint16, pieces)
		h.known = make([]holder, 1)
	}
	if len(h.known) == maxHolders {
		h.compact()
	}
	h.known = append(h.known, who)
	return uint16(len(h.known) - 1)
}

// compact forgets holders that no piece refers to, and the older half of the
// others if that is not enough.
func (h *holders) compact() {
	place := make([]uint16, len(h.known))
	used := 0
	for _, at := range h.last {
		if at > 0 && place[at] == 0 {
			place[at] = 1
			used++
		}
	}
	skip := 0
	if used > maxHolders/2 {
		skip = used - maxHolders/2
	}
	kept := h.known[:1]
	for at := 1; at < len(place); at++ {
		if place[at] == 0 {
			continue
		}
		if skip > 0 {
			skip--
			place[at] = 0
			continue
		}
		kept = append(kept, h.known[at])
		place[at] = uint16(len(kept) - 1)
	}
	h.known = kept
	for i, at := range h.last {
		h.last[i] = place[at]
	}
}

// Lost returns the wanted pieces that nobody connected has, in runs of the same
// last holder. With an origin connected nothing is lost. Pieces that may be here
// and are still to be verified are not among them.
func (s *Swarm) Lost() []Lost {
	if s.origins > 0 || s.complete {
		return nil
	}
	var runs []Lost
	last := uint16(0)
	for i := s.wanted.Next(0); i >= 0; i = s.wanted.Next(i + 1) {
		if s.have.Has(i) || s.suspect.Has(i) || s.picker.Count(i) > 0 {
			continue
		}
		if p := s.byPiece[int32(i)]; p != nil && p.closed {
			continue
		}
		at := uint16(0)
		if s.holders.last != nil {
			at = s.holders.last[i]
		}
		if n := len(runs); n > 0 && runs[n-1].Last == i-1 && at == last {
			runs[n-1].Last = i
			continue
		}
		last = at
		l := Lost{First: i, Last: i}
		if at > 0 {
			who := s.holders.known[at]
			l.Holder, l.Since = who.key, s.epoch.Add(who.since)
		}
		runs = append(runs, l)
	}
	return runs
}
