package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// served returns the document as a client gets it.
func served(t *testing.T, h *Handler) object {
	t.Helper()
	w := ask(h, "GET", v1+"openapi.json", nil)
	var doc object
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Fatalf("%d %v", w.Code, err)
	}
	return doc
}

// The document has every route and nothing else; each says what it takes and gives.
func TestDocumentIsTheRoutes(t *testing.T) {
	doc := served(t, bare(t, nil))
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi is %v", doc["openapi"])
	}
	var documented, real []string
	ids := map[string]bool{}
	for path, item := range doc["paths"].(object) {
		for method, op := range item.(object) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
			op := op.(object)
			id := op["operationId"].(string)
			if ids[id] || !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(id) {
				t.Errorf("operation %q stands twice or is no name", id)
			}
			ids[id] = true
			if summary := op["summary"].(string); len(summary) < 5 || !strings.HasSuffix(summary, ".") {
				t.Errorf("%s: summary %q", id, summary)
			}
			checkParameters(t, path, op)
		}
	}
	for _, rt := range routes() {
		real = append(real, rt.method+" "+strings.ReplaceAll(rt.pattern, "...", ""))
	}
	slices.Sort(documented)
	slices.Sort(real)
	if !slices.Equal(documented, real) {
		t.Errorf("documented %q\nreal %q", documented, real)
	}
}

func checkParameters(t *testing.T, path string, op object) {
	t.Helper()
	var want, got []string
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		want = append(want, m[1])
	}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		if p := p.(object); p["in"] == "path" {
			got = append(got, p["name"].(string))
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("%s: parameters %q in the path, documented %q", path, want, got)
	}
}

// Every reference leads somewhere, and every schema is referred to.
func TestDocumentSchemas(t *testing.T) {
	h := bare(t, nil)
	known := served(t, h)["components"].(object)["schemas"].(object)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(string(h.document), -1) {
		if known[m[1]] == nil {
			t.Errorf("no schema %s", m[1])
		}
		used[m[1]] = true
	}
	for name := range known {
		if !used[name] {
			t.Errorf("nobody uses schema %s", name)
		}
	}
	entry := known["Entry"].(object)
	properties := entry["properties"].(object)
	if properties["modified"].(object)["format"] != "date-time" || entry["additionalProperties"] != false {
		t.Errorf("Entry: %v", entry)
	}
	if required := entry["required"].([]any); !slices.Contains(required, any("size")) || slices.Contains(required, any("sha256")) {
		t.Errorf("Entry requires %v", required)
	}
}

// sample fills a pattern's parameters in.
func sample(pattern string) string {
	return strings.NewReplacer("{path...}", "a/b.txt", "{collection}", "photos", "{token}", "abcdefghijklmnopqrstuv",
		"{id}", "7", "{name}", "ann", "{group}", "crew", "{user}", "ann", "{kind}", "user", "{node}", "x").Replace(pattern)
}

// Every route of the table is reached through the mux, and no other answers for it.
func TestEveryRouteIsReached(t *testing.T) {
	table := routes()
	var reached *route
	for _, rt := range table {
		rt.auth = anybody
		rt.serve = func(x *exchange) error {
			reached = x.route
			return nil
		}
	}
	h := bare(t, nil)
	h.mount(table)
	for _, rt := range table {
		targets := []string{sample(rt.pattern)}
		if root, deep := strings.CutSuffix(rt.pattern, "{path...}"); deep {
			targets = append(targets, sample(root), sample(strings.TrimSuffix(root, "/")))
		}
		for _, target := range targets {
			reached = nil
			w := ask(h, rt.method, target, nil)
			if reached != rt || w.Code != 200 {
				t.Errorf("%s %s: %d, reaches %v", rt.method, target, w.Code, reached)
			}
		}
	}
}

func TestUnknownRoutes(t *testing.T) {
	h := bare(t, func(c *Config) { c.Pages = nil })
	for _, c := range []struct {
		method, target, allow string
		want                  int
	}{
		{"GET", "/", "", 404},
		{"GET", "/api", "", 404},
		{"GET", "/api/v1", "", 404},
		{"GET", "/api/v2/me", "", 404},
		{"GET", "/api/v1/nothing", "", 404},
		{"DELETE", "/api/v1/me", "GET, HEAD", 405},
		{"TRACE", "/api/v1/me", "GET, HEAD", 405},
		{"PUT", "/api/v1/collections/x/grants/user/y/", "", 404},
		{"POST", "/api/v1/collections/x/content/y", "GET, HEAD, PUT", 405},
		{"GET", "/api/v1/uploads", "POST, OPTIONS", 405},
		{"GET", "/api/v1//me", "", 400},
		{"GET", "/api/v1/collections/x/entries/../../../me", "", 400},
		{"PUT", "/api/v1/collections/x/content/./y", "", 400},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			w := ask(h, c.method, "/", func(r *http.Request) {
				u := httptest.NewRequest(c.method, c.target, nil).URL
				r.URL = u
			})
			if w.Code != c.want || w.Header().Get("Allow") != c.allow {
				t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
			}
			if w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("says %s", w.Body)
			}
		})
	}
}
