package cli

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tandem/internal/node"
	"tandem/internal/origin"
	"tandem/internal/policy"
	"tandem/internal/web"
)

// servingEvent says that a server answers.
type servingEvent struct {
	Event     string `json:"event"`
	URL       string `json:"url"`
	PublicURL string `json:"public_url,omitempty"`
	Addr      string `json:"addr"`
}

// setupEvent has the one-time address at which the first admin is made.
type setupEvent struct {
	Event string `json:"event"`
	Setup string `json:"setup_url"`
}

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a central server: accounts, shared folders, links, a web page",
		Long: `serve runs a central server until interrupted, with nothing else installed: what it
knows is in one file and the content in a folder, both below --data. The first
start prints a one-time address at which the first admin is made; without a
browser use: tandem admin init.

It listens at this machine only unless --listen says otherwise. For others to use
it, give it a certificate (--tls-cert, --tls-key; renewed files are taken over by
themselves), or put a proxy that does TLS in front of it and name that proxy with
--trusted-proxy.

With --database postgres://... and --blobs s3://... any number of servers share
the same data. An interrupt lets transfers go on for --drain; a second one ends
them.

--origin-rate, --origin-month, --origin-conns and --origin-copies are what it may
spend on sending content. Nobody gets an error for it: nodes are told which others
have the pieces, browsers wait for their turn.`,
		Example: `  tandem serve
  tandem serve --data /var/lib/tandem --listen :443 --public-url https://files.example --tls-cert cert.pem --tls-key key.pem
  TANDEM_SERVER_DATABASE=postgres://tandem@db/tandem tandem serve --blobs s3://minio.example/tandem`,
		Args: cobra.NoArgs,
		RunE: a.serve,
	}
	dataFlags(c)
	f := c.Flags()
	f.String("listen", "", "listen on `ADDR` (default "+node.DefaultServerListen+")")
	f.String("public-url", "", "`URL` under which people reach it, such as https://files.example; links begin with it")
	f.String("tls-cert", "", "PEM `FILE` with the certificate")
	f.String("tls-key", "", "PEM `FILE` with its key")
	f.StringArray("trusted-proxy", nil, "believe the forwarded headers of proxies in this `NETWORK`, such as 10.0.0.0/8; may be repeated")
	drain := span(node.DefaultDrain)
	f.Var(&drain, "drain", "let transfers go on for this long after an interrupt")
	ofServer(c, "listen", "public-url", "tls-cert", "tls-key", "trusted-proxy", "drain")
	budgetFlags(c)
	return c
}

// serverConfig turns the settings into what a server is made from.
func (a *app) serverConfig(c *cobra.Command) (node.ServerConfig, error) {
	data, s, err := a.dataConfig(c)
	if err != nil {
		return node.ServerConfig{}, err
	}
	data.Log = a.log(slog.LevelWarn)
	return node.ServerConfig{
		DataConfig: data, Listen: s.Server.Listen, PublicURL: s.Server.PublicURL,
		TLSCert: s.Server.TLSCert, TLSKey: s.Server.TLSKey,
		TrustedProxies: s.Server.TrustedProxies, Drain: s.Server.Drain, Budget: s.Server.Budget.budget(),
		Pages: pages,
	}, nil
}

// pages puts the web page into a server.
func pages(s *origin.Server, of node.ServerPages) node.Pages {
	p := web.New(web.Config{Origin: s, Log: of.Log})
	return node.Pages{Handler: p, Problem: p.Problem}
}

func (a *app) serve(c *cobra.Command, _ []string) error {
	cfg, err := a.serverConfig(c)
	if err != nil {
		return err
	}
	if cfg.Drain == 0 { // said so; the config's 0 is "the usual time"
		cfg.Drain = -1
	}
	// Journals keep what goes to standard error: a line a request, and what went wrong.
	least := slog.LevelInfo
	if a.terminal {
		least = slog.LevelWarn
	}
	log, done := a.serverLog(least)
	defer done()
	cfg.Log = log
	return hintBy(dataHints, node.Serve(c.Context(), cfg, a.serving))
}

// serving tells that a server answers, and how to set it up.
func (a *app) serving(s node.ServerStatus) {
	if a.json {
		writeJSON(a.stdout, servingEvent{"serving", s.URL, s.PublicURL, s.Addr.String()})
		if s.Setup != "" {
			writeJSON(a.stdout, setupEvent{"setup", s.Setup})
		}
		return
	}
	at := s.URL
	if s.PublicURL != "" {
		at = s.PublicURL + " (" + s.Addr.String() + ")"
	}
	fmt.Fprintln(a.stderr, "serving at "+clean(at))
	if s.Setup != "" {
		fmt.Fprintln(a.stderr, a.bold("set it up at ")+"(holds until the server ends, or the first admin is made):")
		fmt.Fprintln(a.stdout, s.Setup)
	}
}

func (a *app) adminCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "admin",
		Short: "Look after a server's accounts on the machine that has its data",
		Long: `admin works on a server's data directly, also while the server runs. Whoever may
open the data needs no account for it.`,
		Example: `  tandem admin init --data /var/lib/tandem --user ann --password-file password.txt`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.adminInit(), a.adminPassword(), a.adminInvite())
	return c
}

