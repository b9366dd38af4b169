package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

// settingLine is what config show --json prints of one setting.
type settingLine struct {
	Key    string          `json:"key"`
	Value  json.RawMessage `json:"value"` // null: the program's own choice
	Origin string          `json:"origin"`
}

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Settings",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  tandem config show --origin
  TANDEM_UP_LIMIT=5MB tandem config show`,
	}
	var origin bool
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the settings in force, in the form of the configuration file",
		Long: `show prints the settings in force: defaults, then the configuration file, then the
environment (TANDEM_...), then flags; the later one wins.`,
		Example: `  tandem config show --origin
  tandem config show > ~/.config/tandem/config.toml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.settings(c)
			if err != nil {
				return err
			}
			for _, row := range table {
				a.showSetting(s, row, origin)
			}
			return nil
		},
	}
	show.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	c.AddCommand(show)
	return c
}

// showSetting prints one line of what the configuration file could hold.
func (a *app) showSetting(s *settings, row setting, origin bool) {
	value, from := row.get(s), s.origin[row.key]
	if a.json {
		line := settingLine{row.key, json.RawMessage(value), clean(from)}
		if value == wellKnown {
			line.Value = nil
		}
		if line.Value != nil && !json.Valid(line.Value) { // a control character, which TOML spells in another way
			line.Value, _ = json.Marshal(value)
		}
		writeJSON(a.stdout, line)
		return
	}
	line := row.key + " = " + clean(value)
	if value == wellKnown { // a list of names would end where the program's own goes on
		line = "# " + row.key + ": the well-known routers"
	}
	if origin {
		line = fmt.Sprintf("%-40s # %s", line, clean(from))
	}
	fmt.Fprintln(a.stdout, line)
}
