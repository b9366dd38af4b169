package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tandem/internal/fault"
)

// upload sends content as a file by tus.
func upload(c *Client, content string, change func(*Upload)) (string, error) {
	u := Upload{Path: "f", Content: strings.NewReader(content), Size: int64(len(content))}
	if change != nil {
		change(&u)
	}
	return c.In("c").Upload(context.Background(), u)
}

func TestAnUploadSurvivesACutAtEveryOffset(t *testing.T) {
	const size = 40
	content := random(size, 1)
	for at := range size + 1 {
		f, c := newFake(t)
		f.keep = func(patch int) int64 {
			if patch == 1 {
				return int64(at)
			}
			return -1
		}
		seen := int64(0)
		sum, err := upload(c, content, func(u *Upload) { u.Seen = func(n int64) { seen += n } })
		if err != nil || sum != sumOf([]byte(content)) || f.tree["f"] != content || seen != size {
			t.Fatalf("cut at %d: %v, %d seen", at, err, seen)
		}
		if f.received != size {
			t.Fatalf("cut at %d: %d bytes were sent to be kept, of %d", at, f.received, size)
		}
	}
}

func TestAnUploadSurvivesCutAfterCut(t *testing.T) {
	f, c := newFake(t)
	content := random(5<<20, 2)
	f.keep = func(patch int) int64 {
		if patch < 9 {
			return 600_000
		}
		return -1
	}
	if _, err := upload(c, content, nil); err != nil || f.tree["f"] != content {
		t.Fatal(err)
	}
	if f.received != int64(len(content)) {
		t.Errorf("%d bytes were kept of %d", f.received, len(content))
	}
}

func TestALostAnswerToTheLastByteIsNoLostUpload(t *testing.T) {
	for name, forget := range map[string]bool{"the server knows the upload": false, "the server has forgotten it": true} {
		t.Run(name, func(t *testing.T) {
			f, c := newFake(t)
			f.mute, f.forget = true, forget
			content := random(1000, 3)
			sum, err := upload(c, content, nil)
			if err != nil || sum != sumOf([]byte(content)) || f.patches != 1 {
				t.Fatalf("%v after %d requests with content", err, f.patches)
			}
		})
	}
}

func TestAnUploadThatWasForgottenBeginsAnew(t *testing.T) {
	f, c := newFake(t)
	content := random(1000, 4)
	var told []string
	_, err := upload(c, content, func(u *Upload) {
		u.ID, u.Began = "gone", func(id string) { told = append(told, id) }
	})
	if err != nil || f.tree["f"] != content {
		t.Fatal(err)
	}
	if want := []string{"", "up1", ""}; strings.Join(told, ",") != strings.Join(want, ",") {
		t.Errorf("told to remember %q, want %q", told, want)
	}
}

func TestWhatTheServerHasWrongIsNoSuccess(t *testing.T) {
	f, c := newFake(t)
	f.damage = func(_, content string) string { return content[:10] + "x" + content[11:] }
	_, err := upload(c, random(1000, 5), nil)
	if !errors.Is(err, fault.Corrupt) {
		t.Fatalf("got %v", err)
	}
}

func TestAnUploadAtAnotherOffsetAsksAgain(t *testing.T) {
	f, c := newFake(t)
	first := true
	f.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodPatch || !first {
			return false
		}
		first = false
		problem(w, 409, "precondition", "another writer has been here")
		return true
	}
	content := random(100, 6)
	if _, err := upload(c, content, nil); err != nil || f.tree["f"] != content {
		t.Fatal(err)
	}
}

func TestRefusalsComeBeforeTheContent(t *testing.T) {
	f, c := newFake(t)
	f.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		problem(w, 413, "quota", "it would need 1 GiB more")
		return true
	}
	_, err := upload(c, random(100, 7), nil)
	if fault.KindOf(err) != fault.Quota || !strings.Contains(err.Error(), "1 GiB more") || f.patches != 0 {
		t.Fatalf("got %v after %d requests with content", err, f.patches)
	}
}

// interrupting stops the client when it asks how far its upload is.
func interrupting(stop func()) func(http.ResponseWriter, *http.Request, int) bool {
	return func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodHead {
			stop()
		}
		return false
	}
}

func TestASecondRunTakesAnUploadUp(t *testing.T) {
	f, c := newFake(t)
	dir := t.TempDir()
	content := random(mediumFile+1000, 8)
	local := write(t, filepath.Join(dir, "big"), content)
	j := OpenJournal(filepath.Join(dir, "state"), time.Now)

	ctx, stop := context.WithCancel(t.Context())
	f.keep = func(int) int64 { return 9_000_000 }
	f.before = interrupting(stop)
	if _, err := c.In("c").Send(ctx, local, "big", Put{Journal: j}); !errors.Is(err, fault.Closed) {
		t.Fatalf("the interrupted run says %v", err)
	}
	kept := f.received
	f.keep, f.before = nil, nil
	if _, err := c.In("c").Send(t.Context(), local, "big", Put{Journal: j}); err != nil {
		t.Fatal(err)
	}
	if f.tree["big"] != content || f.received != int64(len(content)) || kept == 0 {
		t.Fatalf("%d bytes were kept of the first run, %d in all, of %d", kept, f.received, len(content))
	}
	if list, err := os.ReadDir(filepath.Join(dir, "state")); err != nil || len(list) != 0 {
		t.Errorf("%d entries are left in the journal (%v)", len(list), err)
	}
}

