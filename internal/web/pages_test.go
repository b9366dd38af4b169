package web

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// each walks a document's elements.
func each(n *html.Node, f func(*html.Node)) {
	if n.Type == html.ElementNode {
		f(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		each(c, f)
	}
}

func attr(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(n)
	return strings.TrimSpace(b.String())
}

// onEveryPage parses each sample, friendly and hostile, and hands it to f.
func onEveryPage(t *testing.T, f func(t *testing.T, name string, doc *html.Node)) {
	for kind, w := range map[string]words{"friendly": friendly(), "hostile": hostile()} {
		for name, c := range samples(w) {
			t.Run(fmt.Sprintf("%s, %s", name, kind), func(t *testing.T) {
				text := render(t, c)
				if name == "more" {
					text = "<table>" + text + "</table>"
				}
				doc, err := html.Parse(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				f(t, name, doc)
			})
		}
	}
}

func TestNamesAreTextOnEveryPage(t *testing.T) {
	onEveryPage(t, func(t *testing.T, _ string, doc *html.Node) {
		each(doc, func(n *html.Node) {
			switch n.Data {
			case "script":
				if src, _ := attr(n, "src"); !strings.HasPrefix(src, "/assets/") || textOf(n) != "" {
					t.Errorf("a script that is not an asset of ours: %q %q", src, textOf(n))
				}
			case "style", "img", "iframe", "object", "base", "b", "textarea":
				t.Errorf("there is a <%s>", n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") || a.Key == "style" {
					t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
				}
			}
		})
	})
}

func TestAddressesStayOnTheServer(t *testing.T) {
	onEveryPage(t, func(t *testing.T, _ string, doc *html.Node) {
		each(doc, func(n *html.Node) {
			for _, a := range n.Attr {
				switch a.Key {
				case "href", "src", "action", "hx-get", "hx-post":
					if a.Val != local(a.Val) && !strings.HasPrefix(a.Val, "#") {
						t.Errorf("<%s %s=%q> leads elsewhere", n.Data, a.Key, a.Val)
					}
				}
			}
		})
	})
}

func TestEveryPageCanBeUsedByEar(t *testing.T) {
	onEveryPage(t, func(t *testing.T, name string, doc *html.Node) {
		ids, labelled, heads := map[string]int{}, map[string]bool{}, 0
		each(doc, func(n *html.Node) {
			if id, ok := attr(n, "id"); ok {
				ids[id]++
			}
			if id, ok := attr(n, "for"); ok {
				labelled[id] = true
			}
			if n.Data == "h1" {
				heads++
			}
		})
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%d elements are called %q", n, id)
			}
		}
		if heads != 1 && name != "more" {
			t.Errorf("%d headings of the first level", heads)
		}
		each(doc, func(n *html.Node) { checkNamed(t, n, labelled) })
	})
}

// checkNamed tells of what one can act on but not call by a name.
func checkNamed(t *testing.T, n *html.Node, labelled map[string]bool) {
	label, _ := attr(n, "aria-label")
	id, _ := attr(n, "id")
	_, hidden := attr(n, "hidden")
	kind, _ := attr(n, "type")
	switch n.Data {
	case "a", "button", "summary":
		if label == "" && textOf(n) == "" {
			t.Errorf("a <%s> without a name", n.Data)
		}
		if said := strings.ToLower(textOf(n)); label != "" && n.Data != "summary" && !strings.Contains(strings.ToLower(label), said) {
			t.Errorf("%q is called %q, which who speaks what they read does not say", said, label)
		}
	case "input", "select":
		inside := n.Parent != nil && n.Parent.Data == "label"
		if kind != "hidden" && !hidden && !labelled[id] && !inside && label == "" {
			t.Errorf("an <%s id=%q> without a label", n.Data, id)
		}
	}
}

func TestFormsThatChangeSomethingArePosted(t *testing.T) {
	onEveryPage(t, func(t *testing.T, _ string, doc *html.Node) {
		each(doc, func(n *html.Node) {
			if n.Data != "form" {
				return
			}
			method, _ := attr(n, "method")
			action, _ := attr(n, "action")
			if method != "post" && action != "/search" {
				t.Errorf("the form to %q is sent by %q", action, method)
			}
		})
	})
}
