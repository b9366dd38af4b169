package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/origin/api"
	"tandem/internal/peer"
	"tandem/internal/units"
)

// link is one run of the link command.
type link struct {
	app            *app
	expires, file  string
	audience, note string
	downloads      int64
	copies         int
	most           units.Size
	upload, qr, v1 bool
}

func (a *app) linkCommand() *cobra.Command {
	l := &link{app: a}
	c := &cobra.Command{
		Use:   "link NAME/PATH",
		Short: "Make a link to a file or folder on a server, for people without an account",
		Long: `link prints a new link. Who has it can look at it in a browser, fetch it with tandem
get, or with curl: URL/download is the file itself. Behind the # stands what only
tandem get reads, and nobody is sent: with it the link works without the server too.

Nodes serve only whoever holds the link, until its end or for 7 days after they last
reached the server, whichever comes first; a revocation reaches connected nodes within
seconds. With a password or a number of downloads there is no #: nodes serve only
those for whom the server has signed a capability, for a day at a time.

With --audience public BitTorrent clients can fetch it too; nothing is enforced then.
With --copies K the server counts the nodes that hold a whole copy, asks those that
offer room (tandem keep --server URL) and warns while there are fewer. With --upload
the link takes files into a folder and shows nothing of it.`,
		Example: `  tandem link photos/2026 --expires 7d --copies 2
  tandem link photos/2026 --password-file password.txt
  tandem link team/inbox --upload
  tandem link show 17 --qr
  tandem link rm 17`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error { return l.run(ctx, r, s) }),
	}
	f := c.Flags()
	f.StringVar(&l.expires, "expires", "", "it ends after this `TIME` (12h, 7d), or with this date (2027-01-31)")
	f.StringVar(&l.file, "password-file", "", "ask who uses it for the password in `FILE`, - is standard input")
	f.Int64Var(&l.downloads, "max-downloads", 0, "it ends after `N` downloads")
	f.StringVar(&l.audience, "audience", "link", "`WHO` may fetch: link (holders of the URL) or public (every BitTorrent client too)")
	f.IntVar(&l.copies, "copies", 0, "keep whole copies on `K` nodes beside the server, and warn while there are fewer")
	f.BoolVar(&l.v1, "v1", false, "for clients that cannot read hybrid torrents, such as transmission before 4 and aria2; public only")
	f.BoolVar(&l.upload, "upload", false, "take files instead of giving them")
	f.Var(&l.most, "max-bytes", "an upload link takes at most this much in all")
	f.Lookup("max-bytes").DefValue = ""
	f.StringVar(&l.note, "note", "", "`TEXT` shown to who uses it")
	f.BoolVar(&l.qr, "qr", false, "draw the link as a QR code too")
	complete(c, "audience", "link", "public")
	c.AddCommand(a.linkList(), a.linkShow(), a.linkRemove())
	return serverFlag(c)
}

func (l *link) run(ctx context.Context, r *remote, s spot) error {
	n, err := l.request(ctx, s)
	if err != nil {
		return err
	}
	made, err := r.CreateLink(ctx, n)
	if err != nil {
		return err
	}
	return l.app.showLink(ctx, r, made, l.qr)
}

// request is what is asked of the server.
func (l *link) request(ctx context.Context, s spot) (api.NewLink, error) {
	n := api.NewLink{
		Collection: s.collection, Path: s.path, Audience: l.audience, Note: l.note,
		MaxDownloads: l.downloads, MaxBytes: int64(l.most), Copies: l.copies, V1: l.v1,
	}
	if l.upload {
		n.Kind = "upload"
	}
	public := l.audience == peer.Public.String()
	switch _, err := peer.ParseAudience(l.audience); {
	case err != nil:
		return n, usageError{fmt.Errorf("--audience: %w", err)}
	case l.downloads < 0:
		return n, usageError{errors.New("--max-downloads is negative")}
	case l.copies < 0:
		return n, usageError{errors.New("--copies is negative")}
	case l.copies > 0 && l.upload:
		return n, usageError{errors.New("--copies is for links that give something, not with --upload")}
	case l.v1 && !public:
		return n, usageError{withHint("let everybody in: --audience public, or leave --v1 away", errors.New("--v1 needs --audience public"))}
	}
	var err error
	if n.Expires, err = parseExpiry(l.expires, time.Now()); err != nil {
		return n, err
	}
	if l.file != "" {
		n.Password, err = l.app.password(ctx, l.file, "", false)
	}
	return n, err
}

