package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
	"tandem/internal/units"
)

func (a *app) lsCommand() *cobra.Command {
	var deep bool
	c := &cobra.Command{
		Use:   "ls NAME[/PATH]",
		Short: "List a folder on a server",
		Example: `  tandem ls photos/2026
  tandem ls -R --json photos`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			if deep {
				return a.listDeep(ctx, r, s)
			}
			return a.list(ctx, r, s)
		}),
	}
	c.Flags().BoolVarP(&deep, "recursive", "R", false, "list everything below it too")
	return serverFlag(c)
}

// entryRow is a line of ls.
func entryRow(name func(api.Entry) string) func(api.Entry) []string {
	return func(e api.Entry) []string {
		if e.Kind == "folder" {
			return []string{"-", when(e.Modified), e.By, name(e) + "/"}
		}
		return []string{units.Bytes(e.Size), when(e.Modified), e.By, name(e)}
	}
}

const entryHead = "SIZE MODIFIED BY NAME"

// list prints a folder page by page, in the order the server has.
func (a *app) list(ctx context.Context, r *remote, s spot) error {
	var all []api.Entry
	after := ""
	for {
		l, err := r.In(s.collection).List(ctx, s.path, after, 1000)
		if err != nil {
			return err
		}
		if l.Folder.Kind == "file" {
			all = append(all, l.Folder)
			break
		}
		if a.json { // nothing has to be aligned
			rows(a, l.Entries, "", nil)
		} else {
			all = append(all, l.Entries...)
		}
		if l.Next == "" || l.Next == after {
			break
		}
		after = l.Next
	}
	rows(a, all, entryHead, entryRow(func(e api.Entry) string { return e.Name }))
	return nil
}

func (a *app) listDeep(ctx context.Context, r *remote, s spot) error {
	var some []api.Entry
	row := entryRow(func(e api.Entry) string { return e.Path })
	flush := func() { // a table of a thousand lines at a time: no listing is too long
		rows(a, some, entryHead, row)
		some = some[:0]
	}
	err := r.In(s.collection).Walk(ctx, s.path, func(e api.Entry) error {
		if some = append(some, e); a.json || len(some) == 1000 {
			flush()
		}
		return nil
	})
	flush()
	return err
}

// doneEvent says that something small was done.
type doneEvent struct {
	Event string `json:"event"`
	Path  string `json:"path"`
	ID    int64  `json:"id,omitempty"`
}

func (a *app) mkdirCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "mkdir NAME/PATH",
		Short:   "Make a folder on a server, and those above it",
		Example: `  tandem mkdir photos/2026/may`,
		Args:    cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			e, err := r.In(s.collection).MakeFolder(ctx, s.path)
			if err != nil {
				return err
			}
			a.say(e, "made %s", s)
			return nil
		}),
	}
	return serverFlag(c)
}

func (a *app) mvCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mv NAME/PATH NAME/NEWPATH",
		Short: "Rename or move a file or folder within its collection",
		Long: `mv gives a file or folder another path in the same collection; a path that ends in a
slash, or is a folder, gets it under its own name. Links to it go on leading to it.
For another collection fetch it and put it there.`,
		Example: `  tandem mv photos/2026/img1.jpg photos/2026/beach.jpg
  tandem mv photos/beach.jpg photos/2026/`,
		Args: cobra.ExactArgs(2),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, args []string) error {
			if s.path == "" {
				return usageError{withHint("rename a collection with: tandem collection set NAME --name NEW", errors.New("name what is to be moved: NAME/PATH"))}
			}
			to, err := moveTarget(ctx, r, s, args[0])
			if err != nil {
				return err
			}
			e, err := r.In(s.collection).Move(ctx, s.path, to)
			if err != nil {
				return err
			}
			a.say(e, "moved %s to %s/%s", s, s.collection, e.Path)
			return nil
		}),
	}
	return serverFlag(c)
}

// confirmed is for what cannot be undone.
func confirmed(yes bool, what string) error {
	if yes {
		return nil
	}
	return usageError{withHint("if that is meant, add --yes", fmt.Errorf("%s cannot be undone", what))}
}

func (a *app) rmCommand() *cobra.Command {
	var purge, yes bool
	c := &cobra.Command{
		Use:   "rm NAME/PATH",
		Short: "Move a file or folder to the trash",
		Long: `rm moves a file or folder to the trash of its collection, where it stays for a set time:
tandem trash ls, tandem trash restore. With --purge it is removed for good, at once,
which needs the right to administer the collection.`,
		Example: `  tandem rm photos/2026/blurred.jpg
  tandem rm --purge --yes photos/secret.txt`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			if s.path == "" {
				return usageError{withHint("remove a whole collection with: tandem collection rm NAME", errors.New("name what is to be removed: NAME/PATH"))}
			}
			if purge {
				if err := confirmed(yes, "--purge"); err != nil {
					return err
				}
			}
			gone, err := r.In(s.collection).Trash(ctx, s.path)
			if err != nil {
				return err
			}
			if !purge {
				a.say(doneEvent{"trashed", s.path, gone.ID}, "%s is in the trash until %s; undo: tandem trash restore %s %d", s, when(gone.Goes), s.collection, gone.ID)
				return nil
			}
			if err := r.In(s.collection).Purge(ctx, gone.ID); err != nil {
				return fmt.Errorf("it is in the trash (%d), but cannot be removed for good: %w", gone.ID, err)
			}
			a.say(doneEvent{"purged", s.path, gone.ID}, "removed %s for good", s)
			return nil
		}),
	}
	c.Flags().BoolVar(&purge, "purge", false, "remove it for good")
	c.Flags().BoolVar(&yes, "yes", false, "really")
	return serverFlag(c)
}

