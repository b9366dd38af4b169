package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/origin/client"
)

// login is one run of login or accept.
type login struct {
	app                *app
	user, file, ca     string
	tokenFile, calling string
}

// signedInEvent says who is signed in where.
type signedInEvent struct {
	Event string `json:"event"`
	Name  string `json:"server"`
	URL   string `json:"url"`
	User  string `json:"user"`
}

func (a *app) loginCommand() *cobra.Command {
	l := &login{app: a}
	c := &cobra.Command{
		Use:   "login URL",
		Short: "Sign in at a server",
		Long: `login signs in and keeps the credentials where only you can read them. The server
becomes the one that commands talk to unless told otherwise with --server; it is
called by its host, as in: tandem ls files.example:photos

A program signs in with an API token: --token-file, made by: tandem token create.`,
		Example: `  tandem login https://files.example --user ann
  tandem login https://files.example --token-file token.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return hintBy(clientHints, l.run(c, args)) },
	}
	l.flags(c)
	c.Flags().StringVar(&l.tokenFile, "token-file", "", "sign in with the API token in `FILE` instead, - is standard input")
	return c
}

func (l *login) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&l.user, "user", "", "`NAME` of the account")
	f.StringVar(&l.file, "password-file", "", "read the password from `FILE`, - is standard input (default: ask)")
	f.StringVar(&l.ca, "ca-file", "", "trust certificates signed by those in this PEM `FILE` too, for this server")
	f.StringVar(&l.calling, "name", "", "call the server `NAME` on the command line")
}

// prepare reads what does not need the server.
func (l *login) prepare(text string) (savedServer, *serverBook, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := client.ParseURL(text)
	if err != nil {
		return savedServer{}, nil, usageError{withHint("write it as https://HOST, as the server's admin told you", err)}
	}
	s := savedServer{URL: strings.TrimSuffix(u.String(), "/")}
	if l.ca != "" {
		pem, err := os.ReadFile(l.ca)
		if err != nil {
			return s, nil, fault.Wrap(fault.NotFound, fmt.Errorf("read --ca-file: %w", err))
		}
		s.CA = string(pem)
	}
	book, err := l.app.loadBook()
	if err != nil {
		return s, nil, err
	}
	if s.Name = book.nameFor(u); l.calling != "" {
		if strings.ContainsAny(l.calling, ":/ ") {
			return s, nil, usageError{fmt.Errorf("--name %q has a colon, a slash or a space", l.calling)}
		}
		s.Name = l.calling
	}
	if u.Scheme == "http" && !isLoopback(u) {
		l.app.notice("warning: this server has no TLS: others on the way can read the password and everything else")
	}
	return s, book, nil
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func (l *login) run(c *cobra.Command, args []string) error {
	if (l.user == "") == (l.tokenFile == "") {
		return usageError{errors.New("say who: --user NAME, or --token-file FILE")}
	}
	s, book, err := l.prepare(args[0])
	if err != nil {
		return err
	}
	if l.tokenFile != "" {
		return l.byToken(c.Context(), s, book)
	}
	password, err := l.app.password(c.Context(), l.file, "password of "+l.user+" at "+s.Name, false)
	if err != nil {
		return err
	}
	return l.byPassword(c.Context(), s, book, password)
}

func (l *login) byPassword(ctx context.Context, s savedServer, book *serverBook, password string) error {
	cl, err := l.app.dial(s)
	if err != nil {
		return err
	}
	defer cl.Close()
	session, err := cl.Login(ctx, l.user, password)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			err = withHint("check the name and the password; an admin can set a new one: tandem users set NAME --password-file FILE", err)
		}
		if fault.KindOf(err) == fault.NotFound && errors.As(err, new(*client.Problem)) {
			err = withHint("check the address: there is no tandem server at "+s.URL, err)
		}
		return fmt.Errorf("sign in at %s: %w", s.Name, err)
	}
	if session.Secret == "" {
		return fault.Errorf(fault.Protocol, "sign in at %s: the server gave no session", s.Name)
	}
	s.User, s.Secret = session.User, session.Secret
	return l.keep(s, book)
}

func (l *login) byToken(ctx context.Context, s savedServer, book *serverBook) error {
	secret, err := l.app.password(ctx, l.tokenFile, "", false)
	if err != nil {
		return err
	}
	s.Secret, s.Token = secret, true
	cl, err := l.app.dial(s)
	if err != nil {
		return err
	}
	defer cl.Close()
	me, err := cl.Me(ctx)
	if err != nil {
		return fmt.Errorf("sign in at %s: %w", s.Name, err)
	}
	s.User = me.User.Name
	return l.keep(s, book)
}

// keep remembers the credentials.
func (l *login) keep(s savedServer, book *serverBook) error {
	book.put(s)
	if err := l.app.saveBook(book); err != nil {
		return err
	}
	l.app.say(signedInEvent{"login", s.Name, s.URL, s.User}, "signed in at %s as %s; see: tandem collection ls", s.Name, s.User)
	return nil
}

func (a *app) logoutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "logout [SERVER]",
		Short:   "End the session at a server and forget its credentials",
		Example: `  tandem logout`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			book, err := a.loadBook()
			if err != nil {
				return err
			}
			which := c.Flags().Lookup("server").Value.String()
			if len(args) == 1 {
				which = args[0]
			}
			s, err := book.find(which)
			if err != nil {
				return err
			}
			if !s.Token { // an API token is somebody else's too
				if cl, derr := a.dial(s); derr == nil {
					if err = cl.Logout(c.Context()); fault.KindOf(err) == fault.Unauthenticated {
						err = nil // it had ended before
					}
					cl.Close()
				}
			}
			book.Servers = slices.DeleteFunc(book.Servers, func(o savedServer) bool { return o.Name == s.Name })
			if book.Default == s.Name {
				book.Default = ""
				if n := len(book.Servers); n > 0 {
					book.Default = book.Servers[n-1].Name
				}
			}
			if serr := a.saveBook(book); serr != nil {
				return serr
			}
			if err != nil {
				return withHint("end it later in the browser, under sessions",
					fmt.Errorf("the credentials are forgotten, but the session may live on: %w", err))
			}
			a.say(signedInEvent{"logout", s.Name, s.URL, s.User}, "signed out at %s", s.Name)
			return nil
		},
	}
	return serverFlag(c)
}

func (a *app) acceptCommand() *cobra.Command {
	l := &login{app: a}
	c := &cobra.Command{
		Use:   "accept INVITATION",
		Short: "Make the account that an invitation is for, and sign in",
		Long: `accept takes the URL of an invitation (https://HOST/invite/TOKEN), makes the account
with the name and password you choose, and signs in.`,
		Example: `  tandem accept https://files.example/invite/tdi_AbC... --user bob`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if l.user == "" {
				return usageError{errors.New("choose a name: --user NAME")}
			}
			server, token, ok := splitInvitation(args[0])
			if !ok {
				return usageError{withHint("copy the whole invitation again, and put it in quotes", errors.New("this is no invitation: https://HOST/invite/TOKEN"))}
			}
			s, book, err := l.prepare(server)
			if err != nil {
				return err
			}
			password, err := a.password(c.Context(), l.file, "new password for "+l.user, true)
			if err != nil {
				return err
			}
			cl, err := a.dial(s)
			if err != nil {
				return err
			}
			defer cl.Close()
			if _, err := cl.Accept(c.Context(), token, l.user, password); err != nil {
				return fmt.Errorf("accept the invitation: %w", err)
			}
			return l.byPassword(c.Context(), s, book, password)
		},
	}
	l.flags(c)
	return c
}

// splitInvitation takes the URL of an invitation apart.
func splitInvitation(text string) (server, token string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", "", false
	}
	before, token, ok := strings.Cut(u.Path, "/invite/")
	if token = strings.Trim(token, "/"); !ok || token == "" || strings.Contains(token, "/") {
		return "", "", false
	}
	return u.Scheme + "://" + u.Host + before, token, true
}
