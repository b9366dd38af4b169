package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// fetchFile gets the file f into dir.
func fetchFile(t *testing.T, f *fake, c *Client, dir string, change func(*Get)) error {
	t.Helper()
	var e api.Entry
	f.with(func() { e = f.entry("f") })
	g := Get{Dir: dir}
	if change != nil {
		change(&g)
	}
	_, err := c.In("c").Get(t.Context(), e, g)
	return err
}

// cutting answers GETs of content and cuts the connection after at bytes of those for which when holds.
func cutting(f *fake, at int, when func(get int) bool) func(http.ResponseWriter, *http.Request, int) bool {
	gets := 0
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/content/") {
			return false
		}
		gets++
		if !when(gets) {
			return false
		}
		rec := &shortWriter{ResponseWriter: w, left: at}
		f.content(rec, r, strings.TrimPrefix(r.URL.Path, "/api/v1/collections/c/content/"))
		_ = http.NewResponseController(w).Flush()
		cut(w)
		return true
	}
}

// shortWriter loses what is beyond left.
type shortWriter struct {
	http.ResponseWriter
	left int
}

func (s *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), s.left)
	s.left -= n
	if n > 0 {
		if _, err := s.ResponseWriter.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func TestADownloadSurvivesACutAtEveryOffset(t *testing.T) {
	const size = 40
	content := random(size, 1)
	for at := range size {
		f, c := newFake(t)
		f.tree["f"] = content
		f.before = cutting(f, at, func(get int) bool { return get == 1 })
		dir := t.TempDir()
		if err := fetchFile(t, f, c, dir, nil); err != nil || read(t, filepath.Join(dir, "f")) != content {
			t.Fatalf("cut at %d: %v", at, err)
		}
		if got := left(t, dir); len(got) != 1 {
			t.Fatalf("cut at %d leaves %q", at, got)
		}
	}
}

func TestASecondRunGoesOnWithAPart(t *testing.T) {
	f, c := newFake(t)
	content := random(3<<20, 2)
	f.tree["f"] = content
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	f.before = cutting(f, 2<<20, func(get int) bool { stop(); return true })
	e := f.entry("f")
	if _, err := c.In("c").Get(ctx, e, Get{Dir: dir}); !errors.Is(err, fault.Closed) {
		t.Fatalf("the interrupted run says %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "f")); err == nil {
		t.Fatal("half a file has its final name")
	}
	var asked string
	f.before = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		asked = r.Header.Get("Range")
		return false
	}
	st, err := os.Stat(filepath.Join(dir, "f.part"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fetchFile(t, f, c, dir, nil); err != nil || read(t, filepath.Join(dir, "f")) != content {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("bytes=%d-", st.Size()); st.Size() > 0 && asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestContentThatChangesMeanwhileIsFetchedWhole(t *testing.T) {
	f, c := newFake(t)
	f.tree["f"] = random(1000, 3)
	after := random(1500, 4)
	dir := t.TempDir()
	short := cutting(f, 400, func(get int) bool { return get == 1 })
	f.before = func(w http.ResponseWriter, r *http.Request, n int) bool {
		done := short(w, r, n)
		f.with(func() { f.tree["f"] = after })
		return done
	}
	if err := fetchFile(t, f, c, dir, nil); err != nil || read(t, filepath.Join(dir, "f")) != after {
		t.Fatal(err)
	}
}

func TestWrongBytesNeverGetTheFinalName(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  int // how many answers are damaged
		ok   bool
	}{{"once: fetched again", 1, true}, {"always: refused", 100, false}} {
		t.Run(c.name, func(t *testing.T) {
			f, cl := newFake(t)
			f.tree["f"] = random(1000, 5)
			n := 0
			f.damage = func(_, content string) string {
				if n++; n > c.bad {
					return content
				}
				return content[:500] + "x" + content[501:]
			}
			dir := t.TempDir()
			err := fetchFile(t, f, cl, dir, nil)
			_, serr := os.Stat(filepath.Join(dir, "f"))
			if c.ok && (err != nil || serr != nil) || !c.ok && (!errors.Is(err, fault.Corrupt) || serr == nil) {
				t.Fatalf("%v; %v", err, serr)
			}
		})
	}
}

func TestWhatIsThere(t *testing.T) {
	content := random(1000, 6)
	for _, c := range []struct {
		name   string
		files  map[string]string
		force  bool
		kind   fault.Kind // 0: it works
		loads  int
		remain string // of f
	}{
		{"the same content stays and is not fetched", map[string]string{"f": content}, false, 0, 0, content},
		{"different content is not replaced", map[string]string{"f": "mine"}, false, fault.Exists, 0, "mine"},
		{"content of the same size is not replaced either", map[string]string{"f": random(1000, 7)}, false, fault.Exists, 0, random(1000, 7)},
		{"with force it is", map[string]string{"f": "mine"}, true, 0, 1, content},
		{"somebody else's part is not touched", map[string]string{"f.part": "mine"}, false, fault.Exists, 0, ""},
		{"nor is somebody else's state", map[string]string{"f.part.json": "{}"}, false, fault.Exists, 0, ""},
		{"a part of other content begins anew", map[string]string{
			"f.part": "mine", "f.part.json": `{"tandem":1,"sha256":"00","size":1000}`,
		}, false, 0, 1, content},
		{"a part that is too long begins anew", map[string]string{
			"f.part": random(1001, 8), "f.part.json": fmt.Sprintf(`{"tandem":1,"sha256":"%s","size":1000}`, sumOf([]byte(content))),
		}, false, 0, 1, content},
		{"a damaged part is fetched again", map[string]string{
			"f.part": random(600, 8), "f.part.json": fmt.Sprintf(`{"tandem":1,"sha256":"%s","size":1000}`, sumOf([]byte(content))),
		}, false, 0, 2, content},
		{"a whole part needs nothing", map[string]string{
			"f.part": content, "f.part.json": fmt.Sprintf(`{"tandem":1,"sha256":"%s","size":1000}`, sumOf([]byte(content))),
		}, false, 0, 0, content},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, cl := newFake(t)
			f.tree["f"] = content
			dir := t.TempDir()
			for name, text := range c.files {
				write(t, filepath.Join(dir, name), text)
			}
			err := fetchFile(t, f, cl, dir, func(g *Get) { g.Force = c.force })
			if fault.KindOf(err) != c.kind && !(c.kind == 0 && err == nil) {
				t.Fatalf("got %v, want %s", err, c.kind)
			}
			if f.gets != c.loads {
				t.Errorf("asked %d times for content, want %d", f.gets, c.loads)
			}
			if c.remain != "" && read(t, filepath.Join(dir, "f")) != c.remain {
				t.Error("f is not what it should be")
			}
		})
	}
}

// getFolder gets the whole collection as the folder "in".
func getFolder(t *testing.T, c *Client, dir string, change func(*Get)) (Outcome, error) {
	t.Helper()
	g := Get{Dir: dir, Name: "in"}
	if change != nil {
		change(&g)
	}
	return c.In("c").Get(t.Context(), api.Entry{Kind: "folder"}, g)
}

func TestAFolderArrivesWhole(t *testing.T) {
	f, c := newFake(t)
	for i := range 700 { // several groups
		f.tree[fmt.Sprintf("%d/%d", i%7, i)] = random(i, byte(i))
	}
	f.tree["large"] = random(SmallFile+1, 1)
	f.tree["x.part"] = "named as a part is"
	f.tree["x"] = random(SmallFile+5, 2)
	f.tree["later.left-out"] = "the fetch of many leaves it out"
	f.extra = []api.Entry{{Kind: "folder", Name: "none", Path: "none"}}
	dir := t.TempDir()
	var meter Meter
	out, err := getFolder(t, c, dir, func(g *Get) { g.Meter = &meter })
	if err != nil || out.Files != len(f.tree) || out.Failed != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	for name, content := range f.tree {
		if read(t, filepath.Join(dir, "in", name)) != content {
			t.Errorf("%s is not what it should be", name)
		}
	}
	if got := left(t, dir); len(got) != len(f.tree) {
		t.Errorf("%d files are there, want %d", len(got), len(f.tree))
	}
	if _, err := os.Stat(filepath.Join(dir, "in", "none")); err != nil {
		t.Error("the empty folder is missing")
	}
	if meter.Done.Load() != meter.Total.Load() {
		t.Errorf("the meter ends at %d of %d", meter.Done.Load(), meter.Total.Load())
	}
	before := f.gets
	if out, err = getFolder(t, c, dir, nil); err != nil || out.Skipped != len(f.tree) || f.gets != before {
		t.Errorf("again: %+v, %v", out, err)
	}
}

func TestAFolderSurvivesBrokenAnswers(t *testing.T) {
	f, c := newFake(t)
	for i := range 20 {
		f.tree[fmt.Sprintf("%d", i)] = random(500, byte(i))
	}
	fetches := 0
	f.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if !strings.Contains(r.URL.Path, "/fetch/") {
			return false
		}
		if fetches++; fetches > 3 {
			return false
		}
		rec := &shortWriter{ResponseWriter: w, left: 3000 * fetches}
		f.fetch(rec, r, "")
		_ = http.NewResponseController(w).Flush()
		cut(w)
		return true
	}
	dir := t.TempDir()
	if out, err := getFolder(t, c, dir, nil); err != nil || out.Files != 20 {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestAFolderInOneRequest(t *testing.T) {
	f, c := newFake(t)
	for i := range 300 {
		f.tree[fmt.Sprintf("%d/%d", i%7, i)] = random(i, byte(i))
	}
	f.tree["large"] = random(2*SmallFile, 1)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in", "large"), f.tree["large"])
	out, err := getFolder(t, c, dir, func(g *Get) { g.Once = true })
	if err != nil || out.Files != 300 || out.Skipped != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	for name, content := range f.tree {
		if read(t, filepath.Join(dir, "in", name)) != content {
			t.Errorf("%s is not what it should be", name)
		}
	}
	if n := f.requests("GET /api/v1/collections/c/content") + f.requests("POST"); n != 0 || f.requests("GET /api/v1/collections/c/archive") != 1 {
		t.Errorf("it was counted more than once: %q", f.log)
	}
	if got := left(t, dir); len(got) != len(f.tree) {
		t.Errorf("%d files are there, want %d", len(got), len(f.tree))
	}
}

func TestAnArchiveWithWrongBytes(t *testing.T) {
	f, c := newFake(t)
	f.tree["a"], f.tree["b"], f.tree["c.left-out"] = "aaaa", "bbbb", "cccc"
	f.damage = func(name, content string) string {
		if name == "b" {
			return "bxbb"
		}
		return content
	}
	dir := t.TempDir()
	out, err := getFolder(t, c, dir, func(g *Get) { g.Once = true })
	if err == nil || out.Files != 1 || out.Failed != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := left(t, dir); len(got) != 1 || got[0] != "in/a" {
		t.Errorf("%q is there", got)
	}
}

func TestAnArchiveThatBreaksOff(t *testing.T) {
	f, c := newFake(t)
	for i := range 20 {
		f.tree[fmt.Sprintf("%02d", i)] = random(5000, byte(i))
	}
	f.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if !strings.Contains(r.URL.Path, "/archive/") {
			return false
		}
		f.archive(&shortWriter{ResponseWriter: w, left: 40_000})
		_ = http.NewResponseController(w).Flush()
		cut(w)
		return true
	}
	dir := t.TempDir()
	out, err := getFolder(t, c, dir, func(g *Get) { g.Once = true })
	if fault.KindOf(err) != fault.Unreachable || out.Files != len(left(t, dir)) {
		t.Fatalf("%+v, %v, %d files are there", out, err, len(left(t, dir)))
	}
	for _, name := range left(t, dir) {
		if read(t, filepath.Join(dir, name)) != f.tree[strings.TrimPrefix(name, "in/")] {
			t.Errorf("%s is not what it should be", name)
		}
	}
}

func TestAFileThatIsInTheWayDoesNotKeepOthersBack(t *testing.T) {
	f, c := newFake(t)
	f.tree["a"], f.tree["b"], f.tree["d"] = "a", "b", random(SmallFile+1, 1)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in", "b"), "mine")
	write(t, filepath.Join(dir, "in", "d"), "mine")
	out, err := getFolder(t, c, dir, nil)
	if !errors.Is(err, ErrExists) || out.Files != 1 || out.Failed != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	if read(t, filepath.Join(dir, "in", "b")) != "mine" || read(t, filepath.Join(dir, "in", "a")) != "a" {
		t.Error("the wrong one was replaced")
	}
}

func TestNamesThatLeadElsewhereAreRefused(t *testing.T) {
	for _, name := range []string{"../x", "/etc/x", "a/../../x", "a//b", ".", "..", "a\\b", "a\x00b", "a\nb", "a\u202eb", strings.Repeat("a", 241)} {
		t.Run(name, func(t *testing.T) {
			f, c := newFake(t)
			f.extra = []api.Entry{{Kind: "file", Path: name, Name: name, Size: 1, SHA256: sumOf([]byte("x"))}}
			dir := filepath.Join(t.TempDir(), "deep", "er")
			_, err := getFolder(t, c, dir, nil)
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.Protocol {
				t.Fatalf("got %v", err)
			}
			if got := left(t, filepath.Dir(filepath.Dir(dir))); len(got) != 0 {
				t.Errorf("wrote %q", got)
			}
		})
	}
}

func TestASymbolicLinkInTheDestinationDoesNotLeadOut(t *testing.T) {
	f, c := newFake(t)
	f.tree["out/f"], f.tree["out/g"] = "x", random(SmallFile+1, 1)
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "in", "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := getFolder(t, c, dir, nil); err == nil {
		t.Error("it says that all is well")
	}
	if got := left(t, elsewhere); len(got) != 0 {
		t.Errorf("wrote %q", got)
	}
}

func TestAListingThatNamesAFileTwiceIsRefused(t *testing.T) {
	f, c := newFake(t)
	f.tree["a"] = "a"
	f.extra = []api.Entry{f.entry("a")}
	if _, err := getFolder(t, c, t.TempDir(), nil); fault.KindOf(err) != fault.Protocol {
		t.Fatalf("got %v", err)
	}
}