func (a *app) trashCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "trash",
		Short: "What was removed, and taking it back",
		Example: `  tandem trash ls photos
  tandem trash restore photos 42`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	ls := &cobra.Command{
		Use: "ls NAME", Short: "List the trash of a collection", Example: `  tandem trash ls photos`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			list, err := r.In(s.collection).TrashList(ctx)
			if err != nil {
				return err
			}
			rows(a, list, "ID SIZE REMOVED BY STAYS-UNTIL PATH", func(t api.Trashed) []string {
				return []string{number(t.ID), units.Bytes(t.Size), when(t.Trashed), t.By, when(t.Goes), t.Path}
			})
			return nil
		}),
	}
	restore := &cobra.Command{
		Use: "restore NAME ID", Short: "Take something out of the trash, to where it was", Example: `  tandem trash restore photos 42`,
		Args: cobra.ExactArgs(2),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			e, err := r.In(s.collection).Restore(ctx, id)
			if err != nil {
				return listedBy("tandem trash ls "+s.collection, err)
			}
			a.say(e, "restored %s/%s", s.collection, e.Path)
			return nil
		}),
	}
	var yes bool
	rm := &cobra.Command{
		Use: "rm NAME ID", Short: "Remove something in the trash for good", Example: `  tandem trash rm --yes photos 42`,
		Args: cobra.ExactArgs(2),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if err := confirmed(yes, "removing it from the trash"); err != nil {
				return err
			}
			if err := r.In(s.collection).Purge(ctx, id); err != nil {
				return listedBy("tandem trash ls "+s.collection, err)
			}
			a.say(doneEvent{"purged", "", id}, "removed for good")
			return nil
		}),
	}
	rm.Flags().BoolVar(&yes, "yes", false, "really")
	c.AddCommand(serverFlag(ls), serverFlag(restore), serverFlag(rm))
	return c
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

func parseID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, usageError{fmt.Errorf("%q is not an ID: they are numbers, and listed", text)}
	}
	return id, nil
}

func (a *app) versionsCommand() *cobra.Command {
	var back int64
	c := &cobra.Command{
		Use:   "versions NAME/PATH",
		Short: "List the contents a file has had, and make one current again",
		Example: `  tandem versions team/report.pdf
  tandem versions team/report.pdf --restore 17
  tandem get team/report.pdf --version-id 17 -o old.pdf`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			if back != 0 {
				e, err := r.In(s.collection).RestoreVersion(ctx, s.path, back)
				if err != nil {
					return listedBy("tandem versions "+s.String(), err)
				}
				a.say(e, "%s is as it was in version %d", s, back)
				return nil
			}
			list, err := r.In(s.collection).Versions(ctx, s.path)
			if err != nil {
				return err
			}
			rows(a, list, "ID SIZE STORED BY SHA256", func(v api.Version) []string {
				mark := ""
				if v.Current {
					mark = " (current)"
				}
				return []string{number(v.ID), units.Bytes(v.Size), when(v.Stored), v.By, v.SHA256 + mark}
			})
			return nil
		}),
	}
	c.Flags().Int64Var(&back, "restore", 0, "make a copy of the version `ID` the current one")
	return serverFlag(c)
}

func (a *app) searchCommand() *cobra.Command {
	var in string
	c := &cobra.Command{
		Use:     "search TEXT",
		Short:   "Look for files and folders by name",
		Example: `  tandem search beach --in photos`,
		Args:    cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			list, err := r.Search(ctx, in, args[0])
			if err != nil {
				return err
			}
			rows(a, list, "SIZE MODIFIED BY NAME", func(f api.Found) []string {
				return entryRow(func(e api.Entry) string { return f.Collection + "/" + e.Path })(f.Entry)
			})
			return nil
		}),
	}
	c.Flags().StringVar(&in, "in", "", "only in the collection `NAME`")
	return serverFlag(c)
}

// moveTarget decides which path something gets.
func moveTarget(ctx context.Context, r *remote, from spot, text string) (string, error) {
	to, err := parseSpot(text)
	if err != nil {
		return "", err
	}
	if to.server != "" && to.server != from.server || to.collection != from.collection {
		return "", usageError{withHint("fetch it and put it there: tandem get, tandem put",
			fmt.Errorf("%s is in another collection than %s", text, from))}
	}
	if to.path == "" || to.folder {
		return path.Join(to.path, path.Base(from.path)), nil
	}
	e, err := r.In(to.collection).Stat(ctx, to.path)
	switch {
	case err == nil && e.Kind == "folder" && to.path != from.path:
		return path.Join(to.path, path.Base(from.path)), nil
	case err != nil && !errors.Is(err, fault.NotFound):
		return "", err
	}
	return to.path, nil // the server says so when it is taken
}
