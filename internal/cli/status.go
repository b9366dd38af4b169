package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"tandem/internal/node"
	"tandem/internal/units"
)

// printItems is the overview.
func printItems(w io.Writer, items []node.Snapshot) {
	if len(items) == 0 {
		fmt.Fprintln(w, "nothing is shared or fetched")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "ID\tKIND\tSTATE\tDONE\tDOWN\tUP\tPEERS\tFROM-SERVER\tFROM-PEERS\tNAME")
	for _, s := range items {
		state := s.State
		if s.Error != "" || s.Notice != "" {
			state += "!"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.ID, s.Kind, clean(state), percent(s),
			units.Bits(s.Rate), units.Bits(s.UpRate), len(s.Peers), units.Bytes(s.FromOrigin), units.Bytes(s.FromPeers), clean(s.Name))
	}
}

func percent(s node.Snapshot) string {
	switch {
	case s.Total == 0 && s.State == "seeding":
		return "100 %"
	case s.Total == 0:
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(s.Bytes)/float64(s.Total))
}

// printItem is one item in full, with its link.
func printItem(w io.Writer, s node.Snapshot) {
	row := func(key, format string, args ...any) {
		fmt.Fprintf(w, "%-14s%s\n", key, clean(fmt.Sprintf(format, args...)))
	}
	row("id", "%s", s.ID)
	row("kind", "%s, audience %s", s.Kind, s.Audience)
	row("name", "%s", s.Name)
	if s.Path != "" {
		row("path", "%s", s.Path)
	}
	row("state", "%s", s.State)
	if s.Error != "" {
		row("error", "%s", s.Error)
	}
	row("done", "%s of %s (%s), %d of %d pieces", units.Bytes(s.Bytes), units.Bytes(s.Total), percent(s), s.Pieces, s.Wanted)
	row("rates", "%s down, %s up", units.Bits(s.Rate), units.Bits(s.UpRate))
	row("taken", "%s from the server, %s from this network, %s from other peers",
		units.Bytes(s.FromOrigin), units.Bytes(s.FromLAN), units.Bytes(s.FromPeers-s.FromLAN))
	row("given", "%s", units.Bytes(s.Uploaded))
	row("copies", "%.2f among the peers", s.Copies)
	printHybrid(row, s)
	if s.Limit != "" {
		row("limit", "%s", s.Limit)
	}
	if s.Link != "" {
		row("link", "%s", s.Link)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Finders)) {
		row("found by", "%s: %s", name, s.Finders[name])
	}
	printPeers(w, s.Peers)
}

// printHybrid is what there is to say of an item that has a server.
func printHybrid(row func(key, format string, args ...any), s node.Snapshot) {
	for _, o := range s.Origins {
		line := o.Name + ": " + o.State
		if o.Error != "" {
			line += ", " + o.Error
		}
		row("server", "%s", line)
	}
	if s.Notice != "" {
		row("notice", "%s", s.Notice)
	}
	if s.Via != "" {
		row("via", "%s", s.Via)
	}
	if s.Holders > 0 {
		row("whole copies", "%d beside the server", s.Holders)
	}
	if !s.Until.IsZero() {
		row("kept until", "%s", when(s.Until))
	}
	if u := s.Upload; u != nil {
		row("upload", "%s, %s of %s", u.State, units.Bytes(u.Done), units.Bytes(u.Total))
	}
	if s.Offer != nil {
		row("offer", "%s", offerText(s))
	}
	if len(s.Lost) > 0 && !served(s) {
		row("missing", "%s", missingText(s))
	}
	if s.Best > 0 {
		row("best", "%.0f %% of the best possible", min(100*s.Best, 100))
	}
}

func printPeers(w io.Writer, peers []node.PeerSnapshot) {
	if len(peers) == 0 {
		return
	}
	slices.SortFunc(peers, func(a, b node.PeerSnapshot) int {
		return cmp.Or(cmp.Compare(b.DownRate+b.UpRate, a.DownRate+a.UpRate), cmp.Compare(a.Name, b.Name))
	})
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "\nPEER\tADDRESS\tPATH\tDOWN\tUP\tPIECES\tCLIENT")
	for _, p := range peers {
		pieces := fmt.Sprint(p.Pieces)
		if p.Seeder {
			pieces = "all"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", clean(p.Name), clean(p.Addr), p.Path,
			units.Bits(p.DownRate), units.Bits(p.UpRate), pieces, clean(p.Client))
	}
}
