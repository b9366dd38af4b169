package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/origin/api"
	"tandem/internal/peer"
)

// link is one run of the link command.
type link struct {
	app            *app
	expires, file  string
	audience, note string
	downloads      int64
	most           Size
	upload, qr     bool
}

func (a *app) linkCommand() *cobra.Command {
	l := &link{app: a}
	c := &cobra.Command{
		Use:   "link NAME/PATH",
		Short: "Make a link to a file or folder on a server, for people without an account",
		Long: `link prints the URL of a new link. Who has it can look at it in a browser, fetch it with
tandem get, or with curl: URL/download is the file itself.

With --upload the link takes files into a folder and shows nothing of it. With
--audience public BitTorrent clients can fetch it too; nothing is enforced then.`,
		Example: `  tandem link photos/2026 --expires 7d --password-file password.txt
  tandem link team/inbox --upload
  tandem link ls
  tandem link rm 17`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error { return l.run(ctx, r, s) }),
	}
	f := c.Flags()
	f.StringVar(&l.expires, "expires", "", "it ends after this long (`12h`, 7d), or with this date (2027-01-31)")
	f.StringVar(&l.file, "password-file", "", "ask who uses it for the password in `FILE`, - is standard input")
	f.Int64Var(&l.downloads, "max-downloads", 0, "it ends after `N` downloads")
	f.StringVar(&l.audience, "audience", "link", "`WHO` may fetch: link (holders of the URL) or public (every BitTorrent client too)")
	f.BoolVar(&l.upload, "upload", false, "take files instead of giving them")
	f.Var(&l.most, "max-bytes", "an upload link takes at most this much in all")
	f.StringVar(&l.note, "note", "", "shown to who uses it")
	f.BoolVar(&l.qr, "qr", false, "draw the URL as a QR code too")
	complete(c, "audience", "link", "public")
	c.AddCommand(a.linkList(), a.linkRemove())
	return serverFlag(c)
}

func (l *link) run(ctx context.Context, r *remote, s spot) error {
	if _, err := peer.ParseAudience(l.audience); err != nil {
		return usageError{fmt.Errorf("--audience: %w", err)}
	}
	n := api.NewLink{
		Collection: s.collection, Path: s.path, Audience: l.audience, Note: l.note,
		MaxDownloads: l.downloads, MaxBytes: int64(l.most),
	}
	if l.downloads < 0 {
		return usageError{errors.New("--max-downloads is negative")}
	}
	if l.upload {
		n.Kind = "upload"
	}
	var err error
	if n.Expires, err = parseExpiry(l.expires, time.Now()); err != nil {
		return err
	}
	if l.file != "" {
		if n.Password, err = l.app.password(ctx, l.file, "", false); err != nil {
			return err
		}
	}
	made, err := r.CreateLink(ctx, n)
	if err != nil {
		return err
	}
	if l.qr && !l.app.json {
		printQR(l.app.stderr, made.URL)
	}
	l.app.print(made, made.URL)
	return nil
}

func (a *app) linkList() *cobra.Command {
	var all string
	c := &cobra.Command{
		Use: "ls", Short: "List your links, or all of a collection you administer",
		Example: `  tandem link ls
  tandem link ls --in photos`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			list, err := r.Links(ctx, all)
			if err != nil {
				return err
			}
			rows(a, list, "ID KIND LEADS-TO EXPIRES USED STATE URL", func(v api.Link) []string {
				used := number(v.Downloads)
				if v.MaxDownloads > 0 {
					used += " of " + number(v.MaxDownloads)
				}
				return []string{number(v.ID), v.Kind, spot{collection: v.Collection, path: v.Path}.String(), whenOr(v.Expires, "never"), used, linkState(v, time.Now()), v.URL}
			})
			return nil
		}),
	}
	c.Flags().StringVar(&all, "in", "", "all links of the collection `NAME`")
	return serverFlag(c)
}

// linkState says in a word whether a link still works.
func linkState(v api.Link, now time.Time) string {
	switch {
	case v.Revoked != nil:
		return "revoked"
	case v.Expires != nil && !now.Before(*v.Expires):
		return "expired"
	case v.MaxDownloads > 0 && v.Downloads >= v.MaxDownloads:
		return "used-up"
	case !v.Live:
		return "file-gone"
	case v.Password:
		return "password"
	}
	return "open"
}

func (a *app) linkRemove() *cobra.Command {
	c := &cobra.Command{
		Use: "rm ID", Short: "End a link", Example: `  tandem link rm 17`,
		Args: cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if err := r.RevokeLink(ctx, id); err != nil {
				return err
			}
			a.say(doneEvent{"revoked", "", id}, "link %d has ended", id)
			return nil
		}),
	}
	return serverFlag(c)
}
