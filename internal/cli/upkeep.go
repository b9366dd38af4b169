package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/origin"
	"tandem/internal/units"
)

// backupEvent says what a backup or restore has moved.
type backupEvent struct {
	Event  string `json:"event"` // backup, restore
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"`
	Copied int64  `json:"copied"`
	State  string `json:"state"` // name of the catalog's file
}

func (a *app) backupCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "backup",
		Short: "Copy a server's data as one consistent state, while it runs",
		Long: `backup writes everything a server has into a folder: accounts, names, links, the audit
log, and the content. It may run while the server does. Content that an earlier backup
in the same folder has is not copied again, so that a daily one is quick; every
byte is checked on the way. The folder holds passwords' hashes and all content: keep
it as safe as the server.`,
		Example: `  tandem backup --data /var/lib/tandem --to /mnt/backup/tandem`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needs(c, "to"); err != nil {
				return err
			}
			folder, err := absolute(to)
			if err != nil {
				return err
			}
			return a.onData(c, func(cfg node.DataConfig) error {
				var report origin.BackupReport
				err := a.counted(c.Context(), "copying", func(ctx context.Context, progress func(done, total int64)) (err error) {
					report, err = node.Backup(ctx, cfg, folder, progress)
					return err
				})
				if err != nil && !(errors.Is(err, fault.Corrupt) && report.Catalog != "") {
					return err
				}
				a.print(backupEvent{"backup", report.Files, report.Bytes, report.Copied, report.Catalog},
					fmt.Sprintf("%s: %s, %s; %d copied, the others were there", report.Catalog, plural(int(report.Files), "file"), units.Bytes(report.Bytes), report.Copied))
				return withHint("find out which files have it with: tandem scrub; everything else is in the backup", err)
			})
		},
	}
	dataFlags(c)
	c.Flags().StringVar(&to, "to", "", "`FOLDER` for the backup, made if absent")
	return c
}

func (a *app) restoreCommand() *cobra.Command {
	var from, state string
	c := &cobra.Command{
		Use:   "restore",
		Short: "Make a server's data from a backup",
		Long: `restore reads the newest state in the folder of a backup, or the one named with --state, into
a place that is empty. Stop the server before, and start it on the new data afterwards.
A backup of one kind of database restores into the other.`,
		Example: `  tandem restore --from /mnt/backup/tandem --data /var/lib/tandem-new`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needs(c, "from"); err != nil {
				return err
			}
			folder, err := absolute(from)
			if err != nil {
				return err
			}
			if _, err := os.Stat(folder); err != nil { // before a place is made for it
				return withHint("check the path", fault.Wrap(fault.NotFound, fmt.Errorf("restore: %w", err)))
			}
			return a.onData(c, func(cfg node.DataConfig) error {
				var report origin.BackupReport
				err := a.counted(c.Context(), "restoring", func(ctx context.Context, progress func(done, total int64)) (err error) {
					report, err = node.Restore(ctx, cfg, folder, state, progress)
					return err
				})
				if errors.Is(err, fault.Exists) {
					return withHint("name an empty folder: --data DIR", err)
				}
				if err != nil && !(errors.Is(err, fault.Corrupt) && report.Catalog != "") {
					return err
				}
				a.print(backupEvent{"restore", report.Files, report.Bytes, report.Copied, report.Catalog},
					fmt.Sprintf("restored %s: %s, %s; look at it: tandem scrub", report.Catalog, plural(int(report.Files), "file"), units.Bytes(report.Bytes)))
				return withHint("find out which files have it with: tandem scrub; everything else is restored", err)
			})
		},
	}
	dataFlags(c)
	c.Flags().StringVar(&from, "from", "", "`FOLDER` of the backup")
	c.Flags().StringVar(&state, "state", "", "restore the state called `NAME` instead of the newest")
	return c
}

