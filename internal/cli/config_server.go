package cli

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/node"
)

// serverSettings are what a server of this machine is made from. Their keys begin with server_;
// the flags of serve and of the commands on a server's data go without.
type serverSettings struct {
	Data           string
	Listen         string
	PublicURL      string
	Database       string
	Blobs          string
	TLSCert        string
	TLSKey         string
	TrustedProxies []netip.Prefix
	Drain          time.Duration
	Budget         budgetSettings
}

// fileServer is its part of the configuration file.
type fileServer struct {
	Data           *string   `toml:"server_data"`
	Listen         *string   `toml:"server_listen"`
	PublicURL      *string   `toml:"server_public_url"`
	Database       *string   `toml:"server_database"`
	Blobs          *string   `toml:"server_blobs"`
	TLSCert        *string   `toml:"server_tls_cert"`
	TLSKey         *string   `toml:"server_tls_key"`
	TrustedProxies *[]string `toml:"server_trusted_proxies"`
	Drain          *span     `toml:"server_drain"`
	fileBudget
}

func (s *settings) placeServer(path string, f *fileServer) error {
	place(s, path, "server_data", &s.Server.Data, f.Data)
	place(s, path, "server_listen", &s.Server.Listen, f.Listen)
	place(s, path, "server_public_url", &s.Server.PublicURL, f.PublicURL)
	place(s, path, "server_database", &s.Server.Database, f.Database)
	place(s, path, "server_blobs", &s.Server.Blobs, f.Blobs)
	place(s, path, "server_tls_cert", &s.Server.TLSCert, f.TLSCert)
	place(s, path, "server_tls_key", &s.Server.TLSKey, f.TLSKey)
	place(s, path, "server_drain", (*span)(&s.Server.Drain), f.Drain)
	if err := s.placeBudget(path, &f.fileBudget); err != nil {
		return err
	}
	if f.TrustedProxies != nil {
		var p prefixes
		if err := p.parse(*f.TrustedProxies); err != nil {
			return fault.Errorf(fault.Invalid, "%s: server_trusted_proxies: %w", path, err)
		}
		place(s, path, "server_trusted_proxies", (*prefixes)(&s.Server.TrustedProxies), &p)
	}
	return nil
}

// serverAnnotation marks a flag that is about a server: --listen is a node's elsewhere.
const serverAnnotation = "tandem_server"

func (s setting) ofServer() bool { return strings.HasPrefix(s.key, "server_") }

// ofServer marks flags of c.
func ofServer(c *cobra.Command, names ...string) {
	for _, name := range names {
		must(c.Flags().SetAnnotation(name, serverAnnotation, []string{"yes"}))
	}
}

// textRow makes the row of a setting that is a text.
func textRow(key, flag string, of func(*serverSettings) *string, show func(string) string) setting {
	return setting{
		key, flag,
		func(s *settings, v string) error { *of(&s.Server) = v; return nil },
		func(s *settings) string { return strconv.Quote(show(*of(&s.Server))) },
	}
}

func same(v string) string { return v }

// secretless hides the secret of a URL, and leaves nothing said as it is.
func secretless(v string) string {
	if v == "" {
		return ""
	}
	return node.Redacted(v)
}

var serverTable = slices.Concat(servingTable, budgetTable)

var servingTable = []setting{
	textRow("server_data", "data", func(s *serverSettings) *string { return &s.Data }, same),
	textRow("server_listen", "listen", func(s *serverSettings) *string { return &s.Listen }, same),
	textRow("server_public_url", "public-url", func(s *serverSettings) *string { return &s.PublicURL }, same),
	textRow("server_database", "database", func(s *serverSettings) *string { return &s.Database }, secretless),
	textRow("server_blobs", "blobs", func(s *serverSettings) *string { return &s.Blobs }, secretless),
	textRow("server_tls_cert", "tls-cert", func(s *serverSettings) *string { return &s.TLSCert }, same),
	textRow("server_tls_key", "tls-key", func(s *serverSettings) *string { return &s.TLSKey }, same),
	{
		"server_trusted_proxies", "trusted-proxy",
		func(s *settings, v string) error {
			return (*prefixes)(&s.Server.TrustedProxies).parse(splitList(v))
		},
		func(s *settings) string { return prefixes(s.Server.TrustedProxies).String() },
	},
	{
		"server_drain", "drain",
		func(s *settings, v string) error { return (*span)(&s.Server.Drain).Set(v) },
		func(s *settings) string { return strconv.Quote((*span)(&s.Server.Drain).String()) },
	},
}

// prefixes are networks, or single addresses, as people list them.
type prefixes []netip.Prefix

func (p *prefixes) parse(list []string) error {
	out := []netip.Prefix{}
	for _, text := range list {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an address", text)
		}
		out = append(out, n.Masked())
	}
	*p = out
	return nil
}

func (p prefixes) String() string {
	list := make([]string, len(p))
	for i, n := range p {
		list[i] = strconv.Quote(n.String())
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// span is a length of time as people spell it; days are known too.
type span time.Duration

// Set implements pflag.Value.
func (d *span) Set(s string) error {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || n < 0 || n > 100_000 {
			return fmt.Errorf("%q is not a duration such as 90m, 12h or 7d", s)
		}
		*d = span(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 90m, 12h or 7d", s)
	}
	*d = span(v)
	return nil
}

func (d *span) String() string {
	if day := span(24 * time.Hour); *d != 0 && *d%day == 0 {
		return strconv.FormatInt(int64(*d/day), 10) + "d"
	}
	return time.Duration(*d).String()
}

// Type implements pflag.Value.
func (d *span) Type() string { return "DURATION" }

// UnmarshalText reads the configuration file's form.
func (d *span) UnmarshalText(b []byte) error { return d.Set(string(b)) }

// dataDir is where a server's data is unless told otherwise.
func dataDir(getenv func(string) (string, bool)) string {
	dir := baseDir(getenv, "TANDEM_DATA_DIR", "XDG_DATA_HOME", filepath.Join(".local", "share"))
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "server")
}

// dataFlags are those of every command on a server's data.
func dataFlags(c *cobra.Command) {
	f := c.Flags()
	f.String("data", "", "the server's folder `DIR` (default $XDG_DATA_HOME/tandem/server)")
	f.String("database", "", "database `URL`: postgres://..., or sqlite:FILE (default catalog.db in the data folder); TANDEM_SERVER_DATABASE keeps its password off the command line")
	f.String("blobs", "", "content `URL`: s3://..., or file:DIR (default content/ in the data folder)")
	ofServer(c, "data", "database", "blobs")
}

// dataConfig turns the settings into where a server's data is.
func (a *app) dataConfig(c *cobra.Command) (node.DataConfig, *settings, error) {
	s, err := a.settings(c)
	if err != nil {
		return node.DataConfig{}, nil, err
	}
	return a.dataOf(s), s, nil
}

func (a *app) dataOf(s *settings) node.DataConfig {
	return node.DataConfig{
		Data: s.Server.Data, Database: s.Server.Database, Blobs: s.Server.Blobs,
		Getenv: func(name string) string { v, _ := a.getenv(name); return v },
	}
}
