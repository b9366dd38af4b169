package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/node"
)

// get is one run of the get command.
type get struct {
	app    *app
	keep   Seeding
	o      node.GetOptions
	from   fromServer
	detach bool
}

func (a *app) getCommand() *cobra.Command {
	g := &get{app: a}
	c := &cobra.Command{
		Use:   "get SOURCE",
		Short: "Fetch a ticket, a magnet link, a .torrent file, a share link or a file on a server",
		Long: `get fetches what SOURCE names, from a swarm: a ticket (tandem:...), a magnet link or
the path of an existing .torrent file; or from a server: the URL of a share link
(https://HOST/s/TOKEN), or NAME/PATH, a file or folder in a collection of the
server you signed in at (SERVER:NAME/PATH for another one). A .torrent file of that
path goes first.

It resumes after anything, checks every byte, and files appear under their final
names only when they are complete. From a server, files that are there with the
same content stay, and different ones are not replaced without --force.`,
		Example: `  tandem get tandem:AbC... --dir ~/Downloads
  tandem get film.torrent --select '*.srt' --keep-seeding 12h
  tandem get photos/2026 --dir ~/Pictures
  tandem get https://files.example/s/AbC...`,
		Args: cobra.ExactArgs(1),
		RunE: g.run,
	}
	f := c.Flags()
	f.StringVar(&g.o.Dir, "dir", ".", "put it into `DIR`")
	f.StringArrayVar(&g.o.Select, "select", nil, "fetch only files whose path matches `GLOB`, may be repeated")
	f.StringArrayVar(&g.o.Peers, "peer", nil, "also fetch from the node at `HOST:PORT`, may be repeated")
	f.StringArrayVar(&g.o.Trackers, "tracker", nil, "also ask the tracker at `URL`, may be repeated")
	f.Var(&g.keep, "keep-seeding", "serve on after completion for this long, such as 30m, or forever")
	f.BoolVar(&g.detach, "detach", false, "hand the transfer to the running node and return; it serves on until stopped unless --keep-seeding says otherwise")
	listenFlag(c)
	g.serverFlags(c)
	return c
}

func (g *get) run(c *cobra.Command, args []string) error {
	var err error
	if args[0] != "" && g.app.serverSource(c, args[0]) {
		if g.o.Dir, err = absolute(g.o.Dir); err != nil {
			return err
		}
		return hintBy(clientHints, g.fetch(c, args[0]))
	}
	if g.o.Source, err = absoluteSource(args[0]); err != nil {
		return err
	}
	if g.o.Dir, err = absolute(g.o.Dir); err != nil {
		return err
	}
	if err := checkNamed(g.o.Common); err != nil {
		return err
	}
	for _, glob := range g.o.Select {
		if err := node.CheckGlob(glob); err != nil {
			return usageError{fmt.Errorf("--select: %w", err)}
		}
	}
	g.o.KeepSeeding = time.Duration(g.keep)
	if g.detach {
		if !c.Flags().Changed("keep-seeding") {
			g.o.KeepSeeding = node.Forever
		}
		g.o.Up, g.o.Down = g.app.itemLimits(c)
		return hintLink(g.o.Source, g.app.detached(c, node.Request{Get: &g.o}, false))
	}
	return g.app.foreground(c, false, func(n *node.Node, r reporter) (*node.Item, error) {
		it, err := n.Get(c.Context(), g.o, watcher(r))
		return it, hintLink(g.o.Source, err)
	})
}
