package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/peer"
	"tandem/internal/units"
)

// progressEvery paces progress events and the bar.
const progressEvery = 500 * time.Millisecond

// silence is how long nothing may come before the reason is said.
const silence = 5 * time.Second

// shareHint is for what cannot be shared as it is.
const shareHint = "share a file, or a folder with files in it; for another name: --name NAME"

// share is one run of the share command.
type share struct {
	app      *app
	audience string
	o        node.ShareOptions
	qr       bool
	detach   bool
}

func (a *app) shareCommand() *cobra.Command {
	s := &share{app: a}
	c := &cobra.Command{
		Use:   "share PATH",
		Short: "Serve a file or folder where it stands, and print its link",
		Long: `share cuts and hashes a file or folder, prints its link on standard output and
serves it in place until interrupted.

With --to NAME[/PATH] it goes to a server as well, into the collection NAME: this node
serves at once, the upload goes on beside it, and the link is the server's.

With --audience link (the default) only who holds the printed ticket can fetch;
the connection is encrypted and both sides prove that they hold it. With
--audience public any BitTorrent client can fetch, and nothing is enforced.

A public share describes the content in both versions of BitTorrent (hybrid).
Some old clients cannot read that: transmission before 4, aria2. For people who
have one of those add --v1; the same content shared with and without it is two
shares that do not help each other.`,
		Example: `  tandem share holiday/
  tandem share holiday/ --server files.example --to photos/2026
  tandem share --audience public --torrent film.torrent --tracker http://tracker.example/announce film.mkv
  tandem share --audience public --v1 --torrent film.torrent film.mkv`,
		Args: cobra.ExactArgs(1),
		RunE: s.run,
	}
	f := c.Flags()
	f.StringVar(&s.audience, "audience", "link", "`WHO` may fetch: link (holders of the ticket) or public (everybody)")
	f.StringVar(&s.o.Torrent, "torrent", "", "also write a .torrent file to `OUT`; public only")
	f.BoolVar(&s.o.V1, "v1", false, "for clients that cannot read hybrid torrents, such as transmission before 4 and aria2; public only")
	f.StringArrayVar(&s.o.Trackers, "tracker", nil, "announce to this `URL`, may be repeated")
	f.StringVar(&s.o.Name, "name", "", "share under this `NAME` instead of the file's")
	f.StringVar(&s.o.To, "to", "", "also put it on a server, as `NAME[/PATH]` in a collection there")
	f.BoolVar(&s.qr, "qr", false, "draw the link as a QR code too")
	f.BoolVar(&s.detach, "detach", false, "hand the share to the running node and return")
	listenFlag(c)
	mustComplete(c.RegisterFlagCompletionFunc("audience", cobra.FixedCompletions([]string{"link", "public"}, cobra.ShellCompDirectiveNoFileComp)))
	return serverFlag(c)
}

func listenFlag(c *cobra.Command) {
	c.Flags().String("listen", "", fmt.Sprintf("listen on `ADDR`, such as :7741 or 192.0.2.7:0 (default :%d, or any free port)", node.DefaultPort))
}

// mustComplete panics when a completion is registered for a flag that is not there.
func mustComplete(err error) {
	if err != nil {
		panic(err)
	}
}

