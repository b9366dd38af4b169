package choke

import (
	"slices"
	"time"
)

// Rotation is how often Slots should be asked.
const Rotation = 10 * time.Second

// Peer is an interested peer as Slots sees it.
type Peer struct {
	Unchoked bool
	Since    time.Duration // when it was choked or unchoked last
	Rate     float64       // bytes per second it sends us
}

// Slots returns which peers to have unchoked, at most limit, as indices in
// ascending order. Three quarters of the slots go to those who send us most, if
// we want anything from them; the rest rotate: whoever waited longest takes the
// place of whoever had one longest. While seeding is true all slots rotate.
func Slots(peers []Peer, limit int, seeding bool) []int {
	if len(peers) <= limit {
		all := make([]int, len(peers))
		for i := range all {
			all[i] = i
		}
		return all
	}
	rest := make([]int, 0, len(peers))
	for i := range peers {
		rest = append(rest, i)
	}
	var chosen []int
	if !seeding {
		chosen, rest = earned(peers, rest, limit-max(1, limit/4))
	}
	chosen = append(chosen, rotated(peers, rest, limit-len(chosen))...)
	slices.Sort(chosen)
	return chosen
}

// earned splits off the n peers that send us most; who sends nothing earns
// nothing. A peer that has a slot keeps it against an equal.
func earned(peers []Peer, from []int, n int) (chosen, rest []int) {
	slices.SortStableFunc(from, func(a, b int) int {
		switch x, y := worth(peers[a]), worth(peers[b]); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for len(chosen) < n && len(chosen) < len(from) && peers[from[len(chosen)]].Rate > 0 {
		chosen = from[:len(chosen)+1]
	}
	return slices.Clone(chosen), from[len(chosen):]
}

func worth(p Peer) float64 {
	if p.Unchoked {
		return p.Rate * 1.1
	}
	return p.Rate
}

// rotated returns n of the peers: of those who had a slot the newer half of n
// stay, the others are those who waited longest.
func rotated(peers []Peer, from []int, n int) []int {
	var had, waited []int
	for _, i := range from {
		if peers[i].Unchoked {
			had = append(had, i)
		} else {
			waited = append(waited, i)
		}
	}
	byAge := func(a, b int) int { return int(min(max(peers[a].Since-peers[b].Since, -1), 1)) }
	slices.SortStableFunc(had, byAge)
	slices.SortStableFunc(waited, byAge)
	fresh := min(len(waited), max(n-len(had), (n+1)/2))
	stay := min(len(had), n-fresh)
	return append(had[len(had)-stay:], waited[:fresh]...)
}
