package cli

import (
	"context"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

func (a *app) auditCommand() *cobra.Command {
	var since, until, user, action string
	var limit, after int64
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show who did what on a server",
		Long: `audit prints the entries of the server's audit log, oldest first; with --json in the form
in which they are chained, for export. Every entry holds the hash of the one
before: audit verify finds out whether one was changed or taken away.`,
		Example: `  tandem audit --since 7d --user bob
  tandem audit --json > audit.ndjson
  tandem audit verify`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			q := url.Values{}
			for key, text := range map[string]string{"since": since, "until": until} {
				t, err := parsePast(text, time.Now())
				if err != nil {
					return err
				}
				if t != nil {
					q.Set(key, t.Format(time.RFC3339))
				}
			}
			for key, v := range map[string]string{"user": user, "action": action} {
				if v != "" {
					q.Set(key, v)
				}
			}
			for key, n := range map[string]int64{"limit": limit, "after": after} {
				if n > 0 {
					q.Set(key, number(n))
				}
			}
			return a.printAudit(ctx, r, q)
		}),
	}
	f := c.Flags()
	f.StringVar(&since, "since", "", "from this `TIME` on: a date (2027-01-31), or this long ago (7d)")
	f.StringVar(&until, "until", "", "up to this `TIME`")
	f.StringVar(&user, "user", "", "only what the account `NAME` did")
	f.StringVar(&action, "action", "", "only this `ACTION`, such as login")
	f.Int64Var(&limit, "limit", 0, "at most `N` entries (default all)")
	f.Int64Var(&after, "after", 0, "only behind the entry with this `NUMBER`")
	c.AddCommand(a.auditVerify())
	return serverFlag(c)
}

func (a *app) printAudit(ctx context.Context, r *remote, q url.Values) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	defer w.Flush()
	return r.Audit(ctx, q, func(e api.AuditEntry) error {
		if a.json {
			writeJSON(a.stdout, e)
			return nil
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", when(e.Time), clean(e.Actor), clean(e.Action), clean(e.Outcome), clean(e.Object), clean(e.Detail))
		return err
	})
}

// parsePast reads a date, or how long ago; "" is not said.
func parsePast(text string, now time.Time) (*time.Time, error) {
	var d span
	if text != "" && d.Set(text) == nil {
		t := now.Add(-time.Duration(d)).UTC()
		return &t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		t = t.UTC()
		return &t, nil
	}
	return parseExpiry(text, now)
}

func (a *app) auditVerify() *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Find out whether the audit log was tampered with", Example: `  tandem audit verify`,
		Args: cobra.NoArgs,
		RunE: a.client(func(ctx context.Context, r *remote, _ []string) error {
			v, err := r.VerifyAudit(ctx)
			if err != nil {
				return err
			}
			if v.Broken != 0 {
				if a.json {
					writeJSON(a.stdout, v)
				}
				return withHint("compare it with a backup or an earlier export: entries from there on cannot be trusted",
					fault.Errorf(fault.Corrupt, "the audit log is broken: entry %d does not follow from the one before", v.Broken))
			}
			a.print(v, fmt.Sprintf("%d entries, whole; the last one is %s (keep this elsewhere: it vouches for all of them)", v.Entries, v.Head))
			return nil
		}),
	}
	return serverFlag(c)
}
