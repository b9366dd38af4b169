package archtest

import (
	"go/ast"
	"strings"
)

func pureRules() []rule {
	const why = "words and decisions are functions of what they are handed, so that the product, the simulator and a replay run the same code"
	return []rule{
		{"pure imports", why, checkPureImports},
		{"clock", why + "; the time is an argument", eachPureUse(readsClock)},
		{"randomness", why + "; randomness is a *rand.Rand argument", eachPureUse(drawsGlobally)},
		{
			"goroutine", "a decision is made by whoever asks for it; only floors 3 and up run things at once",
			checkGoroutines,
		},
	}
}

// pure yields the files that have to be pure.
func (t *tree) pure(yield func(p *pkg, f *file) bool) {
	for _, p := range t.pkgs {
		if at := placeOf(p.dir); at.floor != words && at.floor != decisions {
			continue
		}
		for _, f := range p.code() {
			if !yield(p, f) {
				return
			}
		}
	}
}

// impure reports whether a package of the standard library reaches the world.
func impure(imp string) bool {
	switch imp {
	case "net/netip", "net/url":
		return false
	case "crypto/rand", "crypto/tls", "io/ioutil", "syscall", "plugin", "log", "log/slog", "runtime/debug":
		return true
	}
	top, _, _ := strings.Cut(imp, "/")
	return top == "net" || top == "os"
}

func checkPureImports(t *tree, report reporter) {
	for p, f := range t.pure {
		for at, imp := range f.imported {
			if strings.HasPrefix(imp, module) {
				continue
			}
			if top, _, _ := strings.Cut(imp, "/"); strings.Contains(top, ".") {
				report(f, at, "%s imports %s, which is not of the standard library", p.room(), imp)
			} else if impure(imp) {
				report(f, at, "%s imports %s", p.room(), imp)
			}
		}
	}
}

// eachPureUse returns a check of what pure files use of other packages.
func eachPureUse(bad func(use) bool) func(*tree, reporter) {
	return func(t *tree, report reporter) {
		for p, f := range t.pure {
			for at, u := range f.uses {
				if bad(u) {
					report(f, at, "%s uses %s", p.room(), u)
				}
			}
		}
	}
}

func readsClock(u use) bool {
	if u.pkg != "time" {
		return false
	}
	switch u.name {
	case "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker":
		return true
	}
	return false
}

func drawsGlobally(u use) bool {
	if u.pkg != "math/rand" && u.pkg != "math/rand/v2" {
		return false
	}
	switch u.name { // types, and constructors that are handed their seed
	case "Rand", "Source", "Source64", "Zipf", "PCG", "ChaCha8", "New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf":
		return false
	}
	return true
}

func checkGoroutines(t *tree, report reporter) {
	for p, f := range t.pure {
		if placeOf(p.dir).floor != decisions {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				report(f, g.Pos(), "%s starts a goroutine", p.room())
			}
			return true
		})
	}
}