// accountFlags name an account and where its password is.
func accountFlags(c *cobra.Command, user, file *string) {
	c.Flags().StringVar(user, "user", "", "`NAME` of the account")
	c.Flags().StringVar(file, "password-file", "", "read the password from `FILE`, - is standard input (default: ask)")
}

// needs reports the first of the flags that was not given.
func needs(c *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := c.Flags().Lookup(name); f.Value.String() == "" {
			what, _ := pflag.UnquoteUsage(f)
			return usageError{withHint("see: "+c.CommandPath()+" --help", fmt.Errorf("--%s %s is missing", name, what))}
		}
	}
	return nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (a *app) adminInit() *cobra.Command {
	var user, file string
	c := &cobra.Command{
		Use:     "init",
		Short:   "Set a server up without a browser: make an admin",
		Example: `  tandem admin init --data /var/lib/tandem --user ann --password-file password.txt`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needs(c, "user"); err != nil {
				return err
			}
			return a.onData(c, func(cfg node.DataConfig) error {
				password, err := a.password(c.Context(), file, "password for "+user, true)
				if err != nil {
					return err
				}
				if err := node.MakeAdmin(c.Context(), cfg, user, password); err != nil {
					return err
				}
				a.say(struct {
					Event string `json:"event"`
					User  string `json:"user"`
				}{"admin", user}, "%s is an admin; sign in with: tandem login URL --user %s", user, user)
				return nil
			})
		},
	}
	accountFlags(c, &user, &file)
	dataFlags(c)
	return c
}

// onData runs f on where the server's data is.
func (a *app) onData(c *cobra.Command, f func(node.DataConfig) error) error {
	cfg, _, err := a.dataConfig(c)
	if err != nil {
		return err
	}
	cfg.Log = a.log(silent)
	return hintBy(dataHints, f(cfg))
}

func (a *app) adminPassword() *cobra.Command {
	var user, file string
	c := &cobra.Command{
		Use:     "password",
		Short:   "Give an account a new password, and end its sessions",
		Example: `  tandem admin password --data /var/lib/tandem --user ann`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needs(c, "user"); err != nil {
				return err
			}
			return a.onData(c, func(cfg node.DataConfig) error {
				password, err := a.password(c.Context(), file, "new password for "+user, true)
				if err != nil {
					return err
				}
				if err := node.SetPassword(c.Context(), cfg, user, password); err != nil {
					return err
				}
				a.say(struct {
					Event string `json:"event"`
					User  string `json:"user"`
				}{"password", user}, "%s has a new password", user)
				return nil
			})
		},
	}
	accountFlags(c, &user, &file)
	dataFlags(c)
	return c
}

// invitationLine is an invitation as it is printed.
type invitationLine struct {
	ID      int64     `json:"id"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
	Token   string    `json:"token"`
	URL     string    `json:"url,omitempty"`
}

func (a *app) adminInvite() *cobra.Command {
	role, group, note, ttl := "", "", "", span(0)
	c := &cobra.Command{
		Use:   "invite",
		Short: "Make an invitation for one account",
		Example: `  tandem admin invite --data /var/lib/tandem --role publisher
  tandem accept URL --user bob`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			as, err := parseRole(role)
			if err != nil {
				return err
			}
			return a.onData(c, func(cfg node.DataConfig) error {
				s, err := a.settings(c)
				if err != nil {
					return err
				}
				token, inv, err := node.Invite(c.Context(), cfg, as, group, note, time.Duration(ttl))
				if err != nil {
					return err
				}
				line := invitationLine{ID: inv.ID, Role: role, Expires: inv.Expires, Token: token}
				if s.Server.PublicURL != "" {
					line.URL = strings.TrimRight(s.Server.PublicURL, "/") + "/invite/" + token
				}
				shown := line.URL
				if shown == "" {
					shown = "(the server's URL)/invite/" + token
				}
				a.print(line, shown)
				return nil
			})
		},
	}
	dataFlags(c)
	c.Flags().String("public-url", "", "`URL` under which people reach the server")
	ofServer(c, "public-url")
	inviteFlags(c, &role, &group, &note, &ttl)
	return c
}

func inviteFlags(c *cobra.Command, role, group, note *string, ttl *span) {
	f := c.Flags()
	f.StringVar(role, "role", "reader", "what the account may ever do: reader, publisher or admin")
	f.StringVar(group, "group", "", "the account joins this `GROUP` at once")
	f.StringVar(note, "note", "", "for whom it is, for the list of invitations")
	f.Var(ttl, "expires", "it holds for this long (default 7d)")
	complete(c, "role", "reader", "publisher", "admin")
}

// complete makes the shell complete a flag's values.
func complete(c *cobra.Command, flag string, values ...string) {
	must(c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
}

func parseRole(name string) (policy.Role, error) {
	switch name {
	case "reader":
		return policy.Reader, nil
	case "publisher":
		return policy.Publisher, nil
	case "admin":
		return policy.Admin, nil
	}
	return 0, usageError{fmt.Errorf("role %q is not one of reader, publisher, admin", name)}
}
