package archtest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const top = "../.."

func TestTheHouseKeepsItsRules(t *testing.T) {
	found, err := Check(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

func TestArchitecturePageNamesEveryRoom(t *testing.T) {
	page, err := os.ReadFile(top + "/docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tr.pkgs {
		if room := p.room(); room != "" && !strings.Contains(string(page), room+"/") {
			t.Errorf("docs/architecture.md does not name %s/", room)
		}
	}
}

func TestEveryTermHasOneMeaning(t *testing.T) {
	page, err := os.ReadFile(top + "/docs/terms.md")
	if err != nil {
		t.Fatal(err)
	}
	term := regexp.MustCompile(`^- \*\*([^*]+)\*\*: \S.*\.$`)
	seen := make(map[string]bool)
	for i, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		m := term.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("line %d is not \"- **term**: meaning.\": %s", i+1, line)
		case seen[m[1]]:
			t.Errorf("line %d gives %q a second meaning", i+1, m[1])
		default:
			seen[m[1]] = true
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d terms in docs/terms.md", len(seen))
	}
}

// files are Go files by path. One without a package clause gets one that fits its
// directory, and the doc comment that goes with it.
type files map[string]string

// house is a small tree that keeps every rule; cases add to it.
var house = files{
	"cmd/tandem/main.go": "// Command tandem.\npackage main\nimport \"tandem/internal/cli\"\nfunc main() { cli.Run() }",
	"internal/cli/cli.go": `import ("tandem/internal/node"; "tandem/internal/lab")
func Run() { node.New(); lab.Run() }`,
	"internal/node/node.go":                `import "tandem/internal/store/mem"; func New() { mem.New() }`,
	"internal/transfer/transfer.go":        `import ("tandem/internal/store"; "tandem/internal/swarm"); var _ store.Pieces; var _ swarm.Swarm`,
	"internal/store/store.go":              `type Pieces interface{}`,
	"internal/store/mem/mem.go":            `import "tandem/internal/store"; func New() store.Pieces { return nil }`,
	"internal/store/storetest/suite.go":    `import ("testing"; "tandem/internal/store"); func Run(t *testing.T, p store.Pieces) {}`,
	"internal/transport/tlspeer/config.go": `import "crypto/tls"; func Config() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }`,
	"internal/swarm/swarm.go":              `import "tandem/internal/pick"; type Swarm struct{ pick.Order }`,
	"internal/pick/pick.go":                `import ("math/rand/v2"; "time"); type Order struct { r *rand.Rand; at time.Time }`,
	"internal/wire/wire.go":                `import "net/netip"; var Any netip.Addr`,
	"internal/lab/lab.go":                  `import ("os/exec"; "tandem/internal/wire"); func Run() { _ = wire.Any; exec.Command("tandem") }`,
}

// tree returns the house with changes laid over it, and a test file for each
// package; a change to "" removes a file.
func (changes files) tree() fstest.MapFS {
	fsys := make(fstest.MapFS)
	put := func(path, text string) {
		dir := path[:strings.LastIndexByte(path, '/')]
		name := dir[strings.LastIndexByte(dir, '/')+1:]
		if strings.HasPrefix(dir, "cmd/") {
			name = "main"
		}
		if !strings.Contains(text, "package ") {
			doc := fmt.Sprintf("// Package %s is a fixture.\n", name)
			if strings.HasSuffix(path, "_test.go") {
				doc = ""
			}
			text = fmt.Sprintf("%spackage %s\n%s\n", doc, name, text)
		}
		if text == "package none" {
			delete(fsys, path)
			return
		}
		fsys[path] = &fstest.MapFile{Data: []byte(text)}
		if !strings.HasSuffix(name, "test") && changes[dir+"/fixture_test.go"] != "package none" {
			fsys[dir+"/fixture_test.go"] = &fstest.MapFile{Data: []byte("package " + name + "\n")}
		}
	}
	for path, text := range house {
		put(path, text)
	}
	for path, text := range changes {
		put(path, text)
	}
	return fsys
}

func TestASmallHouseIsFine(t *testing.T) {
	found, err := Check(files{}.tree())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// bites is what each rule must find, and the whole of it.
var bites = []struct {
	name    string
	changes files
	want    []string // "file: rule"
}{
	{
		"a room nobody planned",
		files{"internal/cache/cache.go": ""},
		[]string{"internal/cache/cache.go: room"},
	},
	{
		"code beside cmd, internal and test",
		files{"pkg/thing/thing.go": ""},
		[]string{"pkg/thing/thing.go: room"},
	},
	{
		"test packages are free",
		files{"test/bench/bench.go": `import ("time"; "tandem/internal/store/mem"); func Run() { time.Sleep(1); mem.New() }`},
		nil,
	},
	{
		"a word imports a decision",
		files{"internal/peer/peer.go": `import "tandem/internal/pick"; var _ pick.Order`},
		[]string{"internal/peer/peer.go: floor"},
	},
	{
		"a door imports an engine",
		files{"internal/store/mem/more.go": `package mem; import "tandem/internal/transfer"; var _ = transfer.X`},
		[]string{"internal/store/mem/more.go: floor"},
	},
	{
		"a test may look up",
		files{"internal/pick/pick_test.go": `import ("os"; "tandem/internal/store/mem"); var _, _ = os.Args, mem.New`},
		nil,
	},
	{
		"pick imports choke",
		files{"internal/choke/choke.go": "", "internal/pick/more.go": `package pick; import "tandem/internal/choke"; var _ = choke.X`},
		[]string{"internal/pick/more.go: sibling"},
	},
	{
		"swarm imports policy",
		files{"internal/policy/policy.go": "", "internal/swarm/more.go": `package swarm; import "tandem/internal/policy"; var _ = policy.X`},
		[]string{"internal/swarm/more.go: sibling"},
	},
	{
		"one door imports another",
		files{"internal/transport/transport.go": `import "tandem/internal/store"; var _ store.Pieces`},
		[]string{"internal/transport/transport.go: sibling"},
	},
	{
		"a driver uses another of its room",
		files{"internal/transport/tcp/tcp.go": `import "tandem/internal/transport/tlspeer"; var Default = tlspeer.Config`},
		nil,
	},
	{
		"origin imports transfer",
		files{"internal/origin/origin.go": `import "tandem/internal/transfer"; var _ = transfer.X`},
		[]string{"internal/origin/origin.go: sibling"},
	},
	{
		"node imports cli",
		files{"internal/node/more.go": `package node; import "tandem/internal/cli"; var _ = cli.Run`},
		[]string{"internal/node/more.go: sibling"},
	},
	{
		"an engine names a driver",
		files{"internal/transfer/more.go": `package transfer; import "tandem/internal/store/mem"; var _ = mem.New`},
		[]string{"internal/transfer/more.go: driver"},
	},
	{
		"cli names a driver",
		files{"internal/cli/more.go": `package cli; import "tandem/internal/store/mem"; var _ = mem.New`},
		[]string{"internal/cli/more.go: driver"},
	},
	{
		"a contract names its driver",
		files{"internal/store/more.go": `package store; import "tandem/internal/store/mem"; var _ = mem.New`},
		[]string{"internal/store/more.go: driver"},
	},
	{
		"node imports the lab",
		files{"internal/node/more.go": `package node; import "tandem/internal/lab"; var _ = lab.Run`},
		[]string{"internal/node/more.go: lab"},
	},
	{
		"the simulator imports an engine",
		files{"internal/lab/sim/sim.go": `import ("tandem/internal/swarm"; "tandem/internal/transfer"); var _, _ = swarm.X, transfer.X`},
		[]string{"internal/lab/sim/sim.go: lab"},
	},
	{
		"the bound looks at decisions",
		files{"internal/lab/bound/bound.go": `import "tandem/internal/swarm"; var _ = swarm.X`},
		[]string{"internal/lab/bound/bound.go: lab"},
	},
	{
		"main does more than call cli",
		files{"cmd/tandem/more.go": `package main; import "tandem/internal/node"; var _ = node.New`},
		[]string{"cmd/tandem/more.go: front door"},
	},
	{
		"main is long",
		files{"cmd/tandem/more.go": "package main\n" + strings.Repeat("const _ = 1\n", 60)},
		[]string{"cmd/tandem/more.go: front door"},
	},
	{
		"a word reads files",
		files{"internal/wire/more.go": `package wire; import "os"; var _ = os.Args`},
		[]string{"internal/wire/more.go: pure imports"},
	},
	{
		"a decision opens a connection",
		files{"internal/pick/more.go": `package pick; import "net/http"; var _ http.Client`},
		[]string{"internal/pick/more.go: pure imports"},
	},
	{
		"a word is not of the standard library",
		files{"internal/wire/more.go": `package wire; import "golang.org/x/crypto/chacha20"; var _ = chacha20.KeySize`},
		[]string{"internal/wire/more.go: pure imports"},
	},
	{
		"a decision reads the clock under another name",
		files{"internal/pick/more.go": `package pick; import clock "time"; func f() { clock.Now() }`},
		[]string{"internal/pick/more.go: clock"},
	},
	{
		"a word waits",
		files{"internal/wire/more.go": `package wire; import "time"; var _ = time.After(time.Second)`},
		[]string{"internal/wire/more.go: clock"},
	},
	{
		"a decision draws from everybody's randomness",
		files{"internal/pick/more.go": `package pick; import "math/rand/v2"; func f(r *rand.Rand) int { return r.IntN(2) + rand.IntN(2) }`},
		[]string{"internal/pick/more.go: randomness"},
	},
	{
		"a decision starts a goroutine",
		files{"internal/swarm/more.go": "package swarm\nfunc f() { go f() }"},
		[]string{"internal/swarm/more.go: goroutine"},
	},
	{
		"an init function",
		files{"internal/node/more.go": "package node\nfunc init() {}"},
		[]string{"internal/node/more.go: init"},
	},
	{
		"a driver registers itself",
		files{"internal/node/more.go": "package node\nimport _ \"example.org/driver\""},
		[]string{"internal/node/more.go: init"},
	},
	{
		"a registry",
		files{"internal/node/more.go": `package node; var drivers = map[string]int{}; func Register(s string) { drivers[s] = 1 }`},
		[]string{"internal/node/more.go: package state", "internal/node/more.go: package state"},
	},
	{
		"a counter set from another file",
		files{
			"internal/node/a.go": `package node; var made struct{ n int }`,
			"internal/node/b.go": `package node; func f() { made.n++ }`,
		},
		[]string{"internal/node/b.go: package state"},
	},
	{
		"a local of the same name is no state",
		files{"internal/node/a.go": `package node; var made = 1; func f() { made := 2; made = 3; _ = made }`},
		nil,
	},
	{
		"a lock of the whole package",
		files{"internal/node/a.go": `package node; import "sync"; var mu sync.Mutex; var free = sync.Pool{}`},
		[]string{"internal/node/a.go: package state"},
	},
	{
		"a pointer that anybody may swap",
		files{"internal/node/a.go": `package node; import "sync/atomic"; var now atomic.Pointer[int]`},
		[]string{"internal/node/a.go: package state"},
	},
	{
		"verification switched off elsewhere",
		files{"internal/discover/tracker/tracker.go": `import "crypto/tls"; func f(c *tls.Config) { c.InsecureSkipVerify = true }`},
		[]string{"internal/discover/tracker/tracker.go: skip verify"},
	},
	{
		"verification switched off twice",
		files{"internal/transport/tlspeer/more.go": `package tlspeer; import "crypto/tls"; var _ = tls.Config{InsecureSkipVerify: true}`},
		[]string{"internal/transport/tlspeer/more.go: skip verify"},
	},
	{
		"an origin check bypassed, in a test even",
		files{"internal/web/web.go": "", "internal/web/web_test.go": `func f(p interface{ AddInsecureBypassPattern(string) }) {}`},
		[]string{"internal/web/web_test.go: bypass"},
	},
	{
		"a shell",
		files{"internal/node/more.go": `package node; import "os/exec"; var _ = exec.Command`},
		[]string{"internal/node/more.go: exec"},
	},
	{
		"a process started by hand",
		files{"internal/node/more.go": `package node; import "os"; var _ = os.StartProcess`},
		[]string{"internal/node/more.go: exec"},
	},
	{
		"an exit that is not main's",
		files{"internal/cli/more.go": `package cli; import "os"; func f() { os.Exit(1) }`},
		[]string{"internal/cli/more.go: exit"},
	},
	{
		"a package without a caption",
		files{"internal/wire/wire.go": "package wire"},
		[]string{"internal/wire/wire.go: package doc"},
	},
	{
		"a caption that is none",
		files{"internal/wire/wire.go": "// This package has messages.\npackage wire"},
		[]string{"internal/wire/wire.go: package doc"},
	},
	{
		"two captions",
		files{"internal/wire/x.go": "// Package wire says it again.\npackage wire"},
		[]string{"internal/wire/x.go: package doc"},
	},
	{
		"a long file, comments aside",
		files{
			"internal/node/a.go": "package node\n" + strings.Repeat("const _ = 1\n", 500),
			"internal/node/b.go": "package node\n" + strings.Repeat("const _ = 1 // why\n// more\n\n", 499),
		},
		[]string{"internal/node/a.go: file size"},
	},
	{
		"a long function",
		files{"internal/node/a.go": "package node\nfunc f() {" + strings.Repeat("\n", 80) + "}\nfunc g() {" + strings.Repeat("\n", 79) + "}"},
		[]string{"internal/node/a.go: function size"},
	},
	{
		"a drawer for everything",
		files{"internal/node/util/u.go": "", "internal/cli/helpers.go": "package cli"},
		[]string{"internal/cli/helpers.go: name", "internal/node/util/u.go: name"},
	},
	{
		"a package nobody tests",
		files{
			"internal/discover/discover.go":     "func Find() {}",
			"internal/discover/fixture_test.go": "package none",
			"internal/store/fixture_test.go":    "package none",
		},
		[]string{"internal/discover/discover.go: tested"},
	},
	{
		"tests and suites that sleep",
		files{
			"internal/wire/wire_test.go":       `import "time"; func f() { time.Sleep(1) }`,
			"internal/store/storetest/more.go": `package storetest; import "time"; func f() { time.Sleep(1) }`,
		},
		[]string{"internal/store/storetest/more.go: sleep in test", "internal/wire/wire_test.go: sleep in test"},
	},
	{
		"a test that may be skipped",
		files{"internal/wire/wire_test.go": `import "testing"; func TestX(t *testing.T) { t.Skip() }`},
		[]string{"internal/wire/wire_test.go: skipped test"},
	},
	{
		"something left for later",
		files{"internal/wire/more.go": "package wire\nfunc Later() { panic(\"todo: soon\") }"},
		[]string{"internal/wire/more.go: unfinished"},
	},
}

func TestRulesBite(t *testing.T) {
	bitten := make(map[string]bool)
	for _, c := range bites {
		t.Run(c.name, func(t *testing.T) {
			found, err := Check(c.changes.tree())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range found {
				got = append(got, v.File+": "+v.Rule)
				bitten[v.Rule] = true
				if v.Line < 1 || v.What == "" || v.Why == "" {
					t.Errorf("says too little: %v", v)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
	for _, r := range rules() {
		if !bitten[r.name] {
			t.Errorf("no case shows that %q bites", r.name)
		}
	}
}
