package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/metainfo"
	"tandem/internal/node"
	"tandem/internal/units"
)

// badEvent is one bad piece in --json.
type badEvent struct {
	Event string    `json:"event"`
	Piece int       `json:"piece"`
	Why   string    `json:"why"`
	Files []badSpan `json:"files"`
}

type badSpan struct {
	Path string `json:"path"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

func (a *app) verifyCommand() *cobra.Command {
	var o node.SeedOptions
	c := &cobra.Command{
		Use:   "verify FILE.torrent",
		Short: "Check files against a torrent and name bad pieces",
		Long: `verify hashes what stands in DIR and names each bad piece with its file and
bytes. With --repair it fetches those pieces, and only those, and writes them in
place; files of the wrong length are cut or extended.`,
		Example: `  tandem verify film.torrent --dir ~/Films
  tandem verify film.torrent --dir ~/Films --repair`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Torrent, err = absolute(args[0]); err != nil {
				return err
			}
			if o.Dir, err = absolute(o.Dir); err != nil {
				return err
			}
			if err := checkNamed(o.Common); err != nil {
				return err
			}
			if o.Repair {
				return a.repair(c, o)
			}
			return a.verify(c, o)
		},
	}
	seedFlags(c, &o)
	c.Flags().BoolVar(&o.Repair, "repair", false, "fetch the bad pieces")
	return c
}

func (a *app) verify(c *cobra.Command, o node.SeedOptions) error {
	r := a.reporter(false)
	t, bad, err := node.Verify(c.Context(), o, watcher(r))
	r.Close()
	if err != nil {
		return err
	}
	a.printBad(t, bad)
	if len(bad) > 0 {
		return fault.Errorf(fault.Corrupt, "%d of %d pieces are missing or bad", len(bad), t.Manifest.NumPieces())
	}
	return nil
}

func (a *app) repair(c *cobra.Command, o node.SeedOptions) error {
	return a.foreground(c, false, waits{silence: silence}, func(n *node.Node, r reporter) (*node.Item, error) {
		return n.Repair(c.Context(), o, watcher(r), func(t *metainfo.Torrent, bad []node.BadPiece) {
			r.Close()
			a.printBad(t, bad)
		})
	})
}

func (a *app) printBad(t *metainfo.Torrent, bad []node.BadPiece) {
	for _, b := range bad {
		if a.json {
			ev := badEvent{Event: "bad", Piece: b.Piece, Why: fault.KindOf(b.Why).String(), Files: []badSpan{}}
			for _, s := range b.Spans {
				ev.Files = append(ev.Files, badSpan(s))
			}
			writeJSON(a.stdout, ev)
			continue
		}
		var where []string
		for _, s := range b.Spans {
			where = append(where, fmt.Sprintf("%s bytes %d-%d", clean(s.Path), s.From, s.To-1))
		}
		fmt.Fprintf(a.stdout, "bad piece %d (%s): %s\n", b.Piece, fault.KindOf(b.Why), strings.Join(where, ", "))
	}
	if a.json {
		return
	}
	m := t.Manifest
	fmt.Fprintf(a.stdout, "%d of %d pieces are right (%s of %s)\n", m.NumPieces()-len(bad), m.NumPieces(),
		units.Bytes(m.TotalBytes()-badBytes(bad)), units.Bytes(m.TotalBytes()))
}

func badBytes(bad []node.BadPiece) int64 {
	var n int64
	for _, b := range bad {
		for _, s := range b.Spans {
			n += s.To - s.From
		}
	}
	return n
}
