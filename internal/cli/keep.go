package cli

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/node"
	"tandem/internal/origin/client"
	"tandem/internal/units"
)

// keep is one run of the keep command.
type keep struct {
	app    *app
	until  string
	dir    string
	file   string // of a link's password
	space  units.Size
	detach bool
}

func (a *app) keepCommand() *cobra.Command {
	k := &keep{app: a}
	c := &cobra.Command{
		Use:   "keep [LINK]",
		Short: "Promise to keep a copy and serve it, or offer room to a server",
		Long: `keep LINK fetches a copy, as get does, tells the server that it is kept, and serves it
to others until the time is over. LINK is whatever tandem get takes from a server.

keep --server NAME --space SIZE offers room: the server says which shares to keep in
it, those first that lack the most copies (tandem link --copies K), and never more
than fits. It ends when interrupted; what is kept stays in its folder.

Both go on for as long as the command runs; with --detach the running node takes them
over, across restarts too. --up-limit bounds what is sent to others.`,
		Example: `  tandem keep 'https://files.example/s/AbC...#tandem:...' --for 30d --up-limit 5MB
  tandem keep --server files.example --space 50GiB --detach`,
		Args: cobra.MaximumNArgs(1),
		RunE: k.run,
	}
	f := c.Flags()
	f.StringVar(&k.until, "for", "", "keep it for this `TIME` (30d, 12h), or until the end of this date (2027-01-31)")
	f.Var(&k.space, "space", "offer this much room, such as 50GiB")
	f.Lookup("space").DefValue = ""
	f.StringVar(&k.dir, "dir", "", "keep it in `DIR` (default: the present folder, for an offer a folder of the node's own)")
	f.StringVar(&k.file, "password-file", "", "read the password of the link from `FILE`, - is standard input (default: ask)")
	f.BoolVar(&k.detach, "detach", false, "hand it to the running node and return")
	listenFlag(c)
	return serverFlag(c)
}

func (k *keep) run(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && k.space == 0:
		return usageError{withHint("tandem keep LINK --for 30d, or: tandem keep --server NAME --space 50GiB", errors.New("say what to keep, or how much room to offer"))}
	case len(args) == 1 && k.space != 0:
		return usageError{withHint("leave one of them away", errors.New("--space offers room to a server, which decides what is kept in it: there is no LINK then"))}
	case len(args) == 0:
		return hintBy(clientHints, k.offer(c))
	}
	return hintBy(clientHints, k.link(c, args[0]))
}

// offer offers room.
func (k *keep) offer(c *cobra.Command) error {
	if k.until != "" {
		return usageError{errors.New("--for is for keep LINK: an offer ends when it is stopped")}
	}
	r, err := k.app.connect(c, "")
	if err != nil {
		return err
	}
	r.Close()
	o := node.OfferOptions{Server: *account(r.saved), Space: int64(k.space)}
	if k.dir == "" {
		k.dir = filepath.Join(stateDir(k.app.getenv), "kept")
	}
	if o.Dir, err = absolute(k.dir); err != nil {
		return err
	}
	if k.detach {
		o.Up, o.Down = k.app.itemLimits(c)
		return k.app.detached(c, node.Request{Offer: &o}, false)
	}
	return k.app.foreground(c, false, waits{silence: silence}, func(n *node.Node, r reporter) (*node.Item, error) {
		return n.Offer(c.Context(), o, watcher(r))
	})
}

// link keeps what a link leads to.
func (k *keep) link(c *cobra.Command, source string) error {
	until, err := parseExpiry(k.until, time.Now())
	switch {
	case err != nil:
		return err
	case until == nil:
		return usageError{withHint("for example: --for 30d", errors.New("say for how long: --for"))}
	case !until.After(time.Now()):
		return usageError{errors.New("--for: this time is over")}
	}
	g := &get{app: k.app, from: fromServer{file: k.file}}
	if _, _, ok := client.SplitLink(source); !ok && !k.app.serverSource(c, source) {
		return usageError{withHint("give the link of a server, or NAME/PATH on one; for others: tandem get SOURCE --keep-seeding 720h",
			errors.New("a promise is made to a server, and this source names none"))}
	}
	if err := g.locate(c, source); err != nil {
		return err
	}
	o := node.KeepOptions{Source: g.o.Source, Until: *until, Server: g.o.Server}
	if k.dir == "" {
		k.dir = "."
	}
	if o.Dir, err = absolute(k.dir); err != nil {
		return err
	}
	return g.asking(c.Context(), "password of the link", func() error {
		o.Password = g.o.Password
		return k.start(c, o)
	})
}

func (k *keep) start(c *cobra.Command, o node.KeepOptions) error {
	if k.detach {
		o.Up, o.Down = k.app.itemLimits(c)
		return hintLink(o.Source, k.app.detached(c, node.Request{Keep: &o}, false))
	}
	return k.app.foreground(c, false, waits{silence: silence}, func(n *node.Node, r reporter) (*node.Item, error) {
		it, err := n.Keep(c.Context(), o, watcher(r))
		return it, hintLink(o.Source, err)
	})
}
