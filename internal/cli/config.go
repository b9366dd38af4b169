package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"tandem/internal/fault"
	"tandem/internal/node"
	"tandem/internal/transport"
	"tandem/internal/units"
)

// settings are what the four layers (defaults, file, environment, flags) agree
// on, and where each value came from.
type settings struct {
	Listen     string
	DHT        bool
	Bootstrap  []string
	LAN        bool
	PortMap    bool
	Up, Down   units.Rate
	Encryption encryption
	Server     serverSettings

	origin map[string]string // key to "default", "FILE", "environment NAME" or "flag --name"
}

// fileSettings is the configuration file; nil means not said.
type fileSettings struct {
	Listen     *string     `toml:"listen"`
	DHT        *bool       `toml:"dht"`
	Bootstrap  *[]string   `toml:"dht_nodes"`
	LAN        *bool       `toml:"lan"`
	PortMap    *bool       `toml:"port_map"`
	Up         *units.Rate `toml:"up_limit"`
	Down       *units.Rate `toml:"down_limit"`
	Encryption *encryption `toml:"encryption"`
	fileServer
}

// encryption is the policy for public connections as people spell it.
type encryption transport.Encryption

var encryptionNames = []string{"prefer-plain", "forbid", "require"}

func (e *encryption) Set(s string) error {
	for i, name := range encryptionNames {
		if s == name {
			*e = encryption(i)
			return nil
		}
	}
	return fmt.Errorf("encryption %q is not one of %s", s, strings.Join(encryptionNames, ", "))
}
func (e *encryption) String() string               { return encryptionNames[*e] }
func (e *encryption) Type() string                 { return "POLICY" }
func (e *encryption) UnmarshalText(b []byte) error { return e.Set(string(b)) }

// setting is one row of the table that all four layers go by.
type setting struct {
	key  string
	flag string // name of the flag; with a leading "no-" its presence means false
	set  func(*settings, string) error
	get  func(*settings) string
}

func (s setting) env() string { return "TANDEM_" + strings.ToUpper(s.key) }

// table has every setting.
var table = slices.Concat(nodeTable, serverTable)

var nodeTable = []setting{
	{
		"listen", "listen", func(s *settings, v string) error { s.Listen = v; return nil },
		func(s *settings) string { return strconv.Quote(s.Listen) },
	},
	{
		"dht", "no-dht", func(s *settings, v string) error { return setBool(&s.DHT, v) },
		func(s *settings) string { return strconv.FormatBool(s.DHT) },
	},
	{
		"dht_nodes", "dht-node", func(s *settings, v string) error { s.Bootstrap = splitList(v); return nil },
		func(s *settings) string { return quoteList(s.Bootstrap) },
	},
	{
		"lan", "no-lan", func(s *settings, v string) error { return setBool(&s.LAN, v) },
		func(s *settings) string { return strconv.FormatBool(s.LAN) },
	},
	{
		"port_map", "no-portmap", func(s *settings, v string) error { return setBool(&s.PortMap, v) },
		func(s *settings) string { return strconv.FormatBool(s.PortMap) },
	},
	{
		"up_limit", "up-limit", func(s *settings, v string) error { return s.Up.Set(v) },
		func(s *settings) string { return strconv.Quote(s.Up.String()) },
	},
	{
		"down_limit", "down-limit", func(s *settings, v string) error { return s.Down.Set(v) },
		func(s *settings) string { return strconv.Quote(s.Down.String()) },
	},
	{
		"encryption", "encryption", func(s *settings, v string) error { return s.Encryption.Set(v) },
		func(s *settings) string { return strconv.Quote(s.Encryption.String()) },
	},
}

func setBool(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	*to = b
	return nil
}

func splitList(v string) []string {
	list := []string{}
	for _, s := range strings.Split(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// wellKnown stands for the list of DHT nodes that the program knows by itself.
const wellKnown = `"well-known routers"`

func quoteList(list []string) string {
	if list == nil {
		return wellKnown
	}
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// loadSettings lays the layers over one another. getenv is the environment,
// flags the parsed command line; path names the file, and must exist when asked
// for by name.
func loadSettings(path string, mustExist bool, getenv func(string) (string, bool), flags *pflag.FlagSet) (*settings, error) {
	s := &settings{DHT: true, LAN: true, PortMap: true, origin: map[string]string{}}
	s.Server = serverSettings{Data: dataDir(getenv), Listen: node.DefaultServerListen, Drain: node.DefaultDrain}
	for _, row := range table {
		s.origin[row.key] = "default"
	}
	if err := s.loadFile(path, mustExist); err != nil {
		return nil, err
	}
	for _, row := range table {
		if v, ok := getenv(row.env()); ok {
			if err := row.set(s, v); err != nil {
				return nil, usageError{fmt.Errorf("environment %s: %w", row.env(), err)}
			}
			s.origin[row.key] = "environment " + row.env()
		}
		f := flags.Lookup(row.flag)
		if f == nil || !f.Changed || row.ofServer() != (f.Annotations[serverAnnotation] != nil) {
			continue
		}
		v := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			v = strings.Join(list.GetSlice(), ",")
		}
		if strings.HasPrefix(row.flag, "no-") {
			v = strconv.FormatBool(v != "true")
		}
		if err := row.set(s, v); err != nil {
			return nil, usageError{fmt.Errorf("--%s: %w", row.flag, err)}
		}
		s.origin[row.key] = "flag --" + row.flag
	}
	return s, nil
}

// configHint is for mistakes in the configuration file.
const configHint = "correct the file, or see what is in force with: tandem config show --origin"

func (s *settings) loadFile(path string, mustExist bool) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !mustExist {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.NotFound, fmt.Errorf("read configuration: %w", err))
	}
	var f fileSettings
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return withHint(configHint,
			fault.Wrap(fault.Invalid, positioned(path, err)))
	}
	place(s, path, "listen", &s.Listen, f.Listen)
	place(s, path, "dht", &s.DHT, f.DHT)
	place(s, path, "dht_nodes", &s.Bootstrap, f.Bootstrap)
	place(s, path, "lan", &s.LAN, f.LAN)
	place(s, path, "port_map", &s.PortMap, f.PortMap)
	place(s, path, "up_limit", &s.Up, f.Up)
	place(s, path, "down_limit", &s.Down, f.Down)
	place(s, path, "encryption", &s.Encryption, f.Encryption)
	return withHint(configHint, s.placeServer(path, &f.fileServer))
}

func place[T any](s *settings, path, key string, to, from *T) {
	if from != nil {
		*to, s.origin[key] = *from, path
	}
}

// positioned names the file, line and column of a decoding error.
func positioned(path string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, col := strict.Errors[0].Position()
		return fmt.Errorf("%s:%d:%d: unknown key %q", path, row, col, strings.Join(strict.Errors[0].Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, col := bad.Position()
		return fmt.Errorf("%s:%d:%d: %s", path, row, col, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", path, err)
}

// configDir and stateDir follow the XDG base directories.
func configDir(getenv func(string) (string, bool)) string {
	return baseDir(getenv, "TANDEM_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")
}

func stateDir(getenv func(string) (string, bool)) string {
	return baseDir(getenv, "TANDEM_STATE_DIR", "XDG_STATE_HOME", filepath.Join(".local", "state"))
}

func baseDir(getenv func(string) (string, bool), own, xdg, fallback string) string {
	if v, ok := getenv(own); ok && v != "" {
		return v
	}
	if v, ok := getenv(xdg); ok && filepath.IsAbs(v) {
		return filepath.Join(v, "tandem")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "" // whoever needs it says so
	}
	return filepath.Join(home, fallback, "tandem")
}