func TestAChangedFileIsNotTakenUp(t *testing.T) {
	f, c := newFake(t)
	dir := t.TempDir()
	local := write(t, filepath.Join(dir, "big"), random(mediumFile+1000, 9))
	j := OpenJournal(filepath.Join(dir, "state"), time.Now)
	ctx, stop := context.WithCancel(t.Context())
	f.keep = func(int) int64 { return 5_000_000 }
	f.before = interrupting(stop)
	_, _ = c.In("c").Send(ctx, local, "big", Put{Journal: j})
	f.keep, f.before = nil, nil
	other := random(mediumFile+1000, 10)
	write(t, local, other)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(local, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := c.In("c").Send(t.Context(), local, "big", Put{Journal: j}); err != nil || f.tree["big"] != other {
		t.Fatalf("%v; the right content: %v", err, f.tree["big"] == other)
	}
}

func TestAFolderIsSentAndNotSentTwice(t *testing.T) {
	f, c := newFake(t)
	dir := t.TempDir()
	want := map[string]string{}
	for name, size := range map[string]int{"a": 10, "sub/b": SmallFile, "sub/c": SmallFile + 1, "sub/deep/d": 0, "e.jpg": mediumFile + 1} {
		content := random(size, byte(len(name)))
		write(t, filepath.Join(dir, name), content)
		want["to/"+name] = content
	}
	for _, empty := range []string{"none", "sub/none"} {
		if err := os.MkdirAll(filepath.Join(dir, empty), 0o755); err != nil {
			t.Fatal(err)
		}
		want["to/"+empty+"/"] = ""
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "leak")); err != nil {
		t.Fatal(err)
	}
	var warned []string
	put := Put{Warn: func(s string) { warned = append(warned, s) }}
	out, err := c.In("c").Send(t.Context(), dir, "to", put)
	if err != nil || out.Files != 5 || len(warned) != 1 {
		t.Fatalf("%+v, %v, %q", out, err, warned)
	}
	for name, content := range want {
		if got, ok := f.tree[name]; !ok || got != content {
			t.Errorf("%s is there: %v, right: %v", name, ok, got == content)
		}
	}
	if len(f.tree) != len(want) {
		t.Errorf("there is more than was sent: %q", f.names())
	}
	for _, name := range []string{"to/none/", "to/sub/none/"} {
		delete(f.tree, name) // the fake lists files
	}
	before := f.requests("PUT") + f.requests("PATCH") + f.requests("POST /api/v1/collections/c/batch")
	out, err = c.In("c").Send(t.Context(), dir, "to", put)
	if err != nil || out.Skipped != 5 || out.Files != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if after := f.requests("PUT") + f.requests("PATCH") + f.requests("POST /api/v1/collections/c/batch"); after != before {
		t.Errorf("%d requests sent content again", after-before)
	}
}

func TestOneRefusedFileDoesNotKeepOthersBack(t *testing.T) {
	f, c := newFake(t)
	dir := t.TempDir()
	for _, name := range []string{"a", "b.refused", "c", "d.refused"} {
		write(t, filepath.Join(dir, name), name)
	}
	out, err := c.In("c").Send(t.Context(), dir, "", Put{})
	if !errors.Is(err, fault.Exists) || !strings.Contains(err.Error(), "and 1 more failed") {
		t.Errorf("got %v", err)
	}
	if out.Files != 2 || out.Failed != 2 || f.tree["a"] != "a" || f.tree["c"] != "c" {
		t.Errorf("%+v", out)
	}
}

func TestWhatIsBrokenOffHidesNotWhy(t *testing.T) {
	f, c := newFake(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "small"), "small")
	write(t, filepath.Join(dir, "large"), strings.Repeat("l", SmallFile+1))
	large := make(chan struct{})
	var once sync.Once
	f.before = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		switch {
		case strings.Contains(r.URL.Path, "/batch"):
			<-large
			problem(w, http.StatusNotFound, "not-found", "there is none of that name")
			return true
		case r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
			_, _ = io.Copy(io.Discard, r.Body)
			once.Do(func() { close(large) })
			<-r.Context().Done()
			return true
		}
		return false
	}
	out, err := c.In("c").Send(t.Context(), dir, "", Put{})
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "there is none of that name") {
		t.Errorf("got %v (%s)", err, fault.KindOf(err))
	}
	if out.Files != 0 {
		t.Errorf("%+v", out)
	}
}
