package report

import (
	"math"
	"testing"
	"time"

	"tandem/internal/lab"
)

func TestFiguresAsPeopleReadThem(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{percent(0), "0 %"},
		{percent(0.044), "4.4 %"},
		{percent(0.5), "50 %"},
		{percent(0.9996), "99.96 %"},
		{percent(1), "100 %"},
		{percent(math.NaN()), "?"},
		{dollars(0), "$0"},
		{dollars(0.0064), "$0.0064"},
		{dollars(6.271), "$6.27"},
		{dollars(1234567.8), "$1,234,568"},
		{seconds(never), "never"},
		{seconds(0), "0.0 s"},
		{seconds(1500 * time.Microsecond), "1.5 ms"},
		{seconds(36 * time.Second), "36 s"},
		{seconds(24 * time.Hour), "24h"},
		{seconds(5 * time.Minute), "5m"},
		{seconds(10*time.Minute + 20*time.Second), "10m20s"},
		{seconds(time.Hour + time.Second), "1h0m1s"},
		{seconds(72 * time.Hour), "3 days"},
		{seconds(-1), "?"},
		{grouped(999), "999"},
		{grouped(1000), "1,000"},
		{grouped(-1234567), "-1,234,567"},
		{plural(1, "receiver"), "1 receiver"},
		{plural(1_000_000, "receiver"), "1,000,000 receivers"},
		{availability(0.996), "99.6 %"},
		{availability(0.99999), "99.999 %"},
		{availability(0.4), "40 %"},
		{availability(1), "100 %"},
		{availability(0), "0 %"},
		{mib(0), "·"},
		{mib(64 << 20), "64"},
		{mib(2<<20 + 1<<19), "2.5"},
		{short(90), "1.5 min"},
		{short(0), "0"},
		{short(0.25), "250 ms"},
		{short(86400 * 3), "3 d"},
		{count(1_000_000), "1M"},
		{count(20_000), "20k"},
		{count(24), "24"},
		{list(nil), ""},
		{list([]string{"a"}), "a"},
		{list([]string{"a", "b", "c"}), "a, b and c"},
		{title(lab.PeerToPeer), "Peer-to-peer"},
		{title(""), ""},
		{tight("36 s, 5 % of 64 MiB at 40.0 Mbit/s"), "36\u00a0s, 5\u00a0% of 64\u00a0MiB at 40.0\u00a0Mbit/s"},
		{clean(" a\tb\n\x1b[31mc\u202e\u2028d", 99), "a b [31mc d"},
		{clean("too long", 4), "too…"},
		{spreadOf(lab.Figure{Spread: 2, Unit: "s"}), "± 2.0 s"},
		{spreadOf(lab.Figure{Spread: 1 << 20, Unit: "B"}), "± 1 MiB"},
		{spreadOf(lab.Figure{Spread: 0.5, Unit: "$"}), "± $0.50"},
		{spreadOf(lab.Figure{Spread: 0.015, Unit: "x"}), "± 0.015 x"},
		{spreadOf(lab.Figure{Value: 1, Spread: 7.2e-7}), "± <0.1 %"},
		{spreadOf(lab.Figure{}), ""},
		{off(35, 36), "-2.8 %"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTheCaseInWords(t *testing.T) {
	s := classroom(24)
	s.Receivers = append(s.Receivers, lab.Group{Count: 6, Up: 1 << 20, Down: 10 << 20, Name: "phones"})
	s.Origin = lab.Origin{Count: 2, Up: 5_000_000, Copies: 3}
	s.Arrivals = lab.Arrivals{Kind: "poisson", Rate: 0.5}
	s.Stay = lab.Stay{Kind: "for", For: lab.Duration(time.Minute)}
	s.Sessions = lab.Sessions{Mean: lab.Duration(10 * time.Minute), Shape: 0.6}
	s.Kills = append(s.Kills, lab.Kill{Who: "peers", Share: 0.3, At: 0.25})
	s.Hostile = lab.Mischief{Poisoners: 0.05, Unreachable: 0.4}
	want := map[string]string{
		"What":       "64 MiB, in pieces of 256 KiB",
		"Origin":     "2 origins with 40.0 Mbit/s up each; in the hybrid it gives at most 3 copies to a crowd",
		"To whom":    "30 receivers in 2 groups",
		"Arrivals":   "at random, 0.5 per second on average",
		"Afterwards": "each stays for 60 s and serves",
		"Churn":      "a receiver stays online for 10m on average (Weibull, shape 0.6), then is gone",
		"Failures":   "the origin is killed when 50 % of all bytes have arrived; 30 % of the receivers are killed when 25 % of all bytes have arrived",
		"Mischief":   "5 % send wrong bytes and 40 % cannot be dialled",
		"Needs":      "the last receiver has it within 2m",
	}
	for _, f := range theCase(s) {
		if w, ok := want[f.Name]; ok && f.Text != w {
			t.Errorf("%s: %q, want %q", f.Name, f.Text, w)
		}
		delete(want, f.Name)
	}
	for name := range want {
		t.Errorf("nothing about %s", name)
	}
	if rows := groups(s).Rows; len(rows) != 2 || rows[1][0] != "phones" {
		t.Errorf("the groups are %q", rows)
	}
}
