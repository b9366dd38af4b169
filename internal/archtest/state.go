package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

func stateRules() []rule {
	const why = "constructors receive everything they need; what a package keeps for itself two nodes in one process would share"
	return []rule{
		{"init", why, checkInit},
		{"package state", why, checkState},
	}
}

// built returns the packages that a program is built from, rather than a test.
// lab/real is left out: it names parts of the machine, of which there is one.
func (t *tree) built() []*pkg {
	return slices.DeleteFunc(slices.Clone(t.pkgs), func(p *pkg) bool {
		return strings.HasPrefix(p.dir, "test/") || p.dir == "internal/lab/real"
	})
}

func checkInit(t *tree, report reporter) {
	for _, p := range t.built() {
		for _, f := range p.code() {
			for _, d := range f.syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					report(f, fn.Pos(), "an init function")
				}
			}
			for _, spec := range f.syntax.Imports {
				if spec.Name != nil && spec.Name.Name == "_" && importPath(spec) != "embed" {
					report(f, spec.Pos(), "imports %s for what its init does", importPath(spec))
				}
			}
		}
	}
}

func checkState(t *tree, report reporter) {
	for _, p := range t.built() {
		info, scope := t.resolve(p)
		for _, f := range p.code() {
			reportStateful(f, report)
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				for _, target := range targets(n) {
					id := root(target)
					if id == nil {
						continue
					}
					if v, ok := info.Uses[id].(*types.Var); ok && v.Parent() == scope {
						report(f, target.Pos(), "changes the package's variable %s", id.Name)
					}
				}
				return true
			})
		}
	}
}

// resolve finds what each name in p stands for. Other packages are not loaded:
// what they declare stays unknown, which is no matter here.
func (t *tree) resolve(p *pkg) (*types.Info, *types.Scope) {
	var syntax []*ast.File
	for _, f := range p.code() {
		syntax = append(syntax, f.syntax)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	c := types.Config{Importer: nothing{}, Error: func(error) {}}
	made, _ := c.Check(p.dir, t.fset, syntax, info) // errors: of what is not loaded
	return info, made.Scope()
}

// nothing imports packages as empty ones.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, packageName(path))
	p.MarkComplete()
	return p, nil
}

// targets returns what a statement changes.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// root returns the variable that an expression such as x.f[i] is a part of.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// reportStateful finds package variables that only make sense when they change.
func reportStateful(f *file, report reporter) {
	for _, d := range f.syntax.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			for _, e := range append([]ast.Expr{spec.Type}, spec.Values...) {
				if what := stateful(f, e); what != "" {
					report(f, spec.Pos(), "the package's variable %s is %s", spec.Names[0].Name, what)
				}
			}
		}
	}
}

// stateful says what kind of state a type, or a value of it, is.
func stateful(f *file, e ast.Expr) string {
	switch x := e.(type) {
	case *ast.ChanType:
		return "a channel"
	case *ast.StarExpr:
		return stateful(f, x.X)
	case *ast.UnaryExpr:
		return stateful(f, x.X)
	case *ast.CompositeLit:
		if _, ok := x.Type.(*ast.MapType); ok && len(x.Elts) == 0 {
			return "an empty map"
		}
		return stateful(f, x.Type)
	case *ast.CallExpr:
		if id, ok := x.Fun.(*ast.Ident); ok && (id.Name == "make" || id.Name == "new") {
			return "made to be filled"
		}
	case *ast.IndexExpr: // atomic.Pointer[T]
		return stateful(f, x.X)
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok {
			switch p := f.imports[id.Name]; p {
			case "sync", "sync/atomic":
				if x.Sel.Name != "Pool" { // memory that nobody needs is no state
					return "a " + p + "." + x.Sel.Name
				}
			}
		}
	}
	return ""
}
