package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/node"
	"tandem/internal/transfer"
)

// get is one run of the get command.
type get struct {
	app      *app
	keep     Seeding
	patience Seeding
	via      string
	o        node.GetOptions
	from     fromServer
	detach   bool
	item     *node.Item // nil until it has begun here
}

func (a *app) getCommand() *cobra.Command {
	g := &get{app: a, patience: Seeding(node.Forever)}
	c := &cobra.Command{
		Use:   "get SOURCE",
		Short: "Fetch a link, a ticket, a magnet link, a .torrent file, or a file on a server",
		Long: `get fetches what SOURCE names, from all who have it at once: peers, and the server
that shares it. SOURCE is the link of a server (https://HOST/s/TOKEN, with or without
what stands behind its #), NAME/PATH in a collection of the server you signed in at
(SERVER:NAME/PATH for another one), a ticket (tandem:...), a magnet link, or the path
of an existing .torrent file, which goes first.

While the server answers, it and peers on the same network give the content, and
others help when many want it. When it does not, whoever holds the whole link goes on
with peers alone, and back to the server as soon as it is there again. --via server
leaves peers out, --via peers the server.

get resumes after anything, checks every byte, and files appear under their final
names only when they are complete. Of a server's files that are there already, the
same stay, and different ones are not replaced without --force.`,
		Example: `  tandem get 'https://files.example/s/AbC...#tandem:...' --dir ~/Downloads
  tandem get photos/2026 --dir ~/Pictures --via server
  tandem get tandem:AbC... --patience 10m
  tandem get film.torrent --select '*.srt' --keep-seeding 12h`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return resumable(g.run(c, args)) },
	}
	f := c.Flags()
	f.StringVar(&g.o.Dir, "dir", ".", "put it into `DIR`")
	f.StringVar(&g.via, "via", string(transfer.ViaBoth), "fetch from `WHOM`: server, peers or both")
	f.StringArrayVar(&g.o.Select, "select", nil, "fetch only files whose path matches `GLOB`, may be repeated")
	f.StringArrayVar(&g.o.Peers, "peer", nil, "also fetch from the node at `HOST:PORT`, may be repeated")
	f.StringArrayVar(&g.o.Trackers, "tracker", nil, "also ask the tracker at `URL`, may be repeated")
	f.Var(&g.keep, "keep-seeding", "serve on after completion for this long, such as 30m, or forever")
	f.Var(&g.patience, "patience", "give up when nothing has come for this long, such as 10m")
	f.BoolVar(&g.detach, "detach", false, "hand the transfer to the running node and return; it serves on until stopped unless --keep-seeding says otherwise")
	listenFlag(c)
	g.serverFlags(c)
	complete(c, "via", string(transfer.ViaServer), string(transfer.ViaPeers), string(transfer.ViaBoth))
	return c
}

func (g *get) run(c *cobra.Command, args []string) error {
	if err := g.check(c); err != nil {
		return err
	}
	source := args[0]
	if source != "" && g.app.serverSource(c, source) {
		return hintBy(clientHints, g.fromServer(c, source))
	}
	if g.o.Via == transfer.ViaServer {
		return usageError{withHint("give the link of a server, or NAME/PATH on one", errors.New("--via server: this source names no server"))}
	}
	var err error
	if g.o.Source, err = absoluteSource(source); err != nil {
		return err
	}
	return g.start(c)
}

// check finds mistakes before anything starts.
func (g *get) check(c *cobra.Command) (err error) {
	if g.o.Via, err = parseVia(g.via); err != nil {
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
	if g.detach && c.Flags().Changed("patience") {
		return usageError{errors.New("--patience is for a get that one waits for, not with --detach")}
	}
	g.o.KeepSeeding = time.Duration(g.keep)
	return nil
}

func parseVia(text string) (transfer.Via, error) {
	switch v := transfer.Via(text); v {
	case transfer.ViaServer, transfer.ViaPeers, transfer.ViaBoth:
		return v, nil
	}
	return "", usageError{fmt.Errorf("--via %q: it is server, peers or both", text)}
}

// start runs it, here or in the running node.
func (g *get) start(c *cobra.Command) error {
	if g.detach {
		if !c.Flags().Changed("keep-seeding") {
			g.o.KeepSeeding = node.Forever
		}
		g.o.Up, g.o.Down = g.app.itemLimits(c)
		return hintLink(g.o.Source, g.app.detached(c, node.Request{Get: &g.o}, false))
	}
	wait := waits{silence: silence, giveUp: time.Duration(g.patience), leaves: g.o.KeepSeeding == 0}
	if wait.giveUp == node.Forever {
		wait.giveUp = 0
	}
	return g.app.foreground(c, false, wait, func(n *node.Node, r reporter) (*node.Item, error) {
		it, err := n.Get(c.Context(), g.o, watcher(r))
		g.item = it
		return it, hintLink(g.o.Source, err)
	})
}
