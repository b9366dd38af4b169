package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/origin/api"
	"tandem/internal/units"
)

func (a *app) usersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "users",
		Short: "Accounts of a server",
		Example: `  tandem users invite --role publisher
  tandem users ls`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	ls := &cobra.Command{
		Use: "ls", Short: "List all accounts", Example: `  tandem users ls --json`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			list, err := r.Users(ctx)
			if err != nil {
				return err
			}
			rows(a, list, "NAME ROLE STATE USED SINCE", func(u api.User) []string {
				state := "active"
				if u.Disabled {
					state = "disabled"
				}
				return []string{u.Name, u.Role, state, quotaText(u.Used, u.Quota), when(u.Created)}
			})
			return nil
		}),
	}
	c.AddCommand(serverFlag(ls), a.usersAdd(), a.usersSet(), a.usersInvite(), a.usersInvitations(), a.usersPassword())
	return c
}

func (a *app) usersAdd() *cobra.Command {
	var role, file string
	var quota units.Size
	c := &cobra.Command{
		Use: "add NAME", Short: "Make an account", Example: `  tandem users add bob --role publisher --password-file password.txt`,
		Args: cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			if _, err := parseRole(role); err != nil {
				return err
			}
			password, err := a.password(ctx, file, "password for "+args[0], true)
			if err != nil {
				return err
			}
			u, err := r.CreateUser(ctx, api.NewUser{Name: args[0], Password: password, Role: role, Quota: int64(quota)})
			if err != nil {
				return err
			}
			a.say(u, "made %s, a %s", u.Name, u.Role)
			return nil
		}),
	}
	f := c.Flags()
	f.StringVar(&role, "role", "reader", "what the account may ever do: reader, publisher or admin")
	f.StringVar(&file, "password-file", "", "read the password from `FILE`, - is standard input (default: ask)")
	f.Var(&quota, "quota", "hold at most this much; 0: no limit")
	complete(c, "role", "reader", "publisher", "admin")
	return serverFlag(c)
}

func (a *app) usersSet() *cobra.Command {
	var role, file string
	var quota units.Size
	var disable, enable bool
	c := &cobra.Command{
		Use: "set NAME", Short: "Change an account's role, quota or password, or disable it",
		Example: `  tandem users set bob --role reader --quota 10GiB
  tandem users set bob --disable`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = a.client(func(ctx context.Context, r *remote, args []string) error {
		if role != "" {
			if _, err := parseRole(role); err != nil {
				return err
			}
		}
		change := api.UserChange{Role: changed(c, "role", role), Quota: changed(c, "quota", int64(quota))}
		if disable && enable {
			return usageError{errors.New("--disable and --enable are opposites")}
		}
		if disable || enable {
			change.Disabled = &disable
		}
		if file != "" {
			password, err := a.password(ctx, file, "", false)
			if err != nil {
				return err
			}
			change.Password = &password
		}
		if change == (api.UserChange{}) {
			return usageError{errors.New("nothing is to be changed")}
		}
		u, err := r.UpdateUser(ctx, args[0], change)
		if err != nil {
			return listedBy("tandem users ls", err)
		}
		a.say(u, "changed %s", u.Name)
		return nil
	})
	f := c.Flags()
	f.StringVar(&role, "role", "", "reader, publisher or admin")
	f.StringVar(&file, "password-file", "", "set the password in `FILE`, - is standard input; all sessions end")
	f.Var(&quota, "quota", "hold at most this much; 0: no limit")
	f.BoolVar(&disable, "disable", false, "nobody can sign in to it any more; sessions end, also in the middle of a download")
	f.BoolVar(&enable, "enable", false, "the opposite")
	complete(c, "role", "reader", "publisher", "admin")
	return serverFlag(c)
}

func (a *app) usersInvite() *cobra.Command {
	role, group, note, ttl := "", "", "", span(0)
	c := &cobra.Command{
		Use: "invite", Short: "Make an invitation for one account, and print its URL",
		Long: `invite prints the URL at which somebody chooses a name and password: in a browser, or
with tandem accept URL --user NAME.`,
		Example: `  tandem users invite --role publisher --group family --note "for Bob"`,
		Args:    cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			if _, err := parseRole(role); err != nil {
				return err
			}
			i, err := r.Invite(ctx, api.NewInvitation{Role: role, Group: group, Note: note, TTL: int64(time.Duration(ttl) / time.Second)})
			if err != nil {
				return err
			}
			a.print(i, i.URL)
			return nil
		}),
	}
	inviteFlags(c, &role, &group, &note, &ttl)
	return serverFlag(c)
}

func (a *app) usersInvitations() *cobra.Command {
	var withdraw int64
	c := &cobra.Command{
		Use: "invitations", Short: "List invitations that nobody has taken, or withdraw one",
		Example: `  tandem users invitations
  tandem users invitations --withdraw 3`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			if withdraw != 0 {
				if err := r.WithdrawInvitation(ctx, withdraw); err != nil {
					return err
				}
				a.say(doneEvent{"withdrawn", "", withdraw}, "invitation %d has ended", withdraw)
				return nil
			}
			list, err := r.Invitations(ctx)
			if err != nil {
				return err
			}
			rows(a, list, "ID ROLE GROUP EXPIRES NOTE", func(i api.Invitation) []string {
				return []string{number(i.ID), i.Role, i.Group, when(i.Expires), i.Note}
			})
			return nil
		}),
	}
	c.Flags().Int64Var(&withdraw, "withdraw", 0, "end the invitation with this `ID`")
	return serverFlag(c)
}

