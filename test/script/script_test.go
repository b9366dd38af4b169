// Package script runs the command line as its users do: each file in testdata is
// a session, run against the real command in a folder of its own.
package script

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tandem/internal/cli"
)

// patience bounds every await.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tandem": func() {
		ctx, stop := cli.Interruptible(context.Background())
		code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// A socket's path is short: not below the work folder.
			state, err := os.MkdirTemp("", "tandem")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(state) })
			if err := useBuilt(e, state); err != nil {
				return err
			}
			e.Setenv("HOME", state)
			for _, who := range []string{"A", "B", "C"} {
				dir := filepath.Join(state, strings.ToLower(who))
				if err := os.Mkdir(dir, 0o700); err != nil {
					return err
				}
				e.Setenv(who, dir)
			}
			e.Setenv("TANDEM_STATE_DIR", e.Getenv("A"))
			e.Setenv("TANDEM_CONFIG_DIR", e.Getenv("A"))
			e.Setenv("TANDEM_LISTEN", "127.0.0.1:0")
			for _, name := range []string{"DHT", "LAN", "PORT_MAP"} {
				e.Setenv("TANDEM_"+name, "false")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "random": random, "corrupt": corrupt, "json": jsonField, "mode": mode,
		},
	})
}

// useBuilt makes the scripts run the binary that TANDEM_BIN names, if any, rather
// than the one inside this test: with the race detector that one takes half a
// second to start.
func useBuilt(e *testscript.Env, dir string) error {
	bin := os.Getenv("TANDEM_BIN")
	if bin == "" {
		return nil
	}
	if err := os.Symlink(bin, filepath.Join(dir, "tandem")); err != nil {
		return err
	}
	e.Setenv("PATH", dir+string(os.PathListSeparator)+e.Getenv("PATH"))
	return nil
}

// await FILE REGEXP [NAME] waits until a line of the file matches, and puts its
// first group into the environment as NAME. JSON's escapes are undone.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await FILE REGEXP [NAME]")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil {
			continue // not made yet
		}
		if m := re.FindStringSubmatch(string(data)); m != nil {
			if len(args) == 3 {
				ts.Setenv(args[2], m[1])
			}
			return
		}
	}
	ts.Fatalf("%s does not match %s after %s:\n%s", args[0], args[1], patience, ts.ReadFile(args[0]))
}

// random FILE BYTES SEED writes content that does not repeat.
func random(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	var key [32]byte
	key[0] = byte(seed)
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(key).Read(data)
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, data, 0o644))
}

// corrupt FILE OFFSET flips one byte.
func corrupt(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	ts.Check(err)
	b[0] ^= 0xff
	_, err = f.WriteAt(b[:], at)
	ts.Check(err)
	ts.Check(f.Close())
}

// json FILE EVENT KEY OP VALUE compares a number or a text of the last line of
// that event ("-": the first line). OP is one of == != < > ~.
func jsonField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 5 {
		ts.Fatalf("usage: json FILE EVENT KEY OP VALUE")
	}
	var found map[string]any
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var m map[string]any
		ts.Check(json.Unmarshal([]byte(line), &m))
		if args[1] == "-" && found == nil || m["event"] == args[1] {
			found = m
		}
	}
	v, ok := found[args[2]]
	if !ok {
		ts.Fatalf("no %s of %s in %s", args[2], args[1], args[0])
	}
	if compare(ts, v, args[3], args[4]) == neg {
		ts.Fatalf("%s of %s is %v", args[2], args[1], v)
	}
}

func compare(ts *testscript.TestScript, v any, op, want string) bool {
	if op == "~" {
		ok, err := regexp.MatchString(want, fmt.Sprint(v))
		ts.Check(err)
		return ok
	}
	n, isNumber := v.(float64)
	w, err := strconv.ParseFloat(want, 64)
	switch {
	case op == "==" && (!isNumber || err != nil):
		return fmt.Sprint(v) == want
	case op == "!=" && (!isNumber || err != nil):
		return fmt.Sprint(v) != want
	case !isNumber || err != nil:
		ts.Fatalf("%v %s %s: not numbers", v, op, want)
	}
	switch op {
	case "==":
		return n == w
	case "!=":
		return n != w
	case "<":
		return n < w
	case ">":
		return n > w
	}
	ts.Fatalf("unknown comparison %s", op)
	return false
}

// mode FILE OCTAL checks permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", st.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s", args[0], got)
	}
}
