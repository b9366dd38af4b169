package cli

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/node"
)

func (a *app) seedCommand() *cobra.Command {
	var o node.SeedOptions
	var detach bool
	c := &cobra.Command{
		Use:     "seed FILE.torrent",
		Short:   "Check what is there of a torrent and serve it",
		Example: `  tandem seed film.torrent --dir ~/Films`,
		Args:    cobra.ExactArgs(1),
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
			if detach {
				o.Up, o.Down = a.itemLimits(c)
				return a.detached(c, node.Request{Seed: &o}, false)
			}
			return a.foreground(c, false, waits{silence: silence}, func(n *node.Node, r reporter) (*node.Item, error) {
				return n.Seed(c.Context(), o, watcher(r))
			})
		},
	}
	seedFlags(c, &o)
	c.Flags().BoolVar(&detach, "detach", false, "hand it to the running node and return")
	return c
}

// seedFlags are shared by seed and verify.
func seedFlags(c *cobra.Command, o *node.SeedOptions) {
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", ".", "`DIR` that holds the file or folder the torrent names")
	f.StringArrayVar(&o.Peers, "peer", nil, "connect to the node at `HOST:PORT`, may be repeated")
	f.StringArrayVar(&o.Trackers, "tracker", nil, "also announce to this `URL`, may be repeated")
	listenFlag(c)
}

// absoluteSource makes the path of a .torrent file absolute and leaves links alone.
func absoluteSource(source string) (string, error) {
	if isLink(source) || strings.Contains(source, "://") { // a URL that leads nowhere is shown as it was given
		return source, nil
	}
	return absolute(source)
}

// checkNamed finds mistakes in whom the user names before anything starts.
func checkNamed(o node.Common) error {
	if err := checkPeers(o.Peers); err != nil {
		return err
	}
	return checkTrackers(o.Trackers)
}

func checkPeers(peers []string) error {
	for _, p := range peers {
		host, port, err := net.SplitHostPort(p)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
			return usageError{withHint("write it as 192.0.2.7:7741, [2001:db8::7]:7741 or host.example:7741",
				fmt.Errorf("--peer %s: not HOST:PORT", p))}
		}
	}
	return nil
}

func checkTrackers(urls []string) error {
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "udp"}, u.Scheme) {
			return usageError{withHint("write it as http://tracker.example/announce or udp://tracker.example:6969",
				fmt.Errorf("--tracker %s: not the URL of a tracker", text))}
		}
	}
	return nil
}