func (s *share) run(c *cobra.Command, args []string) error {
	var err error
	if s.o.Audience, err = peer.ParseAudience(s.audience); err != nil {
		return usageError{fmt.Errorf("--audience: %w", err)}
	}
	if s.o.Torrent != "" && s.o.Audience != peer.Public {
		return usageError{withHint("share it with everybody: --audience public, or leave --torrent away and give out the ticket",
			errors.New("--torrent needs --audience public: a .torrent file has no place for the ticket's secret"))}
	}
	if s.o.V1 && s.o.Audience != peer.Public {
		return usageError{withHint("share it with everybody: --audience public, or leave --v1 away: whoever uses a ticket has tandem",
			errors.New("--v1 needs --audience public: a ticket names the v2 info-hash"))}
	}
	if err := checkNamed(s.o.Common); err != nil {
		return err
	}
	if err := s.throughServer(c, args[0]); err != nil {
		return err
	}
	if s.o.Path, err = absolute(args[0]); err != nil {
		return err
	}
	if s.o.Torrent != "" {
		if s.o.Torrent, err = absolute(s.o.Torrent); err != nil {
			return err
		}
	}
	if s.detach {
		s.o.Up, s.o.Down = s.app.itemLimits(c)
		err := hintInvalid(shareHint, s.app.detached(c, node.Request{Share: &s.o}, s.qr))
		if errors.Is(err, fault.Exists) && !errors.As(err, new(hinted)) {
			return withHint("its link is shown by: tandem status ID; to share it anew end it first: tandem stop ID", err)
		}
		return err
	}
	return s.app.foreground(c, s.qr, waits{silence: silence}, func(n *node.Node, r reporter) (*node.Item, error) {
		it, err := n.Share(c.Context(), s.o, watcher(r))
		if err == nil {
			r.Reachability(n.Reachability(c.Context()))
		}
		return it, hintInvalid(shareHint, err)
	})
}

// throughServer fills in which server the share goes to as well, if any.
func (s *share) throughServer(c *cobra.Command, local string) error {
	switch {
	case s.o.To == "" && c.Flags().Changed("server"):
		return usageError{withHint("name a collection: --to NAME; see yours with: tandem collection ls", errors.New("--server needs --to"))}
	case s.o.To == "":
		return nil
	case s.o.Audience != peer.Link:
		return usageError{withHint("put it there first: tandem put PATH NAME, then: tandem link NAME/PATH --audience public",
			errors.New("--to makes a link for those who hold it, not --audience public"))}
	case len(s.o.Trackers) > 0:
		return usageError{errors.New("--tracker is not for a share of a server, which is the tracker")}
	}
	r, to, err := s.app.at(c, s.o.To)
	if err != nil {
		return err
	}
	defer r.Close()
	st, err := os.Stat(local)
	if err != nil {
		return fault.Wrap(fault.NotFound, err)
	}
	if to.path, err = target(c.Context(), r.In(to.collection), local, st.IsDir(), to); err != nil {
		return hintBy(clientHints, err)
	}
	s.o.Server, s.o.To = account(r.saved), to.String()
	return nil
}

// itemLimits returns the limits of the command line: for a detached item they
// are its own, beside the node's.
func (a *app) itemLimits(c *cobra.Command) (up, down int64) {
	value := func(name string) int64 {
		if r, ok := c.Flags().Lookup(name).Value.(*units.Rate); ok {
			return int64(*r)
		}
		return 0
	}
	return value("up-limit"), value("down-limit")
}

// watcher makes a node's progress and warnings reach r.
func watcher(r reporter) node.Watch {
	return node.Watch{Hashing: r.Hashing, Warn: r.Warn}
}

// foreground runs a node for as long as one item lives, or as long as one waits for it.
func (a *app) foreground(c *cobra.Command, qr bool, wait waits, start func(*node.Node, reporter) (*node.Item, error)) error {
	cfg, err := a.nodeConfig(c)
	if err != nil {
		return err
	}
	r := a.reporter(qr)
	defer r.Close()
	n, err := node.New(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	r.Listening(n.Addr().String(), n.ID().Short())
	it, err := start(n, r)
	if err != nil {
		return err
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	return follow(c.Context(), it, r, tick.C, wait, time.Now)
}

// detached hands a request to the running node and prints what came of it.
func (a *app) detached(c *cobra.Command, req node.Request, qr bool) error {
	r := a.reporter(qr)
	defer r.Close()
	client, err := node.Connect(c.Context(), stateDir(a.getenv))
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := client.Start(c.Context(), req, watcher(r))
	if err != nil {
		return err
	}
	r.Ready(s)
	if !a.json {
		fmt.Fprintf(a.stderr, "the node goes on with it; see: tandem status %s\n", s.ID)
	}
	return nil
}
