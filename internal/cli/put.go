package cli

import (
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
	"tandem/internal/origin/client"
)

// put is one run of the put command.
type put struct {
	app   *app
	force bool
	file  string // of a link's password
}

func (a *app) putCommand() *cobra.Command {
	p := &put{app: a}
	c := &cobra.Command{
		Use:   "put PATH NAME[/PATH]",
		Short: "Send a file or folder to a server",
		Long: `put sends a file or folder into the collection NAME. A file becomes NAME/PATH, or goes
into it when that is a folder or ends in a slash; without PATH it keeps its name. A
folder becomes NAME/PATH, or NAME/(its name) without PATH; "FOLDER/." sends what is
in it, without the folder itself.

What is there with the same content is not sent again, so the same command can be
repeated; what is different becomes an older version (see: tandem versions). An
upload that breaks off is taken up by the same command where it stopped. Links and
devices are left out.

In place of NAME the URL of an upload link can stand.`,
		Example: `  tandem put report.pdf team
  tandem put holiday/ photos/2026
  tandem put film.mkv https://files.example/s/AbC...`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return hintBy(clientHints, p.run(c, args)) },
	}
	c.Flags().BoolVar(&p.force, "force", false, "send what is there with the same content too")
	c.Flags().StringVar(&p.file, "password-file", "", "read the password of an upload link from `FILE`, - is standard input")
	return serverFlag(c)
}

func (p *put) run(c *cobra.Command, args []string) error {
	local := args[0]
	if local == "" {
		return usageError{errors.New("the path is empty")}
	}
	st, err := os.Stat(local)
	if err != nil {
		return fault.Wrap(fault.NotFound, err)
	}
	if server, token, ok := client.SplitLink(args[1]); ok {
		return p.toLink(c, local, server, token)
	}
	r, s, err := p.app.at(c, args[1])
	if err != nil {
		return err
	}
	defer r.Close()
	tree := r.In(s.collection)
	to, err := target(c.Context(), tree, local, st.IsDir(), s)
	if err != nil {
		return err
	}
	return p.send(c.Context(), tree, local, to)
}

// target decides where on the server local goes.
func target(ctx context.Context, tree client.Tree, local string, folder bool, s spot) (string, error) {
	abs, err := filepath.Abs(local)
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", local, err)
	}
	name := filepath.Base(abs)
	switch {
	case folder && isContents(local):
		return s.path, nil
	case s.path == "" || s.folder:
		return path.Join(s.path, name), nil
	case folder:
		return s.path, nil
	}
	e, err := tree.Stat(ctx, s.path)
	switch {
	case err == nil && e.Kind == "folder":
		return path.Join(s.path, name), nil
	case err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Permission):
		return "", err
	}
	return s.path, nil
}

// isContents reports whether a path ends in "/.": what is in the folder is meant.
func isContents(p string) bool {
	p = filepath.ToSlash(p)
	return p == "." || strings.HasSuffix(p, "/.")
}

// toLink sends through an upload link.
func (p *put) toLink(c *cobra.Command, local, server, token string) error {
	password := ""
	if p.file != "" {
		var err error
		if password, err = p.app.password(c.Context(), p.file, "", false); err != nil {
			return err
		}
	}
	cl, err := p.app.dial(p.app.knownCA(server))
	if err != nil {
		return err
	}
	defer cl.Close()
	abs, err := filepath.Abs(local)
	if err != nil {
		return fmt.Errorf("resolve %s: %w", local, err)
	}
	to := filepath.Base(abs)
	if isContents(local) {
		to = ""
	}
	return p.send(c.Context(), cl.By(token, password), local, to)
}

func (p *put) send(ctx context.Context, tree client.Tree, local, to string) error {
	m := &client.Meter{}
	began := time.Now()
	var out client.Outcome
	err := p.app.metered(ctx, "sending", m, func(ctx context.Context) (err error) {
		out, err = tree.Send(ctx, local, to, client.Put{
			Force: p.force, Meter: m, Journal: p.app.journal(), Tell: p.app.teller("stored"), Warn: p.app.notice,
		})
		return err
	})
	if err == nil || out.Files+out.Skipped > 0 {
		p.app.moved("stored", out, began)
	}
	return err
}

// journal remembers unfinished uploads in the state folder; nil when there is none.
func (a *app) journal() *client.Journal {
	dir := stateDir(a.getenv)
	if dir == "" {
		return nil
	}
	return client.OpenJournal(filepath.Join(dir, "uploads"), time.Now)
}
