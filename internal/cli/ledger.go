package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"tandem/internal/origin/api"
	"tandem/internal/units"
)

func (a *app) ledgerCommand() *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Show how much came from the server, and how much from peers",
		Long: `ledger shows how many bytes of content came from the server, from peers on the same
network and from other peers: for each share, user or transfer. Admins see all of the
server, others what is theirs. What the server sent it has counted itself; what peers
gave is what the nodes that took it say.`,
		Example: `  tandem ledger
  tandem ledger --by transfer --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"share", "user", "transfer"}, by) {
				return usageError{fmt.Errorf("--by %q: it is share, user or transfer", by)}
			}
			return a.client(func(ctx context.Context, r *remote, _ []string) error {
				list, err := r.Ledger(ctx, by)
				if err != nil {
					return err
				}
				rows(a, list, ledgerHead(by), func(l api.LedgerLine) []string { return ledgerRow(by, l) })
				return nil
			})(c, args)
		},
	}
	c.Flags().StringVar(&by, "by", "share", "add up by `WHAT`: share, user or transfer")
	complete(c, "by", "share", "user", "transfer")
	return serverFlag(c)
}

func ledgerHead(by string) string {
	const parts = " SERVER LAN PEERS TOGETHER LAST"
	switch by {
	case "user":
		return "USER" + parts
	case "transfer":
		return "SHARE NODE USER" + parts
	}
	return "SHARE" + parts
}

func ledgerRow(by string, l api.LedgerLine) []string {
	out := []string{cmp.Or(l.Name, "(links)")}
	if by == "transfer" {
		out = append(out, shortNode(l.Node), cmp.Or(l.User, "-"))
	}
	s := l.Served
	return append(out, units.Bytes(s.Server), units.Bytes(s.LAN), units.Bytes(s.Peers), units.Bytes(s.Server+s.LAN+s.Peers), when(l.Updated))
}

// shortNode is enough of a node's ID to tell it from others.
func shortNode(id string) string { return id[:min(8, len(id))] }

// servedText is a ledger in a cell: how much in all, and how much of it the server had to send.
func servedText(s *api.Served) string {
	if s == nil {
		return "-"
	}
	all := s.Server + s.LAN + s.Peers
	if all == 0 {
		return "0 B"
	}
	return fmt.Sprintf("%s, %d %% by the server", units.Bytes(all), percentOf(s.Server, all))
}
