package cli

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"tandem/internal/node"
)

func (a *app) nodeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "node",
		Short: "Run a node that keeps shares and transfers, also across restarts",
		Long: `node runs until interrupted and keeps what it was given with --detach. It listens
from the start and talks to nobody until something is shared or fetched.`,
		Example: `  tandem node &
  tandem share --detach holiday/
  tandem status`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runNode(c) },
	}
	listenFlag(c)
	return c
}

func (a *app) runNode(c *cobra.Command) error {
	cfg, err := a.nodeConfig(c)
	if err != nil {
		return err
	}
	if client, err := node.Connect(c.Context(), cfg.StateDir); err == nil {
		_ = client.Close()
		return node.ErrNodeRuns
	}
	cfg.Persist, cfg.Log = true, a.log(slog.LevelWarn)
	n, err := node.New(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	r := a.reporter(false)
	r.Listening(n.Addr().String(), n.ID().Short())
	if !a.json {
		fmt.Fprintf(a.stderr, "listening on %s; see what it does with: tandem status\n", n.Addr())
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	return n.Control(ctx)
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [ID]",
		Short: "Show the shares and transfers of the running node",
		Long: `status lists the shares and transfers of the running node; with the ID of one it
shows its link, peers, rates, pieces and the limit that binds it.`,
		Example: `  tandem status
  tandem status 3f9a01bc`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := node.Connect(c.Context(), stateDir(a.getenv))
			if err != nil {
				return err
			}
			defer client.Close()
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			items, err := client.Status(c.Context(), id)
			if err != nil {
				return err
			}
			switch {
			case a.json:
				for _, s := range items {
					writeJSON(a.stdout, s)
				}
			case id != "":
				printItem(a.stdout, items[0])
			default:
				printItems(a.stdout, items)
			}
			return nil
		},
	}
}

func (a *app) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stop ID",
		Short:   "End a share or transfer of the running node",
		Long:    "stop ends a share or transfer. Files stay; an unfinished download can be taken up again with get.",
		Example: `  tandem stop 3f9a01bc`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := node.Connect(c.Context(), stateDir(a.getenv))
			if err != nil {
				return err
			}
			defer client.Close()
			s, err := client.Stop(c.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				writeJSON(a.stdout, s)
			} else {
				fmt.Fprintf(a.stderr, "stopped %s %s\n", s.ID, clean(s.Name))
			}
			return nil
		},
	}
}

// versionLine is what version --json prints.
type versionLine struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  tandem version`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versionLine{Version: node.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v.Commit = s.Value
					}
				}
			}
			if a.json {
				writeJSON(a.stdout, v)
				return nil
			}
			fmt.Fprintf(a.stdout, "tandem %s %.12s %s %s/%s\n", v.Version, v.Commit, v.Go, v.OS, v.Arch)
			return nil
		},
	}
}
