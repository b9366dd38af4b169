package units

import (
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

func TestFiguresForPeople(t *testing.T) {
	for got, want := range map[string]string{
		Bytes(0):                         "0 B",
		Bytes(1023):                      "1023 B",
		Bytes(64 << 20):                  "64 MiB",
		Bytes(1<<30 - 1):                 "1.0 GiB",
		Bytes(1536):                      "1.5 KiB",
		Bits(2_862_500):                  "22.9 Mbit/s",
		Bits(200e6):                      "1.60 Gbit/s",
		Bits(0):                          "0 bit/s",
		Seconds(2300 * time.Millisecond): "2.3 s",
		Seconds(23 * time.Second):        "23 s",
		Seconds(time.Hour):               "1h0m0s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "512": 512, "10GiB": 10 << 30, "1.5 MB": 1_500_000, "2tb": 2_000_000_000_000, "5G": 5_000_000_000, "1 PiB": 1 << 50, "9007199254740993": 1<<53 + 1} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "5 parsecs", "1e30", "99999999999TB", "1.2.3"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestSizesAreWrittenExactly(t *testing.T) {
	for n, want := range map[Size]string{0: "0", 50e9: "50 GB", 3 << 20: "3 MiB", 1500: "1500", 1<<53 + 1: "9007199254740993"} {
		got := n.Exact()
		if back, err := ParseSize(got); got != want || err != nil || back != n {
			t.Errorf("%d is written %q (%v), want %q", n, got, err, want)
		}
	}
}
