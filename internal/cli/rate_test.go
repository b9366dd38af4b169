package cli

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseRate(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Rate
	}{
		{"megabytes are decimal", "5MB", 5_000_000},
		{"mebibytes are binary", "2MiB", 2 << 20},
		{"bits are eighths of bytes", "40Mbit", 5_000_000},
		{"case and a trailing per second do not matter", "512kib/s", 512 << 10},
		{"a fraction is fine", "1.5 MB", 1_500_000},
		{"a bare number is bytes", "4096", 4096},
		{"zero is unlimited", "0", 0},
		{"off is unlimited", "off", 0},
		{"so is the word", "unlimited", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := ParseRate(c.in); err != nil || got != c.want {
				t.Fatalf("ParseRate(%q) = %d, %v; want %d", c.in, got, err, c.want)
			}
		})
	}
	for _, in := range []string{"", "MB", "-1MB", "5XB", "1e300GB", "99999999999999GB", "5 MB MB", "12", "0.1kB", "NaN", "1.2.3MB"} {
		t.Run("refused: "+in, func(t *testing.T) {
			if got, err := ParseRate(in); err == nil {
				t.Fatalf("ParseRate(%q) = %d, want an error", in, got)
			}
		})
	}
}

func TestRatesReadWhatTheyWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate(rapid.Int64Range(1024, 1<<50).Draw(t, "rate"))
		if got, err := ParseRate(r.String()); err != nil || got != r {
			t.Fatalf("%d is written %s and read %d, %v", r, r, got, err)
		}
	})
}

func TestSeeding(t *testing.T) {
	var d Seeding
	for in, want := range map[string]string{"forever": "forever", "90m": "1h30m0s", "0s": "0s"} {
		if err := d.Set(in); err != nil || d.String() != want {
			t.Errorf("Set(%q): %v, then %s; want %s", in, err, d.String(), want)
		}
	}
	for _, in := range []string{"-1s", "always", ""} {
		if err := d.Set(in); err == nil {
			t.Errorf("Set(%q) was accepted", in)
		}
	}
}

func TestFiguresForPeople(t *testing.T) {
	for got, want := range map[string]string{
		bytesText(0):                         "0 B",
		bytesText(1023):                      "1023 B",
		bytesText(64 << 20):                  "64 MiB",
		bytesText(1<<30 - 1):                 "1.0 GiB",
		bytesText(1536):                      "1.5 KiB",
		bitsText(2_862_500):                  "22.9 Mbit/s",
		bitsText(200e6):                      "1.60 Gbit/s",
		bitsText(0):                          "0 bit/s",
		secondsText(2300 * time.Millisecond): "2.3 s",
		secondsText(23 * time.Second):        "23 s",
		secondsText(time.Hour):               "1h0m0s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCleanTextCannotSteerATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                 "plain",
		"Grüße 日本.txt":          "Grüße 日本.txt",
		"\x1b[2Jgone":           `\x1b[2Jgone`,
		"a\rb\nc\td":            `a\x0db\x0ac\x09d`,
		"\u202Egpj.exe":         `\u{202e}gpj.exe`,
		"c1\u009b31m":           `c1\x9b31m`,
		"bad \xff\xfe bytes":    `bad \xff\xfe bytes`,
		"zero\u200bwidth\u2028": `zero\u{200b}width\u{2028}`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		got := clean(s)
		if strings.IndexFunc(got, unsafe) >= 0 {
			t.Fatalf("clean(%q) = %q still steers", s, got)
		}
		if clean(got) != got {
			t.Fatalf("clean is not stable on %q", s)
		}
	})
}