// lookEvery paces the looks at a link that is being made.
const lookEvery = 250 * time.Millisecond

// showLink prints a link, once it is whole: the server hashes large files first.
func (a *app) showLink(ctx context.Context, r *remote, v api.Link, draw bool) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for looks := 0; v.Link == "" && linkWaits(v, time.Now()); looks++ {
		if looks == 4 {
			a.notice("the server is hashing it for the link; " + v.URL + " works in browsers already")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		now, err := r.Link(ctx, v.ID)
		if err != nil {
			return fmt.Errorf("link %d is made, %s; what stands behind its # is not known: %w", v.ID, v.URL, err)
		}
		v = now
	}
	whole := cmp.Or(v.Link, v.URL)
	if v.Torrent == "failed" {
		a.notice("the server could not make the link's torrent; " + v.URL + " works in browsers")
	}
	if draw && !a.json {
		printQR(a.stderr, whole)
	}
	a.print(v, whole)
	if short := v.Copies - v.Holders; short > 0 && !a.json {
		a.notice(fmt.Sprintf("of %d copies wanted there are %d: have nodes keep it with: tandem keep LINK --for 30d", v.Copies, v.Holders))
	}
	return nil
}

// linkWaits reports whether something is still to come of a link.
func linkWaits(v api.Link, now time.Time) bool {
	switch linkState(v, now) {
	case "open", "password", "uploading":
		return v.Kind == "share" && v.Torrent != "failed"
	}
	return false
}

func (a *app) linkShow() *cobra.Command {
	var draw bool
	c := &cobra.Command{
		Use: "show ID", Short: "Print a link again, whole", Example: `  tandem link show 17 --qr`,
		Args: cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			v, err := r.Link(ctx, id)
			if err != nil {
				return listedBy("tandem link ls", err)
			}
			return a.showLink(ctx, r, v, draw)
		}),
	}
	c.Flags().BoolVar(&draw, "qr", false, "draw the link as a QR code too")
	return serverFlag(c)
}

func (a *app) linkList() *cobra.Command {
	var all string
	c := &cobra.Command{
		Use: "ls", Short: "List your links, or all of a collection you administer",
		Long: `ls lists links: what they lead to, how often they were used, how many nodes hold a whole
copy of how many wanted, and how much was served, from the server, the local network
and other peers. With --json each has the whole link too, as tandem link show ID prints it.`,
		Example: `  tandem link ls
  tandem link ls --in photos`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			list, err := r.Links(ctx, all)
			if err != nil {
				return err
			}
			rows(a, list, "ID KIND LEADS-TO EXPIRES USED COPIES SERVED STATE URL", func(v api.Link) []string {
				used := number(v.Downloads)
				if v.MaxDownloads > 0 {
					used += " of " + number(v.MaxDownloads)
				}
				return []string{
					number(v.ID), v.Kind, spot{collection: v.Collection, path: v.Path}.String(), whenOr(v.Expires, "never"), used,
					copiesText(v), servedText(v.Served), linkState(v, time.Now()), v.URL,
				}
			})
			return nil
		}),
	}
	c.Flags().StringVar(&all, "in", "", "all links of the collection `NAME`")
	return serverFlag(c)
}

// copiesText says how many nodes hold a whole copy, and whether that is too few.
func copiesText(v api.Link) string {
	switch {
	case v.Kind != "share":
		return "-"
	case v.Copies == 0:
		return fmt.Sprint(v.Holders)
	case v.Holders < v.Copies:
		return fmt.Sprintf("%d of %d!", v.Holders, v.Copies)
	}
	return fmt.Sprintf("%d of %d", v.Holders, v.Copies)
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
	case v.Pending:
		return "uploading"
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
				return listedBy("tandem link ls", err)
			}
			a.say(doneEvent{"revoked", "", id}, "link %d has ended", id)
			return nil
		}),
	}
	return serverFlag(c)
}
