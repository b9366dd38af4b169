package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// spellArgs makes c and the commands below it say which arguments they take when they get
// others, and which command or flag may have been meant.
func spellArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		spellArgs(sub)
	}
	c.SuggestionsMinimumDistance = 2
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		return wrongArgs(c, args)
	}
}

func wrongArgs(c *cobra.Command, args []string) error {
	_, takes, _ := strings.Cut(c.Use, " ")
	switch {
	case c.HasSubCommands() && len(args) > 0 && takes == "":
		err := usageError{fmt.Errorf("there is no command %q", c.CommandPath()+" "+args[0])}
		if meant := c.SuggestionsFor(args[0]); len(meant) > 0 {
			slices.Sort(meant)
			return withHint("perhaps: "+c.CommandPath()+" "+strings.Join(meant, ", "+c.CommandPath()+" "), err)
		}
		return err
	case takes == "":
		return usageError{fmt.Errorf("%q is too much: %s takes no arguments", args[0], c.CommandPath())}
	case len(args) == 0:
		return usageError{fmt.Errorf("%s needs %s", c.CommandPath(), takes)}
	}
	return usageError{fmt.Errorf("%s takes %s, and was given %q", c.CommandPath(), takes, args)}
}

// flagError tells what is wrong with a flag in the words of people.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if meant := nearFlag(c.Flags(), unknown.GetSpecifiedName()); meant != "" {
			return usageError{withHint("perhaps: --"+meant+"; all of them: "+c.CommandPath()+" --help", err)}
		}
	case errors.As(err, &invalid) && errors.As(err, new(*strconv.NumError)):
		return usageError{fmt.Errorf("--%s %q: not a number, or one too large", invalid.GetFlag().Name, invalid.GetValue())}
	}
	return usageError{err}
}

// nearFlag returns the flag nearest to what was written, or "".
func nearFlag(flags *pflag.FlagSet, written string) string {
	best, least := "", 3
	flags.VisitAll(func(f *pflag.Flag) {
		d := distance(f.Name, written)
		if len(written) > 2 && strings.HasPrefix(f.Name, written) {
			d = min(d, 1)
		}
		if d < least && !f.Hidden {
			best, least = f.Name, d
		}
	})
	return best
}

// distance counts the letters to be put in, taken out, changed or swapped with the next one to
// make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// helpCommand is cobra's, except that a command that is not there is a mistake.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about any command",
		Example: `  tandem help get`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			c, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names := []string{}
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err == nil && len(rest) > 0 {
				err = wrongArgs(c, rest)
			}
			if err != nil {
				return usageError{err}
			}
			return c.Help()
		},
	}
}
