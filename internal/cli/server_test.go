package cli

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/client"
)

func TestNamesOfSpots(t *testing.T) {
	for text, want := range map[string]spot{
		"photos":                 {collection: "photos"},
		"photos/":                {collection: "photos", folder: true},
		"photos/2026/may":        {collection: "photos", path: "2026/may"},
		"photos/2026/":           {collection: "photos", path: "2026", folder: true},
		"files.example:photos/a": {server: "files.example", collection: "photos", path: "a"},
		"127.0.0.1:7780:photos":  {server: "127.0.0.1:7780", collection: "photos"},
		"photos/a:b":             {collection: "photos", path: "a:b"},
		"our photos/a b":         {collection: "our photos", path: "a b"},
		"":                       {},
		"/photos":                {},
		"files.example:":         {},
		"photos//a":              {},
	} {
		got, err := parseSpot(text)
		if bad := want.collection == ""; bad != errors.As(err, new(usageError)) || !bad && got != want {
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, want)
		}
	}
}

func TestServersByName(t *testing.T) {
	b := &serverBook{}
	add := func(text string) string {
		u, err := client.ParseURL(text)
		if err != nil {
			t.Fatal(err)
		}
		s := savedServer{Name: b.nameFor(u), URL: strings.TrimSuffix(u.String(), "/")}
		b.put(s)
		return s.Name
	}
	for i, c := range [][2]string{
		{"https://files.example", "files.example"},
		{"http://files.example:7780", "files.example:7780"},
		{"https://files.example/", "files.example"}, // again: the same
		{"http://[::1]:7780", "[::1]:7780"},
	} {
		if got := add(c[0]); got != c[1] {
			t.Errorf("%d: %s is called %s, want %s", i, c[0], got, c[1])
		}
	}
	for text, want := range map[string]string{
		"":                           "http://[::1]:7780", // the last one signed in at
		"files.example":              "https://files.example",
		"files.example:7780":         "http://files.example:7780",
		"https://FILES.example:443/": "https://files.example",
		"https://other.example":      "",
		"other":                      "",
	} {
		s, err := b.find(text)
		if s.URL != want || (want == "") != (fault.KindOf(err) == fault.Unauthenticated) {
			t.Errorf("%q is %s (%v), want %s", text, s.URL, err, want)
		}
	}
	if _, err := (&serverBook{}).find(""); !strings.Contains(hintFor(err), "tandem login") {
		t.Errorf("nobody signed in: %v, hint %q", err, hintFor(err))
	}
}

func TestInvitations(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example/invite/tdi_x":   "https://a.example tdi_x",
		"https://a.example/invite/tdi_x/":  "https://a.example tdi_x",
		"https://a.example/t/invite/tdi_x": "https://a.example/t tdi_x",
		"https://a.example/invite/":        "",
		"https://a.example/invite/a/b":     "",
		"https://a.example/s/tdi_x":        "",
		"tdi_x":                            "",
	} {
		server, token, ok := splitInvitation(text)
		if got := strings.TrimSpace(server + " " + token); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestCredentialsAreTheirOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	a := &app{getenv: env(map[string]string{"TANDEM_CONFIG_DIR": dir})}
	b, err := a.loadBook()
	if err != nil || len(b.Servers) != 0 {
		t.Fatalf("before anything: %+v, %v", b, err)
	}
	b.put(savedServer{Name: "x", URL: "https://x.example", Secret: "tds_secret"})
	if err := a.saveBook(b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "servers.json")
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", st.Mode(), err)
	}
	again, err := a.loadBook()
	if err != nil || again.Default != "x" || again.Servers[0].Secret != "tds_secret" {
		t.Errorf("read back: %+v, %v", again, err)
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.loadBook(); fault.KindOf(err) != fault.Invalid || !strings.Contains(hintFor(err), "tandem login") {
		t.Errorf("rubbish: %v", err)
	}
}

func TestSecretsComeFromFilesOrStandardInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte(" with spaces \r\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, stdin, want, fails string }{
		{"a file's first line, with its spaces", file, "", " with spaces ", ""},
		{"standard input", "-", "secret\n", "secret", ""},
		{"without a newline", "-", "secret", "secret", ""},
		{"an empty file", empty, "", "", "is empty"},
		{"nothing on standard input", "-", "", "", "is empty"},
		{"a line without an end", "-", strings.Repeat("x", 5000), "", "longer than"},
		{"no file", file + "x", "", "", "no such file"},
		{"nobody to ask", "", "secret\n", "", "no terminal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &app{stdin: strings.NewReader(c.stdin), stderr: new(bytes.Buffer)}
			got, err := a.password(t.Context(), c.file, "x", false)
			if got != c.want || (c.fails == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestTimesOfExpiry(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for text, want := range map[string]string{
		"":                     "never",
		"never":                "never",
		"90m":                  "2026-05-06T08:38:09Z",
		"7d":                   "2026-05-13T07:08:09Z",
		"2026-06-01T00:00:00Z": "2026-06-01T00:00:00Z",
		"0d":                   "",
		"-5m":                  "",
		"soon":                 "",
		"99999999d":            "",
	} {
		got, err := parseExpiry(text, now)
		switch {
		case want == "" && !errors.As(err, new(usageError)):
			t.Errorf("%q: %v, want a usage error", text, err)
		case want == "never" && (err != nil || got != nil):
			t.Errorf("%q: %v, %v", text, got, err)
		case want != "" && want != "never" && (err != nil || got.Format(time.RFC3339) != want):
			t.Errorf("%q is %v (%v), want %s", text, got, err, want)
		}
	}
	day, err := parseExpiry("2026-06-01", now)
	if err != nil || !day.Equal(time.Date(2026, 6, 2, 0, 0, 0, 0, time.Local)) {
		t.Errorf("a date ends at %v (%v), want the end of that day", day, err)
	}
}

func TestGrants(t *testing.T) {
	g, err := parseGrant("group:our crew", "read,list")
	if err != nil || !g.Group || g.Subject != "our crew" || strings.Join(g.Rights, ",") != "read,list" {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err := parseGrant("user:bob", "none"); err != nil || g.Rights == nil || len(g.Rights) != 0 {
		t.Errorf("none is %+v, %v", g, err)
	}
	for _, c := range [][2]string{{"bob", "read"}, {"user:", "read"}, {"team:x", "read"}, {"user:bob", ""}, {"user:bob", "all,read"}, {"user:bob", "write"}} {
		if _, err := parseGrant(c[0], c[1]); !errors.As(err, new(usageError)) {
			t.Errorf("%q is understood (%v)", c, err)
		}
	}
}

// TestMistakesWithServers are found before anything is asked of a server.
func TestMistakesWithServers(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a login without a name", []string{"login", "https://a.example"}, "--user NAME"},
		{"a URL with a password", []string{"login", "https://u:hidden@a.example", "--user", "u"}, "no place for a password"},
		{"a URL of something else", []string{"login", "ftp://a.example", "--user", "u"}, "https://HOST"},
		{"no invitation", []string{"accept", "https://a.example/", "--user", "u"}, "no invitation"},
		{"a collection without a name", []string{"ls", "/x"}, "names no collection"},
		{"rights that do not exist", []string{"users", "add", "bob", "--role", "king"}, "nobody has signed in"},
		{"a purge by accident", []string{"rm", "--purge", "c/x"}, "nobody has signed in"},
		{"an init without a name", []string{"admin", "init"}, "--user NAME is missing"},
		{"a backup to nowhere", []string{"backup"}, "--to FOLDER is missing"},
		{"a drain that is no time", []string{"serve", "--drain", "long"}, "--drain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t, c.args...)
			if code == exitOK || out != "" || !strings.HasPrefix(errs, "error: ") || !strings.Contains(errs, c.want) ||
				!strings.Contains(errs, "\nhint: ") || strings.Contains(errs, "hidden") {
				t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

// TestWhatAServerSaysGetsAFittingHint: every kind of problem leads somewhere.
func TestWhatAServerSaysGetsAFittingHint(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 410, 412, 413, 422, 423, 429, 500, 507} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
		}))
		cl, err := client.New(client.Config{URL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = cl.Me(context.Background())
		hint := hintFor(err)
		if hint == "" || strings.Contains(hint, "inspect") || strings.Contains(hint, "--peer") || strings.Contains(hint, "tandem share") {
			t.Errorf("%d (%v) leads to %q", status, err, hint)
		}
		cl.Close()
		s.Close()
	}
}

func TestSourcesOnServers(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("here.torrent", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("photos", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("photos", "a.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	conf := t.TempDir()
	a := &app{getenv: env(map[string]string{"TANDEM_CONFIG_DIR": conf}), stderr: new(bytes.Buffer)}
	c := a.getCommand()
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			b := &serverBook{Version: 1}
			b.put(savedServer{Name: "x", URL: "https://x.example"})
			if err := a.saveBook(b); err != nil {
				t.Fatal(err)
			}
		}
		for source, want := range map[string]bool{
			"tandem:AbC":                  false,
			"magnet:?xt=urn:btih:00":      false,
			"here.torrent":                false,
			"./photos/a.jpg":              false,
			"/photos/a.jpg":               false,
			"missing.torrent":             false,
			"https://x.example/s/TOK":     true,
			"https://x.example/a.torrent": false,
			"photos/a.jpg":                signedIn,
			"photos":                      signedIn,
			"x:photos/film.torrent":       signedIn,
		} {
			if got := a.serverSource(c, source); got != want {
				t.Errorf("signed in %v: %s is on a server: %v", signedIn, source, got)
			}
		}
	}
	if u, err := url.Parse("https://x.example/s/TOK"); err != nil || isLoopback(u) {
		t.Error("that is no loopback address")
	}
}
