package cli

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
)

// fromServer is what get needs for a source on a server.
type fromServer struct {
	name    string // in Dir, instead of its own
	file    string // of a link's password
	force   bool
	once    bool // a link that counts downloads
	version int64
}

// serverSource decides whether a source is on a server: the URL of a share link, or NAME/PATH. A
// .torrent file that is there goes first, and so does everything while nobody has signed in.
func (a *app) serverSource(c *cobra.Command, source string) bool {
	if isLink(source) {
		return false
	}
	if _, _, ok := client.SplitLink(source); ok {
		return true
	}
	if strings.Contains(source, "://") || strings.HasPrefix(source, "/") || strings.HasPrefix(source, ".") {
		return false
	}
	if _, err := os.Stat(source); err == nil && strings.HasSuffix(source, ".torrent") {
		return false
	}
	if strings.HasSuffix(source, ".torrent") && !strings.Contains(source, "/") {
		return false
	}
	if c.Flags().Changed("server") {
		return true
	}
	if _, ok := a.getenv("TANDEM_SERVER"); ok {
		return true
	}
	book, err := a.loadBook()
	return err != nil || len(book.Servers) > 0
}

// fetch gets a source from a server.
func (g *get) fetch(c *cobra.Command, source string) error {
	if g.detach || c.Flags().Changed("keep-seeding") {
		return usageError{errors.New("--detach and --keep-seeding are for swarms: what comes from a server is not served on")}
	}
	if len(g.o.Select) > 0 {
		return usageError{withHint("name the file itself: tandem get NAME/PATH", errors.New("--select is for swarms"))}
	}
	if server, token, ok := client.SplitLink(source); ok {
		return g.fetchLink(c, server, token)
	}
	r, s, err := g.app.at(c, source)
	if err != nil {
		return err
	}
	defer r.Close()
	tree := r.In(s.collection)
	e, err := tree.Stat(c.Context(), s.path)
	if err != nil {
		return err
	}
	if e.Name == "" {
		e.Name = path.Base(s.String())
	}
	e.Path = s.path // the way we ask for it
	if g.from.version != 0 {
		if e, err = older(c.Context(), tree, e, g.from.version); err != nil {
			return err
		}
	}
	return g.receive(c.Context(), tree, e)
}

// older makes e one of the file's earlier contents.
func older(ctx context.Context, tree client.Tree, e api.Entry, id int64) (api.Entry, error) {
	list, err := tree.Versions(ctx, e.Path)
	if err != nil {
		return e, err
	}
	for _, v := range list {
		if v.ID == id {
			e.Size, e.SHA256, e.Modified = v.Size, v.SHA256, v.Stored
			return e, nil
		}
	}
	return e, withHint("see them with: tandem versions NAME/PATH", fault.Errorf(fault.NotFound, "%s has no version %d", e.Path, id))
}

// fetchLink gets what a share link leads to.
func (g *get) fetchLink(c *cobra.Command, server, token string) error {
	ctx := c.Context()
	cl, err := g.app.dial(g.app.knownCA(server))
	if err != nil {
		return err
	}
	defer cl.Close()
	password := ""
	if g.from.file != "" {
		if password, err = g.app.password(ctx, g.from.file, "", false); err != nil {
			return err
		}
	}
	tree := cl.By(token, password)
	shared, err := tree.Shared(ctx)
	if err == nil && shared.Locked && password == "" {
		if password, err = g.app.password(ctx, "", "password of the link", false); err != nil {
			return err
		}
		tree = cl.By(token, password)
		shared, err = tree.Shared(ctx)
	}
	switch {
	case err != nil && password != "" && fault.KindOf(err) == fault.Unauthenticated:
		return withHint("ask who shared it for the password", err)
	case err != nil:
		return err
	case shared.Locked:
		return withHint("ask who shared it for the password", fault.Errorf(fault.Unauthenticated, "the link's password is wrong"))
	case shared.Kind == "upload":
		return withHint("tandem put PATH URL", fault.Errorf(fault.Permission, "this link takes files and gives none"))
	case shared.Entry == nil:
		return fault.Errorf(fault.Protocol, "the server does not say what the link leads to")
	}
	e := *shared.Entry
	e.Path = ""
	g.from.once = shared.Limited
	return g.receive(ctx, tree, e)
}

func (g *get) receive(ctx context.Context, tree client.Tree, e api.Entry) error {
	m := &client.Meter{}
	began := time.Now()
	var out client.Outcome
	err := g.app.metered(ctx, "fetching", m, func(ctx context.Context) (err error) {
		out, err = tree.Get(ctx, e, client.Get{
			Dir: g.o.Dir, Name: g.from.name, Version: g.from.version, Force: g.from.force, Once: g.from.once,
			Meter: m, Tell: g.app.teller("fetched"), Warn: g.app.notice,
		})
		return err
	})
	if err == nil || out.Files+out.Skipped > 0 {
		g.app.moved("fetched", out, began)
	}
	return err
}

// knownCA returns the server of a link without credentials, with the certificates that a login at it
// has named.
func (a *app) knownCA(server string) savedServer {
	s := savedServer{Name: server, URL: server}
	u, err := client.ParseURL(server)
	if err != nil {
		return s // dial says so
	}
	s.URL = strings.TrimSuffix(u.String(), "/")
	if book, err := a.loadBook(); err == nil {
		for _, known := range book.Servers {
			if known.URL == s.URL {
				s.CA = known.CA
			}
		}
	}
	return s
}

func (g *get) serverFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&g.from.name, "output", "o", "", "from a server: call it `NAME` in the folder")
	f.StringVar(&g.from.file, "password-file", "", "from a share link: read its password from `FILE`, - is standard input (default: ask)")
	f.BoolVar(&g.from.force, "force", false, "from a server: replace files that are different")
	f.Int64Var(&g.from.version, "version-id", 0, "from a server: the content that has this `ID` in: tandem versions")
	serverFlag(c)
}
