package cli

import "testing"

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
