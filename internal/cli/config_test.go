package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tandem/internal/fault"
)

func testFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	a := &app{getenv: noEnv}
	c := a.shareCommand()
	root := a.root()
	root.AddCommand(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return c.Flags()
}

func noEnv(string) (string, bool) { return "", false }

func env(m map[string]string) func(string) (string, bool) {
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaterLayersWin(t *testing.T) {
	path := writeConfig(t, "listen = \"file:1\"\ndht = false\nup_limit = \"1MB\"\ndown_limit = \"2MB\"\ndht_nodes = [\"a:1\"]\n")
	s, err := loadSettings(path, true,
		env(map[string]string{"TANDEM_LISTEN": "env:1", "TANDEM_UP_LIMIT": "3MB", "TANDEM_LAN": "false"}),
		testFlags(t, "--listen", "flag:1", "--no-portmap", "--encryption", "require"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table {
		want := map[string][2]string{
			"listen":     {`"flag:1"`, "flag --listen"},
			"dht":        {"false", path},
			"dht_nodes":  {`["a:1"]`, path},
			"lan":        {"false", "environment TANDEM_LAN"},
			"port_map":   {"false", "flag --no-portmap"},
			"up_limit":   {`"3MB"`, "environment TANDEM_UP_LIMIT"},
			"down_limit": {`"2MB"`, path},
			"encryption": {`"require"`, "flag --encryption"},
		}[row.key]
		if row.ofServer() { // see TestTheServersSettings
			continue
		}
		if got := [2]string{row.get(s), s.origin[row.key]}; got != want {
			t.Errorf("%s is %q, want %q", row.key, got, want)
		}
	}
}

func TestTheServersSettings(t *testing.T) {
	path := writeConfig(t, `listen = "node:1"
server_listen = "file:1"
server_drain = "2d"
server_trusted_proxies = ["10.0.0.9/8", "192.0.2.7"]
server_public_url = "https://files.example"
`)
	a := &app{getenv: noEnv}
	c := a.serveCommand()
	err := c.ParseFlags([]string{"--listen", "flag:1", "--blobs", "s3://KEY:hidden@h/b"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadSettings(path, true, env(map[string]string{
		"TANDEM_SERVER_DATABASE": "postgres://u:hidden@h/d?sslpassword=hidden", "XDG_DATA_HOME": "/x", "TANDEM_SERVER_LISTEN": "env:1",
	}), c.Flags())
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]string{
		"listen":                 {`"node:1"`, path},
		"server_listen":          {`"flag:1"`, "flag --listen"},
		"server_data":            {`"/x/tandem/server"`, "default"},
		"server_drain":           {`"2d"`, path},
		"server_public_url":      {`"https://files.example"`, path},
		"server_trusted_proxies": {`["10.0.0.0/8", "192.0.2.7/32"]`, path},
		"server_database":        {`"postgres://u:xxxxx@h/d?sslpassword=xxxxx"`, "environment TANDEM_SERVER_DATABASE"},
		"server_blobs":           {`"s3://KEY:xxxxx@h/b"`, "flag --blobs"},
		"server_tls_cert":        {`""`, "default"},
	} {
		i := slices.IndexFunc(table, func(row setting) bool { return row.key == key })
		if got := [2]string{table[i].get(s), s.origin[key]}; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestConfigErrorsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown key", "listen = \":1\"\nuplimit = \"5MB\"\n", ":2:1: unknown key \"uplimit\""},
		{"a wrong type", "dht = \"yes\"\n", ":1:"},
		{"a bad rate", "\nup_limit = \"5 parsecs\"\n", ":2:12:"},
		{"a bad policy", "encryption = \"maybe\"\n", ":1:14:"},
		{"a proxy that is no network", "server_trusted_proxies = [\"x\"]\n", ": server_trusted_proxies"},
		{"a bad time", "server_drain = \"long\"\n", ":1:16:"},
		{"broken syntax", "dht = \n", ":1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeConfig(t, c.text)
			_, err := loadSettings(path, true, noEnv, testFlags(t))
			if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), path+c.want) {
				t.Fatalf("got %v, want a fault.Invalid with %q", err, path+c.want)
			}
			if !strings.Contains(hintFor(err), "config show") {
				t.Errorf("the hint %q does not help", hintFor(err))
			}
		})
	}
}

func TestConfigFileIsOptionalUnlessNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.toml")
	if _, err := loadSettings(missing, false, noEnv, testFlags(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSettings(missing, true, noEnv, testFlags(t)); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("got %v, want fault.NotFound", err)
	}
}

func TestBadEnvironmentIsAUsageErrorThatNamesTheVariable(t *testing.T) {
	_, err := loadSettings("", false, env(map[string]string{"TANDEM_DHT": "perhaps"}), testFlags(t))
	if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "TANDEM_DHT") {
		t.Fatalf("got %v", err)
	}
}

func TestDirectoriesFollowXDG(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"our own variable comes first", map[string]string{"TANDEM_STATE_DIR": "/own", "XDG_STATE_HOME": "/xdg"}, "/own"},
		{"then XDG's", map[string]string{"XDG_STATE_HOME": "/xdg"}, "/xdg/tandem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := stateDir(env(c.env)); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Setenv("HOME", "/home/someone")
	if got := stateDir(env(map[string]string{"XDG_STATE_HOME": "relative"})); got != "/home/someone/.local/state/tandem" {
		t.Fatalf("a relative XDG path is to be ignored; got %s", got)
	}
	if got := configDir(noEnv); got != "/home/someone/.config/tandem" {
		t.Fatalf("got %s", got)
	}
}

func TestListsInTheEnvironmentAreSeparatedByCommas(t *testing.T) {
	for in, want := range map[string]string{"": "[]", "a:1": `["a:1"]`, " a:1, ,b:2,": `["a:1", "b:2"]`} {
		s, err := loadSettings("", false, env(map[string]string{"TANDEM_DHT_NODES": in}), testFlags(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := quoteList(s.Bootstrap); got != want {
			t.Errorf("%q is read as %s, want %s", in, got, want)
		}
	}
}

func TestWhatIsShownIsAConfigurationFile(t *testing.T) {
	path := writeConfig(t, "dht_nodes = [\"a:1\"]\nserver_origin_copies = 2\nserver_origin_conns = 7\nserver_origin_month = \"1TiB\"\n")
	for _, from := range [][]string{{}, {"--config", path}} {
		_, first, _ := run(t, append(from, "config", "show")...)
		code, again, errs := run(t, "--config", writeConfig(t, first), "config", "show")
		if code != exitOK || again != first {
			t.Errorf("exit %d, %s\nfirst:\n%s\nagain:\n%s", code, errs, first, again)
		}
	}
}

func TestSettingsAsJSON(t *testing.T) {
	_, out, _ := run(t, "config", "show", "--json", "--no-lan")
	got := map[string]settingLine{}
	for line := range strings.Lines(out) {
		var l settingLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[l.Key] = l
	}
	if len(got) != len(table) || string(got["dht_nodes"].Value) != "null" || string(got["dht"].Value) != "true" ||
		string(got["lan"].Value) != "false" || got["lan"].Origin != "flag --no-lan" || string(got["up_limit"].Value) != `"unlimited"` {
		t.Errorf("%d settings of %d: %s", len(got), len(table), out)
	}
}
