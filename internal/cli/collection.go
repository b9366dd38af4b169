package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/origin/api"
	"tandem/internal/units"
)

func (a *app) collectionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "collection",
		Short: "Shared folders on a server",
		Example: `  tandem collection create photos
  tandem collection ls`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a collection, which is then yours", Example: `  tandem collection create photos`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			if s.path != "" {
				return usageError{withHint("make a folder in a collection with: tandem mkdir NAME/PATH", errors.New("a collection's name holds no slash"))}
			}
			v, err := r.CreateCollection(ctx, s.collection)
			if err != nil {
				return err
			}
			a.say(v, "made %s; put something into it: tandem put PATH %s", v.Name, v.Name)
			return nil
		}),
	}
	ls := &cobra.Command{
		Use: "ls", Short: "List the collections you may see", Example: `  tandem collection ls`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			list, err := r.Collections(ctx)
			if err != nil {
				return err
			}
			rows(a, list, "NAME OWNER FILES SIZE RIGHTS", func(v api.Collection) []string {
				return []string{v.Name, v.Owner, number(v.Files), quotaText(v.Used, v.Quota), strings.Join(v.Rights, ",")}
			})
			return nil
		}),
	}
	c.AddCommand(serverFlag(create), serverFlag(ls), a.collectionRemove(), a.collectionSet())
	return c
}

func (a *app) collectionRemove() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "rm NAME", Short: "Remove a collection with everything in it", Example: `  tandem collection rm --yes photos`,
		Args: cobra.ExactArgs(1),
		RunE: a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
			if s.path != "" {
				return usageError{withHint("tandem rm "+s.String(), errors.New("that is not a collection, but something in one"))}
			}
			if err := confirmed(yes, "removing a collection"); err != nil {
				return err
			}
			if err := r.DeleteCollection(ctx, s.collection); err != nil {
				return err
			}
			a.say(doneEvent{"removed", s.collection, 0}, "removed %s", s.collection)
			return nil
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "really: there is no trash for collections")
	return serverFlag(c)
}

// changed returns what a flag was given, nil when it was not.
func changed[T any](c *cobra.Command, flag string, v T) *T {
	if !c.Flags().Changed(flag) {
		return nil
	}
	return &v
}

func (a *app) collectionSet() *cobra.Command {
	var name string
	var quota units.Size
	var trash, versions span
	c := &cobra.Command{
		Use:     "set NAME",
		Short:   "Rename a collection, or change its quota and how long things are kept",
		Example: `  tandem collection set photos --quota 50GiB --keep-trash 30d --keep-versions 90d`,
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = a.on(func(ctx context.Context, r *remote, s spot, _ []string) error {
		change := api.CollectionChange{
			Name: changed(c, "name", name), Quota: changed(c, "quota", int64(quota)),
			KeepTrash:    changed(c, "keep-trash", int64(time.Duration(trash)/time.Second)),
			KeepVersions: changed(c, "keep-versions", int64(time.Duration(versions)/time.Second)),
		}
		if change == (api.CollectionChange{}) {
			return usageError{errors.New("nothing is to be changed")}
		}
		v, err := r.UpdateCollection(ctx, s.collection, change)
		if err != nil {
			return err
		}
		a.say(v, "changed %s", v.Name)
		return nil
	})
	f := c.Flags()
	f.StringVar(&name, "name", "", "call it `NEW`")
	f.Var(&quota, "quota", "hold at most this much; 0: no limit")
	f.Var(&trash, "keep-trash", "keep what is removed for this long")
	f.Var(&versions, "keep-versions", "keep what is replaced for this long")
	return serverFlag(c)
}

func (a *app) grantCommand() *cobra.Command {
	var until string
	c := &cobra.Command{
		Use:   "grant NAME [user:WHO|group:WHO RIGHTS]",
		Short: "Say who may do what in a collection, or list it",
		Long: `grant replaces what a user or group may do in a collection. RIGHTS are some of list,
read, publish, administer, joined by commas; "all"; "none" takes everything away.
Publish without list and read is a drop box. Without a user it lists the grants.`,
		Example: `  tandem grant photos user:bob list,read
  tandem grant photos group:family list,read,publish --until 2027-01-31
  tandem grant photos user:bob none
  tandem grant photos`,
		Args: cobra.RangeArgs(1, 3),
	}
	c.RunE = a.on(func(ctx context.Context, r *remote, s spot, args []string) error {
		switch len(args) {
		case 0:
			return a.listGrants(ctx, r, s.collection)
		case 1:
			return usageError{errors.New("say which rights: list,read,publish,administer, all or none")}
		}
		g, err := parseGrant(args[0], args[1])
		if err != nil {
			return err
		}
		if g.NotAfter, err = parseExpiry(until, time.Now()); err != nil {
			return err
		}
		if err := r.SetGrant(ctx, s.collection, g); err != nil {
			return err
		}
		if len(g.Rights) == 0 {
			a.say(g, "%s may do nothing in %s any more", g.Subject, s.collection)
		} else {
			a.say(g, "%s may %s in %s", g.Subject, strings.Join(g.Rights, ", "), s.collection)
		}
		return nil
	})
	c.Flags().StringVar(&until, "until", "", "only until this `DATE` (2027-01-31), or for this long (30d)")
	return serverFlag(c)
}

func (a *app) listGrants(ctx context.Context, r *remote, collection string) error {
	list, err := r.Grants(ctx, collection)
	if err != nil {
		return err
	}
	rows(a, list, "WHO RIGHTS UNTIL", func(g api.Grant) []string {
		kind := "user:"
		if g.Group {
			kind = "group:"
		}
		return []string{kind + g.Subject, strings.Join(g.Rights, ","), whenOr(g.NotAfter, "-")}
	})
	return nil
}

// parseGrant reads user:WHO or group:WHO, and rights.
func parseGrant(who, rights string) (api.Grant, error) {
	kind, name, ok := strings.Cut(who, ":")
	if !ok || name == "" || kind != "user" && kind != "group" {
		return api.Grant{}, usageError{fmt.Errorf("%q is neither user:NAME nor group:NAME", who)}
	}
	list, err := parseRights(rights)
	return api.Grant{Subject: name, Group: kind == "group", Rights: list}, err
}

func parseRights(text string) ([]string, error) {
	switch text {
	case "all":
		return []string{"list", "read", "publish", "administer"}, nil
	case "none":
		return []string{}, nil
	}
	list := splitList(text)
	for _, r := range list {
		switch r {
		case "list", "read", "publish", "administer":
		default:
			return nil, usageError{fmt.Errorf("%q is not one of list, read, publish, administer; nor are all and none joined with others", r)}
		}
	}
	if len(list) == 0 {
		return nil, usageError{errors.New("say which rights: list,read,publish,administer, all or none")}
	}
	return list, nil
}

// parseExpiry reads a date, a time or a duration from now; "" is never.
func parseExpiry(text string, now time.Time) (*time.Time, error) {
	if text == "" || text == "never" {
		return nil, nil
	}
	var d span
	if d.Set(text) == nil && d > 0 {
		t := now.Add(time.Duration(d)).UTC().Truncate(time.Second)
		return &t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		t = t.AddDate(0, 0, 1).UTC() // the day counts
		return &t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usageError{fmt.Errorf("%q is neither a duration such as 12h or 7d nor a date such as 2027-01-31", text)}
	}
	t = t.UTC()
	return &t, nil
}
