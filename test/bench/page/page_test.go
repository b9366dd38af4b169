package page

import "testing"

func TestASectionReplacesItsOwnAndNothingElse(t *testing.T) {
	text := "intro\n<!-- a -->\nold\n<!-- /a -->\nbetween\n<!-- b -->\nkept\n<!-- /b -->\n"
	got := put(text, "a", "new\n")
	want := "intro\n<!-- a -->\nnew\n<!-- /a -->\nbetween\n<!-- b -->\nkept\n<!-- /b -->\n"
	if got != want {
		t.Fatalf("got %q", got)
	}
	if got := put("intro\n", "c", "x\n"); got != "intro\n<!-- c -->\nx\n<!-- /c -->\n\n" {
		t.Fatalf("at the end: %q", got)
	}
}
