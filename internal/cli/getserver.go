package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/origin/api"
	"tandem/internal/origin/client"
	"tandem/internal/transfer"
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

// fromServer gets a link of a server, or a place on one: by the engine, and where that cannot do it
// by plain HTTP.
func (g *get) fromServer(c *cobra.Command, source string) error {
	if g.from.force || g.from.version != 0 {
		return g.plain(c, source)
	}
	if err := g.locate(c, source); err != nil {
		return err
	}
	err := g.asking(c.Context(), "password of the link", func() error { return g.start(c) })
	switch {
	case errors.Is(err, fault.Exists) && g.fits(c) == nil: // what is there is compared
		return g.fetch(c, source)
	case fault.KindOf(err) == fault.Unauthenticated && g.o.Password != "":
		return withHint("ask who shared it for the password", err)
	case err != nil && !errors.Is(err, context.Canceled) && g.isUpload(c.Context(), source):
		return withHint("tandem put PATH URL", fault.Errorf(fault.Permission, "this link takes files and gives none"))
	case err == nil && !g.detach:
		g.emptyFolders(c, source)
	}
	return err
}

// locate fills in where a source is, and as whom to ask.
func (g *get) locate(c *cobra.Command, source string) error {
	if server, _, ok := client.SplitLink(source); ok {
		g.o.Source, g.o.Server = source, account(g.app.knownCA(server))
		g.o.Name = g.from.name
		return g.readPassword(c.Context())
	}
	r, s, err := g.app.at(c, source)
	if err != nil {
		return err
	}
	r.Close()
	g.o.Source, g.o.Server, g.o.Name = s.String(), account(r.saved), g.from.name
	return nil
}

func (g *get) readPassword(ctx context.Context) (err error) {
	if g.from.file != "" {
		g.o.Password, err = g.app.password(ctx, g.from.file, "", false)
	}
	return err
}

// asking runs work, and once more with a password when it turns out that one is wanted.
func (g *get) asking(ctx context.Context, prompt string, work func() error) error {
	err := work()
	if !errors.Is(err, node.ErrPassword) || g.o.Password != "" {
		return err
	}
	if g.o.Password, err = g.app.password(ctx, "", prompt, false); err != nil {
		return err
	}
	return work()
}

// account is how a node reaches a server we know.
func account(s savedServer) *node.Account {
	a := &node.Account{URL: s.URL, Secret: s.Secret}
	if s.CA != "" {
		a.CA = []byte(s.CA)
	}
	return a
}

// courtesy bounds asking a server for what a get can do without.
const courtesy = 2 * time.Second

// isUpload reports whether a source is a link that gives nothing.
func (g *get) isUpload(ctx context.Context, source string) bool {
	server, token, ok := client.SplitLink(source)
	if !ok {
		return false
	}
	cl, err := g.app.dial(g.app.knownCA(server))
	if err != nil {
		return false
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, courtesy)
	defer cancel()
	shared, err := cl.By(token, g.o.Password).Shared(ctx)
	return err == nil && shared.Kind == "upload"
}

// emptyFolders makes those that a torrent has no place for, if the server answers at once.
func (g *get) emptyFolders(c *cobra.Command, source string) {
	if g.item == nil || len(g.o.Select) > 0 {
		return
	}
	last := g.item.Status()
	root, err := os.OpenRoot(filepath.Join(g.o.Dir, cmp.Or(g.o.Name, last.Name)))
	if err != nil {
		return // a file
	}
	defer root.Close()
	if !served(last) {
		return
	}
	ctx, cancel := context.WithTimeout(c.Context(), courtesy)
	defer cancel()
	tree, e, done, err := g.find(ctx, c, source)
	if err != nil {
		return
	}
	defer done()
	below := strings.Trim(e.Path, "/")
	_ = tree.Walk(ctx, e.Path, func(at api.Entry) error {
		if rel := strings.Trim(strings.TrimPrefix(at.Path, below), "/"); at.Kind == "folder" && rel != "" {
			_ = root.MkdirAll(filepath.FromSlash(rel), 0o755)
		}
		return nil
	})
}

// fits refuses what plain HTTP from a server cannot do.
func (g *get) fits(c *cobra.Command) error {
	for _, name := range []string{"detach", "keep-seeding", "select", "peer", "tracker"} {
		if c.Flags().Changed(name) {
			return usageError{fmt.Errorf("--%s is not for what is compared with the server's files, or replaced (--force, --version-id)", name)}
		}
	}
	if g.o.Via == transfer.ViaPeers {
		return usageError{errors.New("--via peers leaves the server out, whose files --force and --version-id are about")}
	}
	return nil
}

func (g *get) plain(c *cobra.Command, source string) error {
	if err := g.fits(c); err != nil {
		return err
	}
	if err := g.readPassword(c.Context()); err != nil {
		return err
	}
	return g.fetch(c, source)
}

// fetch gets a source from a server by plain HTTP, and leaves what is there already.
func (g *get) fetch(c *cobra.Command, source string) error {
	tree, e, done, err := g.find(c.Context(), c, source)
	if err != nil {
		return err
	}
	defer done()
	if g.from.version != 0 {
		if e, err = older(c.Context(), tree, e, g.from.version); err != nil {
			return err
		}
	}
	return g.receive(c.Context(), tree, e)
}

// find asks the server for what a source is. done is to be called in the end.
func (g *get) find(ctx context.Context, c *cobra.Command, source string) (tree client.Tree, e api.Entry, done func(), err error) {
	if server, token, ok := client.SplitLink(source); ok {
		return g.findLink(ctx, server, token)
	}
	r, s, err := g.app.at(c, source)
	if err != nil {
		return tree, e, nil, err
	}
	tree = r.In(s.collection)
	if e, err = tree.Stat(ctx, s.path); err != nil {
		r.Close()
		return tree, e, nil, err
	}
	if e.Name == "" {
		e.Name = path.Base(s.String())
	}
	e.Path = s.path // the way we ask for it
	return tree, e, r.Close, nil
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

// findLink asks the server for what a share link leads to.
func (g *get) findLink(ctx context.Context, server, token string) (tree client.Tree, e api.Entry, done func(), err error) {
	cl, err := g.app.dial(g.app.knownCA(server))
	if err != nil {
		return tree, e, nil, err
	}
	defer func() {
		if err != nil {
			cl.Close()
		}
	}()
	tree = cl.By(token, g.o.Password)
	shared, err := tree.Shared(ctx)
	if err == nil && shared.Locked && g.o.Password == "" {
		if g.o.Password, err = g.app.password(ctx, "", "password of the link", false); err != nil {
			return tree, e, nil, err
		}
		tree = cl.By(token, g.o.Password)
		shared, err = tree.Shared(ctx)
	}
	switch {
	case err != nil && g.o.Password != "" && fault.KindOf(err) == fault.Unauthenticated:
		return tree, e, nil, withHint("ask who shared it for the password", err)
	case err != nil:
		return tree, e, nil, err
	case shared.Locked:
		return tree, e, nil, withHint("ask who shared it for the password", fault.Errorf(fault.Unauthenticated, "the link's password is wrong"))
	case shared.Kind == "upload":
		return tree, e, nil, withHint("tandem put PATH URL", fault.Errorf(fault.Permission, "this link takes files and gives none"))
	case shared.Entry == nil:
		return tree, e, nil, fault.Errorf(fault.Protocol, "the server does not say what the link leads to")
	}
	e = *shared.Entry
	e.Path = ""
	g.from.once = shared.Limited
	return tree, e, cl.Close, nil
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
