package archtest

import (
	"go/ast"
	"strings"
)

func dangerRules() []rule {
	return []rule{
		{
			"skip verify", "certificates are checked in one place, transport/tlspeer, which does it itself; anywhere else this switches checking off",
			checkSkipVerify,
		},
		{
			"bypass", "a pattern that bypasses the origin check was a vulnerability (CVE-2025-47910)",
			eachIdent("AddInsecureBypassPattern"),
		},
		{
			"exec", "no name or setting can become a command if nothing is ever executed; only the lab runs programs",
			checkExec,
		},
		{
			"exit", "only main exits: what exits elsewhere leaves its files and leases behind",
			checkExit,
		},
	}
}

// house yields the files of internal that are not tests, but for the lab's and
// archtest's own.
func (t *tree) house(yield func(p *pkg, f *file) bool) {
	for _, p := range t.pkgs {
		if at := placeOf(p.dir); at.room == "" || at.floor >= wing {
			continue
		}
		for _, f := range p.code() {
			if !yield(p, f) {
				return
			}
		}
	}
}

// idents yields the places where name is used.
func (f *file) idents(name string) func(func(*ast.Ident) bool) {
	return func(yield func(*ast.Ident) bool) {
		stop := false
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == name && !stop {
				stop = !yield(id)
			}
			return !stop
		})
	}
}

func checkSkipVerify(t *tree, report reporter) {
	const home = "internal/transport/tlspeer"
	seen := 0
	for _, p := range t.pkgs {
		for _, f := range p.code() {
			for id := range f.idents("InsecureSkipVerify") {
				if p.dir != home {
					report(f, id.Pos(), "InsecureSkipVerify outside %s", home)
					continue
				}
				if seen++; seen > 1 {
					report(f, id.Pos(), "InsecureSkipVerify for the second time")
				}
			}
		}
	}
}

func eachIdent(name string) func(*tree, reporter) {
	return func(t *tree, report reporter) {
		for _, p := range t.pkgs {
			for _, f := range p.files {
				for id := range f.idents(name) {
					report(f, id.Pos(), "%s", name)
				}
			}
		}
	}
}

func checkExec(t *tree, report reporter) {
	for p, f := range t.house {
		for at, imp := range f.imported {
			if imp == "os/exec" {
				report(f, at, "%s imports os/exec", p.room())
			}
		}
		for at, u := range f.uses {
			if (u.pkg == "os" && u.name == "StartProcess") || (u.pkg == "syscall" && strings.HasSuffix(u.name, "Exec")) {
				report(f, at, "%s uses %s", p.room(), u)
			}
		}
	}
}

func checkExit(t *tree, report reporter) {
	for p, f := range t.house {
		for at, u := range f.uses {
			if (u.pkg == "os" && u.name == "Exit") || (u.pkg == "log" && strings.HasPrefix(u.name, "Fatal")) {
				report(f, at, "%s uses %s", p.room(), u)
			}
		}
	}
}