func (a *app) usersPassword() *cobra.Command {
	var old, file string
	c := &cobra.Command{
		Use: "password", Short: "Change your own password; your other sessions end",
		Example: `  tandem users password`,
		Args:    cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			before, err := a.password(ctx, old, "present password", false)
			if err != nil {
				return err
			}
			after, err := a.password(ctx, file, "new password", true)
			if err != nil {
				return err
			}
			if err := r.ChangePassword(ctx, before, after); err != nil {
				return err
			}
			a.say(doneEvent{"password", "", 0}, "changed; your other sessions have ended")
			return nil
		}),
	}
	c.Flags().StringVar(&old, "old-password-file", "", "read the present password from `FILE` (default: ask)")
	c.Flags().StringVar(&file, "password-file", "", "read the new password from `FILE` (default: ask)")
	return serverFlag(c)
}

func (a *app) groupsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "groups",
		Short: "Named sets of accounts, for grants",
		Example: `  tandem groups create family
  tandem groups add family bob`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	ls := &cobra.Command{
		Use: "ls", Short: "List groups and their members", Example: `  tandem groups ls`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			list, err := r.Groups(ctx)
			if err != nil {
				return err
			}
			rows(a, list, "NAME MEMBERS", func(g api.Group) []string {
				return []string{g.Name, strings.Join(g.Members, ",")}
			})
			return nil
		}),
	}
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a group", Example: `  tandem groups create family`,
		Args: cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			g, err := r.CreateGroup(ctx, args[0])
			if err != nil {
				return err
			}
			a.say(g, "made %s; add somebody: tandem groups add %s NAME", g.Name, g.Name)
			return nil
		}),
	}
	rm := &cobra.Command{
		Use: "rm NAME", Short: "Remove a group and what was granted to it", Example: `  tandem groups rm family`,
		Args: cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			if err := r.DeleteGroup(ctx, args[0]); err != nil {
				return listedBy("tandem groups ls", err)
			}
			a.say(doneEvent{"removed", args[0], 0}, "removed %s", args[0])
			return nil
		}),
	}
	c.AddCommand(serverFlag(ls), serverFlag(create), serverFlag(rm), a.groupMember("add", true), a.groupMember("remove", false))
	return c
}

// groupMember makes groups add and groups remove.
func (a *app) groupMember(verb string, member bool) *cobra.Command {
	short, event := "Put somebody into a group", "joined"
	if !member {
		short, event = "Take somebody out of a group", "left"
	}
	c := &cobra.Command{
		Use: verb + " GROUP USER", Short: short, Example: "  tandem groups " + verb + " family bob",
		Args: cobra.ExactArgs(2),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			if err := r.SetMember(ctx, args[0], args[1], member); err != nil {
				return listedBy("tandem groups ls, tandem users ls", err)
			}
			a.say(doneEvent{event, args[0] + "/" + args[1], 0}, "%s has %s %s", args[1], event, args[0])
			return nil
		}),
	}
	return serverFlag(c)
}

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "API tokens, with which programs sign in",
		Example: `  tandem token create backup --rights list,read --expires 90d > token.txt
  tandem token ls`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	ls := &cobra.Command{
		Use: "ls", Short: "List your tokens", Example: `  tandem token ls`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			list, err := r.Tokens(ctx)
			if err != nil {
				return err
			}
			rows(a, list, "ID NAME RIGHTS LAST-USED EXPIRES", func(t api.Token) []string {
				rights := strings.Join(t.Rights, ",")
				if t.Server {
					rights += ",server"
				}
				return []string{number(t.ID), t.Name, rights, whenOr(t.Seen, "never"), whenOr(t.Expires, "never")}
			})
			return nil
		}),
	}
	rm := &cobra.Command{
		Use: "rm ID", Short: "End a token", Example: `  tandem token rm 4`,
		Args: cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if err := r.DeleteToken(ctx, id); err != nil {
				return listedBy("tandem token ls", err)
			}
			a.say(doneEvent{"removed", "", id}, "token %d has ended", id)
			return nil
		}),
	}
	c.AddCommand(serverFlag(ls), serverFlag(rm), a.tokenCreate())
	return c
}

func (a *app) tokenCreate() *cobra.Command {
	var rights, expires string
	var server bool
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a token, and print it: it is shown once",
		Example: `  tandem token create backup --rights list,read --expires 90d > token.txt`,
		Args:    cobra.ExactArgs(1),
		RunE: a.client(func(ctx context.Context, r *remote, args []string) error {
			list, err := parseRights(rights)
			if err != nil {
				return err
			}
			until, err := parseExpiry(expires, time.Now())
			if err != nil {
				return err
			}
			t, err := r.CreateToken(ctx, api.NewToken{Name: args[0], Rights: list, Server: server, Expires: until})
			if err != nil {
				return err
			}
			a.print(t, t.Secret)
			return nil
		}),
	}
	f := c.Flags()
	f.StringVar(&rights, "rights", "list,read", "what it may do, as far as you may: list, read, publish, administer; all or none")
	f.StringVar(&expires, "expires", "90d", "it ends after this `TIME` (12h, 7d), with this date (2027-01-31), or never")
	f.BoolVar(&server, "account", false, "it reaches your account and the server's too: users, links, audit")
	return serverFlag(c)
}
