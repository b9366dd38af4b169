package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/transport"
	"tandem/internal/units"
)

// app is one run of the command line.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) (string, bool)
	terminal       bool // stderr is one
	json           bool
	verbose        bool
	configPath     string
	started        bool // a command's own code has begun: errors from now on are no usage errors
}

// Run runs the command line args (without the program's name) and returns the
// process's exit code: 0, 1 for a failure, 2 for a mistake in args, 130 when
// ctx ended before the work was done.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &output{Writer: stdout}
	a := &app{stdin: stdin, stdout: out, stderr: stderr, getenv: os.LookupEnv}
	if f, ok := stderr.(*os.File); ok {
		a.terminal = term.IsTerminal(int(f.Fd()))
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	ran, err := root.ExecuteContextC(ctx)
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", context.Canceled, err)
	}
	if err != nil && !a.started && !errors.As(err, new(hinted)) && fault.KindOf(err) == fault.Other {
		err = usageError{err}
	}
	if errors.As(err, new(usageError)) && !errors.As(err, new(hinted)) {
		err = withHint("see: "+ran.CommandPath()+" --help", err)
	}
	if lost := out.lost(); lost != nil && err == nil {
		err, a.json = lost, false // where JSON would go nothing arrives
	}
	a.report(err)
	return exitCode(err)
}

// Interruptible returns a context that the first interrupt ends, so that the
// program stops cleanly; a second one ends the process at once.
func Interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// report prints what failed, then what to type next.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	hint := hintFor(err)
	if a.json {
		writeJSON(a.stdout, errorEvent{"error", fault.KindOf(err).String(), clean(message(err)), hint})
		return
	}
	fmt.Fprintln(a.stderr, a.bold("error: ")+clean(message(err)))
	if hint != "" {
		fmt.Fprintln(a.stderr, a.bold("hint: ")+clean(hint))
	}
}

func message(err error) string {
	if exitCode(err) == exitInterrupted {
		return "interrupted"
	}
	return err.Error()
}

// bold marks s on a terminal, unless NO_COLOR asks for plain text.
func (a *app) bold(s string) string {
	if v, _ := a.getenv("NO_COLOR"); v != "" || !a.terminal {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tandem",
		Short: "Share files between machines, directly or through a server",
		Long: `tandem shares files between machines over a swarm: whoever fetches also serves,
and the share outlives the machine it began on. Or through a central server, with
accounts, shared folders and links. Or both at once: the server holds policy and a
copy, those who fetch carry the load, and when the server is gone the share goes on.`,
		Example: `  tandem share holiday/            # prints a link
  tandem get tandem:AbC...         # fetches it elsewhere
  tandem serve                     # a server; tandem login, tandem put, tandem link
  tandem get 'https://HOST/s/...'  # what a link leads to, from the server and peers`,
		Version:       node.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			a.started = true
			return a.checkConfig()
		},
	}
	root.SetVersionTemplate("tandem {{.Version}}\n")
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print one JSON object a line on standard output")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "log to standard error")
	f.StringVar(&a.configPath, "config", "", "configuration `FILE` (default $XDG_CONFIG_HOME/tandem/config.toml)")
	f.Var(new(units.Rate), "up-limit", "send at most this many payload bytes a second, such as 5MB, 512KiB or 40Mbit")
	f.Var(new(units.Rate), "down-limit", "receive at most this much")
	f.Bool("no-dht", false, "stay out of the BitTorrent DHT")
	f.Bool("no-lan", false, "do not look for nodes on the local network")
	f.Bool("no-portmap", false, "do not ask the router to open a port")
	f.Var(new(encryption), "encryption", "encrypted handshake on public connections: prefer-plain, forbid or require")
	f.StringArray("dht-node", nil, "DHT node `HOST:PORT` to start from, may be repeated (default the well-known routers)")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(root))
	a.addCommands(root)
	spellArgs(root)
	return root
}

// addCommands puts the commands into the groups that the help shows.
func (a *app) addCommands(root *cobra.Command) {
	add := func(group, title string, list ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: group, Title: title})
		for _, c := range list {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("swarm", "Between machines:", a.shareCommand(), a.getCommand(), a.keepCommand(), a.seedCommand(), a.inspectCommand(), a.verifyCommand(),
		a.nodeCommand(), a.statusCommand(), a.stopCommand())
	add("client", "Files on a server (get too):", a.loginCommand(), a.acceptCommand(), a.logoutCommand(), a.collectionCommand(),
		a.putCommand(), a.lsCommand(), a.linkCommand(), a.ledgerCommand(), a.rmCommand(), a.mvCommand(), a.mkdirCommand(), a.trashCommand(),
		a.versionsCommand(), a.searchCommand())
	add("people", "People on a server:", a.grantCommand(), a.usersCommand(), a.groupsCommand(), a.tokenCommand(), a.auditCommand())
	add("server", "Running a server:", a.serveCommand(), a.adminCommand(), a.backupCommand(), a.restoreCommand(), a.scrubCommand(),
		a.doctorCommand())
	add("lab", "Which network to use:", a.compareCommand(), a.adviseCommand(), a.labCommand())
	add("other", "Other:", a.configCommand(), a.versionCommand())
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
}

// checkConfig finds out that a configuration file named by hand is not there, also for a command
// that needs none: who names one believes that it counts.
func (a *app) checkConfig() error {
	if a.configPath == "" {
		return nil
	}
	if _, err := os.Stat(a.configPath); err != nil {
		return fault.Wrap(fault.NotFound, fmt.Errorf("read configuration: %w", err))
	}
	return nil
}

// settings loads the layers of configuration for the command c.
func (a *app) settings(c *cobra.Command) (*settings, error) {
	path, named := a.configPath, a.configPath != ""
	if v, ok := a.getenv("TANDEM_CONFIG"); !named && ok && v != "" {
		path, named = v, true
	}
	if path == "" {
		path = filepath.Join(configDir(a.getenv), "config.toml")
	}
	return loadSettings(path, named, a.getenv, c.Flags())
}

// nodeConfig turns the settings into what a node is made from.
func (a *app) nodeConfig(c *cobra.Command) (node.Config, error) {
	s, err := a.settings(c)
	if err != nil {
		return node.Config{}, err
	}
	return node.Config{
		Listen: s.Listen, StateDir: stateDir(a.getenv),
		DHT: s.DHT, Bootstrap: s.Bootstrap, LAN: s.LAN, PortMap: s.PortMap,
		Up: int64(s.Up), Down: int64(s.Down), Encryption: transport.Encryption(s.Encryption),
		Log: a.log(silent),
	}, nil
}

// log returns where a node writes. In the foreground what goes wrong is printed as
// the command's own error, so that only --verbose logs. Text goes through the
// text handler's quoting, so nothing in it can steer a terminal.
func (a *app) log(least slog.Level) *slog.Logger {
	if a.verbose {
		least = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: least}))
}

// silent is above every level that is logged.
const silent = slog.LevelError + 4

// absolute makes a path of the command line independent of where another
// process would resolve it.
func absolute(path string) (string, error) {
	if path == "" { // an unset variable of a script, rather than the present folder
		return "", usageError{errors.New("the path or link is empty")}
	}
	p, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", path, err)
	}
	return p, nil
}

// isLink reports whether a source is a ticket or a magnet link, not a path.
func isLink(source string) bool {
	return strings.HasPrefix(source, "tandem:") || strings.HasPrefix(strings.ToLower(source), "magnet:")
}
