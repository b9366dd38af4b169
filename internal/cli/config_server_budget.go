package cli

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"tandem/internal/fault"
	"tandem/internal/origin"
	"tandem/internal/units"
)

// budgetSettings are what a server may spend on sending content.
type budgetSettings struct {
	Rate   units.Rate
	Month  allowance
	Conns  count
	Copies copies
	Uplink units.Rate
}

// fileBudget is its part of the configuration file.
type fileBudget struct {
	Rate   *units.Rate `toml:"server_origin_rate"`
	Month  *allowance  `toml:"server_origin_month"`
	Conns  *int64      `toml:"server_origin_conns"`
	Copies *float64    `toml:"server_origin_copies"`
	Uplink *units.Rate `toml:"server_uplink"`
}

func (s *settings) placeBudget(path string, f *fileBudget) error {
	b := &s.Server.Budget
	place(s, path, "server_origin_rate", &b.Rate, f.Rate)
	place(s, path, "server_origin_month", &b.Month, f.Month)
	place(s, path, "server_uplink", &b.Uplink, f.Uplink)
	if f.Conns != nil { // numbers in the file, which have no text form to be checked
		if err := b.Conns.Set(strconv.FormatInt(*f.Conns, 10)); err != nil {
			return fault.Errorf(fault.Invalid, "%s: server_origin_conns: %w", path, err)
		}
		s.origin["server_origin_conns"] = path
	}
	if f.Copies != nil {
		if err := b.Copies.Set(strconv.FormatFloat(*f.Copies, 'g', -1, 64)); err != nil {
			return fault.Errorf(fault.Invalid, "%s: server_origin_copies: %w", path, err)
		}
		s.origin["server_origin_copies"] = path
	}
	return nil
}

// budgetRow makes the row of one of them.
func budgetRow(key, flag string, of func(*budgetSettings) textual) setting {
	return setting{
		key, flag,
		func(s *settings, v string) error { return of(&s.Server.Budget).Set(v) },
		func(s *settings) string { return strconv.Quote(of(&s.Server.Budget).String()) },
	}
}

// plainRow shows a row as the number that the file has there, not as text.
func plainRow(row setting) setting {
	quoted := row.get
	row.get = func(s *settings) string {
		text, err := strconv.Unquote(quoted(s))
		if err != nil {
			return quoted(s)
		}
		return text
	}
	return row
}

// textual is a setting that has a text form.
type textual interface {
	Set(string) error
	String() string
}

var budgetTable = []setting{
	budgetRow("server_origin_rate", "origin-rate", func(b *budgetSettings) textual { return &b.Rate }),
	budgetRow("server_origin_month", "origin-month", func(b *budgetSettings) textual { return &b.Month }),
	plainRow(budgetRow("server_origin_conns", "origin-conns", func(b *budgetSettings) textual { return &b.Conns })),
	plainRow(budgetRow("server_origin_copies", "origin-copies", func(b *budgetSettings) textual { return &b.Copies })),
	budgetRow("server_uplink", "uplink", func(b *budgetSettings) textual { return &b.Uplink }),
}

// budgetFlags are those of serve.
func budgetFlags(c *cobra.Command) {
	f := c.Flags()
	f.Var(new(units.Rate), "origin-rate", "send at most this many bytes of content a second, such as 5Mbit; nodes are pointed to each other, browsers wait")
	f.Var(new(allowance), "origin-month", "send this much content in a calendar month, such as 1TiB; past it a tenth as fast")
	f.Var(new(count), "origin-conns", "send content to at most `N` at a time; others wait")
	f.Var(new(copies), "origin-copies", "send a crowd of nodes at most `N` copies of a share, such as 1.2, while they have the pieces")
	f.Var(new(units.Rate), "uplink", "what the server's link carries, such as 1Gbit, where it should not be found out by measuring")
	ofServer(c, "origin-rate", "origin-month", "origin-conns", "origin-copies", "uplink")
}

func (b budgetSettings) budget() origin.Budget {
	return origin.Budget{
		Rate: int64(b.Rate), Month: int64(b.Month), Conns: int(b.Conns), Copies: float64(b.Copies), Uplink: int64(b.Uplink),
	}
}

// allowance is a Size that the configuration file knows.
type allowance units.Size

// Set implements pflag.Value. It reads what String writes, too.
func (a *allowance) Set(text string) error {
	if text == "unlimited" {
		*a = 0
		return nil
	}
	return (*units.Size)(a).Set(text)
}

func (a *allowance) String() string {
	if *a == 0 {
		return "unlimited"
	}
	return units.Size(*a).String()
}

// Type implements pflag.Value.
func (a *allowance) Type() string { return "SIZE" }

// UnmarshalText reads the configuration file's form.
func (a *allowance) UnmarshalText(b []byte) error { return a.Set(string(b)) }

// count is a number of things; 0 is no limit.
type count int

// Set implements pflag.Value.
func (n *count) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	*n = count(v)
	return nil
}

func (n *count) String() string { return strconv.Itoa(int(*n)) }

// Type implements pflag.Value.
func (n *count) Type() string { return "N" }

// copies is how often content may be sent, in whole copies; 0 is no limit.
type copies float64

// Set implements pflag.Value. Less than one copy would leave pieces that nobody has.
func (n *copies) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v != 0 && v < 1 || v > 1e6 {
		return fmt.Errorf("%q is not a number of copies from 1 up, such as 1.2", text)
	}
	*n = copies(v)
	return nil
}

func (n *copies) String() string { return strconv.FormatFloat(float64(*n), 'g', -1, 64) }

// Type implements pflag.Value.
func (n *copies) Type() string { return "N" }
