package cli

import (
	"slices"
	"strings"
	"testing"

	"tandem/internal/origin"
)

func TestAServersBudget(t *testing.T) {
	path := writeConfig(t, `server_origin_month = "1TiB"
server_origin_conns = 100
server_origin_copies = 1.2
server_origin_rate = "1MB"
`)
	a := &app{getenv: noEnv}
	c := a.serveCommand()
	if err := c.ParseFlags([]string{"--origin-rate", "5Mbit"}); err != nil {
		t.Fatal(err)
	}
	s, err := loadSettings(path, true, env(map[string]string{"TANDEM_SERVER_UPLINK": "40Mbit"}), c.Flags())
	if err != nil {
		t.Fatal(err)
	}
	want := origin.Budget{Rate: 625_000, Month: 1 << 40, Conns: 100, Copies: 1.2, Uplink: 5_000_000}
	if got := s.Server.Budget.budget(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for key, want := range map[string]string{
		"server_origin_rate": `"625000B"`, "server_origin_month": `"1099511627776B"`, "server_origin_conns": `100`,
		"server_origin_copies": `1.2`, "server_uplink": `"5MB"`,
	} {
		i := slices.IndexFunc(table, func(row setting) bool { return row.key == key })
		if got := table[i].get(s); got != want {
			t.Errorf("%s is shown as %s, want %s", key, got, want)
		}
	}
	for _, text := range []string{
		"server_origin_copies = 0.5", "server_origin_copies = \"many\"", "server_origin_conns = -1", "server_origin_rate = \"fast\"",
		"server_origin_month = \"much\"",
	} {
		if _, err := loadSettings(writeConfig(t, text), true, noEnv, testFlags(t)); err == nil || !strings.Contains(err.Error(), ":1:") && !strings.Contains(err.Error(), ": server_origin_") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
