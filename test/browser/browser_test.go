// Package browser tries the pages of the real binary in Debian's Chromium: the
// whole story from the set-up to a second person, with axe on every page in light and
// dark, on the width of a phone, by keyboard, and without JavaScript.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tandem/test/servers"
)

var update = flag.Bool("update", false, "keep the pictures in docs/img")

// pictures are kept in docs/img; the others stay in the folder that
// TANDEM_PICTURES names.
var pictures = []string{"start", "folder", "folder-dark", "folder-phone", "share", "link", "shared-file-phone", "people", "upload-dark"}

func TestPagesInChromium(t *testing.T) {
	install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	o := servers.Options{Dir: t.TempDir(), Bin: binary(t)}
	s, err := servers.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("the server ended: %v\n%s", err, s.Log())
		}
	})
	shots := os.Getenv("TANDEM_PICTURES")
	if shots == "" {
		shots = t.TempDir()
	}
	cmd := exec.CommandContext(ctx, "node", "run.mjs")
	cmd.Env = append(os.Environ(), "TANDEM_SETUP="+setupURL(ctx, t, s), "TANDEM_FILES="+t.TempDir(), "TANDEM_PICTURES="+shots)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	follow(t, out)
	if err := cmd.Wait(); err != nil {
		t.Errorf("node run.mjs: %v\nthe server said:\n%s", err, s.Log())
	}
	if *update && !t.Failed() {
		keep(t, shots)
	}
}

// install brings node_modules as package-lock.json has it, and names what is missing.
func install(t *testing.T) {
	t.Helper()
	for program, pkg := range map[string]string{"node": "nodejs", "npm": "npm", "/usr/bin/chromium": "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: apt-get install %s", program, pkg)
		}
	}
	if lock, err := os.Stat("node_modules/.package-lock.json"); err == nil {
		if want, err := os.Stat("package-lock.json"); err == nil && !want.ModTime().After(lock.ModTime()) {
			return
		}
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// binary is TANDEM_BIN, or the module's built here.
func binary(t *testing.T) string {
	t.Helper()
	if bin, err := servers.Binary(); err == nil {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "tandem")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "tandem/cmd/tandem").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// setupURL waits for the one-time address that the server prints.
func setupURL(ctx context.Context, t *testing.T, s *servers.Server) string {
	t.Helper()
	printed := regexp.MustCompile(`"setup_url":"([^"]+)"`)
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		if m := printed.FindStringSubmatch(s.Log()); m != nil {
			return m[1]
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			t.Fatalf("the server printed no set-up address:\n%s", s.Log())
		}
	}
}

// follow makes a subtest of each step that node reports.
func follow(t *testing.T, out io.Reader) {
	t.Helper()
	steps := 0
	in := bufio.NewScanner(out)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		var step struct {
			Step  string
			MS    int64
			Error string
		}
		if err := json.Unmarshal(in.Bytes(), &step); err != nil || step.Step == "" {
			t.Log(in.Text())
			continue
		}
		steps++
		t.Run(step.Step, func(t *testing.T) {
			t.Logf("%d ms", step.MS)
			if step.Error != "" {
				t.Error(step.Error)
			}
		})
	}
	if err := in.Err(); err != nil {
		t.Error(err)
	}
	if steps == 0 {
		t.Error("node reported no step")
	}
}

// keep copies the pictures of the main pages to docs/img.
func keep(t *testing.T, from string) {
	t.Helper()
	to := filepath.Join("..", "..", "docs", "img")
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range pictures {
		b, err := os.ReadFile(filepath.Join(from, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name+".png"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLockFileNamesNoHost(t *testing.T) {
	b, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "http") || !strings.Contains(string(b), `"integrity": "sha512-`) {
		t.Error("package-lock.json must hold hashes and no addresses: npm takes the registry it is set up for")
	}
}
