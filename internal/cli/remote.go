package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/node"
	"tandem/internal/origin/client"
	"tandem/internal/units"
)

// remote is a command's connection to a server.
type remote struct {
	*client.Client
	saved savedServer
}

// spot is what SERVER:NAME/PATH names.
type spot struct {
	server     string // "": what --server says
	collection string
	path       string // below the collection, "" for itself
	folder     bool   // it ended in a slash
}

// parseSpot reads [SERVER:]NAME[/PATH]. A collection's name holds no colon.
func parseSpot(text string) (spot, error) {
	s := spot{}
	first, path, deeper := strings.Cut(text, "/")
	if i := strings.LastIndexByte(first, ':'); i >= 0 {
		s.server, first = first[:i], first[i+1:]
	}
	s.collection = first
	s.folder = deeper && (path == "" || strings.HasSuffix(path, "/"))
	s.path = strings.Trim(path, "/")
	if first == "" || strings.HasPrefix(path, "/") || strings.Contains(s.path, "//") {
		return s, usageError{withHint("write it as NAME, NAME/PATH or SERVER:NAME/PATH; see your collections with: tandem collection ls",
			fmt.Errorf("%q names no collection", text))}
	}
	return s, nil
}

// String writes what parseSpot reads, without the server.
func (s spot) String() string {
	if s.path == "" {
		return s.collection
	}
	return s.collection + "/" + s.path
}

// serverFlag lets a command be told which server it is for.
func serverFlag(c *cobra.Command) *cobra.Command {
	c.Flags().String("server", "", "`NAME or URL` of the server (default: the last one signed in at)")
	return c
}

// connect returns the client for a command, at the server that a spot or --server names.
func (a *app) connect(c *cobra.Command, server string) (*remote, error) {
	if f := c.Flags().Lookup("server"); server == "" && f != nil {
		server = f.Value.String()
	}
	if v, ok := a.getenv("TANDEM_SERVER"); server == "" && ok {
		server = v
	}
	book, err := a.loadBook()
	if err != nil {
		return nil, err
	}
	saved, err := book.find(server)
	if err != nil {
		return nil, err
	}
	cl, err := a.dial(saved)
	if err != nil {
		return nil, err
	}
	return &remote{cl, saved}, nil
}

// dial makes the client of a server; nothing is sent yet.
func (a *app) dial(s savedServer) (*client.Client, error) {
	cfg := client.Config{URL: s.URL, Secret: s.Secret, Agent: "tandem/" + node.Version, Notice: a.notice}
	if s.CA != "" {
		cfg.CA = []byte(s.CA)
	}
	return client.New(cfg)
}

// notice says why nothing happens for a while.
func (a *app) notice(text string) {
	if a.json {
		writeJSON(a.stdout, warningEvent{"warning", clean(text)})
		return
	}
	fmt.Fprintln(a.stderr, clean(text))
}

// at is for commands on one spot.
func (a *app) at(c *cobra.Command, text string) (*remote, spot, error) {
	s, err := parseSpot(text)
	if err != nil {
		return nil, s, err
	}
	r, err := a.connect(c, s.server)
	return r, s, err
}

// client makes the RunE of a command that talks to a server.
func (a *app) client(f func(ctx context.Context, r *remote, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		r, err := a.connect(c, "")
		if err != nil {
			return err
		}
		defer r.Close()
		return hintBy(clientHints, f(c.Context(), r, args))
	}
}

// on makes the RunE of a command whose first argument is a spot on a server.
func (a *app) on(f func(ctx context.Context, r *remote, s spot, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		r, s, err := a.at(c, args[0])
		if err != nil {
			return err
		}
		defer r.Close()
		return hintBy(clientHints, f(c.Context(), r, s, args[1:]))
	}
}

// say prints a line for people on standard error, or v as JSON.
func (a *app) say(v any, format string, args ...any) {
	if a.json {
		writeJSON(a.stdout, v)
		return
	}
	fmt.Fprintln(a.stderr, clean(fmt.Sprintf(format, args...)))
}

// print prints a line that a script may want, on standard output, or v as JSON.
func (a *app) print(v any, line string) {
	if a.json {
		writeJSON(a.stdout, v)
		return
	}
	fmt.Fprintln(a.stdout, clean(line))
}

// rows prints a list: as JSON one object a line, for people a table.
func rows[T any](a *app, list []T, head string, row func(T) []string) {
	if a.json {
		for _, v := range list {
			writeJSON(a.stdout, v)
		}
		return
	}
	if len(list) == 0 {
		if a.terminal { // a script counts lines
			fmt.Fprintln(a.stderr, "nothing to list")
		}
		return
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	defer w.Flush()
	if a.terminal {
		fmt.Fprintln(w, strings.ReplaceAll(head, " ", "\t"))
	}
	for _, v := range list {
		cells := row(v)
		for i := range cells {
			cells[i] = clean(cells[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
}

// when writes a time for people.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func whenOr(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return when(*t)
}

// quotaText writes a quota and how much of it is used.
func quotaText(used, quota int64) string {
	if quota == 0 {
		return units.Bytes(used)
	}
	return units.Bytes(used) + " of " + units.Bytes(quota)
}
