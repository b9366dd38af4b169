package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"tandem/internal/node"
)

// printItems is the overview.
func printItems(w io.Writer, items []node.Snapshot) {
	if len(items) == 0 {
		fmt.Fprintln(w, "nothing is shared or fetched")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "ID\tKIND\tSTATE\tDONE\tDOWN\tUP\tPEERS\tNAME")
	for _, s := range items {
		state := s.State
		if s.Error != "" {
			state += "!"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", s.ID, s.Kind, clean(state), percent(s),
			bitsText(s.Rate), bitsText(s.UpRate), len(s.Peers), clean(s.Name))
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
	row("done", "%s of %s (%s), %d of %d pieces", bytesText(s.Bytes), bytesText(s.Total), percent(s), s.Pieces, s.Wanted)
	row("rates", "%s down, %s up", bitsText(s.Rate), bitsText(s.UpRate))
	row("taken, given", "%s, %s", bytesText(s.FromPeers), bytesText(s.Uploaded))
	row("copies", "%.2f among the peers", s.Copies)
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
			bitsText(p.DownRate), bitsText(p.UpRate), pieces, clean(p.Client))
	}
}
