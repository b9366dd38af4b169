package archtest

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

func styleRules() []rule {
	return []rule{
		{"package doc", "the first sentence of a package is its caption in every listing", checkDocs},
		{"file size", "a file is one idea", checkFileSize},
		{"function size", "a function fits a screen", checkFunctionSize},
		{"name", "a name that fits anything says nothing, and everything ends up in it", checkNames},
		{"tested", "a package without a test is a package nobody has used", checkTested},
		{
			"sleep in test", "a test that waits for time is slow when it passes and wrong when the machine is busy; use testing/synctest or a clock handed in",
			checkSleep,
		},
		{"skipped test", "a test that may be skipped is believed to have passed", checkSkip},
		{"unfinished", "what is exported works", checkUnfinished},
	}
}

func checkDocs(t *tree, report reporter) {
	for _, p := range t.pkgs {
		code := p.code()
		if len(code) == 0 {
			continue
		}
		var docs []*file
		for _, f := range code {
			if f.syntax.Doc.Text() != "" && !ast.IsGenerated(f.syntax) {
				docs = append(docs, f)
			}
		}
		switch {
		case len(docs) == 0:
			report(code[0], token.NoPos, "package %s has no doc comment", p.name())
		case len(docs) > 1:
			report(docs[1], docs[1].syntax.Doc.Pos(), "package %s has two doc comments", p.name())
		case p.name() != "main" && !strings.HasPrefix(docs[0].syntax.Doc.Text(), "Package "+p.name()+" "):
			report(docs[0], docs[0].syntax.Doc.Pos(), "the doc comment does not begin with %q", "Package "+p.name())
		}
	}
}

// codeLines counts the lines of f that hold more than a comment.
func codeLines(f *file) int {
	var s scanner.Scanner
	set := token.NewFileSet()
	in := set.AddFile(f.path, -1, len(f.source))
	s.Init(in, f.source, nil, 0) // comments are skipped
	lines, last := 0, 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue
		}
		first := in.Line(pos)
		for line := first; line <= first+strings.Count(text, "\n"); line++ {
			if line > last {
				lines, last = lines+1, line
			}
		}
	}
}

func checkFileSize(t *tree, report reporter) {
	const most = 500
	for _, p := range t.pkgs {
		for _, f := range p.files {
			if n := codeLines(f); n > most && !ast.IsGenerated(f.syntax) {
				report(f, token.NoPos, "%d lines of code, at most %d", n, most)
			}
		}
	}
}

func checkFunctionSize(t *tree, report reporter) {
	const most = 80
	for _, p := range t.pkgs {
		for _, f := range p.code() {
			if ast.IsGenerated(f.syntax) { // pages: nobody reads them
				continue
			}
			for _, d := range f.syntax.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				n := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1
				if n > most {
					report(f, fn.Pos(), "%s has %d lines, at most %d", fn.Name.Name, n, most)
				}
			}
		}
	}
}

func checkNames(t *tree, report reporter) {
	for _, p := range t.pkgs {
		for part := range strings.SplitSeq(p.dir+"/"+p.name(), "/") {
			if vague(part) {
				report(p.first(), token.NoPos, "a package called %s", part)
				break
			}
		}
		for _, f := range p.files {
			if base, _, _ := strings.Cut(strings.TrimSuffix(path.Base(f.path), ".go"), "_"); vague(base) {
				report(f, token.NoPos, "a file called %s", base)
			}
		}
	}
}

func vague(name string) bool {
	switch strings.TrimSuffix(name, "s") {
	case "util", "utilitie", "common", "manager", "helper", "misc":
		return true
	}
	return false
}

func checkTested(t *tree, report reporter) {
	for _, p := range t.pkgs {
		if placeOf(p.dir).room == "" || p.name() == "main" || p.suite() {
			continue
		}
		// Words alone, such as a contract whose suite stands beside it, run nothing.
		if len(p.code()) == len(p.files) && slices.ContainsFunc(p.files, runs) {
			report(p.first(), token.NoPos, "package %s has no test file", p.name())
		}
	}
}

// runs reports whether f has a function.
func runs(f *file) bool {
	return slices.ContainsFunc(f.syntax.Decls, func(d ast.Decl) bool {
		_, ok := d.(*ast.FuncDecl)
		return ok
	})
}

// tests yields the test files of internal, and the contract suites.
func (t *tree) tests(yield func(p *pkg, f *file) bool) {
	for _, p := range t.pkgs {
		if placeOf(p.dir).room == "" {
			continue
		}
		for _, f := range p.files {
			if (f.test || p.suite()) && !yield(p, f) {
				return
			}
		}
	}
}

func checkSleep(t *tree, report reporter) {
	for _, f := range t.tests {
		for at, u := range f.uses {
			if u == (use{"time", "Sleep"}) {
				report(f, at, "time.Sleep")
			}
		}
	}
}

func checkSkip(t *tree, report reporter) {
	for p, f := range t.tests {
		if placeOf(p.dir).floor == wing { // namespaces need root
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch x, _ := s.X.(*ast.Ident); {
			case x == nil || (x.Name != "t" && x.Name != "b" && x.Name != "f" && x.Name != "tb"):
			case s.Sel.Name == "Skip" || s.Sel.Name == "Skipf" || s.Sel.Name == "SkipNow":
				report(f, s.Pos(), "%s.%s", x.Name, s.Sel.Name)
			}
			return true
		})
	}
}

func checkUnfinished(t *tree, report reporter) {
	for _, f := range t.house {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			fn, _ := call.Fun.(*ast.Ident)
			lit, _ := call.Args[0].(*ast.BasicLit)
			if fn == nil || fn.Name != "panic" || lit == nil {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(strings.ToLower(text), "todo") {
				report(f, call.Pos(), "panic(%s)", lit.Value)
			}
			return true
		})
	}
}