// The events of scrub.
type (
	damageEvent struct {
		Event string   `json:"event"` // damaged, missing
		Root  string   `json:"root"`
		Size  int64    `json:"size"`
		Paths []string `json:"paths"`
	}
	scrubEvent struct {
		Event   string `json:"event"` // scrub
		Checked int64  `json:"checked"`
		Bytes   int64  `json:"bytes"`
		Damaged int    `json:"damaged"`
		Missing int    `json:"missing"`
		Stray   int64  `json:"stray"`
	}
)

func (a *app) scrubCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "scrub",
		Short: "Hash all of a server's content again, and set damage aside",
		Long: `scrub reads everything a server keeps and compares it with its hash. Damaged content is
set aside and the files that have it are named; uploading such a file again heals it.
It may run while the server does. It fails when something is damaged or missing.`,
		Example: `  tandem scrub --data /var/lib/tandem`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onData(c, func(cfg node.DataConfig) error {
				var report origin.ScrubReport
				err := a.counted(c.Context(), "hashing", func(ctx context.Context, progress func(done, total int64)) (err error) {
					report, err = node.Scrub(ctx, cfg, progress)
					return err
				})
				if err != nil {
					return err
				}
				return a.printScrub(report)
			})
		},
	}
	dataFlags(c)
	return c
}

func (a *app) printScrub(r origin.ScrubReport) error {
	for what, list := range map[string][]origin.Damage{"damaged": r.Damaged, "missing": r.Missing} {
		for _, d := range list {
			a.print(damageEvent{what, hex.EncodeToString(d.Root[:]), d.Size, d.Paths},
				fmt.Sprintf("%s: %x, %s: %s", what, d.Root, units.Bytes(d.Size), strings.Join(d.Paths, ", ")))
		}
	}
	a.print(scrubEvent{"scrub", r.Checked, r.Bytes, len(r.Damaged), len(r.Missing), r.Stray},
		fmt.Sprintf("hashed %s, %s: %d damaged, %d missing", plural(int(r.Checked), "file"), units.Bytes(r.Bytes), len(r.Damaged), len(r.Missing)))
	if n := len(r.Damaged) + len(r.Missing); n > 0 {
		return withHint("put the files named above again, or take them from a backup: the same content heals them",
			fault.Errorf(fault.Corrupt, "%s damaged or missing", plural(n, "content")))
	}
	return nil
}

// findingEvent is one thing that doctor looked at.
type findingEvent struct {
	Event string `json:"event"` // finding
	Check string `json:"check"`
	State string `json:"state"` // ok, warn, fail
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps a server from working, or soon will",
		Long: `doctor looks at a server's data, room, certificate and clock, changes nothing, and says
what to do about what it finds. It may run while the server does, and fails when
something is wrong.`,
		Example: `  tandem doctor --data /var/lib/tandem`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.serverConfig(c)
			if err != nil {
				return err
			}
			cfg.Log = a.log(silent)
			bad := 0
			for _, f := range node.Doctor(c.Context(), cfg) {
				if f.State == node.FindingFail {
					bad++
				}
				line := fmt.Sprintf("%-4s  %s: %s", f.State, f.Check, f.Text)
				if f.Do != "" {
					line += "\n      -> " + f.Do
				}
				if a.json {
					writeJSON(a.stdout, findingEvent{"finding", f.Check, f.State, clean(f.Text), f.Do})
					continue
				}
				for l := range strings.SplitSeq(line, "\n") {
					fmt.Fprintln(a.stdout, clean(l))
				}
			}
			if bad > 0 {
				return withHint("do what stands behind the arrows, then run it again", fault.Errorf(fault.Other, "%s wrong", plural(bad, "thing")))
			}
			return nil
		},
	}
	dataFlags(c)
	c.Flags().String("tls-cert", "", "PEM `FILE` with the server's certificate")
	c.Flags().String("tls-key", "", "PEM `FILE` with its key")
	ofServer(c, "tls-cert", "tls-key")
	return c
}
