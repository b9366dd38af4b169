package cli

import (
	"fmt"
	"strings"
	"time"

	"tandem/internal/node"
	"tandem/internal/units"
)

// summary is the line that ends a download: how long, how much from whom, how near that was
// to the best possible, and which limit bound it.
func summary(s node.Snapshot) string {
	took := max(s.Completed.Sub(s.Started), time.Millisecond)
	line := fmt.Sprintf("%s in %s", units.Bytes(s.Total), units.Seconds(took))
	if s.FromPeers+s.FromOrigin == 0 {
		return line + ", all of it already here and checked"
	}
	if here := s.Total - s.FromPeers - s.FromOrigin; here > 0 && here >= s.Total/100 {
		line += fmt.Sprintf(", %s of it already here", units.Bytes(here))
	}
	line += ": " + shares(s)
	if s.Best > 0 {
		line += fmt.Sprintf("; %.0f %% of the best possible", min(100*s.Best, 100))
	}
	if s.Limit != "" {
		line += "; limit: " + clean(s.Limit)
	}
	return line
}

// shares says what came from peers and what from the server, the larger part first.
func shares(s node.Snapshot) string {
	if s.FromPeers == 0 {
		return "100 % from the server"
	}
	peers := "from " + plural(max(len(s.Sources), 1), "peer")
	if near := s.FromLAN; near > 0 {
		near := percentOf(near, s.FromPeers)
		if near == 100 {
			peers += " on this network"
		} else {
			peers += fmt.Sprintf(" (%d %% of that on this network)", near)
		}
	}
	part := percentOf(s.FromPeers, s.FromPeers+s.FromOrigin)
	of := fmt.Sprintf("%d %% %s", part, peers)
	if s.FromOrigin == 0 {
		return of
	}
	origin := fmt.Sprintf("%d %% from the server", 100-part)
	if s.FromOrigin > s.FromPeers {
		return origin + ", " + of
	}
	return of + ", " + origin
}

// percentOf rounds so that a part is neither nothing nor all.
func percentOf(part, all int64) int {
	switch {
	case part <= 0 || all <= 0:
		return 0
	case part >= all:
		return 100
	}
	return min(max(int(float64(part)/float64(all)*100+0.5), 1), 99)
}

// missingHint is what to do about pieces that nobody has.
const missingHint = "ask who has a whole copy to run: tandem get LINK --keep-seeding forever; what is here is kept, and the same command goes on from it"

// maxRuns bounds how many runs of pieces are named.
const maxRuns = 8

// missingText names the pieces that nobody has, and who had them last.
func missingText(s node.Snapshot) string {
	missing, holder := 0, node.LostSnapshot{}
	var runs []string
	for _, l := range s.Lost {
		missing += l.Last - l.First + 1
		if l.Since.After(holder.Since) || holder.Holder == "" {
			holder = l
		}
		switch {
		case len(runs) == maxRuns:
			runs = append(runs, "...")
		case len(runs) > maxRuns:
		case l.First == l.Last:
			runs = append(runs, fmt.Sprint(l.First))
		default:
			runs = append(runs, fmt.Sprintf("%d-%d", l.First, l.Last))
		}
	}
	text := fmt.Sprintf("%d of %s missing (%s): nobody connected has them", missing, pieces(s.Wanted), strings.Join(runs, ", "))
	if holder.Holder != "" {
		text += "; the last that had some was node " + clean(holder.Holder)
		if !holder.Since.IsZero() {
			text += ", gone since " + holder.Since.Local().Format(time.TimeOnly)
		}
	}
	for _, o := range s.Origins {
		text += "; the server " + clean(o.Name) + " " + whyNot(o.State)
	}
	return text
}

// whyNot says why a server that had the pieces does not give them.
func whyNot(state string) string {
	switch state {
	case "changed":
		return "has a newer version instead"
	case "refused":
		return "gives them to us no more"
	}
	return "had them, and is away"
}

func pieces(n int) string {
	if n == 1 {
		return "1 piece is"
	}
	return fmt.Sprintf("%d pieces are", n)
}
